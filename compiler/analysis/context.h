// What all checks share: the policy, where it was written, who leads to whom, and how to change its text.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/analysis/bounds.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/origins.h"
#include "compiler/model/policy.h"

namespace compiler::analysis {

using diagnostics::Diagnostic;
using diagnostics::Kind;
using model::BlockOrigin;
using model::RouteId;
using model::SourceRange;
using model::UpstreamId;
using model::WhenOrigin;
using model::WordOrigin;

// A word of a condition, as written there or in a `let` that it names.
struct WordAt {
  SourceRange range;
  SourceRange removal;  // empty: it cannot be left out
};

struct Context {
  Context(const model::Policy& of, const model::Origins& where, diagnostics::Diagnostics* to);

  const model::Policy& policy;
  const model::Origins& origins;
  diagnostics::Diagnostics* diagnostics;
  Bounds bounds;
  base::IdVector<UpstreamId, std::vector<RouteId>> routes_to;  // routes whose `to` names the upstream

  const model::RouteSettings& Route(RouteId id) const { return policy.routes[id]; }
  const model::UpstreamSettings& Upstream(UpstreamId id) const { return policy.upstreams[id]; }
  // Of a route that the policy got by itself: an empty block.
  const BlockOrigin& OriginOf(RouteId id) const;
  const BlockOrigin& OriginOf(UpstreamId id) const { return origins.upstreams[id]; }

  // Where a setting's value stands; where it has its default, the name of its block.
  SourceRange At(const BlockOrigin& block, std::string_view setting) const;
  // attempt_timeout or timeouts.total, whichever ends an attempt first.
  SourceRange AtMost(UpstreamId id) const;

  // Each `when` line of a word and the predicate that it became. `any`: the predicate of all lines together.
  struct Line {
    const WhenOrigin* origin;
    const model::Expr* expr;
  };
  std::vector<Line> Lines(const BlockOrigin& block, std::string_view word, abi::PredicateId any) const;
  std::vector<Line> Lines(const BlockOrigin& block, std::string_view word,
                          const std::vector<abi::PredicateId>& each) const;

  // Every line with a condition.
  struct Place {
    enum class Kind : uint8_t { kRoute, kNext, kRetry, kOpen, kClose, kFailure, kRest, kRewrite, kStore };
    Kind kind{};
    int32_t id = 0;  // of the route, upstream or cache
    const BlockOrigin* block = nullptr;
    size_t lines = 1;  // how many there are of the word
  };
  void ForEachLine(const std::function<void(const Place&, const Line&)>& look) const;

  // Every constant text of a value or a condition, and of the lets that it names.
  void ForEachText(const std::vector<WordOrigin>& words, const std::vector<model::TextOrigin>& texts,
                   const std::function<void(const model::TextOrigin&)>& look) const;
  // All places where a string of this text stands in a condition, or in the lets that it names.
  std::vector<SourceRange> FindStrings(const WhenOrigin& line, std::string_view text) const;
  // The first of them, or the condition.
  SourceRange AtString(const Line& line, std::string_view text) const;
  // What env(…) stands for in a value and in the lets that it names: names of variables.
  std::vector<std::string> Variables(const model::SettingOrigin& setting) const;
  // The line `header["Name"] = …` of a block, in any case; null for none.
  const model::SettingOrigin* HeaderOf(const BlockOrigin& block, std::string_view lower_name) const;
  // Whether a finding of that kind stands within the range, or in a `let` that is used there.
  bool WasTold(Kind kind, SourceRange within) const;

  // All places of a word in a condition and in the lets that it names.
  std::vector<WordAt> Find(const std::vector<WordOrigin>& words, std::string_view text) const;
  // The word that stands so far behind `text`, as the window behind `failures`.
  std::optional<SourceRange> WordBehind(const std::vector<WordOrigin>& words, std::string_view text,
                                        size_t distance = 1) const;

  // For a word in a `let`: notes the line that uses it.
  static void AddUse(Diagnostic& diagnostic, const WordAt& word, const WhenOrigin& line);

  // Fixes. Set gives a setting of a block another value, Add puts a line into a block.
  void Set(Diagnostic& diagnostic, const BlockOrigin& block, std::string_view setting, const std::string& value) const;
  void SetMost(Diagnostic& diagnostic, UpstreamId id, model::Duration value) const;
  void Add(Diagnostic& diagnostic, const BlockOrigin& block, const std::string& line) const;
  // Takes a word out, or its whole line if that is all that the line says and there are others.
  void Remove(Diagnostic& diagnostic, const WordAt& word, const Line& line, size_t lines) const;
};

std::string Lower(std::string_view text);

// As a policy writes it, in one unit: 46500ms.
std::string WriteDuration(model::Duration time);
// To whole seconds where there are any.
model::Duration RoundDown(model::Duration time);

}  // namespace compiler::analysis
