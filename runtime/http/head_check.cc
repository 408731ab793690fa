// The rule of thumb: where two readers could disagree on where a message ends or whom it is for, it is refused.
#include "runtime/http/head_check.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>

#include "base/short_text.h"
#include "runtime/http/text.h"

namespace runtime::http {
namespace {

using compiler::abi::Method;

Method MethodOf(std::string_view text) {
#define METHOD(name, is_idempotent) \
  if (text == #name) return Method::k##name;
#include "compiler/abi/methods.def"
#undef METHOD
  return Method::kOther;
}

// What the lines say about framing and the connection, before it is judged.
struct Framing {
  int length_lines = 0;
  std::string_view length;
  bool lengths_differ = false;
  int encoding_lines = 0;
  bool encoding_is_list = true;  // every item is a token
  int encodings = 0;
  int chunked = 0;
  bool chunked_is_last = false;
  int host_lines = 0;
  std::string_view host;
  bool says_close = false;
  bool says_keep_alive = false;
  bool connection_names_framing = false;
  bool has_twin = false;
  bool is_last_hop = false;  // Max-Forwards: 0
  bool expects_continue = false;
  bool expects_other = false;
};

// Content_Length is Content-Length to servers that map headers to CGI variables.
bool IsFramingTwin(std::string_view name) {
  const auto twin_of = [name](std::string_view real) {
    if (name.size() != real.size()) return false;
    bool has_underscore = false;
    for (size_t i = 0; i < name.size(); ++i) {
      if (real[i] == '-' && name[i] == '_') {
        has_underscore = true;
      } else if (AsciiLower(name[i]) != real[i]) {
        return false;
      }
    }
    return has_underscore;
  };
  return twin_of("content-length") || twin_of("transfer-encoding");
}

Framing ReadFraming(const Headers& headers) {
  Framing framing;
  for (const Header& line : headers.lines()) {
    switch (line.id) {
      case HeaderId::k_host:
        ++framing.host_lines;
        framing.host = line.value;
        break;
      case HeaderId::k_expect:
        if (EqualsIgnoreCase(line.value, "100-continue")) {
          framing.expects_continue = true;
        } else {
          framing.expects_other = true;
        }
        break;
      case HeaderId::k_connection:
        if (line.value == "keep-alive") {
          framing.says_keep_alive = true;
          break;
        }
        if (line.value == "close") {
          framing.says_close = true;
          break;
        }
        ForEachListItem(line.value, [&](std::string_view item) {
          if (EqualsIgnoreCase(item, "close")) framing.says_close = true;
          if (EqualsIgnoreCase(item, "keep-alive")) framing.says_keep_alive = true;
          if (EqualsIgnoreCase(item, "content-length") || EqualsIgnoreCase(item, "transfer-encoding") ||
              EqualsIgnoreCase(item, "host")) {
            framing.connection_names_framing = true;
          }
        });
        break;
      case HeaderId::k_max_forwards:
        framing.is_last_hop = line.value.find_first_not_of('0') == std::string_view::npos;
        break;
      case HeaderId::k_content_length:
        framing.lengths_differ = framing.lengths_differ || (framing.length_lines > 0 && framing.length != line.value);
        ++framing.length_lines;
        framing.length = line.value;
        break;
      case HeaderId::k_transfer_encoding:
        ++framing.encoding_lines;
        ForEachListItem(line.value, [&](std::string_view item) {
          ++framing.encodings;
          framing.encoding_is_list = framing.encoding_is_list && IsToken(item);
          framing.chunked_is_last = EqualsIgnoreCase(item, "chunked");
          if (framing.chunked_is_last) ++framing.chunked;
        });
        break;
      case HeaderId::kOther:
        if (IsFramingTwin(line.name)) framing.has_twin = true;
        break;
      default: break;
    }
  }
  return framing;
}

std::optional<uint64_t> DecimalOf(std::string_view text) {
  uint64_t value = 0;
  for (char c : text) {
    if (!IsDigit(c)) return std::nullopt;
    const auto digit = static_cast<uint64_t>(c - '0');
    if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (text.empty()) return std::nullopt;
  return value;
}

// RFC 9112 6.3, both directions. `may_repeat`: the same length may stand twice.
ParseError CheckFraming(const Framing& framing, int minor_version, bool may_repeat, BodyFraming* kind, uint64_t* length) {
  if (framing.has_twin) return ParseError::k_framing_twin;
  if (framing.encoding_lines > 0) {
    if (framing.length_lines > 0) return ParseError::k_length_and_encoding;
    if (minor_version == 0 || !framing.encoding_is_list || !framing.chunked_is_last || framing.chunked != 1) {
      return ParseError::k_bad_transfer_encoding;
    }
    if (framing.encodings > 1) return ParseError::k_unsupported_transfer_coding;
    *kind = BodyFraming::kChunked;
    return ParseError::kNone;
  }
  if (framing.length_lines == 0) return ParseError::kNone;
  const std::optional<uint64_t> value = DecimalOf(framing.length);
  if (!value || framing.lengths_differ || (framing.length_lines > 1 && !may_repeat)) return ParseError::k_bad_content_length;
  *kind = BodyFraming::kLength;
  *length = *value;
  return ParseError::kNone;
}

constexpr auto kUnreserved = [] {
  std::array<bool, 256> table{};
  for (int c = 0; c < 256; ++c) table[static_cast<size_t>(c)] = IsUnreserved(static_cast<char>(c));
  return table;
}();

// uri-host [ ":" port ] of RFC 9110 7.2, of which we take host names, IPv4 and bracketed IPv6. Sub-delims are refused: no
// real host has them, and a comma would make a list.
bool IsValidAuthority(std::string_view authority) {
  std::string_view port;
  if (!authority.empty() && authority.front() == '[') {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = authority.substr(end + 1);
    if (!rest.empty() && rest.front() != ':') return false;
    port = rest.empty() ? rest : rest.substr(1);
    char ip[INET6_ADDRSTRLEN] = "";
    const std::string_view host = authority.substr(1, end - 1);
    if (host.size() >= sizeof(ip)) return false;
    host.copy(ip, host.size());
    in6_addr parsed;
    if (host.find('\0') != std::string_view::npos || inet_pton(AF_INET6, ip, &parsed) != 1) return false;
  } else {
    // No escapes: "g%77" would be another host than "gw" to conditions.
    size_t size = 0;
    while (size < authority.size() && kUnreserved[static_cast<unsigned char>(authority[size])]) ++size;
    if (size == 0 || size > 255) return false;
    if (size < authority.size()) {
      if (authority[size] != ':') return false;
      port = {authority.data() + size + 1, authority.size() - size - 1};
    }
  }
  if (port.size() > 5) return false;
  int number = 0;
  for (char c : port) {
    if (!IsDigit(c)) return false;
    number = number * 10 + (c - '0');
  }
  return number <= 65535;
}

// Clients ask for the same host again and again: it is looked at once.
constexpr size_t kMostKnownHost = 255;
bool IsKnownHost(std::string_view host, const std::string* known) {
  return known != nullptr && !host.empty() && known->size() == host.size() && base::IsSameText(known->data(), host.data(), host.size());
}

// Characters that a target may hold. Laxer than RFC 3986, where browsers send some as they are, "|" in paths, quotes in queries: what is
// sent on holds escapes instead (request_path.h). A backslash in a path would be a slash to some.
constexpr bool IsTargetChar(char c, bool in_query) {
  if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#') return false;
  return c != '\\' || in_query;
}

// Bit 0: in a path; bit 1: in a query.
constexpr auto kTargetChars = [] {
  std::array<uint8_t, 256> table{};
  for (int c = 0; c < 256; ++c) {
    const char letter = static_cast<char>(c);
    table[static_cast<size_t>(c)] = static_cast<uint8_t>((IsTargetChar(letter, false) ? 1 : 0) | (IsTargetChar(letter, true) ? 2 : 0));
  }
  return table;
}();

ParseError ReadTarget(std::string_view target, RequestHead* head, std::string_view* authority, std::string* spare) {
  const char* const end = target.data() + target.size();
  const char* at = target.data();
  while (at != end && *at != '?') {
    if ((kTargetChars[static_cast<unsigned char>(*at++)] & 1) == 0) return ParseError::k_bad_target;
  }
  const char* const path_end = at;
  for (; at != end; ++at) {
    if ((kTargetChars[static_cast<unsigned char>(*at)] & 2) == 0) return ParseError::k_bad_target;
  }
  if (target.starts_with('/')) {
    head->target = target;
    head->path = {target.data(), static_cast<size_t>(path_end - target.data())};
    if (path_end != end) head->query = {path_end + 1, static_cast<size_t>(end - path_end - 1)};
    return ParseError::kNone;
  }
  if (target == "*") {
    if (head->method != Method::kOPTIONS) return ParseError::k_bad_target;
    head->target = head->path = target;
    return ParseError::kNone;
  }
  // Absolute form, RFC 9112 3.2.2.
  if (target.size() > 7 && EqualsIgnoreCase(target.substr(0, 7), "http://")) {
    target.remove_prefix(7);
  } else if (target.size() > 8 && EqualsIgnoreCase(target.substr(0, 8), "https://")) {
    target.remove_prefix(8);
  } else {
    return ParseError::k_bad_target;
  }
  *authority = target.substr(0, target.find_first_of("/?"));
  target.remove_prefix(authority->size());
  if (!IsValidAuthority(*authority)) return ParseError::k_bad_target;
  if (target.empty()) target = "/";
  if (target.front() == '?') {
    spare->assign("/").append(target);
    target = *spare;
  }
  head->target = target;
  const size_t question = target.find('?');
  head->path = target.substr(0, question);
  if (question != std::string_view::npos) head->query = target.substr(question + 1);
  return ParseError::kNone;
}

// The rest of a request's head, with head->method and head->minor_version.
ParseError CheckTargetAndLines(std::string_view target, RequestHead* head, std::string* spare, std::string* known_host);

}  // namespace

ParseError CheckRequestHead(std::string_view start_line, RequestHead* head, std::string* spare) {
  // Exactly METHOD SP target SP HTTP/1.x: llhttp also takes HTTP/0.9, RTSP, ICE and runs of spaces.
  const size_t first_space = start_line.find(' ');
  head->method_text = start_line.substr(0, first_space);
  head->method = MethodOf(head->method_text);
  if (head->method_text == "CONNECT") return ParseError::k_connect_method;
  if (head->method == Method::kTRACE) return ParseError::k_trace_method;
  const std::string_view rest = first_space == std::string_view::npos ? "" : start_line.substr(first_space + 1);
  const size_t second_space = rest.find(' ');
  const std::string_view target = rest.substr(0, second_space);
  if (target.empty()) return ParseError::k_bad_request_line;
  if (second_space == std::string_view::npos) return ParseError::k_unsupported_version;  // HTTP/0.9
  const std::string_view version = rest.substr(second_space + 1);
  if (version.starts_with(' ')) return ParseError::k_bad_request_line;
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return ParseError::k_unsupported_version;
  head->minor_version = version.back() - '0';

  return CheckTargetAndLines(target, head, spare, nullptr);
}

ParseError CheckPlainRequestHead(std::string_view start_line, size_t method_size, RequestHead* head, std::string* spare,
                                 std::string* known_host) {
  constexpr size_t kVersionSize = 9;  // " HTTP/1.1"
  head->method_text = {start_line.data(), method_size};
  switch (start_line.front()) {
    case 'G': head->method = Method::kGET; break;
    case 'P': head->method = method_size == 3 ? Method::kPUT : method_size == 4 ? Method::kPOST : Method::kPATCH; break;
    default: head->method = MethodOf(head->method_text);
  }
  head->minor_version = 1;
  return CheckTargetAndLines({start_line.data() + method_size + 1, start_line.size() - method_size - 1 - kVersionSize}, head, spare, known_host);
}

namespace {

ParseError CheckTargetAndLines(std::string_view target, RequestHead* head, std::string* spare, std::string* known_host) {
  std::string_view authority;
  if (const ParseError error = ReadTarget(target, head, &authority, spare); error != ParseError::kNone) {
    return error;
  }

  const Framing framing = ReadFraming(head->headers);
  if (const ParseError error = CheckFraming(framing, head->minor_version, /*may_repeat=*/false, &head->framing, &head->content_length);
      error != ParseError::kNone) {
    return error;
  }
  if (framing.host_lines > 1) return ParseError::k_duplicate_host;
  if (framing.host_lines == 0 && head->minor_version == 1) return ParseError::k_missing_host;
  if (framing.host_lines == 1 && !IsKnownHost(framing.host, known_host)) {
    if (!IsValidAuthority(framing.host)) return ParseError::k_bad_host;
    if (known_host != nullptr && framing.host.size() <= kMostKnownHost) known_host->assign(framing.host);
  }
  head->host = authority.empty() ? framing.host : authority;  // RFC 9112 3.2.2: Host is then ignored
  // RFC 9110 7.6.2: whoever gets it answers. What the gateway is would be all that it has to say.
  if (framing.is_last_hop && head->method == Method::kOPTIONS) return ParseError::k_max_forwards;
  if (framing.connection_names_framing) return ParseError::k_connection_names_framing;
  head->keep_alive = !framing.says_close && (head->minor_version == 1 || framing.says_keep_alive);
  if (head->minor_version == 1) {  // HTTP/1.0 expectations are ignored, RFC 9110 10.1.1
    if (framing.expects_other) return ParseError::k_unknown_expectation;
    head->expects_continue = framing.expects_continue && head->framing != BodyFraming::kNone;
  }
  return ParseError::kNone;
}

}  // namespace

ParseError CheckResponseHead(std::string_view start_line, bool no_body, ResponseHead* head) {
  // HTTP/1.x SP 3DIGIT [SP reason]
  const std::string_view version(start_line.data(), std::min<size_t>(start_line.size(), 8));
  const bool is_known = version.size() == 8 && std::memcmp(version.data(), "HTTP/1.", 7) == 0 && (version[7] == '1' || version[7] == '0');
  if (!is_known) {
    return version.starts_with("HTTP/") ? ParseError::k_unsupported_version : ParseError::k_bad_status_line;
  }
  if (start_line.size() < 12 || start_line[8] != ' ') return ParseError::k_bad_status_line;
  const char* const code = start_line.data() + 9;
  if (!IsDigit(code[0]) || !IsDigit(code[1]) || !IsDigit(code[2])) return ParseError::k_bad_status_line;
  head->status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');
  if (head->status < 100 || head->status > 599) return ParseError::k_bad_status_line;
  if (start_line.size() > 12) {
    if (start_line[12] != ' ') return ParseError::k_bad_status_line;
    head->reason = start_line.substr(13);
    for (char c : head->reason) {
      if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f) return ParseError::k_bad_status_line;
    }
  }
  head->minor_version = version.back() - '0';
  if (head->status == 101) return ParseError::k_unexpected_upgrade;  // we never pass Upgrade on

  const Framing framing = ReadFraming(head->headers);
  if (const ParseError error = CheckFraming(framing, head->minor_version, /*may_repeat=*/true, &head->framing, &head->content_length);
      error != ParseError::kNone) {
    return error;
  }
  head->keep_alive = !framing.says_close && (head->minor_version == 1 || framing.says_keep_alive);
  const bool is_interim = head->status < 200;
  if (no_body || is_interim || head->status == 204 || head->status == 304) {
    // A 1xx or 204 that announces a body may send one (RFC 9112 6.1 and 6.2 forbid it): not trusted with another request.
    if ((is_interim || head->status == 204) && (head->framing == BodyFraming::kChunked ||
                                                (head->framing == BodyFraming::kLength && head->content_length > 0))) {
      head->keep_alive = false;
    }
    head->framing = BodyFraming::kNone;
  } else if (framing.length_lines == 0 && framing.encoding_lines == 0) {
    head->framing = BodyFraming::kUntilClose;
    head->keep_alive = false;
  }
  return ParseError::kNone;
}

}  // namespace runtime::http
