#include "cli/format.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "cli/diff.h"
#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/report.h"
#include "cli/write_file.h"
#include "compiler/diagnostics/render.h"
#include "compiler/format/format.h"

namespace cli {

int RunFormat(const FormatOptions& options) {
  int worst = kClean;
  const auto raise = [&](int code) { worst = std::max(worst, code); };
  const auto failed = [&](const std::string& path, const std::string& why) {
    std::cerr << path << ": " << why << "\n";
    raise(kUnreadable);
  };
  ForEachInput(
      options.paths,
      [&](const Input& input) {
        compiler::diagnostics::Diagnostics diagnostics;
        std::string refusal;
        const auto formatted = compiler::format::FormatPolicy(input.text, &diagnostics, &refusal);
        if (!formatted && diagnostics.has_errors()) {
          const compiler::source::SourceBuffer source(input.name, input.text);
          std::cerr << compiler::diagnostics::RenderAll(source, diagnostics, {WantsColor(STDERR_FILENO)});
          raise(kUnreadable);
          return;
        }
        if (!formatted) {
          std::cerr << input.name << ": not written, because it would not say the same: " << refusal
                    << "\nThis is a fault of breakwater, not of the policy.\n";
          raise(kInternal);
          return;
        }
        const bool differs = *formatted != input.text;
        if (options.diff) std::cout << UnifiedDiff(input.name, input.text, *formatted);
        if (options.check && differs) (options.diff ? std::cerr : std::cout) << input.name << "\n";
        if (options.check || options.diff) {
          if (differs) raise(kFindings);
          return;
        }
        if (input.is_stdin()) std::cout << *formatted;
        else if (std::string why; differs && !WriteFileAtomically(input.path, *formatted, &why))
          failed(input.path, "cannot be written: " + why);
      },
      failed);
  return worst;
}

}  // namespace cli
