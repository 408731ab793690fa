// Tells from a request which dialect its client speaks. The table is dialects.def.
#include <optional>

#include "runtime/dialect/dialect.h"
#include "runtime/dialect/members.h"

namespace runtime::dialect {
namespace {

struct DialectInfo {
  Api api;
  std::string_view path;
  Shape stream_shape;
  bool streams_by_default;
};

constexpr DialectInfo kDialects[] = {
#define DIALECT(api, path, stream_shape, streams_by_default) {Api::api, path, Shape::stream_shape, streams_by_default},
#include "runtime/dialect/dialects.def"
#undef DIALECT
};

const DialectInfo* FindByPath(std::string_view path) {
  for (const DialectInfo& info : kDialects) {
    if (info.path == path) return &info;
  }
  return nullptr;
}

}  // namespace

ClientDialect Detect(compiler::abi::Method method, std::string_view path, std::string_view endpoint_path,
                     std::string_view body) {
  ClientDialect client;
  if (method != compiler::abi::Method::kPOST) return client;
  const DialectInfo* info = FindByPath(path);
  if (info == nullptr) info = FindByPath(endpoint_path);
  if (info == nullptr) return client;

  const Members members = ReadMembers(body).value_or(Members{});
  client.api = info->api;
  client.shape = members.stream.value_or(info->streams_by_default) ? info->stream_shape : Shape::kJson;
  client.model = members.model;
  return client;
}

}  // namespace runtime::dialect
