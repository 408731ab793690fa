// Tells from a request which dialect its client speaks. The table is dialects.def.
#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
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

// The last eight bytes of a path; letters in one case, and a few other bytes the same as others.
constexpr size_t kEndBytes = 8;
constexpr uint64_t EndOf(std::string_view path) {
  const auto at = [last = path.data() + path.size() - 1](int back) { return uint64_t{static_cast<unsigned char>(*(last - back))} << (56 - 8 * back); };
  return (at(0) | at(1) | at(2) | at(3) | at(4) | at(5) | at(6) | at(7)) | 0x2020202020202020;
}
constexpr auto kEnds = [] {
  std::array<uint64_t, std::size(kDialects)> ends{};
  for (size_t i = 0; i < ends.size(); ++i) ends[i] = EndOf(kDialects[i].path);  // does not compile where one is shorter
  return ends;
}();

// Azure's paths are names in any case; those of others have no other meaning in capitals.
bool EndsWith(std::string_view path, std::string_view end) {
  if (path.size() < end.size() || (path.back() | 0x20) != end.back()) return false;
  path.remove_prefix(path.size() - end.size());
  return std::equal(path.begin(), path.end(), end.begin(), [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; });
}

// The path without what says nothing: slashes at its end.
std::string_view Trimmed(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  return path;
}

// Threads have messages, too (OpenAI's Assistants).
bool IsOtherThing(std::string_view path) { return path.find("/threads/") != std::string_view::npos; }

// A segment that names a version: v1, v4 (Z.ai's /api/paas/v4/), v1beta (Gemini's compatible end). Ollama's paths have none.
bool HasVersion(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    path.remove_prefix(segment.size());
    if (segment.size() >= 2 && segment[0] == 'v' && segment[1] >= '0' && segment[1] <= '9') return true;
  }
  return false;
}

const DialectInfo* FindByPath(std::string_view path) {
  path = Trimmed(path);
  if (path.size() < kEndBytes) return nullptr;
  const DialectInfo* found = nullptr;
  const uint64_t end = EndOf(path);
  for (size_t i = 0; i < kEnds.size(); ++i) {  // each begins with a slash, so that it ends a path on a whole segment
    if (kEnds[i] != end) continue;
    const DialectInfo& info = kDialects[i];
    if (EndsWith(path, info.path) && (found == nullptr || info.path.size() > found->path.size())) found = &info;
  }
  if (found == nullptr && EndsWith(path, "/anthropic/messages")) return IsOtherThing(path) ? nullptr : FindByPath("/v1/messages");  // a base that stands for the version
  return found != nullptr && IsOtherThing(path) ? nullptr : found;
}

size_t CommonSuffix(std::string_view a, std::string_view b) {
  size_t size = 0;
  while (size < a.size() && size < b.size() && a[a.size() - 1 - size] == b[b.size() - 1 - size]) ++size;
  return size;
}

// The line of a family whose path ends most like `path`; the first of it if none does. Null for kAuto. A server of OpenAI's API has
// both of its end points for answers.
const DialectInfo* FindInFamily(compiler::model::UpstreamDialect family, std::string_view path) {
  using compiler::model::UpstreamDialect;
  if (family == UpstreamDialect::kAuto) return nullptr;
  path = Trimmed(path);
  if (family == UpstreamDialect::kOpenAi) {
    const DialectInfo* info = FindByPath(path);
    if (info != nullptr && info->family == UpstreamDialect::kResponses) return info;
  }
  const DialectInfo* found = nullptr;
  for (const DialectInfo& info : kDialects) {
    if (info.family != family) continue;
    if (found == nullptr || CommonSuffix(info.path, path) > CommonSuffix(found->path, path)) found = &info;
  }
  return found;
}

ApiFamily FamilyOf(compiler::model::UpstreamDialect dialect) {
  using compiler::model::UpstreamDialect;
  switch (dialect) {
    case UpstreamDialect::kAuto: return ApiFamily::kNone;
    case UpstreamDialect::kOllama: return ApiFamily::kOllama;
    case UpstreamDialect::kOpenAi: return ApiFamily::kOpenAi;
    case UpstreamDialect::kAnthropic: return ApiFamily::kAnthropic;
    case UpstreamDialect::kResponses: return ApiFamily::kResponses;
  }
  return ApiFamily::kNone;
}

}  // namespace

ApiFamily FamilyOf(std::string_view path) {
  path = Trimmed(path);
  if (const DialectInfo* info = FindByPath(path)) return FamilyOf(info->family);
  const auto has = [path](std::string_view part) { return path.find(part) != std::string_view::npos; };
  if (has("/v1/messages") && !IsOtherThing(path)) return ApiFamily::kAnthropic;  // count_tokens, batches
  if (HasVersion(path) || has("/openai/")) return ApiFamily::kOpenAi;
  if (has("/api/")) return ApiFamily::kOllama;
  if (has("/responses/")) return ApiFamily::kResponses;  // compact, input_tokens
  for (const std::string_view end : {"/embeddings", "/rerank", "/reranking", "/moderations", "/audio/speech", "/audio/transcriptions", "/audio/translations",
                                     "/images/generations", "/images/edits", "/models"}) {
    if (path.ends_with(end)) return ApiFamily::kOpenAi;
  }
  return ApiFamily::kNone;
}

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
  const DialectInfo* info = FindByPath(path);
  client.family = info != nullptr ? FamilyOf(info->family) : FamilyOf(path);
  if (client.family == ApiFamily::kNone) client.family = FamilyOf(endpoint_path);
  if (client.family == ApiFamily::kNone) client.family = FamilyOf(endpoint_dialect);
  if (method != compiler::abi::Method::kPOST) return client;
  if (info == nullptr) info = FindByPath(endpoint_path);
  // Embeddings of a server whose dialect is known are no such thing.
  if (info == nullptr && FamilyOf(path) == ApiFamily::kNone) info = FindInFamily(endpoint_dialect, endpoint_path.empty() ? path : endpoint_path);
  if (info == nullptr) return client;

  const Members members = ReadMembers(body).value_or(Members{});
  client.api = info->api;
  client.family = FamilyOf(info->family);
  client.shape = members.stream.value_or(info->streams_by_default) ? info->stream_shape : Shape::kJson;
  client.model = members.model;
  if (info->family == compiler::model::UpstreamDialect::kOpenAi) {
    client.choices = members.n * (info->api == Api::kOpenAiCompletions ? members.prompts : 1);
  }
  return client;
}

}  // namespace runtime::dialect
