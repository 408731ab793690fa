// One case for each kind of expression. The meaning of each is in model/expr.h; model/interpret.cc says it a second
// time, slowly, and tests/oracle compares the two.
//
// What cannot be absent is not asked whether it is: `present` is then the constant true, and LLVM folds what hangs on
// it. Text is only looked into where it is present and long enough, so every load stands behind a branch (Guarded).
#include "compiler/lower/lower_expr.h"

#include <llvm/IR/Module.h>

#include <cstring>
#include <utility>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/abi/helpers.h"
#include "compiler/lower/planted_faults.h"

namespace compiler::lower {
namespace {

using abi::BaseType;
using abi::JsonKind;
using abi::JsonValue;
using model::CompareOp;
using model::ExprKind;
using model::StringTest;

// A constant up to this long is compared by loads of eight bytes and fewer; beyond, a call is cheaper.
constexpr size_t kInlineTextBytes = 32;

// How values of a type are held and compared.
enum class Shape { kInteger, kNumber, kText, kJson, kNothing };

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

// op as an LLVM predicate over signed integers, and over doubles of which none is NaN.
llvm::CmpInst::Predicate SignedPredicate(CompareOp op) {
  switch (op) {
    case CompareOp::kEq: return llvm::CmpInst::ICMP_EQ;
    case CompareOp::kNe: return llvm::CmpInst::ICMP_NE;
    case CompareOp::kLt: return llvm::CmpInst::ICMP_SLT;
    case CompareOp::kLe: return llvm::CmpInst::ICMP_SLE;
    case CompareOp::kGt: return llvm::CmpInst::ICMP_SGT;
    case CompareOp::kGe: return llvm::CmpInst::ICMP_SGE;
  }
  return llvm::CmpInst::ICMP_EQ;
}

llvm::CmpInst::Predicate NumberPredicate(CompareOp op) {
  switch (op) {
    case CompareOp::kEq: return llvm::CmpInst::FCMP_OEQ;
    case CompareOp::kNe: return llvm::CmpInst::FCMP_UNE;
    case CompareOp::kLt: return llvm::CmpInst::FCMP_OLT;
    case CompareOp::kLe: return llvm::CmpInst::FCMP_OLE;
    case CompareOp::kGt: return llvm::CmpInst::FCMP_OGT;
    case CompareOp::kGe: return llvm::CmpInst::FCMP_OGE;
  }
  return llvm::CmpInst::FCMP_OEQ;
}

}  // namespace

template <typename T>
llvm::Type* ExprLowering::TypeOf() {
  if constexpr (std::is_pointer_v<T>) {
    return b_.getPtrTy();
  } else if constexpr (std::is_same_v<T, double>) {
    return b_.getDoubleTy();
  } else {
    static_assert(std::is_same_v<T, int64_t>, "helpers take pointers, int64_t and double");
    return b_.getInt64Ty();
  }
}

// The helper's LLVM type comes from its C++ type, so the two cannot differ.
template <typename... Parameters>
llvm::Value* ExprLowering::CallHelper(const char* name, int32_t (*)(Parameters...) noexcept,
                                      std::initializer_list<llvm::Value*> arguments) {
  auto* type = llvm::FunctionType::get(b_.getInt32Ty(), {TypeOf<Parameters>()...}, /*isVarArg=*/false);
  llvm::Module* module = b_.GetInsertBlock()->getModule();
  llvm::FunctionCallee callee = module->getOrInsertFunction(name, type);
  llvm::cast<llvm::Function>(callee.getCallee())->setDoesNotThrow();
  return b_.CreateCall(callee, llvm::ArrayRef<llvm::Value*>(arguments.begin(), arguments.size()));
}
#define CALL_HELPER(name, ...) CallHelper(#name, &name, {__VA_ARGS__})

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

llvm::Value* ExprLowering::LowerCondition(const model::Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kNot: return b_.CreateNot(LowerCondition(expr.operands[0]));
    case ExprKind::kAnd: {
      bool until = false;
      PLANT_FAULT(and_is_or, until = true);
      return Chain(expr.operands.size(), until, [&](size_t i) { return LowerCondition(expr.operands[i]); });
    }
    case ExprKind::kOr:
      return Chain(expr.operands.size(), true, [&](size_t i) { return LowerCondition(expr.operands[i]); });
    case ExprKind::kCompare: return LowerCompare(expr);
    case ExprKind::kIsNone: return b_.CreateNot(LowerValue(expr.operands[0]).present);
    case ExprKind::kIn: return LowerIn(expr);
    case ExprKind::kStringTest: return LowerStringTest(expr);
    case ExprKind::kMatches: return LowerMatches(expr);
    case ExprKind::kLiteral:
    case ExprKind::kField:
    case ExprKind::kSlot:
    case ExprKind::kWindow:
    case ExprKind::kCoalesce: {
      const LoweredValue value = Convert(LowerValue(expr), BaseType::kBool);
      if (value.base != BaseType::kBool) return Fail(std::string(abi::Name(value.base)) + " as a condition");
      return b_.CreateAnd(value.present, b_.CreateICmpNE(value.integer, Int(0)));
    }
  }
  return b_.getFalse();
}

