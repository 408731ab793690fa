// One JSON object with everything that is known of each finding. `version` grows when a member changes its meaning; members may
// be added at any time.
#include <nlohmann/json.hpp>

#include "cli/report.h"

namespace cli {
namespace {

using compiler::diagnostics::Severity;
using compiler::source::SourceBuffer;
using compiler::source::SourceRange;
using Json = nlohmann::ordered_json;

constexpr int kVersion = 1;

Json PlaceOf(const SourceBuffer& source, SourceRange range) {
  const Span span = SpanOf(source, range);
  Json place = {{"line", span.begin.line},    {"column", span.begin.column}, {"end_line", span.end.line},
                {"end_column", span.end.column}, {"begin_byte", range.begin},   {"end_byte", range.end}};
  // In a file that the policy imports.
  if (source.NameAt(range.begin) != source.name()) place["path"] = source.NameAt(range.begin);
  return place;
}

Json FindingOf(const SourceBuffer& source, const compiler::diagnostics::Diagnostic& diagnostic) {
  Json finding = {{"code", diagnostic.code},
                  {"severity", Name(diagnostic.severity)},
                  {"message", diagnostic.message},
                  {"help", diagnostic.help},
                  {"place", PlaceOf(source, diagnostic.range)},
                  {"notes", Json::array()}};
  if (const auto import = source.ImportOf(diagnostic.range.begin))
    finding["notes"].push_back({{"message", "`" + source.name() + "` imports it here"}, {"place", PlaceOf(source, *import)}});
  for (const auto& note : diagnostic.notes)
    finding["notes"].push_back({{"message", note.text}, {"place", PlaceOf(source, note.range)}});
  if (diagnostic.fix) {
    Json edits = Json::array();
    for (const auto& edit : diagnostic.fix->edits)
      edits.push_back({{"place", PlaceOf(source, edit.range)}, {"text", edit.text}});
    finding["fix"] = {{"safe", diagnostic.fix->safe}, {"edits", edits}};
  }
  return finding;
}

class JsonReport final : public Report {
 public:
  explicit JsonReport(std::ostream& out) : out_(out) {}

  void AddFile(const SourceBuffer& source, const compiler::diagnostics::Diagnostics& diagnostics) override {
    Json findings = Json::array();
    for (const auto* diagnostic : diagnostics.InSourceOrder()) {
      findings.push_back(FindingOf(source, *diagnostic));
      errors_ += diagnostic->severity == Severity::kError ? 1 : 0;
      warnings_ += diagnostic->severity == Severity::kWarning ? 1 : 0;
    }
    files_.push_back({{"path", source.name()}, {"findings", std::move(findings)}});
  }
  void AddUnreadable(const std::string& path, const std::string& why) override {
    unreadable_.push_back({{"path", path}, {"reason", why}});
  }
  void Finish() override {
    const Json report = {{"version", kVersion},    {"errors", errors_}, {"warnings", warnings_},
                         {"unreadable", unreadable_}, {"files", files_}};
    // A path need not be UTF-8.
    out_ << report.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    out_.flush();
  }

 private:
  std::ostream& out_;
  Json files_ = Json::array();
  Json unreadable_ = Json::array();
  int errors_ = 0;
  int warnings_ = 0;
};

}  // namespace

std::unique_ptr<Report> MakeJsonReport(const ReportOptions&, std::ostream& out, std::ostream&) {
  return std::make_unique<JsonReport>(out);
}

}  // namespace cli
