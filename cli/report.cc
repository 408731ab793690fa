#include "cli/report.h"

#include <unistd.h>

#include <cstdlib>

namespace cli {
namespace {

struct Format {
  std::string_view name;
  std::unique_ptr<Report> (*make)(const ReportOptions& options, std::ostream& out, std::ostream& err);
};
constexpr Format kFormats[] = {
    {"pretty", MakePrettyReport}, {"json", MakeJsonReport},   {"sarif", MakeSarifReport},
    {"github", MakeGithubReport}, {"junit", MakeJunitReport},
};

}  // namespace

std::vector<std::string> ReportFormats() {
  std::vector<std::string> names;
  for (const Format& format : kFormats) names.emplace_back(format.name);
  return names;
}

std::unique_ptr<Report> MakeReport(std::string_view format, const ReportOptions& options, std::ostream& out,
                                   std::ostream& err) {
  for (const Format& known : kFormats) {
    if (known.name == format) return known.make(options, out, err);
  }
  return nullptr;
}

Span SpanOf(const compiler::source::SourceBuffer& source, compiler::source::SourceRange range) {
  return {source.PositionOf(range.begin), source.PositionOf(range.end < range.begin ? range.begin : range.end)};
}

std::string MessageAndHelp(const compiler::diagnostics::Diagnostic& diagnostic) {
  std::string text = diagnostic.message;
  if (const std::string* replacement = diagnostic.replacement()) text += "; write `" + *replacement + "`";
  if (!diagnostic.help.empty()) text += "; " + diagnostic.help;
  return text;
}

bool WantsColor(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(fd) == 1 && (no_color == nullptr || *no_color == '\0');
}

}  // namespace cli
