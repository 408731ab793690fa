// Addresses as text: host:port to listen on, http://host:port/path of an upstream, origins of browsers. Strict: what is not
// surely meant is refused with the reason.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/model/settings.h"

namespace compiler::check {

struct AddressError {
  std::string reason;
  std::string help;
};

// "0.0.0.0:8080", "[::1]:0", "localhost:8080".
std::optional<model::ListenAddress> ParseListenAddress(std::string_view text, AddressError* error);

// A host name or a numeric address, without a port.
bool ParseHost(std::string_view text, AddressError* error);

// http://host[:port][/path] or https://…; no user, query or fragment. RFC 3986, RFC 9110 4.2.1.
std::optional<model::Url> ParseUrl(std::string_view text, AddressError* error);

// scheme://host[:port] and nothing behind it, as browsers send it (RFC 6454 6.2).
bool IsOrigin(std::string_view text);

}  // namespace compiler::check
