// What can be turned in a policy: each value of each setting that is written in it, with the ways to turn it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tests::coverage {

struct Knob {
  bool is_number = false;
  std::string setting;  // "upstream.retry.wait"
  std::string name;     // "x.policy:12: wait = exponential(from: »200ms«"
  // The policy with the knob turned, in one way each. One that is noticed is enough: a limit that is raised where nobody
  // reached it changes nothing, and rightly so.
  std::vector<std::string> turned;
};

// Numbers are doubled and halved, and if that is not far enough turned up to ten times as far; true and false change
// places, text becomes another text, a name another one of its kind or nothing at all, and each member of a list is left
// out once.
std::vector<Knob> KnobsOf(std::string_view name, std::string_view policy);

}  // namespace tests::coverage
