#include "cli/check.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/report.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/codes.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/expand/imports.h"
#include "compiler/source/source_buffer.h"

namespace cli {
namespace {

bool IsSyntax(const compiler::diagnostics::Diagnostic& diagnostic) {
  return compiler::diagnostics::HasTrait(diagnostic.code, compiler::diagnostics::kSyntax);
}

}  // namespace

int RunCheck(const CheckOptions& options) {
  const auto report = MakeReport(options.format, {WantsColor(STDOUT_FILENO)}, std::cout, std::cerr);
  int worst = kClean;
  ForEachInput(
      options.paths,
      [&](const Input& input) {
        compiler::CompileOptions compile_options;
        compile_options.deny_mock = options.deny_mock;
        compiler::diagnostics::Diagnostics diagnostics;
        const auto source = compiler::ReadSource(input.name, input.text, compiler::ImportsBeside(input.path));
        compiler::CheckWritten(source, compile_options, &diagnostics);
        report->AddFile(*source, diagnostics);
        const auto& items = diagnostics.items();
        const bool has_warnings = std::any_of(items.begin(), items.end(), [](const auto& item) {
          return item.severity == compiler::diagnostics::Severity::kWarning;
        });
        if (diagnostics.has_errors() || (options.deny_warnings && has_warnings)) worst = std::max(worst, kFindings);
        if (std::any_of(items.begin(), items.end(), IsSyntax)) worst = std::max(worst, kUnreadable);
      },
      [&](const std::string& path, const std::string& why) {
        report->AddUnreadable(path, why);
        worst = std::max(worst, kUnreadable);
      });
  report->Finish();
  return worst;
}

}  // namespace cli
