#include "compiler/compile.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "compiler/analysis/analyse.h"
#include "compiler/base/digest.h"
#include "compiler/check/check.h"
#include "compiler/follow_ups.h"
#include "compiler/jit/jit.h"
#include "compiler/model/interpret.h"
#include "compiler/parse/parse.h"

namespace compiler {
namespace {

std::optional<std::string> ProcessEnvironment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string(value);
}

// The text of a secret's file without the line end that editors add.
std::optional<std::string> ReadSecretFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  std::string secret = text.str();
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

std::shared_ptr<CompiledPolicy> Checked(std::string_view text, const CompileOptions& options,
                                        diagnostics::Diagnostics* diagnostics) {
  std::optional<model::Policy> policy = CheckPolicy(text, options, diagnostics);
  if (!policy) return nullptr;
  auto compiled = std::make_shared<CompiledPolicy>();
  compiled->policy = std::move(*policy);
  compiled->routes = routes::RouteIndex(compiled->policy);
  compiled->hash = base::Sha256Hex(text, 16);
  return compiled;
}

}  // namespace

std::optional<WrittenPolicy> CheckWritten(std::string_view text, const CompileOptions& options,
                                          diagnostics::Diagnostics* diagnostics) {
  WrittenPolicy written;
  written.source = std::make_unique<source::SourceBuffer>("policy", text);
  const ast::File file = parse::ParseFile(*written.source, diagnostics);
  check::CheckOptions check_options;
  check_options.environment = options.environment ? options.environment : ProcessEnvironment;
  check_options.secret_file = ReadSecretFile;
  check_options.for_run = options.for_run;
  check_options.deny_mock = options.deny_mock;
  std::optional<model::Policy> policy = check::Check(file, check_options, &written.origins, diagnostics);
  DropFollowUps(text, diagnostics);
  // Errors of the parser, too: what it mended by guessing must not run.
  const bool is_good = policy && !diagnostics->has_errors();
  if (is_good) {
    written.policy = std::move(*policy);
    analysis::Analyse(written.policy, written.origins, {options.without_checks}, diagnostics);
  }
  for (const model::AllowOrigin& allow : written.origins.allows) {
    // In a policy with errors not everything was looked at, nor by checks that are switched off.
    const bool was_looked_at = is_good && !options.without_checks.contains(allow.code);
    if (diagnostics->Allow(allow.code, allow.scope) == 0 && was_looked_at)
      diagnostics->Emit(diagnostics::Kind::kAllowsNothing, allow.code_range, {allow.code}).Change(allow.statement, "");
  }
  if (!is_good || diagnostics->has_errors()) return std::nullopt;
  return written;
}

std::optional<model::Policy> CheckPolicy(std::string_view text, const CompileOptions& options,
                                         diagnostics::Diagnostics* diagnostics) {
  std::optional<WrittenPolicy> written = CheckWritten(text, options, diagnostics);
  if (!written) return std::nullopt;
  return std::move(written->policy);
}

std::shared_ptr<const CompiledPolicy> CompileInterpreted(std::string_view text, const CompileOptions& options,
                                                         diagnostics::Diagnostics* diagnostics) {
  std::shared_ptr<CompiledPolicy> compiled = Checked(text, options, diagnostics);
  if (compiled != nullptr) compiled->predicates = model::InterpretedPredicates(compiled->policy);
  return compiled;
}

std::shared_ptr<const CompiledPolicy> CompilePolicy(std::string_view text, const CompileOptions& options,
                                                    diagnostics::Diagnostics* diagnostics) {
  std::shared_ptr<CompiledPolicy> compiled = Checked(text, options, diagnostics);
  if (compiled == nullptr) return nullptr;
  jit::JitResult result = jit::CompilePredicates(compiled->policy);
  if (result.code == nullptr) {
    diagnostics->Emit(diagnostics::Kind::kJitFailed, {0, 0}, {result.error});
    return nullptr;
  }
  compiled->predicates = std::move(result.predicates);
  compiled->code = std::move(result.code);
  return compiled;
}

}  // namespace compiler
