// Finds the first route whose `when` holds without asking all of them: routes are filed under the values that their predicates
// need (a path, a host, a header …), and only those whose values the request has are asked.
//
// The index proposes, the predicates decide: what it must never do is to miss a route. A scan in order is what tests compare
// it with; as a scan it asks in the order of routes, but not the routes that cannot hold.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/abi/predicate.h"
#include "compiler/model/policy.h"
#include "compiler/routes/subject.h"

namespace compiler::routes {

// Immutable; any number of threads may ask it.
class RouteIndex {
 public:
  RouteIndex() = default;                            // of no routes
  explicit RouteIndex(const model::Policy& policy);  // which it needs no longer

  // The first route whose `when` holds, or which has none; nullopt if there is no such route. Allocates nothing. `predicates` are
  // those of the policy.
  std::optional<model::RouteId> Find(const abi::Facts& facts, const abi::PredicateTable& predicates) const;

 private:
  class Builder;
  class Search;

  // Routes are asked at the node that their last usable condition leads to.
  struct Entry {
    int32_t route = 0;
    abi::PredicateId when;
  };

  // entries_[first_entry, end_entry) in the order of routes, splits_[first_split, end_split), which lead to other nodes.
  struct Node {
    int32_t first_entry = 0;
    int32_t end_entry = 0;
    int32_t first_split = 0;
    int32_t end_split = 0;
  };

  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };
  using NodesByText = std::unordered_map<std::string, int32_t, TextHash, std::equal_to<>>;

  // By the value of one subject: to the node of the text that it equals, and to those of the texts that it begins with.
  struct Split {
    Subject subject;
    NodesByText equal;
    NodesByText prefixes;
    std::vector<size_t> prefix_sizes;  // ascending, each once
  };

  std::vector<Node> nodes_;  // the last one is the root
  std::vector<Entry> entries_;
  std::vector<Split> splits_;
};

}  // namespace compiler::routes
