#include "compiler/analysis/context.h"

#include <algorithm>
#include <utility>

namespace compiler::analysis {

using model::Duration;

Context::Context(const model::Policy& of, const model::Origins& where, diagnostics::Diagnostics* to)
    : policy(of), origins(where), diagnostics(to), bounds(of) {
  routes_to.resize(policy.upstreams.size());
  for (size_t i = 0; i < policy.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    for (const UpstreamId upstream : policy.routes[id].to) routes_to[upstream].push_back(id);
  }
}

const BlockOrigin& Context::OriginOf(RouteId id) const {
  static const BlockOrigin kNone;
  return origins.routes.Has(id) ? origins.routes[id] : kNone;
}

SourceRange Context::At(const BlockOrigin& block, std::string_view setting) const {
  const model::SettingOrigin* written = block.Setting(setting);
  return written != nullptr ? written->value : block.name;
}

SourceRange Context::AtMost(UpstreamId id) const {
  const model::Timeouts& limits = Upstream(id).timeouts;
  const BlockOrigin* timeouts = OriginOf(id).Block("timeouts");
  const bool is_total = limits.total && *limits.total < limits.attempt && timeouts != nullptr;
  return is_total ? At(*timeouts, "total") : At(OriginOf(id), "attempt_timeout");
}

std::vector<Context::Line> Context::Lines(const BlockOrigin& block, std::string_view word, abi::PredicateId any) const {
  const std::vector<const WhenOrigin*> origins_of = block.Whens(word);
  const model::Expr& expr = policy.predicates[any].expr;
  if (origins_of.size() <= 1 || expr.operands.size() != origins_of.size()) {
    if (origins_of.empty()) return {};
    return {{origins_of[0], &expr}};
  }
  std::vector<Line> lines;
  for (size_t i = 0; i < origins_of.size(); ++i) lines.push_back({origins_of[i], &expr.operands[i]});
  return lines;
}

std::vector<Context::Line> Context::Lines(const BlockOrigin& block, std::string_view word,
                                          const std::vector<abi::PredicateId>& each) const {
  const std::vector<const WhenOrigin*> origins_of = block.Whens(word);
  std::vector<Line> lines;
  for (size_t i = 0; i < std::min(origins_of.size(), each.size()); ++i)
    lines.push_back({origins_of[i], &policy.predicates[each[i]].expr});
  return lines;
}

void Context::ForEachLine(const std::function<void(const Place&, const Line&)>& look) const {
  const auto each = [&](Place place, const std::vector<Line>& lines) {
    place.lines = lines.size();
    for (const Line& line : lines) look(place, line);
  };
  for (size_t i = 0; i < origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const BlockOrigin& block = OriginOf(id);
    if (const auto& when = Route(id).when) each({Place::Kind::kRoute, id.value, &block}, Lines(block, "", *when));
    if (const auto& next = Route(id).next_when) each({Place::Kind::kNext, id.value, &block}, Lines(block, "next", *next));
  }
  for (size_t i = 0; i < policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const model::UpstreamSettings& upstream = Upstream(id);
    if (const BlockOrigin* block = OriginOf(id).Block("retry"); block != nullptr && upstream.retry)
      each({Place::Kind::kRetry, id.value, block}, Lines(*block, "", upstream.retry->when));
    size_t rewrites = 0;
    for (const BlockOrigin& inner : OriginOf(id).blocks) {
      if (inner.kind != "rewrite" || rewrites >= upstream.rewrites.size()) continue;
      each({Place::Kind::kRewrite, id.value, &inner}, Lines(inner, "", upstream.rewrites[rewrites++].when));
    }
    const BlockOrigin* block = OriginOf(id).Block("breaker");
    if (block == nullptr || !upstream.breaker) continue;
    if (upstream.breaker->rest_when)
      each({Place::Kind::kRest, id.value, block}, Lines(*block, "rest", *upstream.breaker->rest_when));
    each({Place::Kind::kOpen, id.value, block}, Lines(*block, "open", upstream.breaker->open_when));
    each({Place::Kind::kClose, id.value, block}, Lines(*block, "close", upstream.breaker->close_when));
    if (upstream.breaker->failure_when)
      each({Place::Kind::kFailure, id.value, block}, Lines(*block, "failure", *upstream.breaker->failure_when));
  }
  for (size_t i = 0; i < policy.caches.size(); ++i) {
    const model::CacheId id(static_cast<int32_t>(i));
    each({Place::Kind::kStore, id.value, &origins.caches[id]},
         Lines(origins.caches[id], "store", policy.caches[id].store_when));
  }
}

void Context::ForEachText(const std::vector<WordOrigin>& words, const std::vector<model::TextOrigin>& texts,
                          const std::function<void(const model::TextOrigin&)>& look) const {
  for (const model::TextOrigin& text : texts) look(text);
  for (const WordOrigin& word : words) {
    const auto let = origins.lets.find(origins.TextOf(word.range));
    if (let != origins.lets.end()) ForEachText(let->second.words, let->second.texts, look);
  }
}

std::vector<SourceRange> Context::FindStrings(const WhenOrigin& line, std::string_view wanted) const {
  std::vector<SourceRange> found;
  ForEachText(line.words, line.texts, [&](const model::TextOrigin& text) {
    if (text.text == wanted) found.push_back(text.range);
  });
  return found;
}

SourceRange Context::AtString(const Line& line, std::string_view wanted) const {
  const auto found = FindStrings(*line.origin, wanted);
  return found.empty() ? line.origin->predicate : found[0];
}

std::vector<std::string> Context::Variables(const model::SettingOrigin& setting) const {
  std::vector<std::string> names;
  ForEachText(setting.words, setting.texts, [&](const model::TextOrigin& text) {
    if (text.is_variable) names.push_back(text.text);
  });
  return names;
}

const model::SettingOrigin* Context::HeaderOf(const BlockOrigin& block, std::string_view lower_name) const {
  const auto found =
      std::find_if(block.settings.begin(), block.settings.end(), [&](const model::SettingOrigin& setting) {
        return setting.name == "header" && Lower(setting.key) == lower_name;
      });
  return found == block.settings.end() ? nullptr : &*found;
}

bool Context::WasTold(Kind kind, SourceRange within) const {
  return std::any_of(diagnostics->items().begin(), diagnostics->items().end(), [&](const Diagnostic& item) {
    const bool is_within = within.begin <= item.range.begin && item.range.end <= within.end;
    // In a `let`: the line that uses it is a note.
    const bool is_used_there = std::any_of(item.notes.begin(), item.notes.end(), [&](const auto& note) { return note.range.begin == within.begin; });
    return item.kind == kind && (is_within || is_used_there);
  });
}

std::vector<WordAt> Context::Find(const std::vector<WordOrigin>& words, std::string_view text) const {
  std::vector<WordAt> found;
  for (const WordOrigin& word : words) {
    const std::string_view here = origins.TextOf(word.range);
    if (here == text) found.push_back({word.range, word.removal});
    const auto let = origins.lets.find(here);
    if (let == origins.lets.end() || here == text) continue;
    for (const WordAt& inner : Find(let->second.words, text)) found.push_back(inner);
  }
  return found;
}

std::optional<SourceRange> Context::WordBehind(const std::vector<WordOrigin>& words, std::string_view text,
                                               size_t distance) const {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view here = origins.TextOf(words[i].range);
    if (here == text && i + distance < words.size()) return words[i + distance].range;
    const auto let = origins.lets.find(here);
    if (let == origins.lets.end()) continue;
    if (const auto inner = WordBehind(let->second.words, text, distance)) return inner;
  }
  return std::nullopt;
}

