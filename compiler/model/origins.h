// Where the values of a policy were written: made by check beside the policy, read by the analysis (which must point at words)
// and by who explains a policy. Nothing that runs a policy has a use for it. Ranges and views point into the policy's text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.h"
#include "compiler/model/settings.h"
#include "compiler/source/source_range.h"

namespace compiler::model {

using source::SourceRange;

// A name or a number in a value or a condition, or the name of a function there.
struct WordOrigin {
  SourceRange range;
  SourceRange removal{};  // what to take out with it, a comma for example; empty: it cannot be left out
};

// A constant text in a value or a condition; the key of a header is one.
struct TextOrigin {
  SourceRange range;         // with its quotes
  std::string text;          // what it says
  bool is_variable = false;  // the name that env(…) is given
};

struct SettingOrigin {
  std::string_view name;
  SourceRange name_range;
  SourceRange value;
  SourceRange statement;
  std::vector<WordOrigin> words;  // of the value, in the order of the text
  std::vector<TextOrigin> texts;
  std::string key;  // X-Team of `header["X-Team"] = …`; "" for none
};

struct WhenOrigin {
  std::string_view word;  // "" for a bare `when`
  SourceRange predicate;
  SourceRange statement;
  bool is_or = false;  // its outermost operator is `or`
  std::vector<WordOrigin> words;
  std::vector<TextOrigin> texts;
};

// promise worst_case.latency <= 6min
enum class PromisedBound : uint8_t { kLatency, kFirstToken, kAttempts };
struct PromiseOrigin {
  PromisedBound bound{};
  int64_t limit = 0;  // nanoseconds, or a number
  SourceRange claim;
  SourceRange limit_at;  // the time or number
  SourceRange statement;
};

// allow PL0201 because "…"
struct AllowOrigin {
  std::string code;
  SourceRange code_range;
  SourceRange statement;
  SourceRange scope;  // the block around it, or the file
};

// A block that was written; an empty one (kind.end == 0) for what the policy got by itself.
struct BlockOrigin {
  std::string_view kind;
  SourceRange kind_range;
  SourceRange name;  // of a block without a name: kind_range
  SourceRange whole;
  std::vector<SettingOrigin> settings;
  std::vector<WhenOrigin> whens;
  std::vector<BlockOrigin> blocks;
  std::vector<PromiseOrigin> promises;

  bool is_written() const { return kind_range.end > 0; }
  // Null if it is not there.
  const SettingOrigin* Setting(std::string_view setting) const {
    const auto found = std::find_if(settings.begin(), settings.end(), [&](auto& s) { return s.name == setting; });
    return found == settings.end() ? nullptr : &*found;
  }
  const BlockOrigin* Block(std::string_view inner) const {
    const auto found = std::find_if(blocks.begin(), blocks.end(), [&](auto& b) { return b.kind == inner; });
    return found == blocks.end() ? nullptr : &*found;
  }
  std::vector<const WhenOrigin*> Whens(std::string_view when) const {
    std::vector<const WhenOrigin*> lines;
    for (const WhenOrigin& line : whens) {
      if (line.word == when) lines.push_back(&line);
    }
    return lines;
  }
};

struct LetOrigin {
  SourceRange name;
  SourceRange value;
  std::vector<WordOrigin> words;
  std::vector<TextOrigin> texts;
  std::optional<Expr> condition = std::nullopt;  // of a Bool: as it stands in the predicates that use it
};

struct Origins {
  std::string_view text;  // of the policy
  BlockOrigin gateway;
  base::IdVector<UpstreamId, BlockOrigin> upstreams;
  base::IdVector<CacheId, BlockOrigin> caches;
  base::IdVector<ReplyId, BlockOrigin> replies;
  base::IdVector<MockId, BlockOrigin> mocks;
  base::IdVector<TlsId, BlockOrigin> tls;
  base::IdVector<RouteId, BlockOrigin>
      routes;  // fewer than routes: those that the policy got by itself stand at the end
  std::map<std::string_view, LetOrigin> lets;
  std::vector<AllowOrigin> allows;

  std::string_view TextOf(SourceRange range) const { return text.substr(range.begin, range.end - range.begin); }
};

}  // namespace compiler::model
