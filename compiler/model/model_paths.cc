#include "compiler/model/model_paths.h"

#include <algorithm>

namespace compiler::model {
namespace {

struct EndPoint {
  std::string_view path;
  std::string_view ending;
  Repeats repeats;
};

constexpr EndPoint kEndPoints[] = {
#define END_POINT(path, ending, repeats) {path, ending, Repeats::repeats},
#include "compiler/model/model_paths.def"
#undef END_POINT
};

Repeats RepeatsExactly(std::string_view path) {
  for (const EndPoint& point : kEndPoints) {
    if (point.path == path) return point.repeats;
  }
  return Repeats::kNever;
}

// v1, v3, v1beta, v1alpha2, v1.1: the version of an API.
bool IsVersion(std::string_view segment) {
  const auto skip_digits = [&segment] {
    const size_t digits = std::min(segment.find_first_not_of("0123456789."), segment.size());
    segment.remove_prefix(digits);
    return digits > 0;
  };
  if (!segment.starts_with('v')) return false;
  segment.remove_prefix(1);
  if (!skip_digits()) return false;
  for (const std::string_view stage : {"alpha", "beta", "preview"}) {
    if (!segment.starts_with(stage)) continue;
    segment.remove_prefix(stage.size());
    skip_digits();
    break;
  }
  return segment.empty();
}

// "/v1/models" without its version.
std::string_view WithoutVersion(std::string_view path) {
  const size_t slash = path.find('/', 1);
  return slash != std::string_view::npos && IsVersion(path.substr(1, slash - 1)) ? path.substr(slash) : path;
}

}  // namespace

bool NamesVersion(std::string_view base) {
  const auto last = [&base] {
    const size_t slash = base.rfind('/');
    const std::string_view segment = base.substr(slash == std::string_view::npos ? 0 : slash + 1);
    base = base.substr(0, slash == std::string_view::npos ? 0 : slash);
    return segment;
  };
  const std::string_view end = last();
  if (IsVersion(end)) return true;
  if (end == "openai" || end == "compat") {
    while (!base.empty()) {
      if (IsVersion(last())) return true;
    }
    return false;
  }
  return last() == "deployments" && last() == "openai";
}

bool IsEndPoint(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  for (const EndPoint& point : kEndPoints) {
    if (path.ends_with(point.ending)) return true;
  }
  return false;
}

std::string PathAt(const Url& url, std::string_view path) {
  if (url.path.empty() || !path.starts_with('/')) return std::string(path);  // "*" of OPTIONS has no base
  if (!url.is_base) return url.path;
  const std::string_view base = url.path;
  for (size_t i = 0; i < base.size(); ++i) {
    if (base[i] != '/') continue;
    const std::string_view said = base.substr(i);  // the longest first
    const bool is_said_again = path.starts_with(said) && (path.size() == said.size() || path[said.size()] == '/');
    if (is_said_again) return std::string(base) + std::string(path.substr(said.size()));
  }
  return std::string(base) + std::string(NamesVersion(base) ? WithoutVersion(path) : path);
}

Bases BasesOf(std::string_view path, std::string_view path_at_upstream) {
  const auto ends = std::mismatch(path.rbegin(), path.rend(), path_at_upstream.rbegin(), path_at_upstream.rend());
  const auto common = static_cast<size_t>(ends.first - path.rbegin());
  const size_t slash = path.find('/', path.size() - common);
  if (slash == std::string_view::npos) return {};
  const size_t same = path.size() - slash;
  return {path.substr(0, slash), path_at_upstream.substr(0, path_at_upstream.size() - same)};
}

Repeats RepeatsAt(const Url& url, std::string_view path) {
  if (!url.path.empty() && !url.is_base) {  // the base of an end point is what stands in front of it
    for (const EndPoint& point : kEndPoints) {
      const bool is_it = std::string_view(url.path).ends_with(point.path);
      if (is_it && point.repeats != Repeats::kNever) return point.repeats;
    }
    return Repeats::kNever;
  }
  const Repeats behind_base = RepeatsExactly(path);
  if (url.path.empty() || behind_base != Repeats::kNever) return behind_base;
  const std::string_view base = url.path;
  const Repeats at_base = RepeatsExactly(PathAt(url, path));
  if (at_base != Repeats::kNever || !NamesVersion(base)) return at_base;
  return RepeatsExactly("/v1" + std::string(WithoutVersion(path)));
}

}  // namespace compiler::model
