#include "runtime/gateway/fixed_settings.h"

#include <string_view>

namespace runtime::gateway {

std::string WhyNoReload(const compiler::model::GatewaySettings& now, const compiler::model::GatewaySettings& next) {
  std::string_view what;
  if (next.workers != now.workers) what = "workers";
  if (next.admin != now.admin) what = "admin";
  if (next.access_log != now.access_log || next.access_log_path != now.access_log_path ||
      next.access_log_format != now.access_log_format)
    what = "access_log";
  if (next.state_path != now.state_path) what = "state";
  if (what.empty()) return "";
  return "`" + std::string(what) + "` can't change while the gateway runs; restart it, or write it as it was";
}

}  // namespace runtime::gateway