llvm::Value* ExprLowering::LowerCompare(const model::Expr& expr) {
  LoweredValue a = LowerValue(expr.operands[0]);
  LoweredValue b = LowerValue(expr.operands[1]);
  if (expr.compare == CompareOp::kEq) return Equal(a, b);
  if (expr.compare == CompareOp::kNe) {
    llvm::Value* differs = b_.CreateNot(Equal(a, b));
    PLANT_FAULT(not_equal_needs_value, differs = b_.CreateAnd(differs, b_.CreateAnd(a.present, b.present)));
    return differs;
  }
  PLANT_FAULT(operands_swapped, std::swap(a, b));
  return Guarded(b_.CreateAnd(a.present, b.present), [&] { return Order(expr.compare, a, b); });
}

llvm::Value* ExprLowering::Equal(const LoweredValue& a, const LoweredValue& b) {
  return Guarded(b_.CreateAnd(a.present, b.present), [&] { return EqualPresent(a, b); });
}

llvm::Value* ExprLowering::EqualPresent(const LoweredValue& a, const LoweredValue& b) {
  const Shape a_shape = ShapeOf(a.base);
  const Shape b_shape = ShapeOf(b.base);
  if (a_shape == Shape::kJson && b_shape == Shape::kJson) {
    return b_.CreateIsNotNull(CALL_HELPER(bw_json_equals_json, a.json, b.json));
  }
  if (a_shape == Shape::kJson || b_shape == Shape::kJson) {
    const LoweredValue& json = a_shape == Shape::kJson ? a : b;
    const LoweredValue& other = a_shape == Shape::kJson ? b : a;
    switch (ShapeOf(other.base)) {
      case Shape::kInteger:
        if (other.base == BaseType::kBool) return Equal(Convert(json, BaseType::kBool), other);
        if (other.base == BaseType::kInt) {
          llvm::Value* equal = b_.CreateIsNotNull(CALL_HELPER(bw_json_equals_integer, json.json, other.integer));
          PLANT_FAULT(json_fraction_lost,
                      equal = b_.CreateICmpEQ(b_.CreateFPToSI(Convert(json, BaseType::kNumber).number, b_.getInt64Ty()),
                                              other.integer));
          return equal;
        }
        break;
      case Shape::kNumber: return b_.CreateIsNotNull(CALL_HELPER(bw_json_equals_number, json.json, other.number));
      case Shape::kText: return Equal(Convert(json, BaseType::kString), other);
      case Shape::kJson:
      case Shape::kNothing: break;
    }
    return Fail("equality of " + Describe(a.base, b.base));
  }
  if (a_shape == Shape::kText && b_shape == Shape::kText) return EqualText(a, b);
  if (a_shape == Shape::kText || b_shape == Shape::kText || a_shape == Shape::kNothing || b_shape == Shape::kNothing) {
    return Fail("equality of " + Describe(a.base, b.base));
  }
  return Order(CompareOp::kEq, a, b);
}

