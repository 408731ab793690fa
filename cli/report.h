// How findings leave the tool: for people, and in the formats that machines read. One class for each format (report_*.cc).
#pragma once

#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_buffer.h"

namespace cli {

class Report {
 public:
  virtual ~Report() = default;

  // Once for each policy that was read, clean ones included.
  virtual void AddFile(const compiler::source::SourceBuffer& source,
                       const compiler::diagnostics::Diagnostics& diagnostics) = 0;
  virtual void AddUnreadable(const std::string& path, const std::string& why) = 0;
  // Once, at the end.
  virtual void Finish() = 0;
};

struct ReportOptions {
  bool color = false;  // ANSI escapes, in the pretty format
};

std::vector<std::string> ReportFormats();  // "pretty" first

// Writes to `out`; the pretty format tells of unreadable files on `err`. Null for an unknown format.
std::unique_ptr<Report> MakeReport(std::string_view format, const ReportOptions& options, std::ostream& out,
                                   std::ostream& err);

// The formats; MakeReport chooses.
std::unique_ptr<Report> MakePrettyReport(const ReportOptions& options, std::ostream& out, std::ostream& err);
std::unique_ptr<Report> MakeJsonReport(const ReportOptions& options, std::ostream& out, std::ostream& err);
std::unique_ptr<Report> MakeSarifReport(const ReportOptions& options, std::ostream& out, std::ostream& err);
std::unique_ptr<Report> MakeGithubReport(const ReportOptions& options, std::ostream& out, std::ostream& err);
std::unique_ptr<Report> MakeJunitReport(const ReportOptions& options, std::ostream& out, std::ostream& err);

// The first and the last place of a range; the last is behind its last character.
struct Span {
  compiler::source::Position begin;
  compiler::source::Position end;
};
Span SpanOf(const compiler::source::SourceBuffer& source, compiler::source::SourceRange range);

// Message and help as one sentence after the other.
std::string MessageAndHelp(const compiler::diagnostics::Diagnostic& diagnostic);

// Whether colours are wanted on `fd`: a terminal, and no NO_COLOR in the environment (https://no-color.org).
bool WantsColor(int fd);

}  // namespace cli
