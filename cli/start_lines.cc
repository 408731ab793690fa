#include "cli/start_lines.h"

#include <unistd.h>

#include <chrono>
#include <ostream>
#include <string>

#include "cli/report.h"
#include "compiler/diagnostics/render.h"
#include "runtime/observe/json_line.h"
#include "runtime/observe/wall_clock.h"

namespace cli {
namespace {

runtime::observe::JsonLine Line(std::string_view level, std::string_view message) {
  runtime::observe::JsonLine line;
  line.Add("time", runtime::observe::Rfc3339Millis(std::chrono::system_clock::now())).Add("level", level).Add("message", message);
  return line;
}

// In one write: the log's own thread may write at the same time.
void Put(runtime::observe::JsonLine* line, std::ostream& out) {
  std::string text = line->Finish();
  text.push_back('\n');
  out << text;
}

// The levels of the event log.
std::string_view LevelOf(compiler::diagnostics::Severity severity) {
  switch (severity) {
    case compiler::diagnostics::Severity::kError: return "error";
    case compiler::diagnostics::Severity::kWarning: return "warn";
    default: return "info";
  }
}

}  // namespace

void StartLines::Fatal(std::string_view message) {
  if (!as_json_) {
    out_ << "breakwater: " << message << "\n";
    return;
  }
  runtime::observe::JsonLine line = Line("error", "can't start");
  line.Add("reason", message);
  Put(&line, out_);
}

void StartLines::Interpreted(std::string_view reason) {
  constexpr std::string_view kHelp = "install breakwater-jit, which brings LLVM, or run a bundle (breakwater compile)";
  if (!as_json_) {
    out_ << "breakwater: conditions are interpreted: " << reason << "\n  = help: " << kHelp << "\n";
    return;
  }
  runtime::observe::JsonLine line = Line("warn", "conditions are interpreted");
  line.Add("reason", reason).Add("help", kHelp);
  Put(&line, out_);
}

void StartLines::Findings(const compiler::source::SourceBuffer& source, const compiler::diagnostics::Diagnostics& diagnostics) {
  if (diagnostics.empty()) return;
  if (!as_json_) {
    compiler::diagnostics::RenderOptions render;
    render.color = WantsColor(STDERR_FILENO);
    out_ << compiler::diagnostics::RenderAll(source, diagnostics, render);
    return;
  }
  for (const auto* diagnostic : diagnostics.InSourceOrder()) {
    const Span span = SpanOf(source, diagnostic->range);
    runtime::observe::JsonLine line = Line(LevelOf(diagnostic->severity), "finding");
    line.Add("code", diagnostic->code)
        .Add("text", diagnostic->message)
        .Add("file", source.name())
        .Add("line", static_cast<int64_t>(span.begin.line))
        .Add("column", static_cast<int64_t>(span.begin.column));
    if (!diagnostic->help.empty()) line.Add("help", diagnostic->help);
    Put(&line, out_);
  }
}

}  // namespace cli
