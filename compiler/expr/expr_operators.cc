// The operators of ExprChecker: what may be joined, compared, looked for and replaced by a default.
#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/foreign_names.h"
#include "compiler/expr/number.h"
#include "compiler/expr/pattern_texts.h"

namespace compiler::expr {

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

namespace {

std::optional<model::CompareOp> CompareOpOf(std::string_view text) {
  if (text == "==") return model::CompareOp::kEq;
  if (text == "!=") return model::CompareOp::kNe;
  if (text == "<") return model::CompareOp::kLt;
  if (text == "<=") return model::CompareOp::kLe;
  if (text == ">") return model::CompareOp::kGt;
  if (text == ">=") return model::CompareOp::kGe;
  return std::nullopt;
}

// A value with which no comparison of that direction holds; "" if none is known. What is absent does not count, then.
std::string_view NeverEnough(BaseType type, bool wants_more) {
  if (type == BaseType::kStatus) return wants_more ? "100" : "599";
  if (!wants_more) return "";
  switch (type) {
    case BaseType::kInt:
    case BaseType::kNumber:
    case BaseType::kJson: return "0";
    case BaseType::kPercent: return "0%";
    case BaseType::kDuration: return "0s";
    case BaseType::kSize: return "0B";
    default: return "";
  }
}

bool HasOrder(BaseType type) {
  switch (type) {
    case BaseType::kInt:
    case BaseType::kNumber:
    case BaseType::kPercent:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus: return true;
    default: return false;
  }
}

// What a member of a JSON body can equal.
bool FitsJson(BaseType type) {
  return type == BaseType::kString || type == BaseType::kInt || type == BaseType::kNumber || type == BaseType::kBool;
}

}  // namespace

// A constant of the language, or what may be misspelt of one: no condition.
bool ExprChecker::IsConstantName(std::string_view name) const {
  return scope_->Find(name) == nullptr &&
         (abi::MethodOf(name) != abi::Method::kOther || abi::ErrorKindOf(name) != abi::ErrorKind::kNone || name == "timeout");
}

bool ExprChecker::IsConstant(const ast::Expr& expr) const {
  return expr.kind == ExprKind::kString || expr.kind == ExprKind::kNumber || (expr.kind == ExprKind::kName && IsConstantName(expr.text));
}

// `path == ("/a" or "/b")`.
bool ExprChecker::ReportJoinedConstants(const ast::Expr& comparison) {
  const ast::Expr& joined = comparison.operands[1];
  const bool is_joined = joined.kind == ExprKind::kOr || joined.kind == ExprKind::kAnd;
  if (!is_joined || !std::all_of(joined.operands.begin(), joined.operands.end(), [&](const ast::Expr& e) { return IsConstant(e); })) return false;
  std::string members;
  for (const ast::Expr& one : joined.operands) members += (members.empty() ? "" : ", ") + WrittenAt(one.range);
  const std::string meant = WrittenAt(comparison.operands[0].range) + (comparison.text == "!=" ? " not in { " : " in { ") + members + " }";
  auto& diagnostic = diagnostics_->Emit(Kind::kConstantsAlone, joined.range, {meant});
  if (comparison.text == "==" || comparison.text == "!=") diagnostic.Change(comparison.range, meant);
  return true;
}

// `path == "/a" or "/b"`: constants behind a comparison, which was to compare them as well. Says so once, of all of them, and of
// none if an operand of another kind is among them. `first`: where they begin.
bool ExprChecker::ReportBareOperands(const ast::Expr& expr, size_t first) {
  const ast::Expr& comparison = expr.operands[first - 1];
  if (expr.kind == ExprKind::kNot || comparison.kind != ExprKind::kCompare) return false;
  size_t last = first;
  std::string members = WrittenAt(comparison.operands[1].range);
  const std::string word = expr.kind == ExprKind::kAnd ? "and" : "or";
  const std::string left = WrittenAt(comparison.operands[0].range);
  std::string spelled = left + " " + comparison.text + " " + members;
  for (; last < expr.operands.size(); ++last) {
    const ast::Expr& operand = expr.operands[last];
    if (!IsConstant(operand)) break;
    members += ", " + WrittenAt(operand.range);
    spelled += " " + word + " " + left + " " + comparison.text + " " + WrittenAt(operand.range);
  }
  // `method == POST or PUT and path == "/a"`: `and` binds closer.
  const bool is_within = last < expr.operands.size() && expr.kind == ExprKind::kOr && expr.operands[last].kind == ExprKind::kAnd &&
                         IsConstant(expr.operands[last].operands[0]) && comparison.text == "==";
  if (is_within) {
    const ast::Expr& bare = expr.operands[last].operands[0];
    const std::string meant = left + " in { " + members + ", " + WrittenAt(bare.range) + " }";
    diagnostics_->Emit(Kind::kConstantAlone, bare.range, {WrittenAt(bare.range), left, meant});
    return true;
  }
  if (last == first) return false;
  const bool is_set = (comparison.text == "==" && expr.kind == ExprKind::kOr) || (comparison.text == "!=" && expr.kind == ExprKind::kAnd);
  const std::string meant = is_set ? left + (comparison.text == "==" ? " in { " : " not in { ") + members + " }" : spelled;
  diagnostics_->Emit(Kind::kOperandAlone, expr.operands[first].range, {WrittenAt(expr.operands[first].range), meant})
      .Change({comparison.range.begin, expr.operands[last - 1].range.end}, meant);
  return true;
}

ExprChecker::Value ExprChecker::CheckLogic(const ast::Expr& expr) {
  std::vector<model::Expr> operands;
  bool good = true;
  if (expr.kind == ExprKind::kAnd && ReportStatusBetween(expr)) return Invalid();
  for (size_t i = 0; i < expr.operands.size(); ++i) {
    const ast::Expr& operand = expr.operands[i];
    if (i > 0 && ReportBareOperands(expr, i)) {
      good = false;
      while (i + 1 < expr.operands.size() && expr.operands[i + 1].kind != ExprKind::kCompare && expr.operands[i + 1].kind != ExprKind::kIn) ++i;
      continue;
    }
    Value value = Check(operand);
    good = IsBool(operand, value) && good;
    operands.push_back(std::move(value.expr));
  }
  if (!good) return Invalid();
  const model::ExprKind kind = expr.kind == ExprKind::kNot   ? model::ExprKind::kNot
                               : expr.kind == ExprKind::kAnd ? model::ExprKind::kAnd
                                                             : model::ExprKind::kOr;
  return {Operation(kind, std::move(operands)), {}, {}};
}

ExprChecker::Value ExprChecker::CheckCompare(const ast::Expr& expr) {
  if (expr.text == "matches") return CheckMatches(expr);
  if (ReportJoinedConstants(expr)) return Invalid();
  const bool outer_text = names_are_text_;
  names_are_text_ = IsNameOf(expr.operands[0], "served_by") || IsNameOf(expr.operands[1], "served_by");
  Value left = Check(expr.operands[0]);
  Value right = Check(expr.operands[1]);
  names_are_text_ = outer_text;
  if (!left.ok() || !right.ok()) return Invalid();
  for (const auto& [value, at] : {std::pair{&left, &expr.operands[0]}, std::pair{&right, &expr.operands[1]}}) {
    if (!value->is_group()) continue;
    const bool is_equal = expr.text == "==";
    auto& diagnostic = diagnostics_->Emit(value == &right && is_equal ? Kind::kGroupBehindEquals : Kind::kIsAGroup,
                                          at->range, {value->group_name});
    if (value == &right && (is_equal || expr.text == "!="))
      diagnostic.Change(expr.word, is_equal ? "in" : "not in");
    return Invalid();
  }
  const std::optional<model::CompareOp> op = CompareOpOf(expr.text);
  if (!op) {
    const model::StringTest test = expr.text == "starts_with" ? model::StringTest::kStartsWith
                                   : expr.text == "ends_with" ? model::StringTest::kEndsWith
                                                              : model::StringTest::kContains;
    return CheckStringTest(expr, std::move(left), std::move(right), test);
  }
  if (left.expr.type.base == BaseType::kNone || right.expr.type.base == BaseType::kNone) {
    return left.expr.type.base == BaseType::kNone ? CheckNone(expr, std::move(right), *op)
                                                  : CheckNone(expr, std::move(left), *op);
  }
  if (left.expr.kind == model::ExprKind::kWindow || right.expr.kind == model::ExprKind::kWindow) {
    return CheckWindowCompare(expr, std::move(left), std::move(right), *op);
  }
  if (left.expr.type.base == BaseType::kSecret || right.expr.type.base == BaseType::kSecret) {
    diagnostics_->Emit(Kind::kSecretLeak,
                       left.expr.type.base == BaseType::kSecret ? expr.operands[0].range : expr.operands[1].range,
                       {"a condition"});
    return Invalid();
  }
  // `(60s) >= 5`: the word in front is gone.
  if (IsLiteralOf(left.expr, BaseType::kDuration) && IsLiteralOf(right.expr, BaseType::kInt)) {
    const std::string time = "`" + WrittenAt(expr.operands[0].range) + "`";
    diagnostics_->Emit(Kind::kCountStandsInFront, expr.operands[0].range, {time});
    return Invalid();
  }
  const bool is_equality = *op == model::CompareOp::kEq || *op == model::CompareOp::kNe;
  if (!is_equality) {
    for (const auto& [value, at] : {std::pair{&left, &expr.operands[0]}, std::pair{&right, &expr.operands[1]}}) {
      if (value->expr.type.base == BaseType::kStatus && ReportStatusRange(expr, *at)) return Invalid();
      if (value->expr.type.base == BaseType::kJson || (value->expr.type.optional && HasOrder(value->expr.type.base))) {
        const std::string text(at->kind == ExprKind::kName ? at->text : "…");
        auto& diagnostic = diagnostics_->Emit(Kind::kNeedsDefault, at->range, {expr.text, text});
        const bool wants_more = (*op == model::CompareOp::kGt || *op == model::CompareOp::kGe) == (value == &left);
        const std::string_view otherwise = NeverEnough(value->expr.type.base, wants_more);
        if (!otherwise.empty()) {
          diagnostic.Change({at->range.begin, at->range.begin}, "(")
              .Change({at->range.end, at->range.end}, " ?? " + std::string(otherwise) + ")")
              .Unsafe();
        }
        return Invalid();
      }
      if (!HasOrder(value->expr.type.base)) {
        diagnostics_->Emit(Kind::kNoOrder, at->range, {DescribeType(value->expr.type), expr.text});
        return Invalid();
      }
    }
  }
  if (!MakeComparable(expr.operands[0], &left.expr, expr.operands[1], &right.expr, expr.range)) return Invalid();
  if (is_equality) {
    ReportPatternText({expr, expr.operands[1], left.expr, right.expr}, diagnostics_);
    ReportPatternText({expr, expr.operands[0], right.expr, left.expr}, diagnostics_);
  }
  model::Expr result = Operation(model::ExprKind::kCompare, Two(std::move(left.expr), std::move(right.expr)));
  result.compare = *op;
  return {std::move(result), {}, {}};
}

// `status >= 500 and status < 600`: both bounds are one class.
bool ExprChecker::ReportStatusBetween(const ast::Expr& both) {
  if (both.operands.size() != 2 || !place_.phase || !abi::IsReadable(abi::Phase::kAttempt, *place_.phase)) return false;
  int64_t low = 0;
  int64_t high = 0;
  std::string_view name;
  for (const ast::Expr& one : both.operands) {
    if (one.kind != ExprKind::kCompare || one.operands[0].kind != ExprKind::kName || one.operands[1].kind != ExprKind::kNumber) return false;
    if (!name.empty() && one.operands[0].text != name) return false;
    name = one.operands[0].text;
    const Number bound = ParseNumber(one.operands[1].text);
    if (bound.kind != NumberKind::kInt) return false;
    if (one.text == ">=") low = bound.integer;
    else if (one.text == ">") low = bound.integer + 1;
    else if (one.text == "<") high = bound.integer - 1;
    else if (one.text == "<=") high = bound.integer;
    else return false;
  }
  if (name != "status" || scope_->Find(name) != nullptr || low % 100 != 0 || high != low + 99 || low < 100 || low > 500) return false;
  const std::string meant = "status in " + std::to_string(low / 100) + "xx";
  diagnostics_->Emit(Kind::kStatusNeedsClass, both.range, {">= … <", meant}).Change(both.range, meant);
  return true;
}

// `status >= 500`: what is meant is a class.
bool ExprChecker::ReportStatusRange(const ast::Expr& expr, const ast::Expr& status) {
  const bool is_left = &status == &expr.operands[0];
  const ast::Expr& other = is_left ? expr.operands[1] : expr.operands[0];
  if (other.kind != ExprKind::kNumber || status.kind != ExprKind::kName) return false;
  const Number bound = ParseNumber(other.text);
  if (bound.kind != NumberKind::kInt || bound.integer < 100 || bound.integer > 600) return false;
  const bool is_above = (expr.text[0] == '>') == is_left;
  const bool is_equal = expr.text.size() == 2;
  const int64_t edge = is_above ? bound.integer + (is_equal ? 0 : 1) : bound.integer - (is_equal ? 0 : 1);
  std::string meant;
  if (is_above && edge % 100 == 0 && edge >= 300) meant = edge >= 500 ? "5xx" : edge == 400 ? "{4xx, 5xx}" : "{3xx, 4xx, 5xx}";
  if (!is_above && edge % 100 == 99 && edge >= 299) meant = edge >= 500 ? "{2xx, 3xx, 4xx, 5xx}" : edge == 399 ? "{2xx, 3xx}" : edge == 499 ? "{2xx, 3xx, 4xx}" : "2xx";
  if (!meant.empty()) meant = status.text + " in " + meant;
  auto& diagnostic = diagnostics_->Emit(meant.empty() ? Kind::kStatusNeedsValues : Kind::kStatusNeedsClass,
                                        status.range, {expr.text, meant});
  if (!meant.empty()) diagnostic.Change(expr.range, meant).Unsafe();
  return true;
}

ExprChecker::Value ExprChecker::CheckNone(const ast::Expr& expr, Value value, model::CompareOp op) {
  if (op != model::CompareOp::kEq && op != model::CompareOp::kNe) {
    diagnostics_->Emit(Kind::kNoOrder, expr.word, {"none", expr.text});
    return Invalid();
  }
  if (!value.expr.type.optional) {
    diagnostics_->Emit(Kind::kNoneNeverEqual, expr.range);
    return Invalid();
  }
  std::vector<model::Expr> operands;
  operands.push_back(std::move(value.expr));
  model::Expr is_none = Operation(model::ExprKind::kIsNone, std::move(operands));
  return {op == model::CompareOp::kEq ? std::move(is_none) : Not(std::move(is_none)), {}, {}};
}

ExprChecker::Value ExprChecker::CheckStringTest(const ast::Expr& expr, Value left, Value right,
                                                model::StringTest test) {
  if (left.expr.type.base != BaseType::kString && left.expr.type.base != BaseType::kJson) {
    diagnostics_->Emit(Kind::kNotText, expr.operands[0].range, {expr.text, DescribeValue(left.expr)});
    return Invalid();
  }
  if (right.expr.type.base != BaseType::kString) {
    diagnostics_->Emit(Kind::kNotTextBehind, expr.operands[1].range, {expr.text, DescribeValue(right.expr)});
    return Invalid();
  }
  if (IsLiteral(right.expr) && right.expr.literal.text.empty()) {
    diagnostics_->Emit(Kind::kAlwaysText, expr.operands[1].range, {expr.text});
    return Invalid();
  }
  if (test == model::StringTest::kStartsWith)
    ReportPatternText({expr, expr.operands[1], left.expr, right.expr}, diagnostics_);
  model::Expr result = Operation(model::ExprKind::kStringTest, Two(std::move(left.expr), std::move(right.expr)));
  result.string_test = test;
  return {std::move(result), {}, {}};
}

bool ExprChecker::AdaptLiteral(const ast::Expr& at, model::Expr* literal, BaseType to) {
  if (!IsLiteralOf(*literal, BaseType::kInt) || to == BaseType::kInt || to == BaseType::kJson) return true;
  const int64_t value = literal->literal.integer;
  const std::string digits = std::to_string(value);
  switch (to) {
    case BaseType::kStatus:
      if (value < 100 || value > 599) {
        diagnostics_->Emit(Kind::kClassAsStatus, at.range, {digits});
        return false;
      }
      break;
    case BaseType::kNumber:
      literal->literal.number = static_cast<double>(value);
      literal->literal.integer = 0;
      break;
    case BaseType::kDuration:
      diagnostics_->Emit(Kind::kNeedsTime, at.range, {digits}).Change(at.range, digits + "s").Unsafe();
      return false;
    case BaseType::kSize:
      diagnostics_->Emit(Kind::kNeedsBytes, at.range, {digits}).Change(at.range, digits + "B").Unsafe();
      return false;
    default: return true;
  }
  literal->type.base = to;
  literal->literal.type = to;
  return true;
}

bool ExprChecker::MakeComparable(const ast::Expr& left_at, model::Expr* left, const ast::Expr& right_at,
                                 model::Expr* right, SourceRange at) {
  if (!AdaptLiteral(left_at, left, right->type.base) || !AdaptLiteral(right_at, right, left->type.base)) return false;
  const BaseType a = left->type.base;
  const BaseType b = right->type.base;
  if (a == b && a != BaseType::kJson) return true;
  if ((a == BaseType::kJson && FitsJson(b)) || (b == BaseType::kJson && FitsJson(a))) return true;
  Kind kind = a == BaseType::kJson && b == BaseType::kJson ? Kind::kTwoJsonValues : Kind::kNotComparable;
  std::string replacement;
  std::string meant;  // an error, for what other systems call it
  SourceRange range = at;
  for (const auto& [literal, other, place] : {std::tuple{left, right, &left_at}, std::tuple{right, left, &right_at}}) {
    if (!IsLiteral(*literal)) continue;
    range = place->range;
    if (!IsLiteralOf(*literal, BaseType::kString)) continue;
    const std::string& text = literal->literal.text;
    const bool is_method = other->type.base == BaseType::kMethod && abi::MethodOf(text) != abi::Method::kOther;
    const bool is_error = other->type.base == BaseType::kError && abi::ErrorKindOf(text) != abi::ErrorKind::kNone;
    const bool is_number = !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
    if (is_method || is_error || (other->type.base == BaseType::kStatus && is_number)) {
      replacement = text;
      kind = Kind::kQuotedConstant;
    } else if (other->type.base == BaseType::kError) {
      meant = MeantBy(text);
      kind = text == "timeout" ? Kind::kQuotedGroup : meant.empty() ? Kind::kErrorIsAName : Kind::kQuotedError;
    } else if (other->type.base == BaseType::kMethod) {
      kind = Kind::kMethodInCapitals;
    }
  }
  auto& diagnostic = diagnostics_->Emit(kind, range, {DescribeValue(*left), DescribeValue(*right), meant});
  if (!replacement.empty()) diagnostic.Replace(replacement);
  return false;
}

ExprChecker::Value ExprChecker::CheckCoalesce(const ast::Expr& expr) {
  Value left = Check(expr.operands[0]);
  Value right = Check(expr.operands[1]);
  if (!left.ok() || !right.ok()) return Invalid();
  for (const auto& [value, at] : {std::pair{&left, &expr.operands[0]}, std::pair{&right, &expr.operands[1]}}) {
    if (!value->is_group()) continue;
    diagnostics_->Emit(Kind::kIsAGroup, at->range, {value->group_name});
    return Invalid();
  }
  if (!left.expr.type.optional) {
    diagnostics_->Emit(Kind::kDefaultUnneeded, expr.operands[0].range)
        .Change({expr.operands[0].range.end, expr.operands[1].range.end}, "");
    return Invalid();
  }
  if (right.expr.type.base == BaseType::kNone) {
    diagnostics_->Emit(Kind::kNoneAsDefault, expr.operands[1].range)
        .Change({expr.operands[0].range.end, expr.operands[1].range.end}, "");
    return Invalid();
  }
  const BaseType base = left.expr.type.base;
  abi::Type type = right.expr.type;
  if (base == BaseType::kJson) {
    // The default gives the member its type; a whole number stands for any number.
    if (IsLiteralOf(right.expr, BaseType::kInt)) {
      if (!AdaptLiteral(expr.operands[1], &right.expr, BaseType::kNumber)) return Invalid();
      type = right.expr.type;
    }
    const bool fits = type.base == BaseType::kJson || type.base == BaseType::kNumber ||
                      type.base == BaseType::kString || type.base == BaseType::kBool;
    if (!fits) {
      diagnostics_->Emit(Kind::kJsonDefault, expr.operands[1].range, {DescribeValue(right.expr)});
      return Invalid();
    }
  } else {
    if (!AdaptLiteral(expr.operands[1], &right.expr, base)) return Invalid();
    type = right.expr.type;
    if (type.base != base) {
      diagnostics_->Emit(Kind::kDefaultOfOtherType, expr.operands[1].range,
                         {DescribeType(left.expr.type), DescribeValue(right.expr)});
      return Invalid();
    }
  }
  model::Expr result;
  result.kind = model::ExprKind::kCoalesce;
  result.type = type;
  result.operands = Two(std::move(left.expr), std::move(right.expr));
  return {std::move(result), {}, {}};
}

}  // namespace compiler::expr
