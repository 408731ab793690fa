// The client of a test: sends one request on a connection of its own, and keeps the answer.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/tests.h"
#include "runtime/sim/sim_world.h"

namespace runtime::policy_test {

struct ClientAnswer {
  int status = 0;  // 0: none came
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;       // as far as it came
  bool is_whole = false;  // as HTTP frames it
  base::TimePoint sent_at;
  base::TimePoint ended_at;
};

// Runs the network until the answer is there, in virtual time; at most for kMostWaited.
inline constexpr base::Duration kMostWaited = std::chrono::hours(24);
ClientAnswer Ask(sim::SimWorld& world, const compiler::model::Send& send);

}  // namespace runtime::policy_test
