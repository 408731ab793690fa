#include "cli/explain.h"

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <vector>

#include "cli/exit_codes.h"
#include "cli/explain_policy.h"
#include "cli/explain_request.h"
#include "cli/explain_setting.h"
#include "cli/inputs.h"
#include "cli/load_policy.h"
#include "base/text.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/codes.h"
#include "compiler/diagnostics/render.h"

namespace cli {
namespace {

struct Page {
  std::string_view code;
  std::string_view text;
};
constexpr Page kPages[] = {
#include "cli/check_pages.inc"
};

// PL and digits, in any case: a policy of that name is written ./PL0101.
bool IsCode(std::string_view text) {
  return text.size() > 2 && (text[0] == 'P' || text[0] == 'p') && (text[1] == 'L' || text[1] == 'l') &&
         text.find_first_not_of("0123456789", 2) == std::string_view::npos;
}

int Unreadable(const std::string& path, const std::string& why) {
  std::cerr << "breakwater: can't read " << path << ": " << why << "\n";
  return kUnreadable;
}

int RunExplainPolicy(const ExplainOptions& options) {
  std::string why;
  const auto input = ReadInput(options.what, &why);
  if (!input) return Unreadable(options.what, why);
  RequestLine request{options.request, options.headers, options.body, options.client};
  if (request.body.starts_with('@')) {
    const std::string path = request.body.substr(1);
    const auto body = ReadInput(path, &why);
    if (!body) return Unreadable(path, why);
    request.body = body->text;
  }
  compiler::diagnostics::Diagnostics diagnostics;
  const auto source = SourceOfInput(*input, &why);
  if (source == nullptr) return Unreadable(options.what, why);
  const auto written = compiler::CheckWritten(source, {}, &diagnostics);
  if (!written) {
    std::cerr << compiler::diagnostics::RenderAll(*source, diagnostics);
    return kFindings;
  }
  if (request.request.empty()) {
    std::cout << ExplainBounds(*written) << ExplainValues(*written);
    return kClean;
  }
  std::string text;
  const bool is_good = ExplainRequest(written->policy, request, &text);
  if (!is_good) {
    std::cerr << "breakwater: no route is asked: " << text << "\n"
              << "Write for example --request 'POST /api/chat' --header 'X-Tenant: shop'.\n";
    return kUnreadable;
  }
  std::cout << request.request << "\n" << text;
  return kClean;
}

// Words with dots between them that are no file: `upstream.timeouts.idle`, and with a policy behind it a word alone.
bool LooksLikeSetting(const ExplainOptions& options) {
  const std::string& what = options.what;
  const bool is_word = !what.empty() && what.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == std::string::npos && what.front() != '.';
  std::error_code error;
  if (!is_word || what.ends_with(".policy") || std::filesystem::exists(what, error)) return false;
  std::string near;
  return what.find('.') != std::string::npos || !options.policy.empty() || ExplainSetting(what, nullptr, &near).has_value();
}

int RunExplainSetting(const ExplainOptions& options) {
  std::optional<compiler::WrittenPolicy> written;
  if (!options.policy.empty()) {
    std::string why;
    const auto input = ReadInput(options.policy, &why);
    if (!input) return Unreadable(options.policy, why);
    compiler::diagnostics::Diagnostics diagnostics;
    const auto source = SourceOfInput(*input, &why);
    if (source == nullptr) return Unreadable(options.policy, why);
    written = compiler::CheckWritten(source, {}, &diagnostics);
    if (!written) {
      std::cerr << compiler::diagnostics::RenderAll(*source, diagnostics);
      return kFindings;
    }
  }
  std::string near;
  const auto text = ExplainSetting(options.what, written ? &*written : nullptr, &near);
  if (text) {
    std::cout << *text;
    return kClean;
  }
  std::cerr << "breakwater: there is no setting " << options.what;
  if (!near.empty()) std::cerr << "; did you mean " << near << "?";
  std::cerr << (near.empty() ? ", and no such file.\n" : "\n");
  return kUnreadable;
}

}  // namespace

std::string_view CheckPage(std::string_view code) {
  for (const Page& page : kPages) {
    if (page.code == code) return page.text;
  }
  return "";
}

int RunExplain(const ExplainOptions& options) {
  if (options.what.empty()) {
    for (const auto& info : compiler::diagnostics::Codes()) std::cout << info.code << "  " << info.title << "\n";
    return kClean;
  }
  std::string code = options.what;
  for (char& c : code) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const std::string_view page = CheckPage(code);
  if (!page.empty()) {
    std::cout << page;
    return kClean;
  }
  if (!IsCode(code)) return LooksLikeSetting(options) ? RunExplainSetting(options) : RunExplainPolicy(options);
  std::vector<std::string_view> known;
  for (const auto& info : compiler::diagnostics::Codes()) known.push_back(info.code);
  std::cerr << "breakwater: there is no code " << options.what;
  if (const auto nearest = base::Nearest(code, known)) std::cerr << "; did you mean " << *nearest << "?";
  else std::cerr << ".";
  std::cerr << " `breakwater explain` lists all.\n";
  return kUnreadable;
}

}  // namespace cli
