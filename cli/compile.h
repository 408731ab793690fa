// `breakwater compile`: a policy as one file that runs without a compiler. `breakwater key new`: keys to sign it with.
#pragma once

#include <string>
#include <vector>

namespace cli {

struct CompileCommandOptions {
  std::string file;
  std::string output;     // required
  std::string cpu;        // a level of compiler::abi::kCpuLevels, or "any": predicates are interpreted
  std::string sign;       // path of a private key; "": unsigned
  bool deny_mock = false;
};
std::vector<std::string> CpuLevels();

// Returns 0, 1 when the policy has errors, 2 when a file can't be read or written, 3 for a fault of ours.
int RunCompile(const CompileCommandOptions& options);

struct KeyOptions {
  std::string what;                 // "new"
  bool signing = false;
  std::string output = "signing";   // writes <output>.key and <output>.pub
};
int RunKey(const KeyOptions& options);

}  // namespace cli
