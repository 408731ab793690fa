// The settings of SettingReader that take what the network and HTTP know: addresses, origins, networks, URLs, headers, paths.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/cidr.h"
#include "compiler/check/address.h"
#include "compiler/check/setting_reader.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/header_names.h"
#include "compiler/model/model_paths.h"

namespace compiler::check {

using expr::IsToken;
using expr::Lower;

using ast::ExprKind;
using diagnostics::Kind;

namespace {

// Headers that the gateway writes itself: framing and the connection (RFC 9110 7.6.1, RFC 9112 6).
bool IsFramingHeader(std::string_view lower) {
  constexpr std::string_view kNames[] = {"connection", "content-length", "transfer-encoding", "keep-alive", "te",
                                         "trailer",    "upgrade"};
  return std::find(std::begin(kNames), std::end(kNames), lower) != std::end(kNames);
}

}  // namespace

std::optional<model::ListenAddress> SettingReader::AddressAt(const ast::Expr& at) {
  const auto text = TextAt(at, "\"0.0.0.0:8080\"");
  if (!text) return std::nullopt;
  if (expressions_->used_stand_in())  // the whole text, where it is read later
    return model::ListenAddress{expressions_->stand_ins_stay() ? *text : "127.0.0.1", 0};
  AddressError error;
  auto address = ParseListenAddress(*text, &error);
  if (!address) diagnostics_->Emit(Kind::kBadText, at.range, {*text, error.reason, error.help});
  return address;
}

void SettingReader::ReadListenAddresses(std::vector<model::ListenAddress>& out) {
  std::vector<model::ListenAddress> addresses;
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "an address or a list of them", "an empty list", "write for example `\"0.0.0.0:8080\"`");
    return;
  }
  for (const ast::Expr* item : items) {
    auto address = AddressAt(*item);
    if (!address) return;
    if (address->port != 0 && std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) {
      diagnostics_->Emit(Kind::kAddressTwice, item->range, {address->ToString()});
      return;
    }
    addresses.push_back(std::move(*address));
  }
  out = std::move(addresses);
}

void SettingReader::ReadAdminAddress(std::optional<model::ListenAddress>& out) {
  policy_->gateway.admin_is_default = false;
  if (IsWord("off")) {
    out.reset();
  } else if (auto address = AddressAt(value())) {
    out = std::move(address);
  }
}

void SettingReader::ReadMetricsPrefix(std::string& out) {
  const auto text = TextAt(value(), "\"breakwater\"");
  if (!text) return;
  // The names of Prometheus: [a-zA-Z_:][a-zA-Z0-9_:]*.
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (c >= '0' && c <= '9');
  };
  if (text->empty() || !std::all_of(text->begin(), text->end(), is_good) || (*text)[0] <= '9') {
    diagnostics_->Emit(Kind::kBadMetricName, value().range, {*text});
    return;
  }
  out = *text;
}

void SettingReader::ReadFilePath(std::string& out) {
  const auto path = TextAt(value(), "\"/etc/breakwater/file.pem\"");
  if (!path) return;
  if (expressions_->used_stand_in()) {
    if (expressions_->stand_ins_stay()) out = *path;
    return;
  }
  if (path->empty() || path->find('\0') != std::string::npos || path->find('\n') != std::string::npos) {
    diagnostics_->Emit(Kind::kBadFilePath, value().range, {path->find('\n') != std::string::npos ? name() : *path});
    return;
  }
  out = *path;
}

void SettingReader::ReadHostName(std::string& out) {
  const auto host = TextAt(value(), "\"models.example\"");
  if (!host) return;
  if (expressions_->used_stand_in()) {
    if (expressions_->stand_ins_stay()) out = *host;
    return;
  }
  AddressError error;
  if (!ParseHost(*host, &error)) {
    diagnostics_->Emit(Kind::kBadText, value().range, {*host, error.reason, error.help});
    return;
  }
  out = *host;
}

// "sha256:" and the digest of a public key: 64 hex digits (with colons or without) or base64.
void SettingReader::ReadPins(std::vector<std::string>& out) {
  constexpr std::string_view kHelp =
      "write \"sha256:…\" with the 64 digits of: openssl s_client -connect HOST:PORT </dev/null | openssl x509 -pubkey "
      "-noout | "
      "openssl pkey -pubin -outform DER | sha256sum";
  std::vector<std::string> pins;
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "a pin or a list of them", "an empty list", kHelp);
    return;
  }
  for (const ast::Expr* item : items) {
    const auto pin = TextAt(*item, "\"sha256:…\"");
    if (!pin) return;
    if (expressions_->used_stand_in()) {
      if (expressions_->stand_ins_stay()) pins.push_back(*pin);
      continue;
    }
    std::string_view digest = *pin;
    const bool has_kind =
        digest.starts_with("sha256:") || digest.starts_with("sha256//") || digest.starts_with("SHA256:");
    digest.remove_prefix(has_kind ? digest.find_first_of(":/") + (digest.find("//") == 6 ? 2 : 1) : 0);
    std::string plain;
    std::copy_if(digest.begin(), digest.end(), std::back_inserter(plain), [](char c) { return c != ':'; });
    const bool is_hex = plain.size() == 64 && plain.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    const bool is_base64 =
        digest.size() == 44 && digest.back() == '=' &&
        digest.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") == 43;
    if (!has_kind || (!is_hex && !is_base64)) {
      auto& diagnostic =
          diagnostics_->Emit(has_kind ? Kind::kBadDigest : Kind::kPinWithoutKind, item->range, {*pin, kHelp});
      if (!has_kind && (is_hex || is_base64) && item->kind == ExprKind::kString) {
        diagnostic.Change({item->range.begin + 1, item->range.begin + 1}, "sha256:");
      }
      return;
    }
    pins.push_back(*pin);
  }
  out = std::move(pins);
}

