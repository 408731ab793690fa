// `breakwater fix`: writes the fixes that findings carry into the policies. Each is proved by checking again.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct FixCommandOptions {
  std::vector<std::string> paths;
  bool dry_run = false;  // print what would change, as a diff, and write nothing
  bool unsafe = false;   // also fixes that need a choice
};

// Standard input is fixed onto standard output. Returns 0 if nothing is left to do, 1 if findings are left, 2 if a file cannot be
// read or written.
int RunFix(const FixCommandOptions& options);

}  // namespace cli
