// env(…) and secret(…) of a bundle: read when it is loaded, not when it is compiled. While a policy is checked a name of its own
// stands for each; here those names are found again in the checked policy, and filled in when it is loaded.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/policy.h"

namespace compiler::bundle {

struct LateValue {
  std::string variable;
  std::optional<std::string> fallback;  // env(…, default: …)
  bool is_secret = false;

  bool operator==(const LateValue&) const = default;
};

// What stands for the value with this number: a text that nobody writes, and that may stand wherever a name may.
std::string StandIn(size_t number);

// Which of the first `count` stand-ins decide what the policy is (a condition, a key that it reads, a name) rather than hold a
// value that it passes on.
std::set<size_t> ShapingStandIns(const model::Policy& policy, size_t count);
// Whether `text` holds one of them.
std::optional<size_t> FindStandIn(std::string_view text);

struct Variables {
  std::function<std::optional<std::string>(const std::string&)> environment;
  std::function<std::optional<std::string>(const std::string& path)> secret_file;
};

// Puts the values of today in. "" or what is wrong: which variable, and what to do. The policy is to be dropped then.
std::string FillIn(const std::vector<LateValue>& values, const Variables& variables, model::Policy* policy);

}  // namespace compiler::bundle
