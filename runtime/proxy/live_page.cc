#include "runtime/proxy/live_page.h"

#include <string>

namespace runtime::proxy {
namespace {

struct Asset {
  std::string_view path;
  std::string_view type;
  std::string_view content;
};
constexpr Asset kAssets[] = {
#include "runtime/proxy/live_assets.inc"
};

// Nothing from elsewhere, nothing written into the page, no form that is sent, no frame around it.
constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; "
    "frame-ancestors 'none'";

}  // namespace

std::optional<LocalAnswer> AnswerLivePage(const http::RequestHead& head, std::string_view path) {
  if (path == "/") path = "/live.html";
  for (const Asset& asset : kAssets) {
    if (asset.path != path) continue;
    LocalAnswer answer;
    if (head.method != compiler::abi::Method::kGET && head.method != compiler::abi::Method::kHEAD) {
      answer.status = 405;
      answer.headers.emplace_back("Allow", "GET, HEAD");
      return answer;
    }
    answer.content_type = asset.type;
    answer.body = asset.content;
    answer.headers.emplace_back("Content-Security-Policy", kContentSecurityPolicy);
    answer.headers.emplace_back("X-Content-Type-Options", "nosniff");
    answer.headers.emplace_back("Referrer-Policy", "no-referrer");
    answer.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
    answer.headers.emplace_back("Cache-Control", "no-cache");
    return answer;
  }
  return std::nullopt;
}

}  // namespace runtime::proxy
