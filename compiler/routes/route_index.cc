#include "compiler/routes/route_index.h"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "base/planted_fault.h"
#include "compiler/routes/condition.h"

namespace compiler::routes {
namespace {

// So few routes are asked at once: to divide them further would cost as much.
constexpr size_t kFewRoutes = 4;

}  // namespace

// ---- Build -----------------------------------------------------------------------------------------------------------

// Files each route under the condition that it shares with the fewest others, and what meets there under the next one.
class RouteIndex::Builder {
 public:
  Builder(const model::Policy& policy, RouteIndex* index) : index_(*index) {
    ReadConditions(policy);
    if (alternatives_.empty()) return;
    std::vector<Filed> all;
    for (const Alternative& alternative : alternatives_) all.push_back({&alternative, 1});
    Build(std::move(all));
  }

 private:
  // A subject with the numbers of its patterns in patterns_.
  struct Need {
    Subject subject;
    std::vector<int32_t> patterns;
  };

  // What a route needs; a route may have several of these.
  struct Alternative {
    Entry entry;
    std::vector<Need> needs;
    size_t patterns = 0;  // of all needs
  };

  struct Filed {
    const Alternative* alternative;
    size_t copies;  // in how many nodes it may come to stand, if each of its patterns so far has led to a node
  };

  using PatternKey = std::tuple<Subject, std::string_view, bool>;

  void ReadConditions(const model::Policy& policy);
  int32_t Build(std::vector<Filed> filed);
  const Need* NarrowestNeed(const Filed& filed) const;
  Split MakeSplit(const Subject& subject, std::map<int32_t, std::vector<Filed>> by_pattern);
  bool IsUsed(const Subject& subject) const { return std::find(used_.begin(), used_.end(), subject) != used_.end(); }

  RouteIndex& index_;
  std::vector<Alternative> alternatives_;
  std::vector<Pattern> patterns_;  // ordered by subject, then text
  std::vector<int64_t> begun_by_;  // for a prefix: how many other patterns of its subject begin with it
  std::vector<int64_t> sharing_;   // for each pattern: how many of the routes at hand need it; else 0
  std::vector<Subject> used_;      // on the way to the node at hand
};

void RouteIndex::Builder::ReadConditions(const model::Policy& policy) {
  std::vector<std::vector<Conditions>> conditions;
  std::vector<PatternKey> keys;
  conditions.reserve(policy.routes.size());
  for (const model::RouteSettings& route : policy.routes) {
    conditions.push_back(route.when ? routes::Alternatives(policy.predicates[*route.when].expr)
                                    : std::vector<Conditions>{Conditions()});
    for (const Conditions& all_of : conditions.back()) {
      for (const Condition& condition : all_of) {
        for (const Pattern& pattern : condition.any_of) {
          keys.emplace_back(condition.subject, pattern.text, pattern.is_prefix);
        }
      }
    }
  }
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  for (const PatternKey& key : keys) patterns_.push_back({std::get<1>(key), std::get<2>(key)});
  const auto number_of = [&keys](const PatternKey& key) {
    return static_cast<int32_t>(std::lower_bound(keys.begin(), keys.end(), key) - keys.begin());
  };
  // What begins with a text stands behind it, in one piece.
  begun_by_.assign(patterns_.size(), 0);
  sharing_.assign(patterns_.size(), 0);
  for (size_t at = 0; at < keys.size(); ++at) {
    const auto& [subject, text, is_prefix] = keys[at];
    if (!is_prefix) continue;
    size_t next = at + 1;
    while (next < keys.size() && std::get<0>(keys[next]) == subject && std::get<1>(keys[next]).starts_with(text)) ++next;
    begun_by_[at] = static_cast<int64_t>(next - at - 1);
  }
  for (size_t i = 0; i < conditions.size(); ++i) {
    const auto route = static_cast<int32_t>(i);
    const auto& when = policy.routes[model::RouteId(route)].when;
    for (const Conditions& all_of : conditions[i]) {
      Alternative alternative;
      alternative.entry = {route, when ? *when : abi::PredicateId()};
      for (const Condition& condition : all_of) {
        Need need{condition.subject, {}};
        for (const Pattern& pattern : condition.any_of) {
          need.patterns.push_back(number_of(PatternKey(condition.subject, pattern.text, pattern.is_prefix)));
        }
        alternative.patterns += need.patterns.size();
        alternative.needs.push_back(std::move(need));
      }
      alternatives_.push_back(std::move(alternative));
    }
  }
}

// Null if there is none left, or if its patterns would copy the route more often than the policy has words for it.
const RouteIndex::Builder::Need* RouteIndex::Builder::NarrowestNeed(const Filed& filed) const {
  const Need* narrowest = nullptr;
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const Need& need : filed.alternative->needs) {
    if (IsUsed(need.subject) || filed.copies * need.patterns.size() > filed.alternative->patterns) continue;
    int64_t others = 0;
    for (int32_t pattern : need.patterns)
      others += sharing_[static_cast<size_t>(pattern)] + begun_by_[static_cast<size_t>(pattern)];
    if (others < least) {
      least = others;
      narrowest = &need;
    }
  }
  return narrowest;
}

