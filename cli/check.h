// `breakwater check`: reads policies, prints what is wrong with them and nothing else. Never loads LLVM.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct CheckOptions {
  std::vector<std::string> paths;  // files, folders (all *.policy below them) and - for standard input
  std::string format = "pretty";   // one of ReportFormats()
  bool deny_warnings = false;      // warnings count as findings
  bool deny_mock = false;          // a mock block is an error
};

// Findings go to standard output; of the pretty format what cannot be read to standard error, and colours on a terminal
// unless NO_COLOR is set. Returns the exit code; the worst of all files counts.
int RunCheck(const CheckOptions& options);

}  // namespace cli
