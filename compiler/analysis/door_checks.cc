// PL09: doors that stand open, and PL0410: answers that clients misread.
#include <algorithm>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/known_names.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

using abi::FamilyId;
using abi::FieldId;
using model::Expr;

// More than anybody owns: what is private may be as large as it is, of the internet nobody has a /10.
bool IsWide(const base::Cidr& network) {
  const auto within = [&](const char* text) {
    base::CidrError error;
    const auto known = base::ParseCidr(text, &error);
    return known && network.prefix >= known->prefix && known->Contains(network.network);
  };
  constexpr const char* kPrivate[] = {"10.0.0.0/8",  "172.16.0.0/12",  "192.168.0.0/16",
                                      "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10",
                                      "fc00::/7",    "fe80::/10",      "::1"};
  if (std::any_of(std::begin(kPrivate), std::end(kPrivate), within)) return false;
  const bool is_v4 = network.network.is_v4() && network.prefix >= 96;
  return is_v4 ? network.prefix - 96 <= 10 : network.prefix <= 24;
}

bool ReadsRequest(const Expr& expr) {
  if (expr.kind == model::ExprKind::kSlot) return true;
  if (expr.kind == model::ExprKind::kField) {
    // What a client can write as it likes.
    return expr.field == FieldId::k_request_path || expr.field == FieldId::k_request_body ||
           expr.field == FieldId::k_request_host;
  }
  return std::any_of(expr.operands.begin(), expr.operands.end(), ReadsRequest);
}

bool ReadsRequest(const model::Template& value) {
  return std::any_of(value.parts.begin(), value.parts.end(), [](const model::Template::Part& part) {
    const auto* expr = std::get_if<Expr>(&part);
    return expr != nullptr && ReadsRequest(*expr);
  });
}

// Whether a client says to which host a Location leads.
bool LeadsAnywhere(const model::Template& value) {
  std::string begin;
  for (const model::Template::Part& part : value.parts) {
    if (const auto* text = std::get_if<std::string>(&part)) {
      begin += *text;
      continue;
    }
    const auto* expr = std::get_if<Expr>(&part);
    if (expr == nullptr) return false;
    const bool is_field = expr->kind == model::ExprKind::kField;
    // https://${request.host}/…: where the client came to, anyway.
    if (is_field && expr->field == FieldId::k_request_host && begin.ends_with("://")) {
      begin += "host";
      continue;
    }
    if (!ReadsRequest(*expr)) return false;
    const bool is_path = is_field && expr->field == FieldId::k_request_path;
    const size_t scheme = begin.find("://");
    if (scheme != std::string::npos) {
      // Behind the host and a slash, or by a path, which begins with one.
      return begin.find_first_of("/?#", scheme + 3) == std::string::npos && !is_path;
    }
    if (begin.empty()) return !is_path;
    // "/" + "/evil.example" is another host, and so is what stands behind "//".
    return (begin == "/" && !is_path) ||
           (begin.starts_with("//") && begin.find_first_of("/?#", 2) == std::string::npos);
  }
  return false;
}

bool IsDate(std::string_view text) { return text.size() >= 20 && text.find(',') == 3 && text.ends_with("GMT"); }

std::string ConstantOf(const model::Template& value) {
  std::string text;
  for (const model::Template::Part& part : value.parts) {
    const auto* constant = std::get_if<std::string>(&part);
    if (constant == nullptr) return "\x01";
    text += *constant;
  }
  return text;
}

void ForEachReply(const Context& context,
                  const std::function<void(const model::ReplySettings&, const BlockOrigin&)>& look) {
  for (size_t i = 0; i < context.policy.replies.size(); ++i) {
    const model::ReplyId id(static_cast<int32_t>(i));
    if (context.origins.replies.Has(id) && context.origins.replies[id].is_written())
      look(context.policy.replies[id], context.origins.replies[id]);
  }
}

}  // namespace

void CheckTrustedProxies(Context& context) {
  const model::SettingOrigin* written = context.origins.gateway.Setting("trusted_proxies");
  if (written == nullptr) return;
  for (const base::Cidr& network : context.policy.gateway.trusted_proxies) {
    if (!IsWide(network)) continue;
    const bool is_all = network.prefix == 0 || (network.network.is_v4() && network.prefix == 96);
    context.diagnostics
        ->Emit(Kind::kProxiesTooWide, written->value,
               {network.ToString(), is_all ? "every client as a proxy" : "a large part of the internet as a proxy"})
        .Change(written->statement, "")
        .Unsafe();
  }
}

