#include "compiler/model/model_paths.h"

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

}  // namespace

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
  return std::string(base) + std::string(path);
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
  return RepeatsExactly(PathAt(url, path));
}

}  // namespace compiler::model
