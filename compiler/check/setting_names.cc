// The settings of SettingReader that name something: functions with arguments, upstreams, replies, caches and mocks.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "compiler/check/setting_reader.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/number.h"
#include "compiler/model/print.h"

namespace compiler::check {

using expr::ArticleAndWord;
using expr::IsLiteral;
using expr::Word;

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;

void SettingReader::ReadRetryAfter(std::optional<model::Duration>& out) {
  constexpr std::string_view kExample = "write `retry_after(cap: 8s)`: how long a wait is obeyed";
  const ast::Expr& call = value();
  if (call.kind == ExprKind::kError) return;
  if (call.kind != ExprKind::kCall || call.operands[0].kind != ExprKind::kName ||
      call.operands[0].text != "retry_after") {
    auto& diagnostic =
        Mismatch(call, "retry_after(…)", call.kind == ExprKind::kNumber ? "`" + call.text + "`" : "this", kExample);
    const bool is_misspelt = call.kind == ExprKind::kCall && call.operands[0].kind == ExprKind::kName &&
                             base::EditDistance(call.operands[0].text, "retry_after") <= 4;
    if (is_misspelt) diagnostic.Change(call.operands[0].range, "retry_after");
    return;
  }
  if (call.arguments.size() != 1) {
    diagnostics_->Emit(Kind::kRetryAfterOfOne, call.range, {std::string(kExample)});
    return;
  }
  const ast::Argument& argument = call.arguments[0];
  if (!argument.name) {
    diagnostics_->Emit(Kind::kRetryAfterNamed, argument.value->range, {std::string(kExample)});
  } else if (argument.name->text != "cap") {
    diagnostics_->Emit(Kind::kRetryAfterArgument, argument.name->range, {argument.name->text}).Replace("cap");
  } else if (const auto ns = DurationAt(*argument.value, "cap", "1ms..24h")) {
    out = model::Duration(*ns);
  }
}

void SettingReader::ReadBackoff(model::BackoffSettings& out) {
  if (auto wait = ExponentialAt(value(), {}, "1ms..1h", /*takes_jitter=*/true)) out = *wait;
}

// exponential(from:, factor:, cap:) and, where it is taken, jitter. What is left out is as in `wait`.
std::optional<model::BackoffSettings> SettingReader::ExponentialAt(const ast::Expr& call, model::BackoffSettings wait,
                                                                   std::string_view range, bool takes_jitter) {
  constexpr std::string_view kExample = "write for example `exponential(from: 500ms, factor: 2, cap: 2s)`";
  if (call.kind != ExprKind::kCall || call.operands[0].kind != ExprKind::kName) {
    if (call.kind == ExprKind::kError) return std::nullopt;
    Mismatch(call, "exponential(…)", call.kind == ExprKind::kNumber ? "`" + call.text + "`" : "this", kExample);
    return std::nullopt;
  }
  if (call.operands[0].text != "exponential") {
    auto& diagnostic =
        diagnostics_->Emit(Kind::kUnknownFunction, call.operands[0].range, {call.operands[0].text, kExample});
    if (base::EditDistance(call.operands[0].text, "exponential") <= 4) diagnostic.Replace("exponential");
    return std::nullopt;
  }
  std::vector<std::string> seen;
  bool good = true;
  const ast::Expr* from_at = &call;
  const ast::Expr* cap_at = nullptr;
  for (const ast::Argument& argument : call.arguments) {
    const ast::Expr& at = *argument.value;
    if (!argument.name) {
      diagnostics_->Emit(Kind::kExponentialNamed, at.range, {std::string(kExample)});
      return std::nullopt;
    }
    const std::string& word = argument.name->text;
    if (std::find(seen.begin(), seen.end(), word) != seen.end()) {
      diagnostics_->Emit(Kind::kSetTwice, argument.name->range, {word});
      good = false;
      continue;
    }
    seen.push_back(word);
    if (word == "from" || word == "cap") {
      const auto ns = DurationAt(at, word, range);
      if (ns) (word == "from" ? wait.from : wait.cap) = model::Duration(*ns);
      (word == "from" ? from_at : cap_at) = &at;
      good = good && ns.has_value();
    } else if (word == "factor" || (word == "jitter" && takes_jitter)) {
      const bool is_factor = word == "factor";
      const auto found = expressions_->CheckValue(at, Place());
      if (!found) return std::nullopt;
      const bool is_number = found->type.base == BaseType::kInt || found->type.base == BaseType::kNumber;
      if (!IsLiteral(*found) || (is_factor ? !is_number : found->type.base != BaseType::kPercent)) {
        if (!is_factor && is_number)
          diagnostics_->Emit(Kind::kNeedsPercent, at.range, {at.text}).Replace(at.text + "%");
        else diagnostics_->Emit(is_factor ? Kind::kFactorNumber : Kind::kJitterPercent, at.range);
        return std::nullopt;
      }
      const double number =
          found->type.base == BaseType::kInt ? static_cast<double>(found->literal.integer) : found->literal.number;
      if (is_factor ? number < 1 || number > 100 : number < 0 || number > 1) {
        diagnostics_->Emit(is_factor ? Kind::kFactorRange : Kind::kJitterRange, at.range, {at.text});
        return std::nullopt;
      }
      (is_factor ? wait.factor : wait.jitter) = number;
    } else {
      std::vector<std::string_view> known = {"from", "factor", "cap"};
      if (takes_jitter) known.push_back("jitter");
      auto& diagnostic =
          diagnostics_->Emit(Kind::kExponentialArgument, argument.name->range,
                             {word, takes_jitter ? "from, factor, cap and jitter" : "from, factor and cap"});
      if (const auto nearest = base::Nearest(word, known)) diagnostic.Replace(std::string(*nearest));
      return std::nullopt;
    }
  }
  if (!good) return std::nullopt;
  if (wait.cap < wait.from) {
    auto& diagnostic =
        diagnostics_->Emit(Kind::kCapBelowFrom, from_at->range,
                           {model::PrintDuration(wait.from.count()), model::PrintDuration(wait.cap.count())});
    if (from_at != &call && cap_at != nullptr)
      diagnostic.Change(from_at->range, model::PrintDuration(wait.cap.count()))
          .Change(cap_at->range, model::PrintDuration(wait.from.count()))
          .Unsafe();
    return std::nullopt;
  }
  return wait;
}

Entity* SettingReader::EntityAt(const ast::Expr& at, std::initializer_list<EntityKind> kinds, Kind unknown,
                                std::string_view wanted) {
  if (at.kind == ExprKind::kError) return nullptr;
  if (at.kind == ExprKind::kString && at.parts.size() == 1 && !at.parts[0].value) {
    const std::string& text = at.parts[0].text;
    const bool is_name = !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == std::string::npos;
    const bool is_address = !is_name && text.find("://") != std::string::npos;
    auto& diagnostic = diagnostics_->Emit(is_address ? Kind::kAddressAsName : Kind::kQuotedName, at.range, {text});
    if (is_name) diagnostic.Replace(text);
    return nullptr;
  }
  if (at.kind != ExprKind::kName) {
    Mismatch(at, wanted, "this", "write its name");
    return nullptr;
  }
  Entity* entity = scope_->Find(at.text);
  if (entity == nullptr) {
    if (scope_->IsBroken(at.text)) return nullptr;
    const auto candidates = scope_->NamesOf(kinds);
    const auto nearest = base::Nearest(at.text, candidates);
    if (!nearest && scope_->LostABlock()) return nullptr;
    std::string help = nearest ? diagnostics::DidYouMean(*nearest) : "define it, or name another";
    if (!nearest && !candidates.empty()) {
      help = candidates.size() == 1 ? "there is only" : "there are";
      for (size_t i = 0; i < candidates.size() && i < 8; ++i)
        help += (i == 0 ? " `" : i + 1 == candidates.size() ? " and `" : ", `") + std::string(candidates[i]) + "`";
    }
    auto& diagnostic = diagnostics_->Emit(unknown, at.range, {at.text, help});
    if (nearest) diagnostic.Replace(std::string(*nearest));
    return nullptr;
  }
  entity->used = true;
  if (std::find(kinds.begin(), kinds.end(), entity->kind) != kinds.end()) return entity;
  if (entity->kind == EntityKind::kUpstream && unknown == Kind::kUnknownFallback) {
    diagnostics_->Emit(Kind::kUpstreamAsFallback, at.range, {at.text});
  } else {
    diagnostics_->Emit(Kind::kWrongKind, at.range, {at.text, ArticleAndWord(entity->kind), wanted, ""})
        .At(entity->range, "it is defined here");
  }
  return nullptr;
}

void SettingReader::ReadTargets(std::vector<model::UpstreamId>& out) {
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "an upstream or a list of them", "an empty list", "name at least one");
    return;
  }
  std::vector<model::UpstreamId> targets;
  bool good = true;
  for (const ast::Expr* item : items) {
    const Entity* entity = EntityAt(*item, {EntityKind::kUpstream}, Kind::kUnknownUpstream, "an upstream");
    if (entity == nullptr) {
      good = false;
      continue;
    }
    const model::UpstreamId id(entity->index);
    if (std::find(targets.begin(), targets.end(), id) != targets.end()) {
      diagnostics_->Emit(Kind::kFallbackTwice, item->range, {item->text}).Change(WithComma(item), "");
      good = false;
    }
    targets.push_back(id);
  }
  if (good) out = std::move(targets);
}

