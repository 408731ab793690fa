// `breakwater explain CODE`: the page of a finding's code, as docs/checks has it. The pages are part of the binary.
#pragma once

#include <string>
#include <string_view>

namespace cli {

struct ExplainOptions {
  std::string code;  // in any case; "" lists all codes
};

// Returns 0, or 2 for a code that is not known.
int RunExplain(const ExplainOptions& options);

// The page's Markdown; "" if there is none.
std::string_view CheckPage(std::string_view code);

}  // namespace cli
