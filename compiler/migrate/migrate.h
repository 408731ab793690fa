// gateway.yaml of the system that Breakwater replaces, or LiteLLM's config.yaml (litellm.h), to a policy. Every key has its place in the language; one that has none is
// reported and kept as a comment. What the YAML leaves unsaid is chosen, said in the policy, and listed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace compiler::migrate {

struct Problem {
  int line = 0;  // from 1; 0: of the file as a whole
  int column = 0;
  std::string text;
};

struct Choice {
  int line = 0;  // of the block that leaves it unsaid; 0: of the file as a whole
  std::string text;
};

struct Migration {
  bool is_yaml = true;  // false: not YAML at all; `problems` says where
  // Formatted. Empty if a value has a wrong type or is missing: a guess would be worse than nothing.
  std::string policy;
  std::vector<Problem> problems;  // unknown keys and wrong values, in the order of the file
  std::vector<Choice> choices;    // what was unsaid, and what was chosen
};

Migration MigrateGatewayYaml(std::string_view yaml);

}  // namespace compiler::migrate
