// Random policies of routes and random requests: the index must choose the route that a scan in order chooses.
#pragma once

#include <cstdint>
#include <string>

namespace tests::routes {

struct ComparisonSize {
  int policies = 0;
  int most_routes = 0;  // of a policy; the fewest are none
  int requests = 0;     // for each policy
};

struct ComparisonReport {
  int64_t pairs = 0;  // of (policy, request)
  int64_t differences = 0;
  std::string smallest_difference;  // of the policy with the fewest nodes
  int64_t without_route = 0;        // requests that no route takes
  int64_t behind_others = 0;        // requests whose route is not the first
  int64_t asked_by_scan = 0;        // predicates
  int64_t asked_by_index = 0;
};

// Adds to *report what `size.policies` policies show. The same seed gives the same policies and requests on every machine.
void CompareWithScan(uint64_t seed, const ComparisonSize& size, ComparisonReport* report);

}  // namespace tests::routes
