// The oracle: a random world in which each predicate is asked twice, as machine code and by the interpreter.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "compiler/model/policy.h"

namespace tests::oracle {

struct OracleSize {
  int predicates = 0;  // in one policy
  int facts_per_predicate = 0;
  int depth = 0;  // of and, or and not
};

// How often something was true and false.
struct Seen {
  int64_t when_true = 0;
  int64_t when_false = 0;
};

struct OracleReport {
  int64_t predicates = 0;
  int64_t pairs = 0;  // of (predicate, facts)
  int64_t differences = 0;
  std::string smallest_difference;       // the shortest predicate on which the two differ
  std::string error;                     // of the JIT
  std::map<std::string, Seen> coverage;  // for each name of EverythingToSee that an atom contained
};

// Adds to *report what one policy of random predicates, compiled by the JIT of this process, shows.
void RunOracle(uint64_t seed, const OracleSize& size, OracleReport* report);

// Every operator, base type, field, family and window measure: from the tables, so that a new line asks to be seen.
std::vector<std::string> EverythingToSee();

}  // namespace tests::oracle
