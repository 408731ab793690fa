// `breakwater explain-request LINE`: what happened to a request, in words, from its line of the access log; with the policy, also
// which of its lines decided.
#pragma once

#include <string>
#include <string_view>

#include "compiler/compile.h"

namespace cli {

struct ExplainLogLineOptions {
  std::string line;    // one line of the access log; - reads standard input, a line for each request
  std::string policy;  // "" is none
};

// Returns 0; 1 if the policy has errors; 2 if it cannot be read, or something is no line of the access log.
int RunExplainLogLine(const ExplainLogLineOptions& options);

// Nothing, and the reason in *why, if `line` is none. `policy` may be null; its findings about other versions of itself: a line of the
// log names the policy by its hash, and where that is another one the words say so.
std::string ExplainLogLine(std::string_view line, const compiler::WrittenPolicy* policy, std::string* why);

}  // namespace cli
