#include "cli/fix.h"

#include <algorithm>
#include <iostream>

#include "cli/diff.h"
#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/write_file.h"
#include "compiler/fix.h"

namespace cli {
namespace {

std::string Count(size_t number, const char* what) {
  return std::to_string(number) + " " + what + (number == 1 ? "" : "s");
}

}  // namespace

int RunFix(const FixCommandOptions& options) {
  int worst = kClean;
  const auto failed = [&](const std::string& path, const std::string& why) {
    std::cerr << path << ": " << why << "\n";
    worst = std::max(worst, kUnreadable);
  };
  ForEachInput(
      options.paths,
      [&](const Input& input) {
        compiler::FixOptions fix_options;
        fix_options.unsafe = options.unsafe;
        fix_options.read_import = compiler::ImportsBeside(input.path);
        const compiler::FixResult result = compiler::FixPolicy(input.text, fix_options);
        if (!result.diagnostics.empty()) worst = std::max(worst, kFindings);
        const bool changed = result.text != input.text;
        if (options.dry_run) {
          std::cout << UnifiedDiff(input.name, input.text, result.text);
        } else if (input.is_stdin()) {
          std::cout << result.text;
        } else if (std::string why; changed && !WriteFileAtomically(input.path, result.text, &why)) {
          failed(input.path, "cannot be written: " + why);
          return;
        }
        // On standard error, so that standard output is a diff or a policy.
        if (changed && !options.dry_run) std::cerr << UnifiedDiff(input.name, input.text, result.text);
        for (const std::string& message : result.applied)
          std::cerr << input.name << ": " << (options.dry_run ? "would fix " : "fixed ") << message << "\n";
        for (const compiler::RefusedFix& refused : result.refused)
          std::cerr << input.name << ": left alone: " << refused.finding << " (" << refused.because << ")\n";
        if (result.diagnostics.empty()) return;
        size_t offered = 0;
        for (const auto& item : result.diagnostics.items()) offered += item.fix && !item.fix->safe ? 1 : 0;
        std::cerr << input.name << ": " << Count(result.diagnostics.size(), "finding") << " left";
        if (offered > 0 && !options.unsafe) std::cerr << "; --unsafe would try " << offered;
        std::cerr << "; see breakwater check\n";
      },
      failed);
  return worst;
}

}  // namespace cli
