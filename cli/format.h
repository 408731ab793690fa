// `breakwater fmt`: gives policies the one layout.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct FormatOptions {
  std::vector<std::string> paths;
  bool check = false;  // write nothing; list every file that is laid out otherwise
  bool diff = false;   // write nothing; show what would change
};

// Standard input is formatted onto standard output. Returns 0, 1 if --check or --diff found a difference, 2 if a file cannot be read,
// parsed or written, 3 if the result would not say the same (nothing is written then).
int RunFormat(const FormatOptions& options);

}  // namespace cli
