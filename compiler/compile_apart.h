// Machine code for a policy that is to run, made by another process of this program: LLVM's memory goes when that one ends, and
// the gateway never maps it.
#pragma once

#include <memory>
#include <string>

#include "compiler/compiled_policy.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/policy.h"

namespace compiler {

// As CompileChecked (compile.h). The other process is this executable with the one argument kCodeCommand. Where there is no
// such code for this machine's CPU it is made in this process.
std::shared_ptr<CompiledPolicy> CompileApart(model::Policy policy, std::string hash, diagnostics::Diagnostics* diagnostics);

inline constexpr char kCodeCommand[] = "--make-code";
// What the other process does: reads a policy from standard input and writes its code to standard output. Returns its exit code.
int MakeCode();

}  // namespace compiler
