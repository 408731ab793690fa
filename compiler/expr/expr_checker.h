// Types of expressions: what a name means, whether it exists in this phase, what may be compared with what. Makes model::Expr
// with `let` names written out and groups such as 5xx and `timeout` expanded.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/expr/options.h"
#include "compiler/expr/scope.h"
#include "compiler/model/policy.h"

namespace compiler::expr {

// Where an expression stands.
struct ExprPlace {
  std::optional<abi::Phase> phase;                        // none: a let, which may read anything
  std::string_view what;                                  // "`open when`", for messages
  model::Policy* policy = nullptr;                        // whose slots are filled; null: a let on its own
  std::vector<model::WindowMeasure>* measures = nullptr;  // of the breaker; null outside of one
};

class ExprChecker {
 public:
  // `text`: what the ranges of expressions point into.
  ExprChecker(std::string_view text, Scope* scope, const CheckOptions& options, diagnostics::Diagnostics* diagnostics)
      : text_(text), scope_(scope), options_(options), diagnostics_(diagnostics) {}

  // A Bool that is never absent. nullopt, with a finding, if it is none.
  std::optional<model::Expr> CheckPredicate(const ast::Expr& expr, const ExprPlace& place);

  // Any value. nullopt, with a finding, if it has no type. Groups and sets are no values.
  std::optional<model::Expr> CheckValue(const ast::Expr& expr, const ExprPlace& place);

  // Checks every let once, for its own sake.
  void CheckLets();

  // The items of `let name = [ … ]` if `at` is the name of one; marks it as used. Null: it is none.
  const std::vector<ast::Expr>* NamedList(const ast::Expr& at);

  // Whether the last value came from a variable that is not set: it holds a stand-in.
  bool used_stand_in() const { return used_stand_in_; }
  // Stand-ins are for values that a bundle reads when it is loaded, so they are part of the policy.
  bool stand_ins_stay() const { return options_.late_value != nullptr; }

 private:
  // A value, or what may only stand behind `in`.
  struct Value {
    model::Expr expr;
    std::vector<model::SetMember> group;  // 5xx, timeout
    std::string group_name;
    std::vector<base::Cidr> networks = {};  // 10.0.0.0/8
    bool ok() const { return expr.type.base != abi::BaseType::kInvalid; }
    bool is_group() const { return !group.empty() || !networks.empty(); }
  };

  Value Invalid() const { return {}; }
  Value Check(const ast::Expr& expr);
  Value CheckNumber(const ast::Expr& expr);
  Value CheckString(const ast::Expr& expr);
  Value CheckNetwork(const ast::Expr& expr);
  Value CheckName(const ast::Expr& expr);
  Value CheckLet(const ast::Expr& expr, Entity* entity);
  void CheckLetList(Entity* entity);
  Value CheckPath(const ast::Expr& expr);
  Value CheckCall(const ast::Expr& expr);
  Value CheckWindow(const ast::Expr& call, const abi::WindowMeasureInfo& info);
  std::optional<model::Duration> WindowLength(const ast::Expr& at, std::string_view what, const std::string& example);
  Value Measure(const abi::WindowMeasureInfo& info, const model::WindowMeasure& measure);
  Value CheckEnv(const ast::Expr& call);
  Value CheckSecret(const ast::Expr& call);
  Value CheckLogic(const ast::Expr& expr);
  Value CheckCompare(const ast::Expr& expr);
  Value CheckNone(const ast::Expr& expr, Value value, model::CompareOp op);
  Value CheckWindowCompare(const ast::Expr& expr, Value left, Value right, model::CompareOp op);
  bool FitsMeasure(const ast::Expr& number_at, const Value& number, abi::BaseType base, const std::string& name,
                   model::CompareOp op, std::string_view op_text);
  Value CheckStringTest(const ast::Expr& expr, Value left, Value right, model::StringTest test);
  Value CheckMatches(const ast::Expr& expr);
  Value CheckIn(const ast::Expr& expr);
  Value CheckCoalesce(const ast::Expr& expr);

  bool IsBool(const ast::Expr& expr, const Value& value);
  // What is right in other languages. False, without a finding, if it is none of it.
  bool ReportForeignFunction(const ast::Expr& call);
  void ReportNoFunction(const ast::Expr& callee);
  bool ReportBareOperands(const ast::Expr& expr, size_t first);
  bool ReportStatusBetween(const ast::Expr& both);
  bool ReportStatusRange(const ast::Expr& expr, const ast::Expr& status);
  void ReportBodyMember(const ast::Expr& root, const std::vector<const ast::Expr*>& steps, size_t first);
  bool ReportJoinedConstants(const ast::Expr& comparison);
  bool IsConstant(const ast::Expr& expr) const;
  bool IsConstantName(std::string_view name) const;
  std::string WrittenAt(source::SourceRange range) const {
    return range.end <= text_.size() && range.begin <= range.end ? std::string(text_.substr(range.begin, range.end - range.begin)) : "…";
  }
  // Turns a literal into the other side's kind where the language writes both alike (200 as a Status). False, with a
  // finding, if the two can never be equal.
  bool MakeComparable(const ast::Expr& left_at, model::Expr* left, const ast::Expr& right_at, model::Expr* right,
                      source::SourceRange at);
  bool AdaptLiteral(const ast::Expr& at, model::Expr* literal, abi::BaseType to);
  // Adds to the set or the networks of `in`, an expression whose operand is there already. `with_comma`: what to take out if the member
  // is there already.
  bool AddSetMember(const ast::Expr& at, source::SourceRange with_comma, const Value& member, model::Expr* in);
  bool AddNetwork(const ast::Expr& at, const Value& member, model::Expr* in);
  // Null, with a finding, if it is none.
  std::shared_ptr<const abi::Pattern> PatternOf(const ast::Expr& regex);
  bool Read(abi::Phase phase, std::string_view name, source::SourceRange range);
  bool ReportPhase(abi::Phase phase, std::string_view name, source::SourceRange range);
  Value Field(const abi::FieldInfo& field, source::SourceRange range);
  bool Spend(source::SourceRange range);

  std::string_view text_;
  Scope* scope_;
  const CheckOptions& options_;
  diagnostics::Diagnostics* diagnostics_;

  ExprPlace place_;
  Entity* current_let_ = nullptr;
  std::vector<std::string> let_path_;  // for the message of a cycle
  bool names_are_text_ = false;        // behind served_by, upstream names are text
  bool used_stand_in_ = false;
  int nodes_ = 0;
  bool too_large_ = false;
  std::map<std::string, std::shared_ptr<const abi::Pattern>> patterns_;  // by source; null: no pattern
};

// "a Duration", "a String that may be absent".
std::string DescribeType(abi::Type type);
std::string DescribeValue(const model::Expr& expr);

}  // namespace compiler::expr
