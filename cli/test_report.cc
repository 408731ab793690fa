#include "cli/test_report.h"

#include <algorithm>

#include "cli/junit.h"
#include "cli/report.h"
#include "base/text.h"

namespace cli {
namespace {

using compiler::source::SourceBuffer;
using runtime::tester::Condition;
using runtime::tester::TestFailure;
using runtime::tester::TestResult;

constexpr size_t kMostShown = 2000;  // bytes of a body

// Every line of a text with a margin, so that what came stands apart.
std::string Indented(std::string_view text, std::string_view margin) {
  const bool is_cut = text.size() > kMostShown;
  if (is_cut) text = text.substr(0, kMostShown);
  std::string out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    out.append(margin).append(text.substr(at, end - at)).append("\n");
    at = end + 1;
    if (at == text.size()) break;  // its last line end
  }
  if (is_cut) out.append(margin).append("…\n");
  return out;
}

std::string PlaceOf(const SourceBuffer& source, compiler::source::SourceRange range) {
  const compiler::source::Position at = source.PositionOf(range.begin);
  return source.NameAt(range.begin) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

std::string RenderOne(const SourceBuffer& source, const TestFailure& failure) {
  const Span span = SpanOf(source, failure.place);
  std::string out =
      "  " + PlaceOf(source, failure.place) + (failure.message.empty() ? "" : ": " + failure.message) + "\n";
  // The line with a caret.
  const std::string_view text = source.text();
  const size_t newline = failure.place.begin == 0 ? std::string_view::npos : text.rfind('\n', failure.place.begin - 1);
  const size_t begin = newline == std::string_view::npos ? 0 : newline + 1;
  const size_t end = std::min(text.find('\n', begin), text.size());
  const auto width = [&](size_t from, size_t to) {
    size_t columns = 0;
    for (size_t at = from; at < to;) {
      const auto c = base::NextCodePoint(text, &at);
      columns += c ? static_cast<size_t>(base::DisplayWidth(*c)) : 1;
    }
    return columns;
  };
  const size_t stop = std::clamp<size_t>(failure.place.end, failure.place.begin, end);
  const std::string number = std::to_string(span.begin.line);
  out += "    " + number + " | " + std::string(text.substr(begin, end - begin)) + "\n";
  out += "    " + std::string(number.size(), ' ') + " | " + std::string(width(begin, failure.place.begin), ' ') +
         std::string(std::max<size_t>(width(failure.place.begin, stop), 1), '^') + "\n";
  if (!failure.message.empty()) return out;
  out += "    - " + failure.expected + "\n";
  const std::string got = Indented(failure.got, "      ");
  return out + "    + " + got.substr(6);
}

class PrettyTestReport final : public TestReport {
 public:
  PrettyTestReport(bool color, std::ostream& out, std::ostream& err) : color_(color), out_(out), err_(err) {}

  void AddFile(const SourceBuffer& source, const std::vector<TestResult>& results) override {
    for (const TestResult& result : results) {
      ++(result.passed() ? passed_ : failed_);
      if (!result.passed()) out_ << Paint("31", "FAIL") << "  " << RenderFailure(source, result) << "\n";
    }
  }
  void AddCoverage(const SourceBuffer& source, const std::vector<Condition>& conditions) override {
    out_ << RenderCoverage(source, conditions) << "\n";
  }
  void AddUnusable(const std::string& path, const std::string& why, const std::string& details) override {
    if (details.empty()) err_ << path << ": " << why << "\n";
    else err_ << details;
    ++unusable_;
  }
  void Finish() override {
    const size_t all = passed_ + failed_;
    out_ << (failed_ == 0 ? Paint("32", std::to_string(all)) : std::to_string(all))
         << (all == 1 ? " test: " : " tests: ") << passed_ << " passed";
    if (failed_ > 0) out_ << ", " << Paint("31", std::to_string(failed_) + " failed");
    if (unusable_ > 0) out_ << ", " << unusable_ << (unusable_ == 1 ? " policy" : " policies") << " not tested";
    out_ << "\n";
    out_.flush();
  }

 private:
  std::string Paint(const char* code, const std::string& text) const {
    return color_ ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
  }

  const bool color_;
  std::ostream& out_;
  std::ostream& err_;
  size_t passed_ = 0;
  size_t failed_ = 0;
  size_t unusable_ = 0;
};

class JunitTestReport final : public TestReport {
 public:
  JunitTestReport(std::ostream& out, std::ostream& err) : out_(out), err_(err) {}

  void AddFile(const SourceBuffer& source, const std::vector<TestResult>& results) override {
    for (const TestResult& result : results) {
      if (result.passed()) {
        document_.AddPassed(source.name(), result.test->name);
        continue;
      }
      const TestFailure& first = result.failures.front();
      const std::string message = first.message.empty() ? first.expected + ", got " + first.got : first.message;
      document_.AddFailed(source.name(), result.test->name, "expect", message.substr(0, kMostShown),
                          RenderFailure(source, result));
    }
    document_.EndSuite(source.name());
  }
  void AddCoverage(const SourceBuffer& source, const std::vector<Condition>& conditions) override {
    err_ << RenderCoverage(source, conditions);
  }
  void AddUnusable(const std::string& path, const std::string& why, const std::string& details) override {
    document_.AddError(path, "read", details.empty() ? why : details);
    document_.EndSuite(path);
  }
  void Finish() override {
    out_ << document_.Finish();
    out_.flush();
  }

 private:
  std::ostream& out_;
  std::ostream& err_;
  JunitDocument document_{"breakwater test"};
};

}  // namespace

std::string RenderFailure(const SourceBuffer& source, const TestResult& result) {
  std::string out = result.test->name + "\n";
  for (const TestFailure& failure : result.failures) out += RenderOne(source, failure);
  out += "  what happened:\n";
  for (const std::string& line : result.story) out += "    " + line + "\n";
  return out;
}

std::string RenderCoverage(const SourceBuffer& source, const std::vector<Condition>& conditions) {
  std::string lines;
  size_t both = 0;
  size_t never_true = 0;
  size_t never_false = 0;
  for (const Condition& condition : conditions) {
    const char* seen = "true and false";
    if (!condition.was_asked()) seen = "never asked";
    else if (!condition.was_true) seen = "never true";
    else if (!condition.was_false) seen = "never false";
    both += condition.was_true && condition.was_false ? 1 : 0;
    never_true += condition.was_true ? 0 : 1;
    never_false += condition.was_false ? 0 : 1;
    std::string verdict = seen;
    verdict.resize(14, ' ');
    lines += "  " + verdict + "  " + PlaceOf(source, condition.place) + "  " + condition.what + "\n";
  }
  const auto count = [](size_t number) { return std::to_string(number); };
  return "coverage of " + std::string(source.name()) + ": " + count(conditions.size()) +
         (conditions.size() == 1 ? " condition, " : " conditions, ") + count(both) + " true and false, " +
         count(never_true) + " never true, " + count(never_false) + " never false\n" + lines;
}

std::vector<std::string> TestFormats() { return {"pretty", "junit"}; }

std::unique_ptr<TestReport> MakeTestReport(std::string_view format, bool color, std::ostream& out, std::ostream& err) {
  if (format == "pretty") return std::make_unique<PrettyTestReport>(color, out, err);
  if (format == "junit") return std::make_unique<JunitTestReport>(out, err);
  return nullptr;
}

}  // namespace cli
