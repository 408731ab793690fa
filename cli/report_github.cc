// Workflow commands of GitHub Actions: each finding becomes an annotation at its line. Columns count code points.
#include "cli/report.h"

namespace cli {
namespace {

using compiler::diagnostics::Severity;

// What would end a message or, in a property, the property.
std::string Escape(std::string_view text, bool is_property) {
  std::string out;
  for (const char c : text) {
    if (c == '%') out += "%25";
    else if (c == '\r') out += "%0D";
    else if (c == '\n') out += "%0A";
    else if (is_property && c == ':') out += "%3A";
    else if (is_property && c == ',') out += "%2C";
    else out += c;
  }
  return out;
}

class GithubReport final : public Report {
 public:
  explicit GithubReport(std::ostream& out) : out_(out) {}

  void AddFile(const compiler::source::SourceBuffer& source,
               const compiler::diagnostics::Diagnostics& diagnostics) override {
    for (const auto* diagnostic : diagnostics.InSourceOrder()) {
      const Span span = SpanOf(source, diagnostic->range);
      const char* command = diagnostic->severity == Severity::kError     ? "error"
                            : diagnostic->severity == Severity::kWarning ? "warning"
                                                                         : "notice";
      out_ << "::" << command << " file=" << Escape(source.NameAt(diagnostic->range.begin), true) << ",line=" << span.begin.line
           << ",endLine=" << span.end.line << ",col=" << span.begin.column;
      // A range over several lines has no end column for them.
      if (span.end.line == span.begin.line) out_ << ",endColumn=" << span.end.column;
      out_ << ",title=" << diagnostic->code << "::" << Escape(MessageAndHelp(*diagnostic), false) << "\n";
    }
  }
  void AddUnreadable(const std::string& path, const std::string& why) override {
    out_ << "::error file=" << Escape(path, true) << "::" << Escape(path + ": " + why, false) << "\n";
  }
  void Finish() override { out_.flush(); }

 private:
  std::ostream& out_;
};

}  // namespace

std::unique_ptr<Report> MakeGithubReport(const ReportOptions&, std::ostream& out, std::ostream&) {
  return std::make_unique<GithubReport>(out);
}

}  // namespace cli
