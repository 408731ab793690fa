// `breakwater test`: runs the `test` blocks of policies.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct TestOptions {
  std::vector<std::string> paths;  // files, folders (all *.policy below them) and - for standard input
  std::string filter;              // only tests with this in their names; "" for all
  std::string format = "pretty";   // one of TestFormats()
  bool coverage = false;           // list what the conditions came to
};

std::vector<std::string> TestFormats();

// Returns 0 if all tests pass, 1 if one fails, 2 if a policy cannot be read or has errors.
int RunTests(const TestOptions& options);

}  // namespace cli
