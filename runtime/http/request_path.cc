#include "runtime/http/request_path.h"

#include <algorithm>
#include <array>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/short_text.h"
#include "runtime/http/planted_faults.h"
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

// Also with blanks or controls in it, which who parses what he decoded leaves out (WHATWG's URL 4.4), and without what stands behind ";".
bool IsDots(std::string_view segment) {
  segment = segment.substr(0, segment.find(';'));
  size_t dots = 0;
  for (const char c : segment) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) continue;
    if (c != '.') return false;
    ++dots;
  }
  return dots == 1 || dots == 2;
}

// A character of two bytes or more that one would do for (RFC 3629 3): %C0%AE is a dot to who decodes without looking.
bool HoldsOverlong(std::string_view text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : '\0');
    if (lead == 0xC0 || lead == 0xC1) return true;
    if (lead == 0xE0 && next >= 0x80 && next < 0xA0) return true;
    if (lead == 0xF0 && next >= 0x80 && next < 0x90) return true;
  }
  return false;
}

bool HoldsDotSegment(std::string_view text) {
  while (true) {
    const size_t end = text.find_first_of("/\\");
    if (IsDots(text.substr(0, end))) return true;
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
}

// Whether a segment as it was received is a dot segment for somebody, though it isn't one as it stands, or holds what could be a dot or a
// slash in more bytes than it takes.
bool HidesDots(std::string_view segment) {
  if (segment == "." || segment == "..") return false;
  std::string text(segment);
  for (int i = 0; i <= kMaxDecodings; ++i) {
    if (HoldsDotSegment(text) || HoldsOverlong(text)) return true;
    if (text.find('%') == std::string::npos) return false;
    text = DecodedOnce(text);
  }
  return false;
}

// What browsers may send as it is and a URI may not hold (RFC 3986 2, appendix A): it is written as an escape.
constexpr bool MustBeEscaped(char c) { return static_cast<unsigned char>(c) >= 0x80 || std::string_view("\"<>^`{|}").find(c) != std::string_view::npos; }

void AppendEscape(unsigned char byte, std::string* out) {
  constexpr char kHex[] = "0123456789ABCDEF";
  out->append({'%', kHex[byte >> 4], kHex[byte & 15]});
}

// As the most generous server reads a path: decoded `decodings` times and parsed anew, so that it ends at "?" or "#"; "\" taken for "/", runs
// of "/" folded, parameters behind ";" and blanks at the end cut off.
std::string AsRead(std::string_view path, int decodings) {
  std::string text(path);
  for (int i = 0; i < decodings; ++i) text = DecodedOnce(text);
  if (decodings > 0) text.resize(std::min(text.find_first_of("?#"), text.size()));
  std::string read;
  bool in_parameter = false;
  for (char c : text) {
    if (c == '\\') c = '/';
    if (c == '/') in_parameter = false;
    if (c == ';') in_parameter = true;
    if (in_parameter || (c == '/' && !read.empty() && read.back() == '/')) continue;
    read.push_back(c);
  }
  while (!read.empty() && static_cast<unsigned char>(read.back()) <= ' ') read.pop_back();
  return read;
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
    bool leads_up = segment == "..";
    PLANT_FAULT(dots_are_kept, leads_up = false);
    if (leads_up) {
      if (result.empty()) return std::nullopt;
      result.resize(result.rfind('/'));
      continue;
    }
    const bool is_odd = std::any_of(segment.begin(), segment.end(), [](char c) { return c == '%' || c == ';' || MustBeEscaped(c); });
    if (is_odd && HidesDots(segment)) return std::nullopt;
    result.push_back('/');
    for (size_t i = 0; i < segment.size(); ++i) {
      if (segment[i] == '\\') return std::nullopt;
      if (segment[i] != '%') {
        if (is_odd && MustBeEscaped(segment[i])) AppendEscape(static_cast<unsigned char>(segment[i]), &result);
        else result.push_back(segment[i]);
        continue;
      }
      const int byte = EscapeAt(segment, i);
      if (byte <= 0 || byte == '\\') return std::nullopt;  // servers disagree on what a broken escape means, and NUL ends some
      if (IsPlainInPath(static_cast<unsigned char>(byte))) {
        result.push_back(static_cast<char>(byte));
      } else {
        AppendEscape(static_cast<unsigned char>(byte), &result);
      }
      i += 2;
    }
    ends_in_slash = false;
  }
  if (ends_in_slash) result.push_back('/');
  return result;
}

