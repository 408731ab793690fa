// Findings as JUnit's XML: a suite for each file; a clean file is one passed case, each finding a failed one. A file that cannot be read is
// a case with an error.
#include "cli/junit.h"
#include "cli/report.h"
#include "compiler/diagnostics/render.h"

namespace cli {
namespace {

class JunitReport final : public Report {
 public:
  explicit JunitReport(std::ostream& out) : out_(out) {}

  void AddFile(const compiler::source::SourceBuffer& source,
               const compiler::diagnostics::Diagnostics& diagnostics) override {
    for (const auto* diagnostic : diagnostics.InSourceOrder()) {
      const Span span = SpanOf(source, diagnostic->range);
      const std::string place = std::to_string(span.begin.line) + ":" + std::to_string(span.begin.column);
      document_.AddFailed(source.name(), std::string(diagnostic->code) + " at " + place, Name(diagnostic->severity),
                          diagnostic->message, compiler::diagnostics::Render(source, *diagnostic));
    }
    if (diagnostics.empty()) document_.AddPassed(source.name(), "check");
    document_.EndSuite(source.name());
  }
  void AddUnreadable(const std::string& path, const std::string& why) override {
    document_.AddError(path, "read", why);
    document_.EndSuite(path);
  }
  void Finish() override {
    out_ << document_.Finish();
    out_.flush();
  }

 private:
  std::ostream& out_;
  JunitDocument document_{"breakwater check"};
};

}  // namespace

std::unique_ptr<Report> MakeJunitReport(const ReportOptions&, std::ostream& out, std::ostream&) {
  return std::make_unique<JunitReport>(out);
}

}  // namespace cli
