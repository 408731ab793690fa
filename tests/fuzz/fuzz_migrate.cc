// Any bytes as a gateway.yaml: no crash, and either a problem that says why there is no policy, or a policy that can be read and has
// its layout.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "compiler/format/format.h"
#include "compiler/migrate/migrate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto migration = compiler::migrate::MigrateGatewayYaml({reinterpret_cast<const char*>(data), size});
  if (migration.policy.empty()) {
    if (migration.problems.empty()) std::abort();
    return 0;
  }
  compiler::diagnostics::Diagnostics diagnostics;
  std::string refusal;
  const auto formatted = compiler::format::FormatPolicy(migration.policy, &diagnostics, &refusal);
  if (!formatted || *formatted != migration.policy) std::abort();
  return 0;
}