void Context::AddUse(Diagnostic& diagnostic, const WordAt& word, const WhenOrigin& line) {
  const bool is_in_line = line.predicate.begin <= word.range.begin && word.range.end <= line.predicate.end;
  if (!is_in_line) diagnostic.At(line.predicate, "it is used here");
}

void Context::Set(Diagnostic& diagnostic, const BlockOrigin& block, std::string_view setting,
                  const std::string& value) const {
  if (const model::SettingOrigin* written = block.Setting(setting)) diagnostic.Change(written->value, value);
  else Add(diagnostic, block, std::string(setting) + " = " + value);
}

void Context::SetMost(Diagnostic& diagnostic, UpstreamId id, Duration value) const {
  const model::Timeouts& limits = Upstream(id).timeouts;
  const BlockOrigin* timeouts = OriginOf(id).Block("timeouts");
  const bool is_total = limits.total && *limits.total < limits.attempt && timeouts != nullptr;
  if (is_total) Set(diagnostic, *timeouts, "total", WriteDuration(value));
  else Set(diagnostic, OriginOf(id), "attempt_timeout", WriteDuration(value));
}

// Behind the last line of the block, or within the only one.
void Context::Add(Diagnostic& diagnostic, const BlockOrigin& block, const std::string& line) const {
  uint32_t last = block.kind_range.end;
  uint32_t first = block.whole.end;
  const auto note = [&](SourceRange statement) {
    last = std::max(last, statement.end);
    first = std::min(first, statement.begin);
  };
  for (const auto& setting : block.settings) note(setting.statement);
  for (const auto& when : block.whens) note(when.statement);
  for (const auto& inner : block.blocks) note(inner.whole);
  const uint32_t closer = block.whole.end - 1;
  const size_t line_end = origins.text.find('\n', last);
  if (first > last || line_end == std::string_view::npos || line_end > closer) {
    diagnostic.Change({closer, closer}, line + " ");
    return;
  }
  const size_t line_begin = origins.text.rfind('\n', first) + 1;
  const std::string indent(origins.text.substr(line_begin, first - line_begin));
  const bool is_indent = indent.find_first_not_of(" \t") == std::string::npos;
  const auto at = static_cast<uint32_t>(line_end);
  diagnostic.Change({at, at}, "\n" + (is_indent ? indent : std::string("  ")) + line);
}

void Context::Remove(Diagnostic& diagnostic, const WordAt& word, const Line& line, size_t lines) const {
  const bool is_in_line =
      line.origin->predicate.begin <= word.range.begin && word.range.end <= line.origin->predicate.end;
  const bool is_all = line.expr->kind == model::ExprKind::kCompare || line.expr->kind == model::ExprKind::kIn;
  if (word.removal.end > 0) diagnostic.Change(word.removal, "");
  else if (is_in_line && is_all && lines > 1) diagnostic.Change(line.origin->statement, "");
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string WriteDuration(Duration time) {
  struct Unit {
    const char* name;
    int64_t size;
  };
  constexpr Unit kUnits[] = {{"h", 3'600'000'000'000}, {"min", 60'000'000'000}, {"s", 1'000'000'000},
                             {"ms", 1'000'000},        {"us", 1'000},           {"ns", 1}};
  for (const Unit& unit : kUnits) {
    if (time.count() % unit.size == 0) return std::to_string(time.count() / unit.size) + unit.name;
  }
  return "";
}

Duration RoundDown(Duration time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  if (whole.count() > 0) return whole;
  return std::chrono::floor<std::chrono::milliseconds>(time);
}

}  // namespace compiler::analysis
