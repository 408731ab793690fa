// One case for each kind of expression. The meaning of each is in model/expr.h; model/interpret.cc says it a second
// time, slowly, and tests/oracle compares the two.
//
// What cannot be absent is not asked whether it is: `present` is then the constant true, and LLVM folds what hangs on
// it. Text is only looked into where it is present and long enough, so every load stands behind a branch (Guarded).
#include "compiler/lower/lower_expr.h"

#include <llvm/IR/Module.h>

#include <utility>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/lower/planted_faults.h"

namespace compiler::lower {

using abi::BaseType;
using abi::JsonKind;
using abi::JsonValue;
using model::ExprKind;

Shape ShapeOf(BaseType base) {
  switch (base) {
    case BaseType::kBool:
    case BaseType::kInt:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus:
    case BaseType::kMethod:
    case BaseType::kError: return Shape::kInteger;
    case BaseType::kNumber:
    case BaseType::kPercent: return Shape::kNumber;
    case BaseType::kString:
    case BaseType::kSecret: return Shape::kText;
    case BaseType::kJson: return Shape::kJson;
    case BaseType::kNone:
    case BaseType::kInvalid: return Shape::kNothing;
  }
  return Shape::kNothing;
}

std::string Describe(BaseType a, BaseType b) {
  return std::string(abi::Name(a)) + " with " + std::string(abi::Name(b));
}

llvm::Value* ExprLowering::Address(llvm::Value* base, size_t offset) {
  return b_.CreateConstInBoundsGEP1_64(b_.getInt8Ty(), base, offset);
}

llvm::Value* ExprLowering::Load(llvm::Type* type, llvm::Value* base, size_t offset) {
  return b_.CreateLoad(type, Address(base, offset));
}

LoweredValue ExprLowering::Absent(BaseType base) {
  LoweredValue value;
  value.base = base;
  value.present = b_.getFalse();
  value.integer = Int(0);
  value.number = llvm::ConstantFP::get(b_.getDoubleTy(), 0);
  value.data = llvm::ConstantPointerNull::get(b_.getPtrTy());
  value.size = Int(0);
  value.json = value.data;
  return value;
}

LoweredValue ExprLowering::OfInteger(BaseType base, llvm::Value* integer) {
  LoweredValue value;
  value.base = base;
  value.present = b_.getTrue();
  value.integer = integer;
  return value;
}

llvm::Value* ExprLowering::Fail(const std::string& what) {
  if (error_.empty()) error_ = what;
  return b_.getFalse();
}

llvm::Value* ExprLowering::Guarded(llvm::Value* condition, const std::function<llvm::Value*()>& emit) {
  if (auto* constant = llvm::dyn_cast<llvm::ConstantInt>(condition)) {
    return constant->isOne() ? emit() : b_.getFalse();
  }
  llvm::Function* function = b_.GetInsertBlock()->getParent();
  auto* inside = llvm::BasicBlock::Create(b_.getContext(), "", function);
  auto* after = llvm::BasicBlock::Create(b_.getContext(), "", function);
  llvm::BasicBlock* before = b_.GetInsertBlock();
  b_.CreateCondBr(condition, inside, after);
  b_.SetInsertPoint(inside);
  llvm::Value* result = emit();
  llvm::BasicBlock* inside_end = b_.GetInsertBlock();
  b_.CreateBr(after);
  b_.SetInsertPoint(after);
  llvm::PHINode* phi = b_.CreatePHI(b_.getInt1Ty(), 2);
  phi->addIncoming(b_.getFalse(), before);
  phi->addIncoming(result, inside_end);
  return phi;
}

llvm::Value* ExprLowering::Chain(size_t count, bool until, const EmitCondition& emit) {
  if (count == 0) return b_.getInt1(!until);
  llvm::Function* function = b_.GetInsertBlock()->getParent();
  auto* after = llvm::BasicBlock::Create(b_.getContext(), "", function);
  std::vector<std::pair<llvm::Value*, llvm::BasicBlock*>> results;
  for (size_t i = 0; i + 1 < count; ++i) {
    llvm::Value* condition = emit(i);
    auto* next = llvm::BasicBlock::Create(b_.getContext(), "", function);
    results.emplace_back(b_.getInt1(until), b_.GetInsertBlock());
    if (until) {
      b_.CreateCondBr(condition, after, next);
    } else {
      b_.CreateCondBr(condition, next, after);
    }
    b_.SetInsertPoint(next);
  }
  results.emplace_back(emit(count - 1), nullptr);
  results.back().second = b_.GetInsertBlock();
  b_.CreateBr(after);
  b_.SetInsertPoint(after);
  llvm::PHINode* phi = b_.CreatePHI(b_.getInt1Ty(), static_cast<unsigned>(count));
  for (const auto& [value, block] : results) phi->addIncoming(value, block);
  return phi;
}

LoweredValue ExprLowering::LoadJson(llvm::Value* address) {
  LoweredValue value;
  value.base = BaseType::kJson;
  value.json = address;
  llvm::Value* kind = Load(b_.getInt32Ty(), address, offsetof(JsonValue, kind));
  static_assert(static_cast<int>(JsonKind::kAbsent) == 0 && static_cast<int>(JsonKind::kNull) == 1);
  int last_absent = static_cast<int>(JsonKind::kNull);
  PLANT_FAULT(null_is_a_value, last_absent = static_cast<int>(JsonKind::kAbsent));
  value.present = b_.CreateICmpUGT(kind, b_.getInt32(static_cast<uint32_t>(last_absent)));
  return value;
}

LoweredValue ExprLowering::LoadStored(abi::Type type, llvm::Value* address) {
  switch (type.base) {
    case BaseType::kBool: {
      llvm::Value* byte = Load(b_.getInt8Ty(), address, 0);
      return OfInteger(type.base, b_.CreateZExt(b_.CreateICmpNE(byte, b_.getInt8(0)), b_.getInt64Ty()));
    }
    case BaseType::kInt:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus: {
      LoweredValue value = OfInteger(type.base, Load(b_.getInt64Ty(), address, 0));
      if (type.optional) value.present = b_.CreateICmpNE(value.integer, Int(abi::kAbsentInt));
      return value;
    }
    case BaseType::kMethod:
    case BaseType::kError: {
      LoweredValue value = OfInteger(type.base, b_.CreateSExt(Load(b_.getInt32Ty(), address, 0), b_.getInt64Ty()));
      if (type.base == BaseType::kError && type.optional) value.present = b_.CreateICmpNE(value.integer, Int(0));
      return value;
    }
    case BaseType::kString:
    case BaseType::kSecret: {
      LoweredValue value;
      value.base = type.base;
      value.data = Load(b_.getPtrTy(), address, offsetof(abi::Str, data));
      value.size = Load(b_.getInt64Ty(), address, offsetof(abi::Str, size));
      value.present = type.optional ? b_.CreateIsNotNull(value.data) : b_.getTrue();
      PLANT_FAULT(absent_text_is_empty, value.present = b_.getTrue());
      return value;
    }
    case BaseType::kJson: return LoadJson(address);
    case BaseType::kNumber:
    case BaseType::kPercent:
    case BaseType::kNone:
    case BaseType::kInvalid: break;
  }
  Fail("no fact is stored as " + std::string(abi::Name(type.base)));
  return Absent(type.base);
}

LoweredValue ExprLowering::LowerField(abi::FieldId id) {
  const abi::FieldInfo& field = abi::Fields()[static_cast<size_t>(id)];
  size_t offset = field.offset;
  PLANT_FAULT(wrong_offset, if (id == abi::FieldId::k_latency) offset = offsetof(abi::Facts, elapsed));
  return LoadStored(field.type, Address(facts_, offset));
}

LoweredValue ExprLowering::LowerSlot(abi::FamilyId id, int32_t slot) {
  const abi::FamilyInfo& family = abi::Families()[static_cast<size_t>(id)];
  const size_t stride = family.type.base == BaseType::kJson ? sizeof(JsonValue) : sizeof(abi::Str);
  llvm::Value* slots = Load(b_.getPtrTy(), facts_, family.offset);
  return LoadStored(family.type, Address(slots, static_cast<size_t>(slot) * stride));
}

LoweredValue ExprLowering::LowerLiteral(const model::Literal& literal) {
  LoweredValue value;
  value.base = literal.type;
  value.present = b_.getTrue();
  switch (ShapeOf(literal.type)) {
    case Shape::kInteger: value.integer = Int(literal.integer); return value;
    case Shape::kNumber: value.number = llvm::ConstantFP::get(b_.getDoubleTy(), literal.number); return value;
    case Shape::kText:
      value.data = b_.CreateGlobalString(llvm::StringRef(literal.text), "", 0, b_.GetInsertBlock()->getModule());
      value.size = Int(static_cast<int64_t>(literal.text.size()));
      value.is_constant_text = true;
      value.constant_text = literal.text;
      return value;
    case Shape::kJson: {
      // A JsonValue on the stack of the predicate: the helpers take a pointer to one.
      llvm::Function* function = b_.GetInsertBlock()->getParent();
      llvm::IRBuilder<> entry(&function->getEntryBlock(), function->getEntryBlock().begin());
      llvm::AllocaInst* json = entry.CreateAlloca(llvm::ArrayType::get(entry.getInt8Ty(), sizeof(JsonValue)));
      json->setAlignment(llvm::Align(alignof(JsonValue)));
      const JsonKind kind = literal.text.starts_with('[') ? JsonKind::kArray : JsonKind::kObject;
      llvm::Value* text = b_.CreateGlobalString(llvm::StringRef(literal.text), "", 0, b_.GetInsertBlock()->getModule());
      b_.CreateStore(b_.getInt32(static_cast<uint32_t>(kind)), Address(json, offsetof(JsonValue, kind)));
      b_.CreateStore(Int(0), Address(json, offsetof(JsonValue, integer)));
      b_.CreateStore(llvm::ConstantFP::get(b_.getDoubleTy(), 0), Address(json, offsetof(JsonValue, number)));
      b_.CreateStore(text, Address(json, offsetof(JsonValue, text) + offsetof(abi::Str, data)));
      b_.CreateStore(Int(static_cast<int64_t>(literal.text.size())),
                     Address(json, offsetof(JsonValue, text) + offsetof(abi::Str, size)));
      value.json = json;
      return value;
    }
    case Shape::kNothing: break;
  }
  return Absent(literal.type);
}

LoweredValue ExprLowering::Convert(const LoweredValue& value, BaseType base) {
  if (base == BaseType::kNumber && value.base == BaseType::kInt) {
    LoweredValue result;
    result.base = base;
    result.present = value.present;
    result.number = b_.CreateSIToFP(value.integer, b_.getDoubleTy());
    return result;
  }
  if (value.base != BaseType::kJson || base == BaseType::kJson) return value;

  llvm::Value* kind = Load(b_.getInt32Ty(), value.json, offsetof(JsonValue, kind));
  const auto is = [&](JsonKind wanted) { return b_.CreateICmpEQ(kind, b_.getInt32(static_cast<uint32_t>(wanted))); };
  LoweredValue result = Absent(base);
  switch (base) {
    case BaseType::kBool:
      result.present = is(JsonKind::kBool);
      result.integer = b_.CreateZExt(
          b_.CreateICmpNE(Load(b_.getInt64Ty(), value.json, offsetof(JsonValue, integer)), Int(0)), b_.getInt64Ty());
      break;
    case BaseType::kInt:
      result.present = is(JsonKind::kInteger);
      result.integer = Load(b_.getInt64Ty(), value.json, offsetof(JsonValue, integer));
      break;
    case BaseType::kNumber: {
      llvm::Value* is_integer = is(JsonKind::kInteger);
      llvm::Value* integer = Load(b_.getInt64Ty(), value.json, offsetof(JsonValue, integer));
      result.present = b_.CreateOr(is_integer, is(JsonKind::kNumber));
      result.number = b_.CreateSelect(is_integer, b_.CreateSIToFP(integer, b_.getDoubleTy()),
                                      Load(b_.getDoubleTy(), value.json, offsetof(JsonValue, number)));
      break;
    }
    case BaseType::kString:
    case BaseType::kSecret:
      result.present = is(JsonKind::kString);
      result.data = Load(b_.getPtrTy(), value.json, offsetof(JsonValue, text) + offsetof(abi::Str, data));
      result.size = Load(b_.getInt64Ty(), value.json, offsetof(JsonValue, text) + offsetof(abi::Str, size));
      break;
    case BaseType::kPercent:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus:
    case BaseType::kMethod:
    case BaseType::kError:
    case BaseType::kJson:
    case BaseType::kNone:
    case BaseType::kInvalid: return result;  // JSON has no such values
  }
  PLANT_FAULT(coalesce_takes_any_type, result.present = value.present);
  return result;
}

LoweredValue ExprLowering::LowerCoalesce(const model::Expr& expr) {
  const BaseType base = expr.type.base;
  const LoweredValue first = Convert(LowerValue(expr.operands[0]), base);
  const LoweredValue second = Convert(LowerValue(expr.operands[1]), base);
  if (ShapeOf(first.base) != ShapeOf(base) || ShapeOf(second.base) != ShapeOf(base)) {
    Fail("?? of " + Describe(first.base, second.base) + " as " + std::string(abi::Name(base)));
    return Absent(base);
  }
  LoweredValue result;
  result.base = base;
  result.present = b_.CreateOr(first.present, second.present);
  const auto choose = [&](llvm::Value* a, llvm::Value* b) { return b_.CreateSelect(first.present, a, b); };
  switch (ShapeOf(base)) {
    case Shape::kInteger: result.integer = choose(first.integer, second.integer); break;
    case Shape::kNumber: result.number = choose(first.number, second.number); break;
    case Shape::kText:
      result.data = choose(first.data, second.data);
      result.size = choose(first.size, second.size);
      break;
    case Shape::kJson: result.json = choose(first.json, second.json); break;
    case Shape::kNothing: break;
  }
  return result;
}

LoweredValue ExprLowering::LowerValue(const model::Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kLiteral: return LowerLiteral(expr.literal);
    case ExprKind::kField: return LowerField(expr.field);
    case ExprKind::kSlot: return LowerSlot(expr.family, expr.slot);
    case ExprKind::kWindow: {
      llvm::Value* window = Load(b_.getPtrTy(), facts_, offsetof(abi::Facts, window));
      const size_t offset = static_cast<size_t>(expr.slot) * sizeof(int64_t);
      if (expr.type.base == BaseType::kPercent) {
        LoweredValue share;
        share.base = expr.type.base;
        share.present = b_.getTrue();
        share.number = Load(b_.getDoubleTy(), window, offset);
        return share;
      }
      return OfInteger(expr.type.base, Load(b_.getInt64Ty(), window, offset));
    }
    case ExprKind::kCoalesce: return LowerCoalesce(expr);
    case ExprKind::kNot:
    case ExprKind::kAnd:
    case ExprKind::kOr:
    case ExprKind::kCompare:
    case ExprKind::kIsNone:
    case ExprKind::kIn:
    case ExprKind::kStringTest:
    case ExprKind::kMatches: return OfInteger(BaseType::kBool, b_.CreateZExt(LowerCondition(expr), b_.getInt64Ty()));
  }
  return Absent(BaseType::kInvalid);
}

}  // namespace compiler::lower
