// `breakwater explain CODE`: the page of a finding's code, as docs/checks has it. The pages are part of the binary.
// `breakwater explain FILE`: what a policy comes to, see explain_policy.h and explain_request.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cli {

struct ExplainOptions {
  std::string what;     // a code, in any case, a setting with its blocks, or a policy; "" lists all codes
  std::string policy;   // beside a setting: where to look for it; may be empty
  std::string request;  // "POST /api/chat": which route of the policy takes it
  std::vector<std::string> headers;
  std::string body;     // or @FILE
  std::string client = "127.0.0.1";
};

// Returns 0; 1 for a policy with errors; 2 for a code that is not known, or what cannot be read.
int RunExplain(const ExplainOptions& options);

// The page's Markdown; "" if there is none.
std::string_view CheckPage(std::string_view code);

}  // namespace cli
