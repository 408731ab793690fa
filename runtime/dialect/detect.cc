// Tells from a request which dialect its client speaks. The table is dialects.def.
#include <optional>

#include "runtime/dialect/dialect.h"
#include "runtime/dialect/members.h"

namespace runtime::dialect {
namespace {

struct DialectInfo {
  Api api;
  std::string_view path;
  compiler::model::UpstreamDialect family;
  Shape stream_shape;
  bool streams_by_default;
};

constexpr DialectInfo kDialects[] = {
#define DIALECT(api, path, Family, stream_shape, streams_by_default) \
  {Api::api, path, compiler::model::UpstreamDialect::k##Family, Shape::stream_shape, streams_by_default},
#include "runtime/dialect/dialects.def"
#undef DIALECT
};

const DialectInfo* FindByPath(std::string_view path) {
  for (const DialectInfo& info : kDialects) {
    if (info.path == path) return &info;
  }
  return nullptr;
}

size_t CommonSuffix(std::string_view a, std::string_view b) {
  size_t size = 0;
  while (size < a.size() && size < b.size() && a[a.size() - 1 - size] == b[b.size() - 1 - size]) ++size;
  return size;
}

// The line of a family whose path ends most like `path`; the first of it if none does. Null for kAuto.
const DialectInfo* FindInFamily(compiler::model::UpstreamDialect family, std::string_view path) {
  const DialectInfo* found = nullptr;
  for (const DialectInfo& info : kDialects) {
    if (info.family != family) continue;
    if (found == nullptr || CommonSuffix(info.path, path) > CommonSuffix(found->path, path)) found = &info;
  }
  return found;
}

}  // namespace

Api ApiOfAnswer(compiler::model::UpstreamDialect dialect, std::string_view path, Api client) {
  if (client == Api::kPlain) return client;
  const DialectInfo* info = FindInFamily(dialect, path);
  if (info == nullptr) info = FindByPath(path);
  return info == nullptr ? client : info->api;
}

Shape StreamShapeOf(Api api) {
  for (const DialectInfo& info : kDialects) {
    if (info.api == api) return info.stream_shape;
  }
  return Shape::kJson;
}

ClientDialect Detect(compiler::abi::Method method, std::string_view path, std::string_view endpoint_path,
                     std::string_view body, compiler::model::UpstreamDialect endpoint_dialect) {
  ClientDialect client;
  if (method != compiler::abi::Method::kPOST) return client;
  const DialectInfo* info = FindByPath(path);
  if (info == nullptr) info = FindByPath(endpoint_path);
  if (info == nullptr) info = FindInFamily(endpoint_dialect, endpoint_path.empty() ? path : endpoint_path);
  if (info == nullptr) return client;

  const Members members = ReadMembers(body).value_or(Members{});
  client.api = info->api;
  client.shape = members.stream.value_or(info->streams_by_default) ? info->stream_shape : Shape::kJson;
  client.model = members.model;
  return client;
}

}  // namespace runtime::dialect
