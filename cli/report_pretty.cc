// For people: place, message, the line with a caret, help. Quiet when all is well.
#include "cli/report.h"
#include "compiler/diagnostics/render.h"

namespace cli {
namespace {

class PrettyReport final : public Report {
 public:
  PrettyReport(const ReportOptions& options, std::ostream& out, std::ostream& err)
      : options_(options), out_(out), err_(err) {}

  void AddFile(const compiler::source::SourceBuffer& source,
               const compiler::diagnostics::Diagnostics& diagnostics) override {
    if (diagnostics.empty()) return;
    if (printed_) out_ << "\n";
    out_ << compiler::diagnostics::RenderAll(source, diagnostics, {options_.color});
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
