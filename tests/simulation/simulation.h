// Many exchanges on random policies and faulty upstreams in virtual time. Everything follows from the seed; after every
// event the invariants of invariants.h are checked.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tests::simulation {

enum class Bug : uint8_t {
  kNone,
#define PLANTED_BUG(name, doc) k##name,
#include "tests/simulation/planted_bugs.def"
#undef PLANTED_BUG
};

struct Report {
  std::vector<std::string> violations;  // the first few, with time and exchange
  std::map<std::string, int64_t>
      seen;  // how often each thing happened: "start", "final send_reply", "denied deadline" …
  int64_t exchanges = 0;
  int64_t events = 0;
};

Report Simulate(uint64_t seed, int exchanges, Bug bug = Bug::kNone);

}  // namespace tests::simulation
