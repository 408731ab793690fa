#include "cli/explain.h"

#include <algorithm>
#include <iostream>
#include <vector>

#include "cli/exit_codes.h"
#include "compiler/base/text.h"
#include "compiler/diagnostics/codes.h"

namespace cli {
namespace {

struct Page {
  std::string_view code;
  std::string_view text;
};
constexpr Page kPages[] = {
#include "cli/check_pages.inc"
};

}  // namespace

std::string_view CheckPage(std::string_view code) {
  for (const Page& page : kPages) {
    if (page.code == code) return page.text;
  }
  return "";
}

int RunExplain(const ExplainOptions& options) {
  if (options.code.empty()) {
    for (const auto& info : compiler::diagnostics::Codes()) std::cout << info.code << "  " << info.title << "\n";
    return kClean;
  }
  std::string code = options.code;
  for (char& c : code) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const std::string_view page = CheckPage(code);
  if (!page.empty()) {
    std::cout << page;
    return kClean;
  }
  std::vector<std::string_view> known;
  for (const auto& info : compiler::diagnostics::Codes()) known.push_back(info.code);
  std::cerr << "breakwater: there is no code " << options.code;
  if (const auto nearest = compiler::base::Nearest(code, known)) std::cerr << "; did you mean " << *nearest << "?";
  std::cerr << " `breakwater explain` lists all.\n";
  return kUnreadable;
}

}  // namespace cli
