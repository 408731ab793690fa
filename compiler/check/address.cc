#include "compiler/check/address.h"

#include <algorithm>

#include "compiler/model/model_paths.h"

namespace compiler::check {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// RFC 1123 2.1, and the underscore that container networks use.
bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  size_t label = 0;
  for (size_t i = 0; i < host.size(); ++i) {
    const char c = host[i];
    if (c == '.') {
      if (label == 0 || host[i - 1] == '-') return false;
      label = 0;
      continue;
    }
    if (!IsDigit(c) && !IsLetter(c) && c != '-' && c != '_') return false;
    if (c == '-' && label == 0) return false;
    if (++label > 63) return false;
  }
  return label > 0 && host.back() != '-';
}

bool LooksLikeIpv4(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) { return IsDigit(c) || c == '.'; });
}

bool IsIpv4(std::string_view host) {
  int parts = 0;
  while (true) {
    const size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    if (part.empty() || part.size() > 3 || !std::all_of(part.begin(), part.end(), IsDigit) ||
        (part.size() > 1 && part[0] == '0'))
      return false;
    int value = 0;
    for (char c : part) value = value * 10 + (c - '0');
    if (value > 255) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

// RFC 4291 2.2: eight groups, one run of them may be ::, the last two may be an IPv4 address.
bool IsIpv6(std::string_view text) {
  const size_t gap = text.find("::");
  if (gap != std::string_view::npos && text.find("::", gap + 1) != std::string_view::npos) return false;
  const auto count = [](std::string_view part, bool may_end_in_ipv4) -> int {
    if (part.empty()) return 0;
    int groups = 0;
    while (true) {
      const size_t colon = part.find(':');
      const std::string_view group = part.substr(0, colon);
      if (colon == std::string_view::npos && may_end_in_ipv4 && group.find('.') != std::string_view::npos)
        return IsIpv4(group) ? groups + 2 : -100;
      if (group.empty() || group.size() > 4 || !std::all_of(group.begin(), group.end(), IsHex)) return -100;
      ++groups;
      if (colon == std::string_view::npos) return groups;
      part.remove_prefix(colon + 1);
    }
  };
  if (gap == std::string_view::npos) return count(text, true) == 8;
  const int before = count(text.substr(0, gap), false);
  const int after = count(text.substr(gap + 2), true);
  return before >= 0 && after >= 0 && before + after <= 7;
}

std::optional<uint16_t> ParsePort(std::string_view text) {
  if (text.empty() || text.size() > 5 || !std::all_of(text.begin(), text.end(), IsDigit)) return std::nullopt;
  int value = 0;
  for (char c : text) value = value * 10 + (c - '0');
  if (value > 65535) return std::nullopt;
  return static_cast<uint16_t>(value);
}

struct HostAndPort {
  std::string host;
  std::optional<std::string_view> port;
};

// host, host:port, [v6], [v6]:port.
std::optional<HostAndPort> SplitHostAndPort(std::string_view text, AddressError* error) {
  HostAndPort result;
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) {
      *error = {"the `[` of its host is never closed", "an IPv6 address is written `[::1]`"};
      return std::nullopt;
    }
    const std::string_view host = text.substr(1, close - 1);
    if (!IsIpv6(host)) {
      *error = {"`" + std::string(host) + "` is no IPv6 address",
                "it has eight groups of hexadecimal digits, or `::` for a run of zeros"};
      return std::nullopt;
    }
    result.host = host;
    text.remove_prefix(close + 1);
    if (text.empty()) return result;
    if (text[0] != ':') {
      *error = {"`" + std::string(text) + "` stands behind its host", "a port is written `:8080`"};
      return std::nullopt;
    }
    result.port = text.substr(1);
    return result;
  }
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) {
    *error = {"it has several colons", "an IPv6 address is written in brackets: `[::1]:8080`"};
    return std::nullopt;
  }
  result.host = text.substr(0, colon);
  const bool good = LooksLikeIpv4(result.host) ? IsIpv4(result.host) : IsHostName(result.host);
  if (!good) {
    *error = result.host.empty()
                 ? AddressError{"it has no host", "write for example `localhost`"}
                 : AddressError{"`" + result.host + "` is no host", "a host is a name or an address such as 127.0.0.1"};
    return std::nullopt;
  }
  if (colon != std::string_view::npos) result.port = text.substr(colon + 1);
  return result;
}

}  // namespace

