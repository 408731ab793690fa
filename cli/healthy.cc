#include "cli/healthy.h"

#include <iostream>

#include "cli/exit_codes.h"

namespace cli {

int RunHealthy(const AdminOptions& options) {
  const AdminAnswer answer = AskAdmin(options, "GET", "/health/ready");
  if (answer.status == 200) return kClean;
  std::cerr << "breakwater: " << (answer.status == 0 ? answer.error : "not ready: " + answer.body) << "\n";
  return kFindings;
}

}  // namespace cli
