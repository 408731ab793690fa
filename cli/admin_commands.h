// The commands that act on a running gateway through its admin address.
#pragma once

#include <string>

#include "cli/admin_client.h"

namespace cli {

// 0 if the gateway is ready; 1 and the reason otherwise.
int RunHealthy(const AdminOptions& options);

// Asks for a reload and waits for its end. 0: the policy is in force. 1: it was refused; its findings are printed. 2: nobody answers.
int RunReload(const AdminOptions& options);

// POST /admin/ACTION. Prints the answer. 0, 1 or 2 as above.
int RunAction(const AdminOptions& options, const std::string& action);

}  // namespace cli
