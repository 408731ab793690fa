// The operators of ExprChecker: what may be joined, compared, looked for and replaced by a default.
#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/check/expr_checker.h"
#include "compiler/check/foreign_names.h"
#include "compiler/check/pattern_texts.h"
#include "compiler/model/print.h"
#include "compiler/regex/regex.h"

namespace compiler::check {

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

namespace {

bool IsLiteral(const model::Expr& expr) { return expr.kind == model::ExprKind::kLiteral; }
bool IsLiteralOf(const model::Expr& expr, BaseType type) { return IsLiteral(expr) && expr.type.base == type; }
bool IsNameOf(const ast::Expr& expr, std::string_view name) {
  return expr.kind == ExprKind::kName && expr.text == name;
}

model::Expr Operation(model::ExprKind kind, std::vector<model::Expr> operands) {
  model::Expr expr;
  expr.kind = kind;
  expr.type = {BaseType::kBool, false};
  expr.operands = std::move(operands);
  return expr;
}

model::Expr Not(model::Expr operand) {
  std::vector<model::Expr> operands;
  operands.push_back(std::move(operand));
  return Operation(model::ExprKind::kNot, std::move(operands));
}

std::vector<model::Expr> Two(model::Expr a, model::Expr b) {
  std::vector<model::Expr> operands;
  operands.push_back(std::move(a));
  operands.push_back(std::move(b));
  return operands;
}

std::optional<model::CompareOp> CompareOpOf(std::string_view text) {
  if (text == "==") return model::CompareOp::kEq;
  if (text == "!=") return model::CompareOp::kNe;
  if (text == "<") return model::CompareOp::kLt;
  if (text == "<=") return model::CompareOp::kLe;
  if (text == ">") return model::CompareOp::kGt;
  if (text == ">=") return model::CompareOp::kGe;
  return std::nullopt;
}

model::CompareOp Flip(model::CompareOp op) {
  switch (op) {
    case model::CompareOp::kLt: return model::CompareOp::kGt;
    case model::CompareOp::kLe: return model::CompareOp::kGe;
    case model::CompareOp::kGt: return model::CompareOp::kLt;
    case model::CompareOp::kGe: return model::CompareOp::kLe;
    case model::CompareOp::kEq:
    case model::CompareOp::kNe: return op;
  }
  return op;
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

bool Covers(const base::Cidr& outer, const base::Cidr& inner) {
  return inner.prefix >= outer.prefix && outer.Contains(inner.network);
}

// What a member of a JSON body can equal.
bool FitsJson(BaseType type) {
  return type == BaseType::kString || type == BaseType::kInt || type == BaseType::kNumber || type == BaseType::kBool;
}

}  // namespace

ExprChecker::Value ExprChecker::CheckLogic(const ast::Expr& expr) {
  std::vector<model::Expr> operands;
  bool good = true;
  for (const ast::Expr& operand : expr.operands) {
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
  const bool outer_text = names_are_text_;
  names_are_text_ = IsNameOf(expr.operands[0], "served_by") || IsNameOf(expr.operands[1], "served_by");
  Value left = Check(expr.operands[0]);
  Value right = Check(expr.operands[1]);
  names_are_text_ = outer_text;
  if (!left.ok() || !right.ok()) return Invalid();
  for (const auto& [value, at] : {std::pair{&left, &expr.operands[0]}, std::pair{&right, &expr.operands[1]}}) {
    if (!value->is_group()) continue;
    auto& diagnostic = diagnostics_->Emit(Kind::kIsAGroup, at->range, {value->group_name});
    const bool is_equal = expr.text == "==";
    if (value == &right && is_equal)
      diagnostic.help = "write `in " + value->group_name + "` instead of `== " + value->group_name + "`";
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
  const bool is_equality = *op == model::CompareOp::kEq || *op == model::CompareOp::kNe;
  if (!is_equality) {
    for (const auto& [value, at] : {std::pair{&left, &expr.operands[0]}, std::pair{&right, &expr.operands[1]}}) {
      if (value->expr.type.base == BaseType::kJson || (value->expr.type.optional && HasOrder(value->expr.type.base))) {
        const std::string text(at->kind == ExprKind::kName ? at->text : "…");
        diagnostics_->Emit(Kind::kNeedsDefault, at->range, {expr.text, text});
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

ExprChecker::Value ExprChecker::CheckNone(const ast::Expr& expr, Value value, model::CompareOp op) {
  if (op != model::CompareOp::kEq && op != model::CompareOp::kNe) {
    diagnostics_->Emit(Kind::kNoOrder, expr.word, {"none", expr.text});
    return Invalid();
  }
  if (!value.expr.type.optional) {
    diagnostics_->Emit(Kind::kNeverAbsent, expr.range, {"the comparison with none", "remove it"});
    return Invalid();
  }
  std::vector<model::Expr> operands;
  operands.push_back(std::move(value.expr));
  model::Expr is_none = Operation(model::ExprKind::kIsNone, std::move(operands));
  return {op == model::CompareOp::kEq ? std::move(is_none) : Not(std::move(is_none)), {}, {}};
}

ExprChecker::Value ExprChecker::CheckWindowCompare(const ast::Expr& expr, Value left, Value right,
                                                   model::CompareOp op) {
  const bool window_is_left = left.expr.kind == model::ExprKind::kWindow;
  Value& window = window_is_left ? left : right;
  Value& number = window_is_left ? right : left;
  const ast::Expr& window_at = expr.operands[window_is_left ? 0 : 1];
  const ast::Expr& number_at = expr.operands[window_is_left ? 1 : 0];
  if (!window_is_left) op = Flip(op);
  const std::string name = window_at.kind == ExprKind::kCall ? window_at.operands[0].text + "(…)" : window_at.text;
  if (window.expr.type.base != BaseType::kInt) {  // a share or a time
    if (!FitsMeasure(number_at, number, window.expr.type.base, name, op, expr.text)) return Invalid();
    model::Expr result = Operation(model::ExprKind::kCompare, Two(std::move(window.expr), std::move(number.expr)));
    result.compare = op;
    return {std::move(result), {}, {}};
  }
  if (!IsLiteralOf(number.expr, BaseType::kInt)) {
    diagnostics_->Emit(Kind::kWindowCompare, number_at.range, {name});
    return Invalid();
  }
  const int64_t count = number.expr.literal.integer;
  // How many must be told apart for the comparison to be exact.
  int64_t enough = count;
  bool always = false;
  bool never = false;
  switch (op) {
    case model::CompareOp::kGe: always = count <= 0; break;
    case model::CompareOp::kGt:
      enough = count + 1;
      always = count < 0;
      break;
    case model::CompareOp::kLt: never = count <= 0; break;
    case model::CompareOp::kLe:
      enough = count + 1;
      never = count < 0;
      break;
    case model::CompareOp::kEq:
      enough = count + 1;
      never = count < 0;
      break;
    case model::CompareOp::kNe:
      enough = count + 1;
      always = count < 0;
      break;
  }
  const std::string text = name + " " + expr.text + " " + std::to_string(count);
  if (always || never) {
    diagnostics_->Emit(always ? Kind::kAlwaysHolds : Kind::kNeverHolds, number_at.range,
                       {text, "a count is 0 or more"});
    return Invalid();
  }
  if (enough > model::kMaxWindowCount) {
    diagnostics_->Emit(Kind::kWindowRange, number_at.range,
                       {"to compare with " + std::to_string(count) + ", " + std::to_string(enough) +
                            " times must be kept; " + std::to_string(model::kMaxWindowCount) + " is the limit",
                        "choose a smaller number, or a shorter window"});
    return Invalid();
  }
  if (place_.measures != nullptr) {
    model::WindowMeasure& measure = (*place_.measures)[static_cast<size_t>(window.expr.slot)];
    measure.enough = std::max(measure.enough, enough);
  }
  model::Expr result = Operation(model::ExprKind::kCompare, Two(std::move(window.expr), std::move(number.expr)));
  result.compare = op;
  return {std::move(result), {}, {}};
}

// Whether a share or a time of a window is compared with a constant of its kind, and not with one that decides by itself.
bool ExprChecker::FitsMeasure(const ast::Expr& number_at, const Value& number, BaseType base, const std::string& name,
                              model::CompareOp op, std::string_view op_text) {
  const bool is_share = base == BaseType::kPercent;
  if (!IsLiteralOf(number.expr, base)) {
    if (IsLiteralOf(number.expr, BaseType::kInt)) {
      const std::string digits = model::Print(number.expr);
      diagnostics_->Emit(
          Kind::kMissingUnit, number_at.range,
          {digits, is_share ? "write `" + digits + "%`" : "write `" + digits + "s` or `" + digits + "ms`"});
    } else {
      diagnostics_->Emit(Kind::kWindowShareCompare, number_at.range,
                         {name, is_share ? "a Percent" : "a Duration", name + (is_share ? " > 50%" : " > 40s")});
    }
    return false;
  }
  const double value = is_share ? number.expr.literal.number : static_cast<double>(number.expr.literal.integer);
  const bool at_most = is_share && value >= 1;  // nothing is above it
  const bool above = is_share && value > 1;
  bool always = false;
  bool never = false;
  switch (op) {
    case model::CompareOp::kGe:
      always = value <= 0;
      never = above;
      break;
    case model::CompareOp::kGt: never = at_most; break;
    case model::CompareOp::kLt:
      never = value <= 0;
      always = above;
      break;
    case model::CompareOp::kLe: always = at_most; break;
    case model::CompareOp::kEq: never = above; break;
    case model::CompareOp::kNe: always = above; break;
  }
  if (!always && !never) return true;
  diagnostics_->Emit(always ? Kind::kAlwaysHolds : Kind::kNeverHolds, number_at.range,
                     {name + " " + std::string(op_text) + " " + model::Print(number.expr),
                      is_share ? "a share goes from 0% to 100%" : "a time is 0s or more"});
  return false;
}

ExprChecker::Value ExprChecker::CheckStringTest(const ast::Expr& expr, Value left, Value right,
                                                model::StringTest test) {
  if (left.expr.type.base != BaseType::kString && left.expr.type.base != BaseType::kJson) {
    diagnostics_->Emit(Kind::kNotText, expr.operands[0].range, {expr.text, DescribeValue(left.expr)});
    return Invalid();
  }
  if (right.expr.type.base != BaseType::kString) {
    auto& diagnostic =
        diagnostics_->Emit(Kind::kNotText, expr.operands[1].range, {expr.text, DescribeValue(right.expr)});
    diagnostic.help = "write text in double quotes behind it";
    return Invalid();
  }
  if (IsLiteral(right.expr) && right.expr.literal.text.empty()) {
    diagnostics_->Emit(Kind::kAlwaysHolds, expr.operands[1].range,
                       {"… " + expr.text + " \"\"", "compare with `!= none` to ask whether it is there"});
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
        diagnostics_->Emit(Kind::kBadStatus, at.range, {digits, "classes are written 5xx, after `in`"});
        return false;
      }
      break;
    case BaseType::kNumber:
      literal->literal.number = static_cast<double>(value);
      literal->literal.integer = 0;
      break;
    case BaseType::kDuration:
      diagnostics_->Emit(Kind::kMissingUnit, at.range, {digits, "write `" + digits + "s` or `" + digits + "ms`"})
          .Change(at.range, digits + "s")
          .Unsafe();
      return false;
    case BaseType::kSize:
      diagnostics_->Emit(Kind::kMissingUnit, at.range, {digits, "write `" + digits + "B` or `" + digits + "KiB`"})
          .Change(at.range, digits + "B")
          .Unsafe();
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
  std::string help = "they are of different types";
  std::optional<std::string> replacement;
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
      help = "it is written without quotes";
    }
  }
  if (a == BaseType::kJson && b == BaseType::kJson) help = "give one of them a type: `request.json.a ?? \"\"`";
  auto& diagnostic =
      diagnostics_->Emit(Kind::kNotComparable, range, {DescribeValue(*left), DescribeValue(*right), help});
  if (replacement) diagnostic.Replace(*replacement);
  return false;
}

std::shared_ptr<const abi::Pattern> ExprChecker::PatternOf(const ast::Expr& regex) {
  const auto [known, is_new] = patterns_.try_emplace(regex.text);
  if (!is_new && known->second != nullptr) return known->second;
  regex::CompileResult compiled = regex::CompilePattern(regex.text);
  if (compiled.pattern == nullptr) {
    const uint32_t begin = regex.range.begin + 1;  // behind the slash
    diagnostics_->Emit(Kind::kBadPattern,
                       compiled.problem_end - compiled.problem_begin == regex.text.size()
                           ? regex.range
                           : SourceRange{begin + static_cast<uint32_t>(compiled.problem_begin),
                                         begin + static_cast<uint32_t>(compiled.problem_end)},
                       {compiled.problem, "the syntax is that of RE2"});
  }
  known->second = std::move(compiled.pattern);
  return known->second;
}

ExprChecker::Value ExprChecker::CheckMatches(const ast::Expr& expr) {
  Value left = Check(expr.operands[0]);
  const ast::Expr& right = expr.operands[1];
  if (right.kind != ExprKind::kRegex) {
    const Value value = Check(right);
    if (!value.ok()) return Invalid();
    auto& diagnostic = diagnostics_->Emit(
        Kind::kNotAPattern, right.range, {value.is_group() ? "`" + value.group_name + "`" : DescribeValue(value.expr)});
    if (right.kind == ExprKind::kString && IsLiteral(value.expr))
      diagnostic.Replace(AsPattern(value.expr.literal.text));
    return Invalid();
  }
  std::shared_ptr<const abi::Pattern> pattern = PatternOf(right);
  if (!left.ok() || pattern == nullptr) return Invalid();
  if (left.is_group()) {
    diagnostics_->Emit(Kind::kIsAGroup, expr.operands[0].range, {left.group_name});
    return Invalid();
  }
  if (left.expr.type.base != BaseType::kString && left.expr.type.base != BaseType::kJson) {
    diagnostics_->Emit(Kind::kNotText, expr.operands[0].range, {expr.text, DescribeValue(left.expr)});
    return Invalid();
  }
  std::vector<model::Expr> operands;
  operands.push_back(std::move(left.expr));
  model::Expr result = Operation(model::ExprKind::kMatches, std::move(operands));
  result.slot = 0;
  if (place_.policy != nullptr) {
    auto& patterns = place_.policy->patterns;
    const auto found = std::find(patterns.begin(), patterns.end(), pattern);
    result.slot = static_cast<int32_t>(found - patterns.begin());
    if (found == patterns.end()) {
      if (patterns.size() == kMaxPatterns) {
        diagnostics_->Emit(Kind::kTooManyPatterns, right.range, {std::to_string(kMaxPatterns)});
        return Invalid();
      }
      patterns.push_back(pattern);
    }
  }
  result.pattern = std::move(pattern);
  return {std::move(result), {}, {}};
}

bool ExprChecker::AddNetwork(const ast::Expr& at, const Value& member, model::Expr* in) {
  const abi::Type left = in->operands[0].type;
  if (left.base != BaseType::kString && left.base != BaseType::kJson) {
    diagnostics_->Emit(
        Kind::kNotComparable, at.range,
        {DescribeType(left), "`" + member.group_name + "`",
         "`" + member.group_name + "` is a group of addresses: `client.ip in " + member.group_name + "`"});
    return false;
  }
  for (const base::Cidr& network : member.networks) {
    for (base::Cidr& known : in->networks) {
      if (known == network) diagnostics_->Emit(Kind::kSetTwiceMember, at.range, {"`" + member.group_name + "`"});
      else if (Covers(known, network))
        diagnostics_->Emit(Kind::kSetCovered, at.range, {network.ToString(), known.ToString()});
      else if (Covers(network, known)) {
        diagnostics_->Emit(Kind::kSetCovered, at.range, {known.ToString(), network.ToString()});
        known = network;
      } else continue;
      return true;
    }
    in->networks.push_back(network);
  }
  return true;
}

bool ExprChecker::AddSetMember(const ast::Expr& at, SourceRange with_comma, const Value& member, model::Expr* in) {
  if (!member.networks.empty()) return AddNetwork(at, member, in);
  const model::Expr& left = in->operands[0];
  std::vector<model::SetMember>* const set = &in->set;
  std::vector<model::SetMember> added;
  if (member.is_group()) {
    if (left.type.base != member.expr.type.base) {
      diagnostics_->Emit(Kind::kNotComparable, at.range,
                         {DescribeType(left.type), "`" + member.group_name + "`",
                          "`" + member.group_name + "` is a group of " +
                              (member.expr.type.base == BaseType::kStatus ? "statuses" : "errors")});
      return false;
    }
    added = member.group;
  } else {
    model::Expr literal = member.expr;
    if (!IsLiteral(literal) || literal.type.base == BaseType::kNone || literal.type.base == BaseType::kSecret) {
      diagnostics_->Emit(
          Kind::kBadSetMember, at.range,
          {IsLiteral(literal) ? DescribeType(literal.type) : "not a constant", "compare it on its own with `==`"});
      return false;
    }
    model::Expr other = left;
    if (!MakeComparable(at, &other, at, &literal, at.range)) return false;
    added.push_back({literal.literal, literal.type.base == BaseType::kStatus ? literal.literal.integer : 0});
  }
  for (model::SetMember& one : added) {
    if (std::find(set->begin(), set->end(), one) != set->end()) {
      auto& diagnostic = diagnostics_->Emit(Kind::kSetTwiceMember, at.range,
                         {"`" +
                          (member.is_group() ? member.group_name
                           : at.text.empty() ? std::string("it")
                                             : at.text) +
                          "`"});
      if (!member.is_group()) diagnostic.Change(with_comma, "");
      continue;
    }
    set->push_back(std::move(one));
  }
  return true;
}

ExprChecker::Value ExprChecker::CheckIn(const ast::Expr& expr) {
  const ast::Expr& members = expr.operands[1];
  const bool outer_text = names_are_text_;
  Value left = Check(expr.operands[0]);
  if (members.kind == ExprKind::kList) {
    diagnostics_->Emit(
        Kind::kBadSetMember, members.range,
        {"a list", "a set is written with braces: `in {a, b}`; a list needs a name: `let names = [a, b]`"})
        .Change({members.range.begin, members.range.begin + 1}, "{")
        .Change({members.range.end - 1, members.range.end}, "}");
    return Invalid();
  }
  names_are_text_ = IsNameOf(expr.operands[0], "served_by");
  bool good = left.ok();
  if (left.is_group()) {
    diagnostics_->Emit(Kind::kIsAGroup, expr.operands[0].range, {left.group_name}).help =
        "it stands on the right of `in`";
    good = false;
  } else if (good && left.expr.kind == model::ExprKind::kWindow) {
    diagnostics_->Emit(Kind::kWindowCompare, expr.operands[0].range, {"failures(60s)"});
    good = false;
  } else if (good && (left.expr.type.base == BaseType::kNone || left.expr.type.base == BaseType::kSecret)) {
    diagnostics_->Emit(Kind::kBadSetMember, expr.operands[0].range, {DescribeType(left.expr.type), ""});
    good = false;
  }
  std::vector<model::Expr> operands;
  operands.push_back(std::move(left.expr));
  model::Expr result = Operation(model::ExprKind::kIn, std::move(operands));
  const std::vector<ast::Expr>* items = members.kind == ExprKind::kSet ? &members.operands : NamedList(members);
  if (items != nullptr && items->empty()) {
    diagnostics_->Emit(Kind::kEmptySet, members.range);
    return Invalid();
  }
  const size_t count = items != nullptr ? items->size() : 1;
  if (count > kMaxSetMembers) {
    diagnostics_->Emit(Kind::kSetTooLarge, members.range, {std::to_string(count), std::to_string(kMaxSetMembers)});
    return Invalid();
  }
  for (size_t i = 0; i < count; ++i) {
    const ast::Expr& at = items != nullptr ? (*items)[i] : members;
    const Value member = Check(at);
    if (!member.ok()) good = false;
    else if (items == nullptr && !member.is_group()) {
      const std::string bare = good ? WithoutQuotes(result.operands[0], member.expr) : std::string();
      auto& diagnostic =
          diagnostics_->Emit(Kind::kBadSetMember, at.range,
                             {"a single value", bare.empty() ? "write it in braces: `in { … }`"
                                                             : "it is written without quotes: `in " + bare + "`"});
      if (bare.empty()) {
        diagnostic.Change({at.range.begin, at.range.begin}, "{").Change({at.range.end, at.range.end}, "}");
      } else {
        diagnostic.Replace(bare);
      }
      good = false;
    } else if (good) {
      const SourceRange with_comma =
          items != nullptr && i > 0 ? SourceRange{(*items)[i - 1].range.end, at.range.end} : at.range;
      good = AddSetMember(at, with_comma, member, &result);
      if (good && !member.is_group())
        ReportPatternText({expr, at, result.operands[0], member.expr, count == 1}, diagnostics_);
    }
  }
  names_are_text_ = outer_text;
  if (!good) return Invalid();
  return {expr.negated ? Not(std::move(result)) : std::move(result), {}, {}};
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
    diagnostics_->Emit(Kind::kNeverAbsent, expr.operands[0].range, {"`??`", "remove `??` and what stands behind it"})
        .Change({expr.operands[0].range.end, expr.operands[1].range.end}, "");
    return Invalid();
  }
  if (right.expr.type.base == BaseType::kNone) {
    diagnostics_->Emit(Kind::kNeverAbsent, expr.operands[1].range, {"none as a default", "remove `?? none`"})
        .Change({expr.operands[0].range.end, expr.operands[1].range.end}, "")
        .message = "`?? none` has no effect";
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
      diagnostics_->Emit(
          Kind::kNotComparable, expr.operands[1].range,
          {"a JSON value", DescribeValue(right.expr), "the default of a JSON member is text, a number, true or false"});
      return Invalid();
    }
  } else {
    if (!AdaptLiteral(expr.operands[1], &right.expr, base)) return Invalid();
    type = right.expr.type;
    if (type.base != base) {
      diagnostics_->Emit(
          Kind::kNotComparable, expr.operands[1].range,
          {DescribeType(left.expr.type), DescribeValue(right.expr), "a default has the type of what it stands for"});
      return Invalid();
    }
  }
  model::Expr result;
  result.kind = model::ExprKind::kCoalesce;
  result.type = type;
  result.operands = Two(std::move(left.expr), std::move(right.expr));
  return {std::move(result), {}, {}};
}

}  // namespace compiler::check
