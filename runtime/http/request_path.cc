#include "runtime/http/request_path.h"

#include <algorithm>

#include "runtime/http/text.h"

namespace runtime::http {
namespace {

constexpr int kMaxDecodings = 4;  // as often as careless servers in a row might do it

// What an escape of may be undone without changing what any server reads. Not ";", which begins a parameter for some, nor "+", which is
// a blank for some.
bool IsPlainInPath(unsigned char c) {
  return c < 0x80 && (IsUnreserved(static_cast<char>(c)) || std::string_view("!$&'()*,=:@").find(static_cast<char>(c)) != std::string_view::npos);
}

// The byte of the escape at text[i], or -1.
int EscapeAt(std::string_view text, size_t i) {
  const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
  const int low = high >= 0 ? HexValue(text[i + 2]) : -1;
  return low >= 0 ? high * 16 + low : -1;
}

std::string DecodedOnce(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const int byte = text[i] == '%' ? EscapeAt(text, i) : -1;
    decoded.push_back(byte >= 0 ? static_cast<char>(byte) : text[i]);
    if (byte >= 0) i += 2;
  }
  return decoded;
}

bool IsDots(std::string_view segment) {
  segment = segment.substr(0, segment.find(';'));
  return segment == "." || segment == "..";
}

bool HoldsDotSegment(std::string_view text) {
  while (true) {
    const size_t end = text.find_first_of("/\\");
    if (IsDots(text.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
}

// Whether a segment as it was received is a dot segment for somebody, though it isn't one as it stands.
bool HidesDots(std::string_view segment) {
  if (segment == "." || segment == "..") return false;
  std::string text(segment);
  for (int i = 0; i <= kMaxDecodings; ++i) {
    if (HoldsDotSegment(text)) return true;
    if (text.find('%') == std::string::npos) return false;
    text = DecodedOnce(text);
  }
  return false;
}

}  // namespace

std::optional<std::string> NormalisePath(std::string_view path) {
  if (path == "*") return std::string(path);
  if (path.empty() || path.front() != '/') return std::nullopt;
  std::string result;
  result.reserve(path.size());
  bool ends_in_slash = false;
  size_t from = 1;
  while (from <= path.size()) {
    const size_t slash = std::min(path.find('/', from), path.size());
    const std::string_view segment = path.substr(from, slash - from);
    from = slash + 1;
    ends_in_slash = true;
    if (segment.empty() || segment == ".") continue;
    if (segment == "..") {
      if (result.empty()) return std::nullopt;
      result.resize(result.rfind('/'));
      continue;
    }
    if (segment.find_first_of("%;") != std::string_view::npos && HidesDots(segment)) return std::nullopt;
    result.push_back('/');
    for (size_t i = 0; i < segment.size(); ++i) {
      if (segment[i] == '\\') return std::nullopt;
      if (segment[i] != '%') {
        result.push_back(segment[i]);
        continue;
      }
      const int byte = EscapeAt(segment, i);
      if (byte <= 0 || byte == '\\') return std::nullopt;  // servers disagree on what a broken escape means, and NUL ends some
      if (IsPlainInPath(static_cast<unsigned char>(byte))) {
        result.push_back(static_cast<char>(byte));
      } else {
        constexpr char kHex[] = "0123456789ABCDEF";
        result.append({'%', kHex[byte >> 4], kHex[byte & 15]});
      }
      i += 2;
    }
    ends_in_slash = false;
  }
  if (ends_in_slash) result.push_back('/');
  return result;
}

bool IsNormal(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  char before = 0;
  for (const char c : path) {
    if (c == '%' || c == ';' || c == '\\' || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

std::string WithPlainSlashes(std::string_view path) {
  std::string plain;
  plain.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    const bool is_slash = path.substr(i, 3) == "%2F";
    const char c = is_slash ? '/' : path[i];
    if (is_slash) i += 2;
    if (c == '/' && !plain.empty() && plain.back() == '/') continue;
    plain.push_back(c);
  }
  return plain;
}

std::string TargetOf(std::string_view path, std::string_view query) {
  std::string target(path);
  if (!query.empty()) target.append("?").append(query);
  return target;
}

}  // namespace runtime::http