std::optional<model::ListenAddress> ParseListenAddress(std::string_view text, AddressError* error) {
  if (text.find("://") != std::string_view::npos) {
    *error = {"an address to listen on has no scheme", "write `host:port`, for example \"0.0.0.0:8080\""};
    return std::nullopt;
  }
  // `:8080`, `*:8080`, `8080`: every address of the machine, elsewhere.
  const std::string_view port_alone = text.starts_with("*:")  ? text.substr(2)
                                      : text.starts_with(':') ? text.substr(1)
                                                              : text;
  if (ParsePort(port_alone)) {
    *error = {"it has no address", "write `0.0.0.0:" + std::string(port_alone) +
                                       "` for all addresses of the machine, or `127.0.0.1:" + std::string(port_alone) +
                                       "`"};
    return std::nullopt;
  }
  const std::optional<HostAndPort> parts = SplitHostAndPort(text, error);
  if (!parts) return std::nullopt;
  if (!parts->port) {
    *error = {"it has no port", "write `" + std::string(text) + ":8080`"};
    return std::nullopt;
  }
  const std::optional<uint16_t> port = ParsePort(*parts->port);
  if (!port) {
    *error = {"`" + std::string(*parts->port) + "` is no port", "ports go from 0 to 65535; 0 lets the system choose"};
    return std::nullopt;
  }
  return model::ListenAddress{parts->host, *port};
}

bool ParseHost(std::string_view text, AddressError* error) {
  if (IsIpv6(text)) return true;
  const std::optional<HostAndPort> parts = SplitHostAndPort(text, error);
  if (!parts) return false;
  if (!parts->port) return true;
  *error = {"it has a port", "write the name alone"};
  return false;
}

std::optional<model::Url> ParseUrl(std::string_view text, AddressError* error) {
  model::Url url;
  url.text = text;
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  url.is_tls = text.starts_with(kTls);
  if (!url.is_tls && !text.starts_with(kPlain)) {
    const bool has_scheme = text.find("://") != std::string_view::npos;
    *error = {has_scheme ? "its scheme is neither http nor https" : "it has no scheme",
              "write `http://host:port/path` or `https://host/path`"};
    return std::nullopt;
  }
  text.remove_prefix(url.is_tls ? kTls.size() : kPlain.size());
  const uint16_t default_port = url.is_tls ? 443 : 80;
  url.port = default_port;
  const size_t slash = text.find_first_of("/?#");
  const std::string_view authority = text.substr(0, slash);
  const std::string_view rest = slash == std::string_view::npos ? "" : text.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    *error = {"it holds a user or password", "send it as a header: `header[\"Authorization\"] = secret(\"NAME\")`"};
    return std::nullopt;
  }
  const std::optional<HostAndPort> parts = SplitHostAndPort(authority, error);
  if (!parts) return std::nullopt;
  url.host = parts->host;
  if (parts->port) {
    const std::optional<uint16_t> port = ParsePort(*parts->port);
    if (!port || *port == 0) {
      *error = {"`" + std::string(*parts->port) + "` is no port", "ports go from 1 to 65535"};
      return std::nullopt;
    }
    url.port = *port;
  }
  if (rest.find('#') != std::string_view::npos) {
    *error = {"a fragment (`#…`) is never sent", "remove it"};
    return std::nullopt;
  }
  if (rest.find('?') != std::string_view::npos) {
    *error = {"the query is the client's", "remove `?` and what stands behind it"};
    return std::nullopt;
  }
  // RFC 3986 3.3: pchar and `/`.
  for (size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    const bool escape = c == '%' && i + 2 < rest.size() && IsHex(rest[i + 1]) && IsHex(rest[i + 2]);
    if (!IsDigit(c) && !IsLetter(c) && !escape &&
        std::string_view("-._~!$&'()*+,;=:@/").find(c) == std::string_view::npos) {
      *error = {"its path holds a character that must be escaped", "write it as % and two hexadecimal digits"};
      return std::nullopt;
    }
  }
  url.is_base = !model::IsEndPoint(rest);
  url.path = rest;
  while (url.is_base && url.path.ends_with('/')) url.path.pop_back();
  url.is_base = url.is_base && !url.path.empty();
  const bool is_ipv6 = url.host.find(':') != std::string::npos;
  url.authority =
      (is_ipv6 ? "[" + url.host + "]" : url.host) + (url.port == default_port ? "" : ":" + std::to_string(url.port));
  return url;
}

bool IsOrigin(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  for (size_t i = 0; i < scheme; ++i) {
    const char c = text[i];
    if (!(c >= 'a' && c <= 'z') && !(i > 0 && (IsDigit(c) || c == '+' || c == '-' || c == '.'))) return false;
  }
  AddressError ignored;
  const std::optional<HostAndPort> parts = SplitHostAndPort(text.substr(scheme + 3), &ignored);
  return parts && (!parts->port || ParsePort(*parts->port));
}

}  // namespace compiler::check
