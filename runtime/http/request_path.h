// The path of a request: one form of it, which routes are matched on and which is sent. What a server behind could take for another
// path than the one that was judged is refused.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runtime::http {

// Escapes of characters that a path may hold anyway are decoded (RFC 3986 6.2.2.2; sub-delims, ":" and "@" too, but for ";" and "+"),
// the others written with capitals: %2F stays. What a URI may not hold and clients send all the same (quotes, braces, "|" …) is
// written as escapes. Dot segments are removed, runs of "/" folded. "*" stands for itself.
// Nothing, and the request is a 400: a broken escape or %00; a backslash, written or encoded; overlong UTF-8; a path that leaves the root;
// and what becomes a dot segment only for who decodes it (once or more often), takes "%2F" or a backslash for "/", or cuts off ";…".
std::optional<std::string> NormalisePath(std::string_view path);

// Whether it is one of the paths that nearly all requests have: small letters, digits, "-", "_" and ".", no segment that is empty or begins
// with a dot. Such a one is normal, has no other reading, and stays what it is whoever reads it; false says nothing.
bool IsSimplePath(std::string_view path);

// Whether it is seen at a glance that NormalisePath would change nothing, as with nearly all; false says nothing.
bool IsNormal(std::string_view path);

// Whether PathsForOthers may find one: mostly not.
inline bool MayBeReadAnew(std::string_view path) {
  for (const char c : path) {
    if (c == '%' || c == ';') return true;
  }
  return false;
}

// The other paths that servers may take it for which decode %2F, decode more than once, or cut off parameters behind ";" and blanks at the
// end. Dot segments are not among them. Mostly none. `path` is normalised.
std::vector<std::string> PathsForOthers(std::string_view path);

// Whether TargetOf would escape nothing of it.
bool IsPlainQuery(std::string_view query);

// What is sent for a path that was judged. Of the query what a URI may not hold is escaped.
std::string TargetOf(std::string_view path, std::string_view query);

}  // namespace runtime::http
