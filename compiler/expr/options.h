// What the checker is told, and the bounds of what expressions may be.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "compiler/source/source_range.h"

namespace compiler::expr {

// Expressions with their `let` names written out may have so many nodes.
inline constexpr int kMaxPredicateNodes = 4096;
// Members of a set or a list.
inline constexpr size_t kMaxSetMembers = 1000;
// Each pattern may take regex::kMemoryBytes while it is matched.
inline constexpr size_t kMaxPatterns = 500;
// `let` names that stand in `let` names.
inline constexpr int kMaxLetDepth = 64;

struct CheckOptions {
  std::function<std::optional<std::string>(const std::string&)> environment;  // never null
  // The text of a file that a variable NAME_FILE names, without the line end; nullopt if it cannot be read. Never null.
  std::function<std::optional<std::string>(const std::string&)> secret_file;
  // What stands for a variable that is read only when the policy is loaded, instead of asking the environment: for bundles.
  // `fallback`: the default of env(…). Null: variables are read now.
  std::function<std::string(source::SourceRange call, const std::string& name, const std::optional<std::string>& fallback,
                            bool is_secret)>
      late_value;
  bool for_run = false;    // a variable that is not set is an error
  bool deny_mock = false;  // a `mock` block is an error
};

}  // namespace compiler::expr
