// `breakwater migrate gateway.yaml`: the configuration of the system that Breakwater replaces, as a policy.
#pragma once

#include <string>

namespace cli {

struct MigrateOptions {
  std::string file;    // - is standard input
  std::string output;  // "" is standard output
};

// The policy goes to `output`; what the YAML left unsaid, and what could not be taken over, to standard error. Returns 0, 1 if
// something could not be taken over, 2 if the file cannot be read or is no YAML.
int RunMigrate(const MigrateOptions& options);

}  // namespace cli
