// LLVM ORC: modules in, function pointers out. One LLJIT for each policy, with the helpers as its only outside symbols.
#include "compiler/jit/jit_core.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/ExecutionEngine/Orc/ThreadSafeModule.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/TargetSelect.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "compiler/abi/helpers.h"
#include "compiler/jit/code_level.h"
#include "compiler/lower/lower.h"

namespace compiler::jit {
namespace {

// Code generation is the one heavy thing here and is rare; two at once would only fight for memory.
std::mutex& CompileMutex() {
  static std::mutex mutex;
  return mutex;
}

std::string Describe(llvm::Error error) { return llvm::toString(std::move(error)); }

void InitializeLlvmOnce() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::InitializeNativeTarget();
    llvm::InitializeNativeTargetAsmPrinter();
  });
}

// Adds what machine code may call. Nothing else of the process is visible to it: no search of process symbols is
// linked.
llvm::Error DefineHelpers(llvm::orc::LLJIT& jit) {
  llvm::orc::SymbolMap symbols;
  for (const abi::HelperInfo& helper : abi::Helpers()) {
    symbols[jit.mangleAndIntern(llvm::StringRef(helper.name.data(), helper.name.size()))] = {
        llvm::orc::ExecutorAddr::fromPtr(helper.address),
        llvm::JITSymbolFlags::Exported | llvm::JITSymbolFlags::Callable};
  }
  return jit.getMainJITDylib().define(llvm::orc::absoluteSymbols(std::move(symbols)));
}

llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> MakeJit(llvm::CodeGenOptLevel level) {
  InitializeLlvmOnce();
  llvm::Expected<llvm::orc::JITTargetMachineBuilder> target = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!target) return target.takeError();
  target->setCodeGenOptLevel(level);
  // LLJIT's other platforms insist on the process symbols, which would make system() callable.
  auto jit = llvm::orc::LLJITBuilder()
                 .setJITTargetMachineBuilder(std::move(*target))
                 .setLinkProcessSymbolsByDefault(false)
                 .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                 .create();
  if (!jit) return jit.takeError();
  // Errors reach us as values, too; without this LLVM also prints them.
  (*jit)->getExecutionSession().setErrorReporter([](llvm::Error error) { llvm::consumeError(std::move(error)); });
  if (llvm::Error error = DefineHelpers(**jit)) return error;
  return jit;
}

// The machine code of one policy, and the patterns that it asks. Destroying the LLJIT ends its session, which unmaps the code.
class JitCode final : public PredicateCode {
 public:
  JitCode(std::unique_ptr<llvm::orc::LLJIT> jit, const model::Policy& policy)
      : patterns_(policy.patterns), jit_(std::move(jit)) {
    for (const auto& pattern : patterns_) table_.push_back(pattern.get());
  }

  const abi::Pattern* const* table() const { return table_.data(); }

 private:
  std::vector<std::shared_ptr<const abi::Pattern>> patterns_;
  std::vector<const abi::Pattern*> table_;
  std::unique_ptr<llvm::orc::LLJIT> jit_;
};

llvm::Error AddModules(const model::Policy& policy, llvm::orc::LLJIT& jit) {
  const auto count = static_cast<int32_t>(policy.predicates.size());
  for (int32_t first = 0; first < count; first += kPredicatesPerModule) {
    auto context = std::make_unique<llvm::LLVMContext>();
    std::string error;
    std::unique_ptr<llvm::Module> module = lower::LowerPredicates(
        policy, abi::PredicateId(first), std::min(kPredicatesPerModule, count - first), *context, &error);
    if (module == nullptr) return llvm::make_error<llvm::StringError>(error, llvm::inconvertibleErrorCode());
    module->setDataLayout(jit.getDataLayout());
    module->setTargetTriple(jit.getTargetTriple().str());
    if (llvm::Error added = jit.addIRModule(llvm::orc::ThreadSafeModule(std::move(module), std::move(context)))) {
      return added;
    }
  }
  return llvm::Error::success();
}

llvm::Expected<std::vector<abi::Predicate>> LookUpPredicates(const model::Policy& policy, const void* patterns,
                                                             llvm::orc::LLJIT& jit) {
  std::vector<abi::Predicate> predicates;
  predicates.reserve(policy.predicates.size());
  for (size_t i = 0; i < policy.predicates.size(); ++i) {
    llvm::Expected<llvm::orc::ExecutorAddr> address =
        jit.lookup(lower::FunctionName(abi::PredicateId(static_cast<int32_t>(i))));
    if (!address) return address.takeError();
    predicates.push_back({address->toPtr<int32_t (*)(const void*, const abi::Facts*) noexcept>(), patterns});
  }
  return predicates;
}

}  // namespace

JitResult CompileWithLlvm(const model::Policy& policy) {
  const std::lock_guard<std::mutex> lock(CompileMutex());
  JitResult result;
  llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> jit = MakeJit(LevelFor(policy));
  if (!jit) {
    result.error = "could not start the JIT compiler: " + Describe(jit.takeError());
    return result;
  }
  if (llvm::Error error = AddModules(policy, **jit)) {
    result.error = "could not compile the predicates: " + Describe(std::move(error));
    return result;
  }
  llvm::orc::LLJIT& session = **jit;
  auto code = std::make_unique<JitCode>(std::move(*jit), policy);
  llvm::Expected<std::vector<abi::Predicate>> predicates = LookUpPredicates(policy, code->table(), session);
  if (!predicates) {
    result.error = "could not link the compiled predicates: " + Describe(predicates.takeError());
    return result;
  }
  result.predicates = abi::PredicateTable(std::move(*predicates));
  result.code = std::move(code);
  return result;
}

std::string WhyUnresolved(const std::string& symbol) {
  const std::lock_guard<std::mutex> lock(CompileMutex());
  llvm::Expected<std::unique_ptr<llvm::orc::LLJIT>> jit = MakeJit(llvm::CodeGenOptLevel::None);
  if (!jit) return Describe(jit.takeError());
  llvm::Expected<llvm::orc::ExecutorAddr> address = (*jit)->lookup(symbol);
  return address ? "" : Describe(address.takeError());
}

}  // namespace compiler::jit