// Both are present. Also equality, over integers and numbers.
llvm::Value* ExprLowering::Order(CompareOp op, const LoweredValue& a, const LoweredValue& b) {
  const Shape a_shape = ShapeOf(a.base);
  const Shape b_shape = ShapeOf(b.base);
  llvm::CmpInst::Predicate predicate = SignedPredicate(op);
  PLANT_FAULT(less_is_less_or_equal, if (op == CompareOp::kLt) predicate = llvm::CmpInst::ICMP_SLE);
  PLANT_FAULT(unsigned_order,
              if (llvm::CmpInst::isSigned(predicate)) predicate = llvm::ICmpInst::getUnsignedPredicate(predicate));
  if (a_shape == Shape::kInteger && b_shape == Shape::kInteger) return b_.CreateICmp(predicate, a.integer, b.integer);
  if (a_shape == Shape::kNumber && b_shape == Shape::kNumber) {
    return b_.CreateFCmp(NumberPredicate(op), a.number, b.number);
  }
  llvm::Value* sign = nullptr;  // of a − b
  if (a_shape == Shape::kInteger && b_shape == Shape::kNumber) {
    sign = CALL_HELPER(bw_integer_number_order, a.integer, b.number);
  } else if (a_shape == Shape::kNumber && b_shape == Shape::kInteger) {
    sign = b_.CreateNeg(CALL_HELPER(bw_integer_number_order, b.integer, a.number));
  } else if (a_shape == Shape::kText && b_shape == Shape::kText) {
    sign = CALL_HELPER(bw_string_order, a.data, a.size, b.data, b.size);
  } else {
    return Fail("order of " + Describe(a.base, b.base));
  }
  return b_.CreateICmp(predicate, sign, b_.getInt32(0));
}

llvm::Value* ExprLowering::EqualText(const LoweredValue& a, const LoweredValue& b) {
  const LoweredValue& text = a.is_constant_text ? b : a;
  const LoweredValue& other = a.is_constant_text ? a : b;
  if (!other.is_constant_text || other.constant_text.size() > kInlineTextBytes) {
    return b_.CreateIsNotNull(CALL_HELPER(bw_string_equal, text.data, text.size, other.data, other.size));
  }
  return Guarded(b_.CreateICmpEQ(text.size, other.size), [&] { return EqualBytes(text.data, other.constant_text); });
}

// Whether the bytes at `data`, of which there are enough, are `constant`: loads of 8, 4, 2 and 1 bytes, no branch.
llvm::Value* ExprLowering::EqualBytes(llvm::Value* data, std::string_view constant) {
  llvm::Value* difference = Int(0);
  size_t done = 0;
  size_t end = constant.size();
  PLANT_FAULT(tail_not_compared, end = end / 8 * 8);
  while (done < end) {
    size_t width = 8;
    while (width > end - done) width /= 2;
    uint64_t expected = 0;
    std::memcpy(&expected, constant.data() + done, width);  // as the load below reads it on this little-endian machine
    llvm::Type* type = b_.getIntNTy(static_cast<unsigned>(width * 8));
    llvm::LoadInst* actual = b_.CreateAlignedLoad(type, Address(data, done), llvm::Align(1));
    llvm::Value* bits = b_.CreateXor(actual, llvm::ConstantInt::get(type, expected));
    difference = b_.CreateOr(difference, b_.CreateZExt(bits, b_.getInt64Ty()));
    done += width;
  }
  return b_.CreateICmpEQ(difference, Int(0));
}

llvm::Value* ExprLowering::LowerIn(const model::Expr& expr) {
  const LoweredValue value = LowerValue(expr.operands[0]);
  const size_t count = expr.set.size() + (expr.networks.empty() ? 0 : 1);
  return Guarded(value.present, [&] {
    return Chain(count, true, [&](size_t i) -> llvm::Value* {
      if (i == expr.set.size()) return InNetworks(value, expr.networks);
      const model::SetMember& member = expr.set[i];
      if (member.low.type != BaseType::kStatus) return Equal(value, LowerLiteral(member.low));
      if (ShapeOf(value.base) != Shape::kInteger)
        return Fail("a status in a set for " + std::string(abi::Name(value.base)));
      if (member.low.integer == member.high) return b_.CreateICmpEQ(value.integer, Int(member.high));
      llvm::Value* in_range = b_.CreateICmpSLE(value.integer, Int(member.high));
      PLANT_FAULT(range_without_its_end, in_range = b_.CreateICmpSLT(value.integer, Int(member.high)));
      return b_.CreateAnd(b_.CreateICmpSGE(value.integer, Int(member.low.integer)), in_range);
    });
  });
}

