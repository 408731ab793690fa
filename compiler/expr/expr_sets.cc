// The operators of ExprChecker that look for a value among others: `matches` and `in`.
#include <algorithm>
#include <utility>

#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/foreign_names.h"
#include "compiler/expr/pattern_texts.h"
#include "compiler/model/print.h"
#include "compiler/regex/regex.h"

namespace compiler::expr {

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

namespace {

bool Covers(const base::Cidr& outer, const base::Cidr& inner) {
  return inner.prefix >= outer.prefix && outer.Contains(inner.network);
}

}  // namespace

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
    const std::string what = value.is_group() ? "`" + value.group_name + "`" : DescribeValue(value.expr);
    const bool is_text = right.kind == ExprKind::kString && IsLiteral(value.expr);
    // `"/api/*"` is a glob: as a pattern it would match anywhere.
    const std::string text = is_text ? value.expr.literal.text : "";
    const size_t star = text.find('*');
    const bool is_glob = star != std::string::npos && (star == 0 || text[star - 1] == '/') && text[0] != '^';
    if (is_glob && star == text.size() - 1 && star > 0) {
      const std::string meant = "starts_with \"" + text.substr(0, star) + "\"";
      diagnostics_->Emit(Kind::kGlobOfBeginning, right.range, {what, meant})
          .Change({expr.word.begin, right.range.end}, meant);
    } else if (is_glob) {
      diagnostics_->Emit(Kind::kNoWildcards, right.range, {what});
    } else {
      auto& diagnostic = diagnostics_->Emit(Kind::kNotAPattern, right.range, {what});
      if (is_text) diagnostic.Replace(AsPattern(text));
    }
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
    diagnostics_->Emit(Kind::kGroupOfAddresses, at.range, {DescribeType(left), member.group_name});
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
      diagnostics_->Emit(Kind::kGroupOfOthers, at.range,
                         {DescribeType(left.type), member.group_name,
                          (member.expr.type.base == BaseType::kStatus ? "statuses" : "errors")});
      return false;
    }
    added = member.group;
  } else {
    model::Expr literal = member.expr;
    if (!IsLiteral(literal) || literal.type.base == BaseType::kNone || literal.type.base == BaseType::kSecret) {
      diagnostics_->Emit(IsLiteral(literal) ? Kind::kMemberOfNoKind : Kind::kMemberNotConstant, at.range,
                         {DescribeType(literal.type)});
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
                                              : at.text.empty() ? model::Print(member.expr)
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
    diagnostics_->Emit(Kind::kListAsSet, members.range)
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
    diagnostics_->Emit(Kind::kBadSetMember, expr.operands[0].range, {DescribeType(left.expr.type)});
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
      auto& diagnostic = diagnostics_->Emit(bare.empty() ? Kind::kValueAsSet : Kind::kTextAsGroup, at.range, {bare});
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

}  // namespace compiler::expr
