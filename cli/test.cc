#include "cli/test.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/load_policy.h"
#include "cli/report.h"
#include "cli/test_report.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "runtime/tester/coverage.h"
#include "runtime/tester/test_runner.h"

namespace cli {
namespace {

using compiler::diagnostics::Severity;

// Errors only: what a policy is warned of is `check`'s.
std::string Errors(const compiler::source::SourceBuffer& source, const compiler::diagnostics::Diagnostics& diagnostics,
                   bool color) {
  std::string text;
  for (const auto* item : diagnostics.InSourceOrder()) {
    if (item->severity == Severity::kError) text += compiler::diagnostics::Render(source, *item, {color}) + "\n";
  }
  return text;
}

// A policy that a test reloads; `file` as it is written there, seen from the file of the test, as an import is.
runtime::tester::NextPolicy ReadNext(const Input& input, const std::string& file) {
  runtime::tester::NextPolicy next;
  const std::filesystem::path folder =
      input.is_stdin() ? std::filesystem::path() : std::filesystem::path(input.path).parent_path();
  const auto text = ReadInput((folder / file).string(), &next.why);
  const auto source = text ? SourceOfInput(*text, &next.why) : nullptr;
  if (source == nullptr) {
    next.why = file + ": " + next.why;
    return next;
  }
  compiler::diagnostics::Diagnostics diagnostics;
  if (auto written = compiler::CheckWritten(source, {}, &diagnostics)) {
    next.compiled = compiler::CompileChecked(std::move(written->policy), written->hash, &diagnostics);
  }
  if (next.compiled == nullptr) {
    for (const auto* item : diagnostics.InSourceOrder()) {
      if (item->severity != Severity::kError) continue;
      const auto at = source->PositionOf(item->range.begin);
      next.why = source->NameAt(item->range.begin) + ":" + std::to_string(at.line) + ": " + item->message;
      break;
    }
  }
  return next;
}

std::map<std::string, runtime::tester::NextPolicy> NextPolicies(const Input& input,
                                                                const std::vector<compiler::model::TestCase>& tests) {
  std::map<std::string, runtime::tester::NextPolicy> all;
  for (const compiler::model::TestCase& test : tests) {
    for (const compiler::model::TestStep& step : test.steps) {
      const auto* reload = std::get_if<compiler::model::Reload>(&step);
      if (reload != nullptr && !all.contains(reload->file)) all.emplace(reload->file, ReadNext(input, reload->file));
    }
  }
  return all;
}

}  // namespace

int RunTests(const TestOptions& options) {
  const auto report = MakeTestReport(options.format, WantsColor(STDOUT_FILENO), std::cout, std::cerr);
  int worst = kClean;
  ForEachInput(
      options.paths,
      [&](const Input& input) {
        std::string why;
        const auto read = SourceOfInput(input, &why);
        if (read == nullptr) {
          report->AddUnusable(input.name, why, "");
          worst = std::max(worst, kUnreadable);
          return;
        }
        const compiler::source::SourceBuffer& source = *read;
        compiler::diagnostics::Diagnostics diagnostics;
        auto written = compiler::CheckWritten(read, {}, &diagnostics);
        if (!written) {
          report->AddUnusable(input.name, "it has errors", Errors(source, diagnostics, WantsColor(STDERR_FILENO)));
          worst = std::max(worst, kUnreadable);
          return;
        }
        auto compiled = compiler::CompileChecked(std::move(written->policy), written->hash, &diagnostics);
        if (compiled == nullptr) {
          report->AddUnusable(input.name, "it was not compiled", Errors(source, diagnostics, false));
          worst = std::max(worst, kInternal);
          return;
        }
        std::optional<runtime::tester::Coverage> coverage;
        if (options.coverage) coverage.emplace(*compiled, written->origins).Watch(compiled.get());
        const runtime::tester::TestRunner runner(std::move(compiled), NextPolicies(input, written->tests));
        std::vector<runtime::tester::TestResult> results;
        for (const compiler::model::TestCase& test : written->tests) {
          if (test.name.find(options.filter) == std::string::npos) continue;
          results.push_back(runner.Run(test, source.text()));
          if (!results.back().passed()) worst = std::max(worst, kFindings);
        }
        report->AddFile(source, results);
        if (coverage) report->AddCoverage(source, coverage->Conditions());
      },
      [&](const std::string& path, const std::string& why) {
        report->AddUnusable(path, why, "");
        worst = std::max(worst, kUnreadable);
      });
  report->Finish();
  return worst;
}

}  // namespace cli
