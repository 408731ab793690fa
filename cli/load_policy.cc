#include "cli/load_policy.h"

#include <malloc.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <utility>

#include "base/ed25519.h"
#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/start_lines.h"
#include "compiler/bundle/bundle.h"
#include "compiler/compile.h"
#include "compiler/compile_bundle.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expand/imports.h"

namespace cli {
namespace {

bool g_compiles_apart = false;

LoadedPolicy Failed(int exit_code) { return {nullptr, exit_code, ""}; }

LoadedPolicy CompileText(const Input& input, const LoadOptions& options, std::ostream& errors) {
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::CompileOptions compile_options;
  compile_options.for_run = true;
  compile_options.deny_mock = options.deny_mock;
  compile_options.apart = g_compiles_apart;
  const auto source = compiler::ReadSource(input.name, input.text, compiler::ImportsBeside(input.path));
  auto compiled = compiler::CompilePolicy(source, compile_options, &diagnostics);
  StartLines lines(errors, options.json_lines);
  if (compiled == nullptr) {
    const auto& findings = diagnostics.items();
    const auto no_code = std::find_if(findings.begin(), findings.end(), [](const compiler::diagnostics::Diagnostic& finding) {
      return finding.kind == compiler::diagnostics::Kind::kJitFailed;
    });
    if (no_code != findings.end()) {  // not the policy's fault, and it means the same
      const std::string reason = no_code->message;
      diagnostics = compiler::diagnostics::Diagnostics();
      compiled = compiler::CompileInterpreted(source, compile_options, &diagnostics);
      if (compiled != nullptr) lines.Interpreted(reason);
    }
  }
  lines.Findings(*source, diagnostics);
  if (compiled == nullptr) return Failed(kFindings);
  return {std::move(compiled), kClean, ""};
}

LoadedPolicy LoadBundle(const Input& input, const std::optional<base::PublicKey>& trusted, const LoadOptions& options,
                        std::ostream& errors) {
  std::string why;
  auto opened = compiler::bundle::Open(input.text, trusted ? &*trusted : nullptr, &why);
  if (opened != nullptr && options.deny_mock && !opened->content.policy.mocks.empty()) {
    why = "it has a mock block, and --deny-mock refuses those";
    opened.reset();
  }
  if (opened == nullptr) {
    StartLines(errors, options.json_lines).Fatal(input.name + ": " + why);
    return Failed(kFindings);
  }
  LoadedPolicy loaded;
  loaded.bundle = opened->signed_by ? "signed" : "unsigned";
  loaded.compiled = compiler::bundle::Load(std::move(*opened), {compiler::ProcessEnvironment, compiler::ReadSecretFile}, &why);
  if (loaded.compiled == nullptr) {
    StartLines(errors, options.json_lines).Fatal(input.name + ": " + why);
    loaded.exit_code = kFindings;
  }
  return loaded;
}

}  // namespace

void AllowCompilingApart() { g_compiles_apart = true; }

LoadedPolicy LoadPolicy(const LoadOptions& options, std::ostream& errors) {
  std::string why;
  std::optional<base::PublicKey> trusted;
  if (!options.trust.empty()) {
    const auto key = ReadInput(options.trust, &why);
    if (key) trusted = base::ReadPublicKey(key->text);
    if (!trusted) {
      StartLines(errors, options.json_lines)
          .Fatal("--trust " + options.trust + ": " +
                 (key ? "this is no Ed25519 key in a PEM file; `breakwater key new --signing` makes one" : why));
      return Failed(kUnreadable);
    }
  }
  const auto input = ReadInput(options.file, &why);
  if (!input) {
    StartLines(errors, options.json_lines).Fatal("can't read " + options.file + ": " + why);
    return Failed(kUnreadable);
  }
  const auto give_back = [](LoadedPolicy loaded) {
#ifdef __GLIBC__
    malloc_trim(0);  // what reading and checking took is not needed while it runs
#endif
    return loaded;
  };
  if (compiler::bundle::IsBundle(input->text)) return give_back(LoadBundle(*input, trusted, options, errors));
  if (trusted) {
    StartLines(errors, options.json_lines)
        .Fatal(input->name + ": this is no bundle, and --trust takes only what its key signed: make one with `breakwater compile --sign`");
    return Failed(kFindings);
  }
  return give_back(CompileText(*input, options, errors));
}

std::shared_ptr<const compiler::source::SourceBuffer> SourceOfInput(const Input& input, std::string* why) {
  if (!compiler::bundle::IsBundle(input.text)) return compiler::ReadSource(input.name, input.text, compiler::ImportsBeside(input.path));
  const auto opened = compiler::bundle::Open(input.text, nullptr, why);
  if (opened == nullptr) return nullptr;
  return compiler::SourceOf(opened->content);
}

}  // namespace cli
