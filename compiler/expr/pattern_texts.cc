#include "compiler/expr/pattern_texts.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/foreign_names.h"

namespace compiler::expr {
namespace {

using diagnostics::Diagnostic;
using diagnostics::Kind;

bool IsField(const model::Expr& expr, abi::FieldId field) {
  return expr.kind == model::ExprKind::kField && expr.field == field;
}

// Whether a `*` stands at the end, or between two slashes.
bool LooksLikePath(std::string_view text) {
  if (text.ends_with('*')) return true;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('/', begin), text.size());
    const std::string_view segment = text.substr(begin, end - begin);
    if (!segment.empty() && segment.find_first_not_of('*') == std::string_view::npos) return true;
    begin = end + 1;
  }
  return false;
}

// How the language says it: `starts_with "/api/"`; a pattern if more than the end is open. "" if that is no condition at all, or if
// the text needs escapes.
std::string Written(std::string_view text) {
  if (text.find_first_of("\"\\$") != std::string_view::npos) return {};
  const bool is_open = text.ends_with('*');
  while (text.ends_with('*')) text.remove_suffix(1);
  if (text.empty() || text == "/") return {};
  if (text.find('*') == std::string_view::npos) return "starts_with \"" + std::string(text) + "\"";
  std::string pattern = "^";
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '*') {
      const bool is_deep = text.substr(i).starts_with("**");
      pattern += is_deep ? ".*" : "[^/]*";
      i += is_deep ? 1 : 0;
    } else {
      const bool is_special = std::string_view(".+?()[]{}|^").find(text[i]) != std::string_view::npos;
      pattern += is_special ? std::string("\\") + text[i] : std::string(1, text[i]);
    }
  }
  return "matches " + AsPattern(pattern + (is_open ? "" : "$"));
}

void ReportStar(const TextCompared& compared, diagnostics::Diagnostics* diagnostics) {
  const ast::Expr& comparison = compared.comparison;
  const std::string& text = compared.text.literal.text;
  const std::string written = Written(text);
  const bool is_open_to_all = text.find_first_not_of("/*") == std::string::npos;
  Diagnostic& diagnostic = diagnostics->Emit(
      Kind::kStarInText, compared.at.range,
      {text, !written.empty() ? "write `" + written + "`"
             : is_open_to_all ? std::string("leave the comparison out if anything is meant")
                              : std::string("a beginning is told by `starts_with`, a pattern by `matches`")});
  // A set with others in it would have to be taken apart, and a name stands for what is written elsewhere.
  const bool is_last = &compared.at == &comparison.operands[1] || comparison.operands[1].kind == ast::ExprKind::kSet;
  if (written.empty() || !compared.is_alone || !is_last || compared.at.kind != ast::ExprKind::kString) return;
  if (comparison.negated || comparison.text == "!=")
    diagnostic.Change({comparison.range.begin, comparison.range.begin}, "not ");
  const uint32_t begin = comparison.negated ? comparison.operands[0].range.end : comparison.word.begin;
  const std::string blank = comparison.negated ? " " : "";
  diagnostic.Change({begin, comparison.operands[1].range.end}, blank + written).Unsafe();
}

void ReportNetwork(const TextCompared& compared, const std::string& network, diagnostics::Diagnostics* diagnostics) {
  const ast::Expr& comparison = compared.comparison;
  Diagnostic& diagnostic = diagnostics->Emit(Kind::kNetworkInQuotes, compared.at.range, {network});
  if (compared.at.kind != ast::ExprKind::kString) return;
  if (comparison.kind == ast::ExprKind::kIn) {
    diagnostic.Replace(network);
  } else if (&compared.at == &comparison.operands[1]) {
    const std::string in = comparison.text == "!=" ? "not in " : "in ";
    diagnostic.Change({comparison.word.begin, compared.at.range.end}, in + network);
  }
}

}  // namespace

void ReportPatternText(const TextCompared& compared, diagnostics::Diagnostics* diagnostics) {
  if (compared.text.kind != model::ExprKind::kLiteral || compared.text.type.base != abi::BaseType::kString) return;
  const bool is_address = IsField(compared.left, abi::FieldId::k_client_ip);
  if (!is_address && !IsField(compared.left, abi::FieldId::k_request_path)) return;
  const std::string& text = compared.text.literal.text;
  const std::string network =
      is_address && text.find('/') != std::string::npos ? WithoutQuotes(compared.left, compared.text) : std::string();
  if (!network.empty()) ReportNetwork(compared, network, diagnostics);
  else if (LooksLikePath(text)) ReportStar(compared, diagnostics);
}

}  // namespace compiler::expr
