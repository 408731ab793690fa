// `breakwater check`: reads policies, prints what is wrong with them and nothing else. Never loads LLVM.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct CheckOptions {
  std::vector<std::string> paths;  // files, folders (all *.policy below them) and - for standard input
  bool deny_warnings = false;      // warnings count as findings
  bool deny_mock = false;          // a mock block is an error
};

// Findings go to standard output, in colour on a terminal unless NO_COLOR is set; what cannot be read to standard error.
// Returns the exit code: 0 clean, 1 findings, 2 a file cannot be read or parsed, 3 internal. The worst of all files counts.
int RunCheck(const CheckOptions& options);

}  // namespace cli
