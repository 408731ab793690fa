#include "compiler/expr/expr_checker.h"

#include <algorithm>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/number.h"
#include "compiler/model/print.h"

namespace compiler::expr {

using abi::BaseType;
using abi::Phase;
using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

std::string DescribeType(abi::Type type) {
  std::string text;
  switch (type.base) {
    case BaseType::kInt: text = "an Int"; break;
    case BaseType::kError: text = "an Error"; break;
    case BaseType::kJson: text = "a JSON value"; break;
    case BaseType::kSecret: text = "a secret"; break;
    case BaseType::kNone: return "none";
    default: text = "a " + std::string(abi::Name(type.base));
  }
  return text;
}

std::string DescribeValue(const model::Expr& expr) {
  if (IsLiteral(expr) && expr.type.base == BaseType::kString)
    return "the String \"" + expr.literal.text.substr(0, 40) + "\"";
  if (IsLiteral(expr) && (expr.type.base == BaseType::kInt || expr.type.base == BaseType::kDuration ||
                          expr.type.base == BaseType::kSize)) {
    return DescribeType(expr.type) + " (" + model::Print(expr) + ")";
  }
  return DescribeType(expr.type);
}

std::optional<model::Expr> ExprChecker::CheckPredicate(const ast::Expr& expr, const ExprPlace& place) {
  place_ = place;
  nodes_ = 0;
  too_large_ = false;
  Value value = Check(expr);
  if (!IsBool(expr, value)) return std::nullopt;
  return std::move(value.expr);
}

std::optional<model::Expr> ExprChecker::CheckValue(const ast::Expr& expr, const ExprPlace& place) {
  place_ = place;
  nodes_ = 0;
  too_large_ = false;
  used_stand_in_ = false;
  Value value = Check(expr);
  if (value.is_group()) {
    diagnostics_->Emit(Kind::kIsAGroup, expr.range, {value.group_name});
    return std::nullopt;
  }
  if (!value.ok()) return std::nullopt;
  return std::move(value.expr);
}

void ExprChecker::CheckLets() {
  for (auto& [name, entity] : scope_->entities()) {
    if (entity.kind != EntityKind::kLet || entity.state != LetState::kUnchecked) continue;
    ast::Expr use;
    use.kind = ExprKind::kName;
    use.text = name;
    use.range = entity.range;
    const bool used = entity.used;
    place_ = {};
    nodes_ = 0;
    too_large_ = false;
    if (entity.let->value.kind == ExprKind::kList) CheckLetList(&entity);
    else CheckLet(use, &entity);
    entity.used = used;
  }
}

// A list has no type of its own: what stands in it is compared where the name is used.
void ExprChecker::CheckLetList(Entity* entity) {
  const ast::Expr& list = entity->let->value;
  entity->state = LetState::kBad;
  if (list.operands.size() > kMaxSetMembers) {
    diagnostics_->Emit(Kind::kSetTooLarge, list.range,
                       {std::to_string(list.operands.size()), std::to_string(kMaxSetMembers)});
    return;
  }
  bool good = true;
  for (const ast::Expr& item : list.operands) {
    const Value value = Check(item);
    if (!value.ok()) {
      good = false;
    } else if (!value.is_group() && !IsLiteral(value.expr)) {
      diagnostics_->Emit(Kind::kMemberNotConstant, item.range);
      good = false;
    }
  }
  if (good) entity->state = LetState::kGood;
}

const std::vector<ast::Expr>* ExprChecker::NamedList(const ast::Expr& at) {
  Entity* entity = at.kind == ExprKind::kName ? scope_->Find(at.text) : nullptr;
  if (entity == nullptr || entity->kind != EntityKind::kLet || entity->let->value.kind != ExprKind::kList)
    return nullptr;
  entity->used = true;
  static const std::vector<ast::Expr> kBroken(1);  // an item of kind kError: what is wrong with the list was said
  return entity->state == LetState::kBad ? &kBroken : &entity->let->value.operands;
}

bool ExprChecker::Spend(SourceRange range) {
  if (too_large_) return false;
  if (++nodes_ <= kMaxPredicateNodes) return true;
  too_large_ = true;
  diagnostics_->Emit(Kind::kPredicateTooLarge, range, {std::to_string(kMaxPredicateNodes)});
  return false;
}

bool ExprChecker::IsBool(const ast::Expr& expr, const Value& value) {
  if (value.is_group()) {
    diagnostics_->Emit(Kind::kGroupAsCondition, expr.range, {value.group_name});
    return false;
  }
  if (!value.ok()) return false;
  if (value.expr.type == abi::Type{BaseType::kBool, false}) return true;
  Kind kind = Kind::kNotABool;
  switch (value.expr.type.base) {
    case BaseType::kStatus:
    case BaseType::kInt: kind = Kind::kNumberAsCondition; break;
    case BaseType::kJson: kind = Kind::kJsonAsCondition; break;
    case BaseType::kError: kind = Kind::kErrorAsCondition; break;
    case BaseType::kString:
      if (value.expr.type.optional) kind = Kind::kTextAsCondition;
      break;
    default: break;
  }
  if (expr.kind == ast::ExprKind::kString) kind = Kind::kQuotedCondition;
  auto& diagnostic = diagnostics_->Emit(kind, expr.range, {DescribeValue(value.expr)});
  // What an error means with it is said by the checks of retries: most of them should not be taken together.
  const bool may_be_absent = value.expr.type.optional && value.expr.type.base != BaseType::kError && value.expr.type.base != BaseType::kJson;
  if (value.expr.type.base == BaseType::kJson) diagnostic.Change({expr.range.end, expr.range.end}, " == true").Unsafe();
  if (may_be_absent) diagnostic.Change({expr.range.end, expr.range.end}, " != none").Unsafe();
  return false;
}

ExprChecker::Value ExprChecker::Check(const ast::Expr& expr) {
  if (!Spend(expr.range)) return Invalid();
  switch (expr.kind) {
    case ExprKind::kError: return Invalid();
    case ExprKind::kNumber: return CheckNumber(expr);
    case ExprKind::kString: return CheckString(expr);
    case ExprKind::kNetwork: return CheckNetwork(expr);
    case ExprKind::kRegex: diagnostics_->Emit(Kind::kStrayPattern, expr.range); return Invalid();
    case ExprKind::kName: return CheckName(expr);
    case ExprKind::kMember:
    case ExprKind::kIndex: return CheckPath(expr);
    case ExprKind::kCall: return CheckCall(expr);
    case ExprKind::kNot:
    case ExprKind::kAnd:
    case ExprKind::kOr: return CheckLogic(expr);
    case ExprKind::kCompare: return CheckCompare(expr);
    case ExprKind::kIn: return CheckIn(expr);
    case ExprKind::kCoalesce: return CheckCoalesce(expr);
    case ExprKind::kList: diagnostics_->Emit(Kind::kListInCondition, expr.range); return Invalid();
    case ExprKind::kSet: diagnostics_->Emit(Kind::kStraySet, expr.range); return Invalid();
    case ExprKind::kJson: diagnostics_->Emit(Kind::kJsonInCondition, expr.range); return Invalid();
  }
  return Invalid();
}

ExprChecker::Value ExprChecker::CheckNumber(const ast::Expr& expr) {
  const Number number = ParseNumber(expr.text);
  switch (number.kind) {
    case NumberKind::kInt: return {Literal(BaseType::kInt, number.integer), {}, {}};
    case NumberKind::kDecimal: return {Literal(BaseType::kNumber, 0, number.value), {}, {}};
    case NumberKind::kDuration: return {Literal(BaseType::kDuration, number.integer), {}, {}};
    case NumberKind::kSize: return {Literal(BaseType::kSize, number.integer), {}, {}};
    case NumberKind::kPercent: return {Literal(BaseType::kPercent, 0, number.value), {}, {}};
    case NumberKind::kStatusClass: {
      Value value;
      value.expr.type = {BaseType::kStatus, false};
      value.group.push_back({Literal(BaseType::kStatus, number.integer * 100).literal, number.integer * 100 + 99});
      value.group_name = expr.text;
      return value;
    }
    case NumberKind::kByteRate:
    case NumberKind::kRate: diagnostics_->Emit(Kind::kNotHonoured, expr.range, {expr.text, ""}); return Invalid();
    case NumberKind::kUnknownUnit: {
      const bool is_rate = expr.text.find('/') != std::string::npos;
      const Kind kind = is_rate ? Kind::kRateAsValue : number.integer != 0 ? Kind::kMinutes : Kind::kNoSuchUnit;
      auto& diagnostic = diagnostics_->Emit(kind, expr.range, {expr.text, number.suggestion});
      if (!number.suggestion.empty()) diagnostic.Replace(number.suggestion);
      return Invalid();
    }
    case NumberKind::kMalformed: diagnostics_->Emit(Kind::kTooManyDigits, expr.range, {expr.text}); return Invalid();
  }
  return Invalid();
}

ExprChecker::Value ExprChecker::CheckString(const ast::Expr& expr) {
  std::string text;
  for (const ast::StringPart& part : expr.parts) {
    if (!part.value) {
      text += part.text;
      continue;
    }
    Value value = Check(*part.value);
    if (!value.ok() || value.is_group()) {
      if (value.is_group()) diagnostics_->Emit(Kind::kIsAGroup, part.value->range, {value.group_name});
      return Invalid();
    }
    if (!IsLiteral(value.expr) || value.expr.type.base != BaseType::kString) {
      diagnostics_->Emit(Kind::kTextOfRequest, part.value->range);
      return Invalid();
    }
    text += value.expr.literal.text;
  }
  return {Literal(BaseType::kString, 0, 0, std::move(text)), {}, {}};
}

ExprChecker::Value ExprChecker::CheckNetwork(const ast::Expr& expr) {
  base::CidrError error;
  const auto network = base::ParseCidr(expr.text, &error);
  if (!network) {
    auto& diagnostic = diagnostics_->Emit(Kind::kBadNetwork, expr.range, {expr.text, error.reason, error.help});
    if (!error.network.empty()) diagnostic.Replace(error.network).Unsafe();
    return Invalid();
  }
  Value value;
  value.expr.type = {BaseType::kString, false};  // what an address is in the facts
  value.group_name = expr.text;
  value.networks.push_back(*network);
  return value;
}

ExprChecker::Value ExprChecker::CheckLet(const ast::Expr& expr, Entity* entity) {
  entity->used = true;
  if (entity->let->value.kind == ExprKind::kList) {
    diagnostics_->Emit(Kind::kListAsValue, expr.range, {entity->name});
    return Invalid();
  }
  if (entity->state == LetState::kChecking) {
    std::string path;
    bool inside = false;
    for (const std::string& name : let_path_) {
      inside = inside || name == entity->name;
      if (inside) path += name + " → ";
    }
    diagnostics_->Emit(Kind::kCyclicLet, expr.range, {entity->name, path + entity->name})
        .At(entity->range, "it is defined here");
    return Invalid();
  }
  if (entity->state == LetState::kUnchecked) {
    if (let_path_.size() >= static_cast<size_t>(kMaxLetDepth)) {
      diagnostics_->Emit(Kind::kTooDeep, expr.range,
                         {std::to_string(let_path_.size() + 1), std::to_string(kMaxLetDepth)});
      return Invalid();
    }
    const ExprPlace outer_place = place_;
    Entity* const outer_let = current_let_;
    const int outer_nodes = nodes_;
    const bool outer_large = too_large_;
    const bool outer_text = names_are_text_;
    std::vector<model::WindowMeasure> measures;
    place_ = {};
    place_.what = "a let";
    place_.measures = &measures;
    current_let_ = entity;
    nodes_ = 0;
    too_large_ = false;
    names_are_text_ = false;
    let_path_.push_back(entity->name);
    entity->state = LetState::kChecking;
    const Value value = Check(entity->let->value);
    entity->state = value.ok() && !value.is_group() ? LetState::kGood : LetState::kBad;
    if (value.is_group()) diagnostics_->Emit(Kind::kIsAGroup, entity->let->value.range, {value.group_name});
    let_path_.pop_back();
    place_ = outer_place;
    current_let_ = outer_let;
    nodes_ = outer_nodes;
    too_large_ = outer_large;
    names_are_text_ = outer_text;
  }
  if (entity->state == LetState::kBad) return Invalid();
  for (const LetRead& read : entity->reads) {
    if (current_let_ != nullptr) {
      current_let_->reads.push_back(read);
    } else if (place_.phase && !abi::IsReadable(read.phase, *place_.phase)) {
      ReportPhase(read.phase, read.name, expr.range);
      return Invalid();
    }
  }
  // Written out. It was checked by itself, which said what is wrong; its first use finds out what stands there, and the others copy that.
  // A count belongs to the breaker around it, so one that counts is looked at in each.
  const bool counts = std::any_of(entity->reads.begin(), entity->reads.end(),
                                  [](const LetRead& read) { return read.phase == Phase::kWindow; });
  const bool is_shared = place_.policy != nullptr && !names_are_text_ && !counts;
  if (is_shared && entity->written) {
    const WrittenLet& written = *entity->written;
    used_stand_in_ = used_stand_in_ || written.used_stand_in;
    nodes_ += written.nodes;
    if (nodes_ > kMaxPredicateNodes) {
      if (!std::exchange(too_large_, true))
        diagnostics_->Emit(Kind::kPredicateTooLarge, expr.range, {std::to_string(kMaxPredicateNodes)});
      return Invalid();
    }
    return {written.expr, {}, {}};
  }
  const int nodes_before = nodes_;
  const bool outer_stand_in = std::exchange(used_stand_in_, false);
  diagnostics::Diagnostics muted;
  diagnostics::Diagnostics* const outer = std::exchange(diagnostics_, &muted);
  Entity* const outer_let = std::exchange(current_let_, nullptr);
  std::optional<Phase> phase = std::exchange(place_.phase, std::nullopt);
  const bool was_large = too_large_;
  Value value = Check(entity->let->value);
  place_.phase = phase;
  current_let_ = outer_let;
  diagnostics_ = outer;
  if (place_.policy != nullptr && value.ok())
    entity->written = WrittenLet{value.expr, nodes_ - nodes_before, used_stand_in_};
  used_stand_in_ = used_stand_in_ || outer_stand_in;
  if (too_large_ && !was_large)
    diagnostics_->Emit(Kind::kPredicateTooLarge, expr.range, {std::to_string(kMaxPredicateNodes)});
  return value;
}

bool ExprChecker::Read(Phase phase, std::string_view name, SourceRange range) {
  if (current_let_ != nullptr) {
    current_let_->reads.push_back({phase, std::string(name)});
    return true;
  }
  if (!place_.phase || abi::IsReadable(phase, *place_.phase)) return true;
  return ReportPhase(phase, name, range);
}

bool ExprChecker::ReportPhase(Phase phase, std::string_view name, SourceRange range) {
  const auto kind = [&] {
    switch (phase) {
      case Phase::kRoute: return Kind::kRequestInWindow;
      case Phase::kAttempt: return *place_.phase == Phase::kWindow ? Kind::kAnswerInWindow : Kind::kAnswerTooEarly;
      case Phase::kStream: return Kind::kFrameTooEarly;
      case Phase::kAnswer: return Kind::kWholeAnswerTooEarly;
      case Phase::kWindow: return Kind::kCountOutside;
    }
    return Kind::kCountOutside;
  };
  diagnostics_->Emit(kind(), range, {name, abi::Name(phase), place_.what, abi::Name(*place_.phase)});
  return false;
}

}  // namespace compiler::expr