void SettingReader::ReadCorsOrigins(model::Cors& out) {
  if (IsWord("off")) {
    out = {};
    return;
  }
  model::Cors cors;
  cors.enabled = true;
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "origins", "an empty list", "write off to allow none");
    return;
  }
  for (const ast::Expr* item : items) {
    const auto text = TextAt(*item, "\"https://chat.example\"");
    if (!text) return;
    if (*text == "*" && items.size() == 1) {
      cors.any_origin = true;
    } else if (IsOrigin(*text)) {
      cors.origins.push_back(*text);
    } else {
      diagnostics_->Emit(*text == "*" ? Kind::kEveryOriginAlone : Kind::kBadOrigin, item->range, {*text});
      return;
    }
  }
  out = std::move(cors);
}

void SettingReader::ReadNetworks(std::vector<base::Cidr>& out) {
  std::vector<base::Cidr> networks;
  for (const ast::Expr* item : Items()) {
    std::optional<std::string> text;
    if (item->kind == ExprKind::kNetwork) text = item->text;
    else text = TextAt(*item, "\"10.0.0.0/8\"");
    if (!text) return;
    if (expressions_->used_stand_in() && !expressions_->stand_ins_stay()) continue;
    base::CidrError error;
    const auto network = base::ParseCidr(*text, &error);
    if (!network) {
      diagnostics_->Emit(Kind::kBadText, item->range, {*text, error.reason, error.help});
      return;
    }
    networks.push_back(*network);
  }
  out = std::move(networks);
}

void SettingReader::ReadUpstreamUrl(model::Url& out) {
  if (value().kind == ExprKind::kList) {
    diagnostics_->Emit(Kind::kBadUrl, value().range,
                       {"it is a list",
                        "one upstream is one server: write a block for each, and `to = [first, second]` in the route"});
    return;
  }
  auto text = TextAt(value(), "\"http://localhost:11434\"");
  if (!text) return;
  const std::string written = *text;
  if (expressions_->used_stand_in()) *text = "http://stand-in.invalid";
  AddressError error;
  auto url = ParseUrl(*text, &error);
  if (url) {
    out = std::move(*url);
    const std::string_view last = std::string_view(out.path).substr(out.path.rfind('/') + 1);
    const bool is_version = last.size() > 1 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9';  // `/v1`: nobody means anything else
    if (out.is_base && !is_version) {
      diagnostics_->Emit(Kind::kBasePath, value().range, {out.path, model::PathAt(out, "/v1/models")});
    }
    if (expressions_->used_stand_in() && expressions_->stand_ins_stay()) out.text = written;
  } else {
    auto& diagnostic = diagnostics_->Emit(Kind::kBadUrl, value().range, {error.reason, error.help});
    AddressError ignored;
    const std::string scheme = text->ends_with(":443") ? "https://" : "http://";
    if (value().kind == ExprKind::kString && ParseUrl(scheme + *text, &ignored))
      diagnostic.Change({value().range.begin + 1, value().range.begin + 1}, scheme).Unsafe();
  }
}

std::optional<std::string> SettingReader::HeaderNameAt(const ast::Expr& at) {
  const auto name_text = TextAt(at, "\"X-Name\"");
  if (!name_text) return std::nullopt;
  if (!IsToken(*name_text)) {
    diagnostics_->Emit(Kind::kBadHeaderName, at.range, {*name_text});
    return std::nullopt;
  }
  if (IsFramingHeader(Lower(*name_text))) {
    diagnostics_->Emit(Kind::kFramingHeader, at.range, {*name_text});
    return std::nullopt;
  }
  return name_text;
}

void SettingReader::ReadHeaderNames(std::vector<std::string>& out) {
  std::vector<std::string> names;
  for (const ast::Expr* item : Items()) {
    const auto header_name = HeaderNameAt(*item);
    if (!header_name) return;
    names.push_back(Lower(*header_name));
  }
  out = std::move(names);
}

void SettingReader::ReadHttpPath(std::string& out) {
  const auto path = TextAt(value(), "\"/\"");
  if (!path) return;
  const bool is_clean = std::all_of(path->begin(), path->end(), [](char c) { return c > ' ' && c < 0x7F && c != '#'; });
  if (!path->starts_with('/') || !is_clean) {
    diagnostics_->Emit(Kind::kBadPath, value().range, {*path});
    return;
  }
  out = *path;
}

void SettingReader::ReadHeaderText(std::optional<std::string>& out) {
  const auto text = TextAt(value(), "\"application/json\"");
  if (!text) return;
  if (text->empty() || !IsHeaderText(*text)) {
    diagnostics_->Emit(Kind::kBadHeaderValue, value().range, {name()});
    return;
  }
  out = *text;
}

}  // namespace compiler::check
