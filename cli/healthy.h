// `breakwater healthy`: whether a gateway is ready, for health checks of containers, whose images hold no other client.
#pragma once

#include "cli/admin_client.h"

namespace cli {

// 0 if it is ready; 1 and the reason on standard error otherwise.
int RunHealthy(const AdminOptions& options);

}  // namespace cli
