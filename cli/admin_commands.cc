#include "cli/admin_commands.h"

#include <chrono>
#include <iostream>
#include <thread>

#include <nlohmann/json.hpp>

#include "cli/exit_codes.h"

namespace cli {
namespace {

using nlohmann::json;

// What the gateway answered to a request that it did not carry out.
int Complain(const AdminAnswer& answer) {
  if (answer.status == 0) {
    std::cerr << "breakwater: " << answer.error << "\n";
    return kUnreadable;
  }
  const json body = json::parse(answer.body, nullptr, false);
  const bool says_why = body.is_object() && body.contains("error") && body["error"].is_string();
  std::cerr << "breakwater: "
            << (says_why ? body["error"].get<std::string>() : "the gateway answered " + std::to_string(answer.status))
            << "\n";
  return kFindings;
}

}  // namespace

int RunHealthy(const AdminOptions& options) {
  const AdminAnswer answer = AskAdmin(options, "GET", "/health/ready");
  if (answer.status == 200) return kClean;
  std::cerr << "breakwater: " << (answer.status == 0 ? answer.error : "not ready: " + answer.body) << "\n";
  return kFindings;
}

int RunAction(const AdminOptions& options, const std::string& action) {
  const AdminAnswer answer = AskAdmin(options, "POST", "/admin/" + action);
  if (answer.status < 200 || answer.status > 299) return Complain(answer);
  std::cout << answer.body;
  return kClean;
}

int RunReload(const AdminOptions& options) {
  const AdminAnswer asked = AskAdmin(options, "POST", "/admin/reload");
  if (asked.status != 202) return Complain(asked);
  const json body = json::parse(asked.body, nullptr, false);
  const uint64_t attempt = body.is_object() ? body.value("attempt", uint64_t{1}) : 1;
  // Compiling takes a moment; loading models first takes as long as cold_load says, and says so in the log.
  constexpr int kLooks = 50 * 60 * 30;
  for (int look = 0; look < kLooks; ++look) {
    const AdminAnswer answer = AskAdmin(options, "GET", "/admin/policy");
    if (answer.status != 200) return Complain(answer);
    const json policy = json::parse(answer.body, nullptr, false);
    if (!policy.is_object()) return Complain({502, "", ""});
    if (policy["reloads"].value("attempts", uint64_t{0}) >= attempt && policy.contains("last_attempt")) {
      const json& last = policy["last_attempt"];
      const std::string findings = last.value("findings", "");
      if (!findings.empty()) std::cerr << findings;
      if (last.value("result", "") == "ok") {
        std::cout << "in force: " << policy.value("hash", "") << "\n";
        return kClean;
      }
      std::cerr << "breakwater: refused: " << last.value("reason", "") << "; " << policy.value("hash", "")
                << " stays in force\n";
      return kFindings;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  std::cerr << "breakwater: the reload did not end within half an hour\n";
  return kFindings;
}

}  // namespace cli
