// JUnit's XML as CI systems read it: a suite for each file; a clean file is one passed case, each finding a failed one. A file
// that cannot be read is a case with an error.
#include "cli/report.h"
#include "cli/xml.h"
#include "compiler/diagnostics/render.h"

namespace cli {
namespace {

class JunitReport final : public Report {
 public:
  explicit JunitReport(std::ostream& out) : out_(out) {}

  void AddFile(const compiler::source::SourceBuffer& source,
               const compiler::diagnostics::Diagnostics& diagnostics) override {
    const std::string path = XmlEscape(source.name());
    std::string cases;
    for (const auto* diagnostic : diagnostics.InSourceOrder()) {
      const Span span = SpanOf(source, diagnostic->range);
      const std::string place = std::to_string(span.begin.line) + ":" + std::to_string(span.begin.column);
      cases += "    <testcase classname=\"" + path + "\" name=\"" + std::string(diagnostic->code) + " at " + place +
               "\">\n      <failure type=\"" + std::string(Name(diagnostic->severity)) + "\" message=\"" +
               XmlEscape(diagnostic->message) + "\">" +
               XmlEscape(compiler::diagnostics::Render(source, *diagnostic)) + "</failure>\n    </testcase>\n";
    }
    if (cases.empty()) cases = "    <testcase classname=\"" + path + "\" name=\"check\"/>\n";
    AddSuite(path, diagnostics.empty() ? 1 : diagnostics.size(), diagnostics.size(), 0, cases);
  }
  void AddUnreadable(const std::string& path, const std::string& why) override {
    const std::string name = XmlEscape(path);
    AddSuite(name, 1, 0, 1,
             "    <testcase classname=\"" + name + "\" name=\"read\">\n      <error message=\"" + XmlEscape(why) +
                 "\"/>\n    </testcase>\n");
  }
  void Finish() override {
    out_ << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"breakwater check\" tests=\"" << tests_
         << "\" failures=\"" << failures_ << "\" errors=\"" << errors_ << "\">\n"
         << suites_ << "</testsuites>\n";
    out_.flush();
  }

 private:
  void AddSuite(const std::string& name, size_t tests, size_t failures, size_t errors, const std::string& cases) {
    suites_ += "  <testsuite name=\"" + name + "\" tests=\"" + std::to_string(tests) + "\" failures=\"" +
               std::to_string(failures) + "\" errors=\"" + std::to_string(errors) + "\">\n" + cases + "  </testsuite>\n";
    tests_ += tests;
    failures_ += failures;
    errors_ += errors;
  }

  std::ostream& out_;
  std::string suites_;
  size_t tests_ = 0;
  size_t failures_ = 0;
  size_t errors_ = 0;
};

}  // namespace

std::unique_ptr<Report> MakeJunitReport(const ReportOptions&, std::ostream& out, std::ostream&) {
  return std::make_unique<JunitReport>(out);
}

}  // namespace cli
