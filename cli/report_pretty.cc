// For people: place, message, the line with a caret, help. Quiet when all is well.
#include <algorithm>

#include "cli/report.h"
#include "compiler/diagnostics/render.h"

namespace cli {
namespace {

// Of one file: who has so many reads the first ones.
constexpr size_t kMostShown = 100;

class PrettyReport final : public Report {
 public:
  PrettyReport(const ReportOptions& options, std::ostream& out, std::ostream& err)
      : options_(options), out_(out), err_(err) {}

  void AddFile(const compiler::source::SourceBuffer& source,
               const compiler::diagnostics::Diagnostics& diagnostics) override {
    if (diagnostics.empty()) return;
    if (printed_) out_ << "\n";
    const auto sorted = diagnostics.InSourceOrder();
    const size_t shown = std::min(sorted.size(), kMostShown);
    for (size_t i = 0; i < shown; ++i)
      out_ << (i > 0 ? "\n" : "") << compiler::diagnostics::Render(source, *sorted[i], {options_.color});
    if (shown < sorted.size()) {
      size_t errors = 0;
      for (size_t i = shown; i < sorted.size(); ++i) errors += sorted[i]->severity == compiler::diagnostics::Severity::kError ? 1 : 0;
      const size_t more = sorted.size() - shown;
      out_ << "\n" << source.name() << ": " << more << " more finding" << (more == 1 ? "" : "s") << ", " << errors
           << " of them errors, are not shown; --format json has all\n";
    }
    printed_ = true;
  }
  void AddUnreadable(const std::string& path, const std::string& why) override { err_ << path << ": " << why << "\n"; }
  void Finish() override { out_.flush(); }

 private:
  const ReportOptions options_;
  std::ostream& out_;
  std::ostream& err_;
  bool printed_ = false;
};

}  // namespace

std::unique_ptr<Report> MakePrettyReport(const ReportOptions& options, std::ostream& out, std::ostream& err) {
  return std::make_unique<PrettyReport>(options, out, err);
}

}  // namespace cli