// Adds the node of these routes and all behind it; returns its number.
int32_t RouteIndex::Builder::Build(std::vector<Filed> filed) {
  Node node;
  std::vector<Entry> here;
  std::map<Subject, std::map<int32_t, std::vector<Filed>>> elsewhere;
  if (filed.size() > kFewRoutes) {
    const auto count = [&](int64_t by) {
      for (const Filed& one : filed) {
        for (const Need& need : one.alternative->needs) {
          for (int32_t pattern : need.patterns) sharing_[static_cast<size_t>(pattern)] += by;
        }
      }
    };
    count(1);
    for (const Filed& one : filed) {
      const Need* need = NarrowestNeed(one);
      if (need == nullptr) {
        here.push_back(one.alternative->entry);
        continue;
      }
      auto& by_pattern = elsewhere[need->subject];
      size_t patterns = need->patterns.size();
      PLANT_FAULT(first_pattern_only, patterns = 1);
      for (size_t i = 0; i < patterns; ++i)
        by_pattern[need->patterns[i]].push_back({one.alternative, one.copies * patterns});
    }
    count(-1);
  } else {
    for (const Filed& one : filed) here.push_back(one.alternative->entry);
  }
  filed = {};

  std::vector<Split> splits;
  for (auto& [subject, by_pattern] : elsewhere) splits.push_back(MakeSplit(subject, std::move(by_pattern)));
  node.first_split = static_cast<int32_t>(index_.splits_.size());
  std::move(splits.begin(), splits.end(), std::back_inserter(index_.splits_));
  node.end_split = static_cast<int32_t>(index_.splits_.size());
  node.first_entry = static_cast<int32_t>(index_.entries_.size());
  index_.entries_.insert(index_.entries_.end(), here.begin(), here.end());
  node.end_entry = static_cast<int32_t>(index_.entries_.size());
  index_.nodes_.push_back(node);
  return static_cast<int32_t>(index_.nodes_.size() - 1);
}

RouteIndex::Split RouteIndex::Builder::MakeSplit(const Subject& subject,
                                                 std::map<int32_t, std::vector<Filed>> by_pattern) {
  Split split;
  split.subject = subject;
  used_.push_back(subject);
  for (auto& [number, filed] : by_pattern) {
    const Pattern& pattern = patterns_[static_cast<size_t>(number)];
    const int32_t node = Build(std::move(filed));
    (pattern.is_prefix ? split.prefixes : split.equal).emplace(pattern.text, node);
    if (pattern.is_prefix) split.prefix_sizes.push_back(pattern.text.size());
  }
  used_.pop_back();
  std::sort(split.prefix_sizes.begin(), split.prefix_sizes.end());
  split.prefix_sizes.erase(std::unique(split.prefix_sizes.begin(), split.prefix_sizes.end()), split.prefix_sizes.end());
  return split;
}