// The networks are constant data of the module.
static_assert(sizeof(base::Cidr) == 20, "without padding, so that its bytes are its value");
llvm::Value* ExprLowering::InNetworks(const LoweredValue& value, const std::vector<base::Cidr>& networks) {
  const LoweredValue text = Convert(value, BaseType::kString);
  if (ShapeOf(text.base) != Shape::kText) return Fail("networks in a set for " + std::string(abi::Name(value.base)));
  std::string bytes;
  for (base::Cidr network : networks) {
    PLANT_FAULT(network_of_whole_bytes, network.prefix = network.prefix / 8 * 8);
    bytes.append(reinterpret_cast<const char*>(&network), sizeof(network));
  }
  size_t count = networks.size();
  PLANT_FAULT(first_network_only, count = 1);
  return Guarded(text.present, [&] {
    llvm::GlobalVariable* data =
        b_.CreateGlobalString(llvm::StringRef(bytes), "", 0, b_.GetInsertBlock()->getModule());
    data->setAlignment(llvm::Align(alignof(base::Cidr)));
    return b_.CreateIsNotNull(
        CALL_HELPER(bw_in_networks, text.data, text.size, data, Int(static_cast<int64_t>(count))));
  });
}

llvm::Value* ExprLowering::LowerMatches(const model::Expr& expr) {
  const LoweredValue text = Convert(LowerValue(expr.operands[0]), BaseType::kString);
  if (ShapeOf(text.base) != Shape::kText) return Fail("matches of " + std::string(abi::Name(text.base)));
  auto slot = static_cast<size_t>(expr.slot);
  PLANT_FAULT(first_pattern_always, slot = 0);
  return Guarded(text.present, [&] {
    llvm::Value* pattern = Load(b_.getPtrTy(), patterns_, slot * sizeof(const abi::Pattern*));
    return b_.CreateIsNotNull(CALL_HELPER(bw_matches, pattern, text.data, text.size));
  });
}

llvm::Value* ExprLowering::LowerStringTest(const model::Expr& expr) {
  const LoweredValue text = Convert(LowerValue(expr.operands[0]), BaseType::kString);
  const LoweredValue pattern = Convert(LowerValue(expr.operands[1]), BaseType::kString);
  if (ShapeOf(text.base) != Shape::kText || ShapeOf(pattern.base) != Shape::kText) {
    return Fail("a string test of " + Describe(text.base, pattern.base));
  }
  const bool is_short = pattern.is_constant_text && pattern.constant_text.size() <= kInlineTextBytes;
  return Guarded(b_.CreateAnd(text.present, pattern.present), [&]() -> llvm::Value* {
    switch (expr.string_test) {
      case StringTest::kStartsWith:
        if (!is_short)
          return b_.CreateIsNotNull(CALL_HELPER(bw_starts_with, text.data, text.size, pattern.data, pattern.size));
        return Guarded(b_.CreateICmpSGE(text.size, pattern.size),
                       [&] { return EqualBytes(text.data, pattern.constant_text); });
      case StringTest::kEndsWith:
        if (!is_short)
          return b_.CreateIsNotNull(CALL_HELPER(bw_ends_with, text.data, text.size, pattern.data, pattern.size));
        return Guarded(b_.CreateICmpSGE(text.size, pattern.size), [&] {
          llvm::Value* start = b_.CreateGEP(b_.getInt8Ty(), text.data, b_.CreateSub(text.size, pattern.size));
          PLANT_FAULT(ends_with_looks_at_start, start = text.data);
          return EqualBytes(start, pattern.constant_text);
        });
      case StringTest::kContains: {
        llvm::Value* found =
            b_.CreateIsNotNull(CALL_HELPER(bw_contains, text.data, text.size, pattern.data, pattern.size));
        PLANT_FAULT(empty_part_is_not_contained, found = b_.CreateAnd(found, b_.CreateICmpNE(pattern.size, Int(0))));
        return found;
      }
    }
    return b_.getFalse();
  });
}

}  // namespace compiler::lower
