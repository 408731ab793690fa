// SARIF 2.1.0 (OASIS), as code scanning reads it: a rule for each code, a result for each finding, its fix with it. Columns
// count code points (columnKind).
#include <nlohmann/json.hpp>
#include <set>

#include "cli/explain.h"
#include "cli/report.h"
#include "compiler/diagnostics/codes.h"

namespace cli {
namespace {

using compiler::diagnostics::Severity;
using compiler::source::SourceBuffer;
using compiler::source::SourceRange;
using Json = nlohmann::ordered_json;

// The pages of the codes, as they are published with the source.
constexpr std::string_view kPages = "https://breakwater.example/docs/checks/";

const char* LevelOf(Severity severity) {
  switch (severity) {
    case Severity::kError: return "error";
    case Severity::kWarning: return "warning";
    case Severity::kNote: return "note";
  }
  return "none";
}

// RFC 3986: a path as a relative reference; what may not stand in one is escaped.
std::string UriOf(const std::string& path) {
  constexpr std::string_view kPlain = "-._~!$&'()*+,;=@/";
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string uri;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                       kPlain.find(c) != std::string_view::npos;
    if (plain) uri += c;
    else ((uri += '%') += kDigits[byte >> 4]) += kDigits[byte & 15];
  }
  return uri;
}

Json RegionOf(const SourceBuffer& source, SourceRange range) {
  const Span span = SpanOf(source, range);
  return {{"startLine", span.begin.line},
          {"startColumn", span.begin.column},
          {"endLine", span.end.line},
          {"endColumn", span.end.column}};
}

Json LocationOf(const SourceBuffer& source, SourceRange range) {
  return {{"physicalLocation",
           {{"artifactLocation", {{"uri", UriOf(source.NameAt(range.begin))}}}, {"region", RegionOf(source, range)}}}};
}

// What a viewer shows of a code: its page, and where that stands.
Json RuleOf(const std::string& code) {
  Json rule = {{"id", code}};
  const auto* info = compiler::diagnostics::FindCode(code);
  if (info == nullptr) return rule;
  const std::string page(CheckPage(code));
  rule["name"] = info->title;
  rule["shortDescription"] = {{"text", info->title}};
  rule["fullDescription"] = {{"text", std::string(info->title) + ": " + std::string(info->why)}};
  rule["help"] = {{"text", page.empty() ? "breakwater explain " + code : page}, {"markdown", page.empty() ? "`breakwater explain " + code + "`" : page}};
  rule["helpUri"] = std::string(kPages) + code + ".md";
  return rule;
}

class SarifReport final : public Report {
 public:
  explicit SarifReport(std::ostream& out) : out_(out) {}

  void AddFile(const SourceBuffer& source, const compiler::diagnostics::Diagnostics& diagnostics) override {
    for (const auto* diagnostic : diagnostics.InSourceOrder()) {
      codes_.emplace(diagnostic->code);
      Json result = {{"ruleId", diagnostic->code},
                     {"level", LevelOf(diagnostic->severity)},
                     {"message", {{"text", MessageAndHelp(*diagnostic)}}},
                     {"locations", Json::array({LocationOf(source, diagnostic->range)})}};
      for (const auto& note : diagnostic->notes) {
        Json location = LocationOf(source, note.range);
        location["message"] = {{"text", note.text}};
        result["relatedLocations"].push_back(std::move(location));
      }
      if (diagnostic->fix) {
        Json replacements = Json::array();
        for (const auto& edit : diagnostic->fix->edits)
          replacements.push_back(
              {{"deletedRegion", RegionOf(source, edit.range)}, {"insertedContent", {{"text", edit.text}}}});
        result["fixes"] = Json::array(
            {{{"artifactChanges", Json::array({{{"artifactLocation", {{"uri", UriOf(source.name())}}},
                                                {"replacements", std::move(replacements)}}})}}});
      }
      results_.push_back(std::move(result));
    }
  }
  void AddUnreadable(const std::string& path, const std::string& why) override {
    notifications_.push_back(
        {{"level", "error"},
         {"message", {{"text", path + ": " + why}}},
         {"locations", Json::array({{{"physicalLocation", {{"artifactLocation", {{"uri", UriOf(path)}}}}}}})}});
  }
  void Finish() override {
    Json rules = Json::array();
    for (const std::string& code : codes_) rules.push_back(RuleOf(code));
    Json invocation = {{"executionSuccessful", notifications_.empty()}};
    if (!notifications_.empty()) invocation["toolExecutionNotifications"] = notifications_;
    const Json run = {
        {"tool", {{"driver", {{"name", "breakwater"}, {"version", BREAKWATER_VERSION}, {"rules", std::move(rules)}}}}},
        {"columnKind", "unicodeCodePoints"},
        {"invocations", Json::array({std::move(invocation)})},
        {"results", results_}};
    const Json log = {{"$schema", "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"},
                      {"version", "2.1.0"},
                      {"runs", Json::array({run})}};
    out_ << log.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    out_.flush();
  }

 private:
  std::ostream& out_;
  std::set<std::string> codes_;
  Json results_ = Json::array();
  Json notifications_ = Json::array();
};

}  // namespace

std::unique_ptr<Report> MakeSarifReport(const ReportOptions&, std::ostream& out, std::ostream&) {
  return std::make_unique<SarifReport>(out);
}

}  // namespace cli