namespace {

// What a byte of a path is to IsNormal.
enum PathByte : uint8_t { kPlainByte = 0, kSlash = 1, kDot = 2, kOddByte = 3 };
constexpr auto kPathBytes = [] {
  std::array<uint8_t, 256> table{};
  for (size_t i = 0; i < table.size(); ++i) {
    const char c = static_cast<char>(i);
    if (c == '%' || c == ';' || c == '\\' || MustBeEscaped(c)) table[i] = kOddByte;
    if (c == '/') table[i] = kSlash;
    if (c == '.') table[i] = kDot;
  }
  return table;
}();

}  // namespace

bool IsNormal(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
  uint8_t before = kPlainByte;
  for (const char c : path) {
    const uint8_t kind = kPathBytes[static_cast<unsigned char>(c)];
    if (kind == kOddByte || (before == kSlash && kind != kPlainByte)) return false;
    before = kind;
  }
  return true;
}

bool IsSimplePath(std::string_view path) {
  if (path.empty() || path.front() != '/') return false;
#ifdef __SSE2__
  unsigned behind_slash = 0;  // bit 0: the byte before was a slash
  for (size_t at = 0; at < path.size(); at += 16) {
    alignas(16) char block[16] = {'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'};
    base::CopyText(block, path.substr(at, 16));
    const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i*>(block));
    const auto within = [bytes](char low, char high) {
      return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))),
                           _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
    };
    const __m128i known = _mm_or_si128(_mm_or_si128(within('a', 'z'), within('-', '9')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')));
    if (_mm_movemask_epi8(known) != 0xffff) return false;
    const auto slashes = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('/'))));
    const auto dots = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('.'))));
    if ((((slashes << 1) | behind_slash) & (slashes | dots)) != 0) return false;
    behind_slash = slashes >> 15;
  }
  return true;
#else
  for (const char c : path) {
    if (!((c >= 'a' && c <= 'z') || (c >= '-' && c <= '9') || c == '_')) return false;
  }
  return IsNormal(path);
#endif
}

std::vector<std::string> PathsForOthers(std::string_view path) {
  std::vector<std::string> paths;
  if (!MayBeReadAnew(path)) return paths;
  std::string last(path);
  for (int decodings = 0; decodings <= kMaxDecodings; ++decodings) {
    std::string read = AsRead(path, decodings);
    if (read != last && read != path) paths.push_back(read);
    if (decodings > 0 && read == last) break;
    last = std::move(read);
  }
  return paths;
}

namespace {

// "^", "`", braces and "|" stand there as browsers send them.
bool IsEscapedInQuery(char c) { return static_cast<unsigned char>(c) >= 0x80 || c == '"' || c == '<' || c == '>' || c == '\\'; }

}  // namespace

bool IsPlainQuery(std::string_view query) { return std::none_of(query.begin(), query.end(), IsEscapedInQuery); }

std::string TargetOf(std::string_view path, std::string_view query) {
  std::string target(path);
  if (query.empty()) return target;
  target.reserve(path.size() + 1 + query.size());
  target.push_back('?');
  for (const char c : query) {
    if (IsEscapedInQuery(c)) {
      AppendEscape(static_cast<unsigned char>(c), &target);
    } else {
      target.push_back(c);
    }
  }
  return target;
}

}  // namespace runtime::http