RouteIndex::RouteIndex(const model::Policy& policy) { Builder(policy, this); }

// ---- Search ----------------------------------------------------------------------------------------------------------

// Collects the entries of all nodes that the request leads to, then asks them in the order of routes, as a scan would.
class RouteIndex::Search {
 public:
  Search(const RouteIndex& index, const abi::Facts& facts, const abi::PredicateTable& predicates)
      : index_(index), facts_(facts), predicates_(predicates) {}

  void Collect(const Node& node) {
    if (node.first_entry != node.end_entry) {
      const Entries entries{index_.entries_.data() + node.first_entry, index_.entries_.data() + node.end_entry};
      if (count_ < found_.size()) found_[count_++] = entries;
      else Ask(entries);
    }
    for (int32_t i = node.first_split; i < node.end_split; ++i) Follow(index_.splits_[static_cast<size_t>(i)]);
  }

  // The lowest route that holds; kNone if there is none.
  int32_t Lowest() {
    int32_t asked = kNone;
    for (;;) {
      Entries* next = nullptr;
      for (size_t i = 0; i < count_; ++i) {
        Entries& entries = found_[i];
        bool is_next = entries.at != entries.end && (next == nullptr || entries.at->route < next->at->route);
        PLANT_FAULT(order_forgotten, is_next = is_next && next == nullptr);
        if (is_next) next = &entries;
      }
      if (next == nullptr || next->at->route >= best_) return best_;
      const Entry& entry = *next->at++;
      if (entry.route == asked) continue;  // a route of several alternatives may stand in several nodes
      asked = entry.route;
      if (Holds(entry)) return entry.route;
    }
  }

  static constexpr int32_t kNone = std::numeric_limits<int32_t>::max();

 private:
  struct Entries {
    const Entry* at;
    const Entry* end;
  };

  void Follow(const Split& split) {
    const auto text = TextOf(split.subject, facts_);
    if (!text) return;
    Follow(split.equal, *text);
    for (size_t size : split.prefix_sizes) {
      if (size > text->size()) break;
      PLANT_FAULT(equal_text_hides_prefixes, if (split.equal.contains(*text)) size = 0);
      PLANT_FAULT(longest_prefix_only, if (size != split.prefix_sizes.back()) size = 0);
      Follow(split.prefixes, text->substr(0, size));
    }
  }

  void Follow(const NodesByText& nodes, std::string_view text) {
    const auto found = nodes.find(text);
    if (found != nodes.end()) Collect(index_.nodes_[static_cast<size_t>(found->second)]);
  }

  // More nodes than there is room for: theirs are asked at once, which may be more than a scan would ask.
  void Ask(const Entries& entries) {
    PLANT_FAULT(no_room_for_more, return );
    for (const Entry* entry = entries.at; entry != entries.end && entry->route < best_; ++entry) {
      if (Holds(*entry)) best_ = entry->route;
    }
  }

  bool Holds(const Entry& entry) const { return !entry.when.has_value() || predicates_.Test(entry.when, facts_); }

  const RouteIndex& index_;
  const abi::Facts& facts_;
  const abi::PredicateTable& predicates_;
  std::array<Entries, 16> found_;
  size_t count_ = 0;
  int32_t best_ = kNone;
};

std::optional<model::RouteId> RouteIndex::Find(const abi::Facts& facts, const abi::PredicateTable& predicates) const {
  if (nodes_.empty()) return std::nullopt;
  Search search(*this, facts, predicates);
  search.Collect(nodes_.back());
  const int32_t lowest = search.Lowest();
  if (lowest == Search::kNone) return std::nullopt;
  return model::RouteId(lowest);
}

}  // namespace compiler::routes
