// The compiler's door: policy text in, a policy that can run out. The phases are parse, check and (only when the policy is
// to run) lower and jit; check alone never loads LLVM.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compiled_policy.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/jit/predicate_code.h"
#include "compiler/model/origins.h"
#include "compiler/model/policy.h"
#include "compiler/model/tests.h"
#include "compiler/source/source_buffer.h"

namespace compiler {

struct CompileOptions {
  // Looks up an environment variable for env(…) and secret(…). Null: the process environment.
  std::function<std::optional<std::string>(const std::string&)> environment;
  // What stands for a variable that is read only when the policy is loaded: for bundles. As CheckOptions::late_value.
  std::function<std::string(source::SourceRange call, const std::string& name, const std::optional<std::string>& fallback,
                            bool is_secret)>
      late_value;
  // Whether the policy is about to run. When it is only checked, a variable that is not set is no error.
  bool for_run = false;
  bool deny_mock = false;  // a `mock` block is an error
  bool apart = false;      // machine code is made by another process of this executable (compile_apart.h)
  std::set<std::string_view> without_checks;  // codes of compiler/analysis/checks.def that are switched off
};

// What env(…) and secret(…) read: a variable of this process; the text of a secret's file without the line end that editors add.
std::optional<std::string> ProcessEnvironment(const std::string& name);
std::optional<std::string> ReadSecretFile(const std::string& path);

// A checked policy and where it was written.
struct WrittenPolicy {
  std::shared_ptr<const source::SourceBuffer> source;
  model::Origins origins;  // borrows from source
  model::Policy policy;
  std::vector<model::TestCase> tests;  // not read when the policy is about to run
  std::string hash;                    // as CompiledPolicy::hash
};

// Parses and checks, and says what the policy will do. Findings go to `diagnostics`; nothing is returned if one of them is an error.
std::optional<WrittenPolicy> CheckWritten(std::string_view text, const CompileOptions& options,
                                          diagnostics::Diagnostics* diagnostics);
// The same with what it imports (imports.h); `source` is kept for messages. The other doors read one text alone.
std::optional<WrittenPolicy> CheckWritten(std::shared_ptr<const source::SourceBuffer> source, const CompileOptions& options,
                                          diagnostics::Diagnostics* diagnostics);
std::optional<model::Policy> CheckPolicy(std::string_view text, const CompileOptions& options,
                                         diagnostics::Diagnostics* diagnostics);

// The same, then machine code for the predicates. Null on errors; a failure to load or run the JIT is one (exit code 3).
std::shared_ptr<const CompiledPolicy> CompilePolicy(std::string_view text, const CompileOptions& options,
                                                    diagnostics::Diagnostics* diagnostics);

std::shared_ptr<const CompiledPolicy> CompilePolicy(std::shared_ptr<const source::SourceBuffer> source,
                                                    const CompileOptions& options, diagnostics::Diagnostics* diagnostics);

// The second half of that, for who has a checked policy and wants more of it than what runs.
std::shared_ptr<CompiledPolicy> CompileChecked(model::Policy policy, std::string hash,
                                               diagnostics::Diagnostics* diagnostics);

// The same with interpreted predicates: no LLVM. For simulation, for tests, and where there is no JIT library.
std::shared_ptr<const CompiledPolicy> CompileInterpreted(std::string_view text, const CompileOptions& options,
                                                         diagnostics::Diagnostics* diagnostics);
std::shared_ptr<const CompiledPolicy> CompileInterpreted(std::shared_ptr<const source::SourceBuffer> source,
                                                         const CompileOptions& options, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler
