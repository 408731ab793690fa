// PL04: keys that mix people or questions, and caches that keep nothing for anybody.
#include <algorithm>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/known_names.h"
#include "compiler/analysis/region.h"
#include "compiler/analysis/requests.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/model/print.h"

namespace compiler::analysis {
namespace {

using abi::FamilyId;
using abi::FieldId;
using model::CacheId;
using model::Expr;

// What the key of a cache reads.
struct KeyReads {
  std::vector<std::string> headers;
  std::vector<std::vector<std::string>> members;  // of the body
  bool body = false;
  bool query = false;
  bool address = false;

  // A query is what is asked where no model is.
  bool HasQuestion(bool asks_model) const {
    return body || (query && !asks_model) ||
           std::any_of(members.begin(), members.end(), [](const auto& path) { return !IsSetting(path[0]); });
  }
  bool HasModel() const {
    return body || std::any_of(members.begin(), members.end(), [](const auto& path) { return path[0] == "model"; });
  }
};

void Collect(const model::Slots& slots, const Expr& expr, KeyReads* reads) {
  if (expr.kind == model::ExprKind::kField) {
    reads->body = reads->body || expr.field == FieldId::k_request_body;
    reads->address = reads->address || expr.field == FieldId::k_client_ip;
  } else if (expr.kind == model::ExprKind::kSlot) {
    const auto slot = static_cast<size_t>(expr.slot);
    if (expr.family == FamilyId::k_request_header) reads->headers.push_back(slots.request_headers[slot]);
    if (expr.family == FamilyId::k_request_json) reads->members.push_back(slots.request_json[slot]);
    reads->query = reads->query || expr.family == FamilyId::k_request_query;
  }
  for (const Expr& operand : expr.operands) Collect(slots, operand, reads);
}

KeyReads ReadsOf(const Context& context, const model::CacheSettings& cache) {
  KeyReads reads;
  for (const model::Template::Part& part : cache.key.parts) {
    if (const auto* value = std::get_if<Expr>(&part)) Collect(context.policy.slots, *value, &reads);
    if (const auto* hash = std::get_if<model::HashOf>(&part)) {
      for (const Expr& value : hash->values) Collect(context.policy.slots, value, &reads);
    }
  }
  return reads;
}

struct Cache {
  CacheId id;
  const model::CacheSettings& settings;
  const BlockOrigin& block;
  std::vector<RouteId> routes;  // that ask it
};

void ForEachCache(const Context& context, const std::function<void(const Cache&)>& look) {
  for (size_t i = 0; i < context.policy.caches.size(); ++i) {
    const CacheId id(static_cast<int32_t>(i));
    Cache cache{id, context.policy.caches[id], context.origins.caches[id], {}};
    for (size_t r = 0; r < context.policy.routes.size(); ++r) {
      const RouteId route(static_cast<int32_t>(r));
      if (context.Route(route).cache == id) cache.routes.push_back(route);
    }
    look(cache);
  }
}

// Whether the route takes requests that say what they ask in their body.
bool AsksInBody(const Context& context, RouteId route) {
  const Region taken = RegionOf(context, route);
  return std::any_of(taken.cells().begin(), taken.cells().end(), [](const Cell& cell) {
    const NumberSet methods = cell.Of(Subject::Of(FieldId::k_request_method)).number;
    if (!methods.Contains(static_cast<long double>(abi::Method::kPOST))) return false;
    const TextSet paths = cell.Of(Subject::Of(FieldId::k_request_path)).text;
    const bool only_lists = paths.only && std::all_of(paths.only->begin(), paths.only->end(), [](const auto& p) { return IsListPath(p); });
    return !only_lists;
  });
}

// Whether each request that the route takes names the same model, or gets the same one whatever it names.
bool HasOneModel(const Context& context, RouteId route) {
  const auto& members = context.policy.slots.request_json;
  const auto model = std::find(members.begin(), members.end(), std::vector<std::string>{"model"});
  if (model != members.end()) {
    const Subject subject = Subject::Of(FamilyId::k_request_json, static_cast<int32_t>(model - members.begin()));
    const Region taken = RegionOf(context, route);
    const bool is_one = !taken.empty() && std::all_of(taken.cells().begin(), taken.cells().end(), [&](const Cell& cell) {
      const Domain named = cell.Of(subject);
      return !named.absent && !named.other && named.number.empty() && named.flag.empty() && named.text.only &&
             named.text.only->size() == 1;
    });
    if (is_one) return true;
  }
  const std::vector<UpstreamId>& to = context.Route(route).to;
  return !to.empty() && std::all_of(to.begin(), to.end(), [&](UpstreamId id) {
    const auto& rewrite = context.Upstream(id).rewrite;
    return rewrite && std::any_of(rewrite->parts.begin(), rewrite->parts.end(), [](const auto& part) {
      const auto* text = std::get_if<std::string>(&part);
      return text != nullptr && text->find("\"model\"") != std::string::npos;
    });
  });
}

// Whether the end of one value and the beginning of the next can be told apart without anything between them.
bool AreToldApart(const Expr& left, const Expr& right) {
  const auto is = [](const Expr& expr, FieldId field) { return expr.kind == model::ExprKind::kField && expr.field == field; };
  if (is(left, FieldId::k_request_method) || is(right, FieldId::k_request_method)) return true;
  if (is(left, FieldId::k_client_ip)) return is(right, FieldId::k_request_path) || is(right, FieldId::k_request_body);
  if (is(left, FieldId::k_request_path)) return is(right, FieldId::k_request_body);
  const auto is_flag = [](const Expr& expr) { return expr.type.base == abi::BaseType::kBool; };
  return is_flag(left) || is_flag(right);
}

bool RunsTogether(const model::Template& key) {
  const Expr* before = nullptr;
  for (const model::Template::Part& part : key.parts) {
    const auto* value = std::get_if<Expr>(&part);
    if (value != nullptr && value->kind == model::ExprKind::kLiteral) value = nullptr;
    if (value != nullptr && before != nullptr && !AreToldApart(*before, *value)) return true;
    if (const auto* text = std::get_if<std::string>(&part); text != nullptr && text->empty()) continue;
    before = value;
  }
  return false;
}

// Puts a value into hash(…) or a string.
void AddToKey(const Context& context, Diagnostic& diagnostic, SourceRange key, const std::string& value) {
  const std::string_view text = context.origins.TextOf(key);
  if (text.starts_with("hash(")) diagnostic.Change({key.end - 1, key.end - 1}, ", " + value).Unsafe();
  else if (text.starts_with('"')) diagnostic.Change({key.end - 1, key.end - 1}, " ${" + value + "}").Unsafe();
}

}  // namespace

void CheckKeysTellCallers(Context& context) {
  ForEachCache(context, [&](const Cache& cache) {
    const KeyReads reads = ReadsOf(context, cache.settings);
    const SourceRange at = context.At(cache.block, "key");
    if (RunsTogether(cache.settings.key)) context.diagnostics->Emit(Kind::kRunTogether, at, {cache.settings.name});
    if (cache.settings.shared || reads.address || reads.headers.empty()) return;  // without any it is an error
    const bool is_forged = std::any_of(reads.headers.begin(), reads.headers.end(), [](const auto& h) { return IsForwardingHeader(h); });
    const bool is_told = std::any_of(reads.headers.begin(), reads.headers.end(),
                                     [](const auto& h) { return !TellsNoCaller(h) && !IsForwardingHeader(h); });
    if (is_told) return;
    const std::string why = is_forged ? "anybody may send `" + reads.headers[0] + "`, and so get the answers of another one"
                                      : "many of them send the same `" + reads.headers[0] + "`, and so get each other's answers";
    context.diagnostics->Emit(Kind::kNobodyTold, at, {cache.settings.name, why});
  });
}

void CheckKeysReadQuestions(Context& context) {
  ForEachCache(context, [&](const Cache& cache) {
    const KeyReads reads = ReadsOf(context, cache.settings);
    const SourceRange at = context.At(cache.block, "key");
    const bool asks = std::any_of(cache.routes.begin(), cache.routes.end(), [&](RouteId route) { return AsksInBody(context, route); });
    if (!asks) return;
    const bool takes_models = std::any_of(cache.routes.begin(), cache.routes.end(),
                                          [&](RouteId route) { return AsksModels(RegionOf(context, route)); });
    if (!reads.HasQuestion(takes_models)) {
      AddToKey(context, context.diagnostics->Emit(Kind::kKeyWithoutQuestion, at,
                                                  {cache.settings.name, PrintTime(cache.settings.ttl.count())}),
               at, "request.body");
      return;
    }
    if (reads.HasModel()) return;
    const bool asks_model = std::any_of(reads.members.begin(), reads.members.end(), [](const auto& path) { return IsQuestion(path[0]); });
    const bool has_one = std::all_of(cache.routes.begin(), cache.routes.end(), [&](RouteId route) { return HasOneModel(context, route); });
    if (asks_model && !has_one)
      AddToKey(context, context.diagnostics->Emit(Kind::kKeyWithoutModel, at, {cache.settings.name}), at, "request.json.model");
  });
}

void CheckCachesWork(Context& context) {
  ForEachCache(context, [&](const Cache& cache) {
    const KeyReads reads = ReadsOf(context, cache.settings);
    const auto once = std::find_if(reads.headers.begin(), reads.headers.end(), [](const auto& h) { return IsOfOneRequest(h); });
    if (once != reads.headers.end())
      context.diagnostics->Emit(Kind::kKeyOfOneRequest, context.At(cache.block, "key"), {cache.settings.name, "`" + *once + "`"});
    const bool has_size = cache.block.Setting("max_entry") != nullptr || cache.block.Setting("max_bytes") != nullptr;
    if (has_size && cache.settings.max_entry_bytes > cache.settings.max_bytes)
      context.diagnostics->Emit(
          Kind::kEntryAboveAll,
          context.At(cache.block, cache.block.Setting("max_entry") != nullptr ? "max_entry" : "max_bytes"),
          {cache.settings.name, model::PrintSize(cache.settings.max_entry_bytes),
           model::PrintSize(cache.settings.max_bytes)});
    const bool in_fallback = std::any_of(context.policy.routes.begin(), context.policy.routes.end(), [&](const auto& route) {
      return std::any_of(route.fallback.begin(), route.fallback.end(), [&](const model::FallbackRef& step) {
        const auto* own = std::get_if<CacheId>(&step);
        return own != nullptr && *own == cache.id;
      });
    });
    if (cache.settings.stale > model::Duration::zero() && !in_fallback && !cache.routes.empty())
      context.diagnostics->Emit(Kind::kStaleUnused, context.At(cache.block, "stale"), {cache.settings.name})
          .Change(cache.block.Setting("stale")->statement, "")
          .Unsafe();
  });
}

namespace {

// Statuses that the condition names, and not only lets through: a point or a range on its own.
void CollectNamed(const Expr& expr, bool negated, std::vector<std::pair<int64_t, int64_t>>* named) {
  const auto is_status = [](const Expr& value) {
    const Expr& read = value.kind == model::ExprKind::kCoalesce ? value.operands[0] : value;
    return read.kind == model::ExprKind::kField && read.field == FieldId::k_status;
  };
  switch (expr.kind) {
    case model::ExprKind::kNot: return CollectNamed(expr.operands[0], !negated, named);
    case model::ExprKind::kIn:
      if (negated || !is_status(expr.operands[0])) return;
      for (const model::SetMember& member : expr.set) named->emplace_back(member.low.integer, member.high);
      return;
    case model::ExprKind::kCompare: {
      const bool first = expr.operands[0].kind == model::ExprKind::kLiteral;
      const Expr& literal = expr.operands[first ? 0 : 1];
      const auto wanted = negated ? model::CompareOp::kNe : model::CompareOp::kEq;
      if (expr.compare != wanted || literal.kind != model::ExprKind::kLiteral || !is_status(expr.operands[first ? 1 : 0])) return;
      named->emplace_back(literal.literal.integer, literal.literal.integer);
      return;
    }
    default:
      for (const Expr& operand : expr.operands) CollectNamed(operand, negated, named);
  }
}

}  // namespace

void CheckStoredStatuses(Context& context) {
  context.ForEachLine([&](const Context::Place& place, const Context::Line& line) {
    if (place.kind != Context::Place::Kind::kStore) return;
    if (context.WasTold(Kind::kStoresNothing, line.origin->predicate)) return;
    std::vector<std::pair<int64_t, int64_t>> named;
    CollectNamed(*line.expr, false, &named);
    for (const auto& [low, high] : named) {
      if (high >= 200 && low <= 299) continue;
      const std::string text = low == high ? std::to_string(low) : std::to_string(low / 100) + "xx";
      const auto words = context.Find(line.origin->words, text);
      Diagnostic& diagnostic =
          context.diagnostics->Emit(Kind::kNeverStored, words.empty() ? line.origin->predicate : words[0].range, {text});
      if (!words.empty()) Context::AddUse(diagnostic, words[0], *line.origin);
    }
  });
}

}  // namespace compiler::analysis
