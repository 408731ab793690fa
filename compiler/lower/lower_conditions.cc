// The conditions of lower_expr.h: what joins, compares and looks for values.
#include <llvm/IR/Module.h>

#include <cstring>
#include <utility>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/abi/helpers.h"
#include "compiler/lower/lower_expr.h"
#include "compiler/lower/planted_faults.h"

namespace compiler::lower {

using abi::BaseType;
using model::CompareOp;
using model::ExprKind;
using model::StringTest;

namespace {

// A constant up to this long is compared by loads of eight bytes and fewer; beyond, a call is cheaper.
constexpr size_t kInlineTextBytes = 32;

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
    llvm::GlobalVariable* data = b_.CreateGlobalString(llvm::StringRef(bytes), "", 0, b_.GetInsertBlock()->getModule());
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
