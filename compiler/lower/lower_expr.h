// Inside compiler/lower: the expression half of the lowering; values in lower_expr.cc, conditions in lower_conditions.cc. Holds LLVM
// types, so nobody else includes it.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/facts.h"
#include "compiler/model/expr.h"

namespace compiler::lower {

// How values of a type are held and compared.
enum class Shape { kInteger, kNumber, kText, kJson, kNothing };
Shape ShapeOf(abi::BaseType base);
// For messages: "Int with String".
std::string Describe(abi::BaseType a, abi::BaseType b);

// A value of the language as SSA values. Only what the base type needs is set (see model::Literal).
struct LoweredValue {
  abi::BaseType base = abi::BaseType::kNone;
  llvm::Value* present = nullptr;  // i1
  llvm::Value* integer = nullptr;  // i64
  llvm::Value* number = nullptr;   // double
  llvm::Value* data = nullptr;     // ptr; may be null or wild unless present
  llvm::Value* size = nullptr;     // i64
  llvm::Value* json = nullptr;     // ptr to a JsonValue
  bool is_constant_text = false;
  std::string_view constant_text;  // borrowed from the expression
};

// Lowers one predicate's expression at the builder's place. `patterns` and `facts` are the
// ptr arguments of the function: an array of const abi::Pattern*, and a Facts.
class ExprLowering {
 public:
  ExprLowering(llvm::IRBuilder<>& builder, llvm::Value* patterns, llvm::Value* facts)
      : b_(builder), patterns_(patterns), facts_(facts) {}

  // The i1 that a Bool expression is. `and` and `or` become control flow: what need not be asked is not.
  llvm::Value* LowerCondition(const model::Expr& expr);

  // Empty, or what the checker should not have made. The IR is then worthless.
  const std::string& error() const { return error_; }

 private:
  using EmitCondition = std::function<llvm::Value*(size_t index)>;

  LoweredValue LowerValue(const model::Expr& expr);
  LoweredValue LowerLiteral(const model::Literal& literal);
  LoweredValue LowerField(abi::FieldId id);
  LoweredValue LowerSlot(abi::FamilyId id, int32_t slot);
  LoweredValue LowerCoalesce(const model::Expr& expr);
  llvm::Value* LowerCompare(const model::Expr& expr);
  llvm::Value* LowerIn(const model::Expr& expr);
  llvm::Value* LowerStringTest(const model::Expr& expr);
  llvm::Value* LowerMatches(const model::Expr& expr);
  llvm::Value* InNetworks(const LoweredValue& value, const std::vector<base::Cidr>& networks);

  LoweredValue LoadStored(abi::Type type, llvm::Value* address);
  LoweredValue LoadJson(llvm::Value* address);
  // The value as one of `base`; a Json of another type becomes absent.
  LoweredValue Convert(const LoweredValue& value, abi::BaseType base);

  llvm::Value* Equal(const LoweredValue& a, const LoweredValue& b);
  llvm::Value* EqualPresent(const LoweredValue& a, const LoweredValue& b);
  llvm::Value* Order(model::CompareOp op, const LoweredValue& a, const LoweredValue& b);
  llvm::Value* EqualText(const LoweredValue& a, const LoweredValue& b);
  llvm::Value* EqualBytes(llvm::Value* data, std::string_view constant);

  // Whether all (or, with `until` true, any) of `count` conditions hold; stops at the first that equals `until`.
  llvm::Value* Chain(size_t count, bool until, const EmitCondition& emit);
  // `emit()` where `condition` holds, else false.
  llvm::Value* Guarded(llvm::Value* condition, const std::function<llvm::Value*()>& emit);

  template <typename... Parameters>
  llvm::Value* CallHelper(const char* name, int32_t (*type)(Parameters...) noexcept,
                          std::initializer_list<llvm::Value*> arguments);
  template <typename T>
  llvm::Type* TypeOf();

  llvm::Value* Address(llvm::Value* base, size_t offset);
  llvm::Value* Load(llvm::Type* type, llvm::Value* base, size_t offset);
  llvm::ConstantInt* Int(int64_t value) { return b_.getInt64(static_cast<uint64_t>(value)); }
  LoweredValue Absent(abi::BaseType base);
  LoweredValue OfInteger(abi::BaseType base, llvm::Value* integer);
  llvm::Value* Fail(const std::string& what);

  llvm::IRBuilder<>& b_;
  llvm::Value* patterns_;
  llvm::Value* facts_;
  std::string error_;
};

}  // namespace compiler::lower