void SettingReader::ReadReplyName(model::ReplyId& out) {
  const Entity* entity = EntityAt(value(), {EntityKind::kReply}, Kind::kUnknownReply, "a reply");
  if (entity != nullptr) out = model::ReplyId(entity->index);
}

void SettingReader::ReadCacheName(model::CacheId& out) {
  const Entity* entity = EntityAt(value(), {EntityKind::kCache}, Kind::kUnknownCache, "a cache");
  if (entity != nullptr) out = model::CacheId(entity->index);
}

void SettingReader::ReadTlsNames(std::vector<model::TlsId>& out) {
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "a tls block or a list of them", "an empty list", "name at least one");
    return;
  }
  std::vector<model::TlsId> blocks;
  for (const ast::Expr* item : items) {
    const Entity* entity = EntityAt(*item, {EntityKind::kTls}, Kind::kUnknownTls, "a tls block");
    if (entity == nullptr) return;
    const model::TlsId id(entity->index);
    if (std::find(blocks.begin(), blocks.end(), id) != blocks.end()) {
      diagnostics_->Emit(Kind::kFallbackTwice, item->range, {item->text}).Change(WithComma(item), "");
      return;
    }
    blocks.push_back(id);
  }
  out = std::move(blocks);
}

void SettingReader::ReadFallbackChain(std::vector<model::FallbackRef>& out) {
  std::vector<model::FallbackRef> chain;
  const ast::Expr* always = nullptr;
  std::string_view always_kind;
  bool good = true;
  for (const ast::Expr* item : Items()) {
    const Entity* entity = EntityAt(*item, {EntityKind::kReply, EntityKind::kCache, EntityKind::kMock},
                                    Kind::kUnknownFallback, "a reply, a cache or a mock");
    if (entity == nullptr) {
      good = false;
      continue;
    }
    model::FallbackRef step;
    bool answers = false;
#define FALLBACK_KIND(word, IdType, always_answers, doc) \
  if (Word(entity->kind) == #word) {                     \
    step = model::IdType(entity->index);                 \
    answers = always_answers;                            \
  }
#include "compiler/model/fallback_kinds.def"
#undef FALLBACK_KIND
    if (std::find(chain.begin(), chain.end(), step) != chain.end()) {
      diagnostics_->Emit(Kind::kFallbackTwice, item->range, {item->text}).Change(WithComma(item), "");
      good = false;
    } else if (always != nullptr) {
      diagnostics_->Emit(Kind::kFallbackUnreached, item->range, {item->text, always_kind, always->text})
          .Change(WithComma(item), "");
      good = false;
    }
    if (answers && always == nullptr) {
      always = item;
      always_kind = Word(entity->kind);
    }
    chain.push_back(step);
  }
  if (good) out = std::move(chain);
}

}  // namespace compiler::check
