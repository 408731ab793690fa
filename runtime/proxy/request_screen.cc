#include "runtime/proxy/request_screen.h"

#include <utility>

#include "runtime/dialect/dialect.h"
#include "runtime/proxy/cors.h"

namespace runtime::proxy {
namespace {

struct Reason {
  std::string_view name;
  int status;
  std::string_view doc;
};
enum class ReasonId : uint8_t {
#define SCREEN_REASON(name, status, doc) k_##name,
#include "runtime/observe/screen_reasons.def"
#undef SCREEN_REASON
};
constexpr Reason kReasons[] = {
#define SCREEN_REASON(name, status, doc) {#name, status, doc},
#include "runtime/observe/screen_reasons.def"
#undef SCREEN_REASON
};

// A handshake of WebSocket (RFC 6455 4.1). Its key alone tells it, too: proxies in front that know nothing of it keep Upgrade to
// themselves and pass the rest on.
bool WantsWebSocket(const http::RequestHead& head) {
  if (head.headers.Find(http::HeaderId::k_sec_websocket_key)) return true;
  if (!head.headers.HasToken(http::HeaderId::k_connection, "upgrade")) return false;
  const auto upgrade = head.headers.Find(http::HeaderId::k_upgrade);
  return head.headers.HasToken(http::HeaderId::k_upgrade, "websocket") || (upgrade && http::EqualsIgnoreCase(upgrade->substr(0, 10), "websocket/"));
}

// Whether a line is there that only pages and their scripts send, or who wants another protocol: what follows has nothing to look at else.
bool MayBeOfPage(const http::Headers& headers) {
  for (const http::Header& line : headers.lines()) {
    switch (line.id) {
      case http::HeaderId::k_origin:
      case http::HeaderId::k_sec_fetch_site:
      case http::HeaderId::k_access_control_request_method:
      case http::HeaderId::k_sec_websocket_key:
      case http::HeaderId::k_upgrade: return true;
      default: break;
    }
  }
  return false;
}

ScreenedRequest Refused(ReasonId id, std::string_view path, std::string_view request_id) {
  const Reason& reason = kReasons[static_cast<size_t>(id)];
  return {reason.name, ShapedError(path, reason.status, reason.name, reason.doc, request_id)};
}

}  // namespace

LocalAnswer ShapedError(std::string_view path, int status, std::string_view code, std::string_view message, std::string_view request_id) {
  LocalAnswer answer;
  answer.status = status;
  const auto client = dialect::Detect(compiler::abi::Method::kPOST, path, {}, {});
  auto shaped = dialect::ShapeError(client, status, code, message, request_id);
  answer.content_type = std::move(shaped.content_type);
  answer.body = std::move(shaped.body);
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

std::optional<ScreenedRequest> ScreenRequest(const compiler::model::GatewaySettings& gateway, const http::RequestHead& head,
                                             std::string_view own_host, std::string_view path, std::string_view request_id) {
  if (path.empty()) {
    ScreenedRequest refused = Refused(ReasonId::k_path, head.path, request_id);
    refused.answer.closes = true;
    return refused;
  }
  if (!MayBeOfPage(head.headers)) return std::nullopt;
  if (auto preflight = PreflightHeaders(gateway.cors, head)) {
    ScreenedRequest answered;
    answered.answer.status = 204;
    answered.answer.headers = std::move(*preflight);
    return answered;
  }
  // A page may send what it can't read, and a model server would set to work: it never gets there.
  auto origin = OriginOf(head.headers);
  if (!origin) origin = UntoldOrigin(head.headers);
  if (JudgeOrigin(gateway.cors, origin, own_host) == OriginKind::kForeign) {
    return Refused(ReasonId::k_foreign_origin, path, request_id);
  }
  if (WantsWebSocket(head)) {
    ScreenedRequest refused = Refused(ReasonId::k_websocket, path, request_id);
    refused.answer.headers.emplace_back("Upgrade", "websocket");  // RFC 9110 15.5.22
    refused.answer.closes = true;
    return refused;
  }
  return std::nullopt;
}

}  // namespace runtime::proxy
