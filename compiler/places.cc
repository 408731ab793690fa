#include "compiler/places.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace compiler {
namespace {

using model::BlockOrigin;
using model::Place;

// On one line, whatever its layout; cut where it is longer than anybody reads on a page.
std::string OneLine(std::string_view text) {
  constexpr size_t kMost = 300;
  std::string line;
  for (const char c : text) {
    const bool is_space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (is_space && (line.empty() || line.back() == ' ')) continue;
    line.push_back(is_space ? ' ' : c);
  }
  while (line.ends_with(' ')) line.pop_back();
  if (line.size() <= kMost) return line;
  size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xc0) == 0x80) --end;  // no half of a character
  return line.substr(0, end) + "…";
}

class Finder {
 public:
  explicit Finder(const source::SourceBuffer& source) : source_(source) {}

  Place At(source::SourceRange range) const {
    if (range.end == 0) return {};
    const std::string& name = source_.NameAt(range.begin);
    return {name.substr(name.rfind('/') + 1) + ":" + std::to_string(source_.PositionOf(range.begin).line), {}};
  }
  Place Block(const BlockOrigin* block) const { return block == nullptr ? Place() : At(block->kind_range); }
  Place Setting(const BlockOrigin* block, std::string_view name) const {
    const auto* setting = block == nullptr ? nullptr : block->Setting(name);
    if (setting == nullptr) return {};
    Place place = At(setting->statement);
    place.text = OneLine(source_.Text(setting->statement));
    return place;
  }
  std::vector<Place> Rules(const BlockOrigin* block, std::string_view word) const {
    std::vector<Place> rules;
    if (block == nullptr) return rules;
    for (const model::WhenOrigin* line : block->Whens(word)) {
      rules.push_back(At(line->statement));
      rules.back().text = OneLine(source_.Text(line->statement));
    }
    return rules;
  }
  Place Rule(const BlockOrigin* block, std::string_view word) const {
    auto rules = Rules(block, word);
    return rules.empty() ? Place() : std::move(rules.front());
  }

 private:
  const source::SourceBuffer& source_;
};

template <typename Origins>
const BlockOrigin* Written(const Origins& origins, size_t index) {
  if (index >= origins.size()) return nullptr;
  const BlockOrigin& block = *(origins.begin() + static_cast<std::ptrdiff_t>(index));
  return block.is_written() ? &block : nullptr;
}

}  // namespace

model::Places PlacesOf(const WrittenPolicy& written) {
  const Finder find(*written.source);
  const model::Policy& policy = written.policy;
  model::Places places;
  for (size_t i = 0; i < policy.upstreams.size(); ++i) {
    const BlockOrigin* block = Written(written.origins.upstreams, i);
    const auto inner = [block](std::string_view kind) { return block == nullptr ? nullptr : block->Block(kind); };
    model::Places::OfUpstream upstream;
    upstream.block = find.Block(block);
    upstream.repeat_safe = find.Setting(block, "repeat_safe");
    upstream.replay_body = find.Setting(block, "replay_body");
    upstream.max_in_flight = find.Setting(block, "max_in_flight");
    upstream.max_retries = find.Setting(inner("retry"), "max_retries");
    upstream.budget = find.Setting(inner("retry"), "budget");
    upstream.retry = find.Rule(inner("retry"), "");
    upstream.breaker = find.Block(inner("breaker"));
    upstream.open_when = find.Rules(inner("breaker"), "open");
    upstream.rest_when = find.Rule(inner("breaker"), "rest");
    places.upstreams.Add(std::move(upstream));
  }
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    const model::RouteId id(static_cast<int32_t>(i));
    const BlockOrigin* block = Written(written.origins.routes, i);
    model::Places::OfRoute route;
    route.block = find.Block(block);
    route.to = find.Setting(block, "to");
    route.fallback = find.Setting(block, "fallback");
    route.deadline = find.Setting(block, "deadline");
    const auto& to = policy.routes[id].to;
    if (route.fallback.at.empty() && !to.empty()) {
      route.fallback =
          find.Setting(Written(written.origins.upstreams, static_cast<size_t>(to.front().value)), "fallback");
    }
    places.routes.Add(std::move(route));
  }
  return places;
}

}  // namespace compiler