void CheckOpenDoors(Context& context) {
  const model::GatewaySettings& gateway = context.policy.gateway;
  const model::SettingOrigin* admin = context.origins.gateway.Setting("admin");
  // On an address of clients there are health and metrics alone, and who puts them there wants clients to see them.
  const bool is_shared =
      gateway.admin && std::find(gateway.listen.begin(), gateway.listen.end(), *gateway.admin) != gateway.listen.end();
  if (admin != nullptr && gateway.admin && !is_shared) {
    const std::string& host = gateway.admin->host;
    const bool is_all = host == "0.0.0.0" || host == "::" || host == "*";
    const bool is_public = !is_all && !IsPrivateHost(host);
    if (is_all || is_public) {
      context.diagnostics
          ->Emit(Kind::kAdminOpen, admin->value,
                 {std::string(is_all ? "any address of this machine" : "this public address")})
          .Replace("\"127.0.0.1:" + std::to_string(gateway.admin->port) + "\"")
          .Unsafe();
    }
  }
  const model::SettingOrigin* cors = context.origins.gateway.Setting("cors");
  if (cors == nullptr) return;
  // `null` is no origin that a policy may name, and each of the others is one site.
  if (gateway.cors.any_origin) context.diagnostics->Emit(Kind::kCorsOpen, cors->value).Replace("off").Unsafe();
}

// Routes don't know which certificate a client was shown, and whoever connects chooses it.
void CheckClientCertificates(Context& context) {
  const model::SettingOrigin* written = context.origins.gateway.Setting("tls");
  if (written == nullptr) return;
  const model::TlsSettings* asks = nullptr;
  const model::TlsSettings* open = nullptr;
  for (const model::TlsId id : context.policy.gateway.tls) {
    const model::TlsSettings& tls = context.policy.tls[id];
    (tls.client_ca.empty() ? open : asks) = &tls;
  }
  if (asks == nullptr || open == nullptr) return;
  context.diagnostics->Emit(Kind::kSomeClientsAsked, written->value, {asks->name, open->name});
}

void CheckForeignText(Context& context) {
  ForEachReply(context, [&](const model::ReplySettings& reply, const BlockOrigin& block) {
    std::string type = Lower(reply.content_type.value_or(""));
    for (const model::HeaderSetting& header : reply.headers) {
      if (Lower(header.name) == "content-type") type = Lower(ConstantOf(header.value));
    }
    const bool is_page = type.find("html") != std::string::npos || type.find("xml") != std::string::npos ||
                         type.find("svg") != std::string::npos || type.find("javascript") != std::string::npos;
    if (is_page && reply.body.values && ReadsRequest(*reply.body.values)) {
      const model::SettingOrigin* text = block.Setting("text");
      Diagnostic& diagnostic =
          context.diagnostics->Emit(Kind::kForeignPage, text == nullptr ? block.name : text->value);
      if (const model::SettingOrigin* page = block.Setting("content_type"))
        diagnostic.Change(page->value, "\"text/plain\"").Unsafe();
    }
    for (const model::HeaderSetting& header : reply.headers) {
      const std::string name = Lower(header.name);
      const bool leads_on = name == "location" || name == "content-location" || name == "refresh";
      // What a server in front reads as the name of a file or an address of its own.
      const bool names_file = name == "x-accel-redirect" || name == "x-sendfile" || name == "x-lighttpd-send-file";
      const model::SettingOrigin* written = context.HeaderOf(block, name);
      if (names_file && ReadsRequest(header.value)) {
        context.diagnostics->Emit(Kind::kForeignFile, written == nullptr ? block.name : written->value);
        continue;
      }
      if (name == "refresh" ? !ReadsRequest(header.value) : !leads_on || !LeadsAnywhere(header.value)) continue;
      context.diagnostics->Emit(Kind::kForeignLocation, written == nullptr ? block.name : written->value);
    }
  });
}

void CheckReplyTexts(Context& context) {
  ForEachReply(context, [&](const model::ReplySettings& reply, const BlockOrigin& block) {
    for (const model::HeaderSetting& header : reply.headers) {
      if (Lower(header.name) != "retry-after") continue;
      const std::string text = ConstantOf(header.value);
      if (text.find('\x01') != std::string::npos) continue;
      const model::SettingOrigin* written = context.HeaderOf(block, "retry-after");
      const SourceRange at = written == nullptr ? block.name : written->value;
      const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
      if (!is_number && !IsDate(text))
        context.diagnostics->Emit(Kind::kRetryAfterText, at, {text}).Replace("\"30\"").Unsafe();
      else if (is_number && (text.size() > 9 || std::stol(text) > 24 * 3600))
        context.diagnostics->Emit(Kind::kRetryAfterLong, at, {text}).Replace("\"30\"").Unsafe();
      else if (is_number && text.find_first_not_of('0') == std::string::npos)
        context.diagnostics->Emit(Kind::kRetryAfterNow, at).Replace("\"5\"").Unsafe();
    }
    const bool leads_on =
        reply.status == 301 || reply.status == 302 || reply.status == 303 || reply.status == 307 || reply.status == 308;
    const bool says_where =
        std::any_of(reply.headers.begin(), reply.headers.end(), [](const model::HeaderSetting& header) {
          return Lower(header.name) == "location" || Lower(header.name) == "refresh";
        });
    if (leads_on && !says_where)
      context.diagnostics->Emit(Kind::kRedirectNowhere, context.At(block, "status"),
                                {reply.name, std::to_string(reply.status)});
    const bool has_none = reply.status == 204 || reply.status == 205 || reply.status == 304;
    if (has_none && reply.body.kind != model::BodyKind::kNone)
      context.diagnostics->Emit(Kind::kBodyOfNone, context.At(block, "status"),
                                {std::to_string(reply.status), reply.name});
  });
}

}  // namespace compiler::analysis
