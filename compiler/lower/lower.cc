// The frame around expressions: module, functions, verification.
#include "compiler/lower/lower.h"

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/Support/raw_ostream.h>

#include "compiler/lower/lower_expr.h"
#include "compiler/lower/planted_faults.h"

namespace compiler::lower {
namespace {

// int32_t (const void* patterns, const Facts* facts) noexcept
llvm::Function* DeclarePredicate(llvm::Module& module, abi::PredicateId id) {
  llvm::LLVMContext& context = module.getContext();
  llvm::Type* pointer = llvm::PointerType::getUnqual(context);
  auto* type = llvm::FunctionType::get(llvm::Type::getInt32Ty(context), {pointer, pointer}, /*isVarArg=*/false);
  auto* function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, FunctionName(id), module);
  function->setDoesNotThrow();  // so no unwind tables are made and none need be registered
  function->addParamAttr(1, llvm::Attribute::NonNull);
  return function;
}

bool LowerPredicate(const model::PredicateDef& predicate, abi::PredicateId id, llvm::Module& module,
                    std::string* error) {
  llvm::Function* function = DeclarePredicate(module, id);
  llvm::IRBuilder<> builder(llvm::BasicBlock::Create(module.getContext(), "", function));
  ExprLowering lowering(builder, function->getArg(0), function->getArg(1));
  llvm::Value* holds = lowering.LowerCondition(predicate.expr);
  if (!lowering.error().empty()) {
    *error = "predicate " + std::to_string(id.value) + ": " + lowering.error() +
             "; this is a fault of the compiler, please report it with the policy";
    return false;
  }
  PLANT_FAULT(always_true, holds = builder.getTrue());
  PLANT_FAULT(always_false, holds = builder.getFalse());
  builder.CreateRet(builder.CreateZExt(holds, builder.getInt32Ty()));
  return true;
}

}  // namespace

std::string FunctionName(abi::PredicateId id) { return "predicate_" + std::to_string(id.value); }

std::unique_ptr<llvm::Module> LowerPredicates(const model::Policy& policy, abi::PredicateId first, int32_t count,
                                              llvm::LLVMContext& context, std::string* error) {
#ifdef BREAKWATER_PLANTED_FAULTS
  if (!PlantedFaultIsKnown()) {
    *error = "BREAKWATER_PLANTED_FAULT names no line of planted_faults.def: " + std::string(PlantedFault());
    return nullptr;
  }
#endif
  auto module = std::make_unique<llvm::Module>(FunctionName(first), context);
  for (int32_t i = 0; i < count; ++i) {
    const abi::PredicateId id(first.value + i);
    if (!LowerPredicate(policy.predicates[id], id, *module, error)) return nullptr;
  }
#ifndef NDEBUG
  llvm::raw_string_ostream complaint(*error);
  if (llvm::verifyModule(*module, &complaint)) return nullptr;
#endif
  return module;
}

}  // namespace compiler::lower
