// What a gateway says before it has a log: to people as text, and, where its stderr is no terminal, as lines of JSON like the rest.
#pragma once

#include <iosfwd>
#include <string_view>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_buffer.h"

namespace cli {

class StartLines {
 public:
  StartLines(std::ostream& out, bool as_json) : out_(out), as_json_(as_json) {}

  // It can't run.
  void Fatal(std::string_view message);
  // It runs, and its conditions are interpreted: there is no machine code, for this reason.
  void Interpreted(std::string_view reason);
  void Findings(const compiler::source::SourceBuffer& source, const compiler::diagnostics::Diagnostics& diagnostics);

 private:
  std::ostream& out_;
  const bool as_json_;
};

}  // namespace cli
