// What ErrorStrategy says of what other languages and formats taught: YAML, JSON, nginx, Envoy, SQL. Each is seen by the tokens around it.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "PolicyParser.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/mistakes/error_strategy.h"

namespace compiler::parse {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;
using source::SourceRange;

namespace {

bool IsValue(size_t type) {
  return type == PolicyParser::NUMBER || type == PolicyParser::NAME || type == PolicyParser::STRING ||
         type == PolicyParser::NETWORK;
}

bool IsPlainName(std::string_view text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

}  // namespace

bool ErrorStrategy::Touches(size_t index) const {
  return index > 0 && At(index - 1).getStopIndex() + 1 == At(index).getStartIndex();
}

bool ErrorStrategy::ExplainHabit(size_t index) {
  if (index == 0) return false;
  const size_t type = TypeAt(index);
  const size_t before = TypeAt(index - 1);
  const size_t next = TypeAt(index + 1);
  const std::string text = At(index).getText();
  const bool first = !SameLine(index - 1, index);
  if (before == PolicyParser::EDITION && !first) {
    auto& diagnostic = Emit(Kind::kEditionNumber, index, {Describe(At(index))});
    const SourceRange range = offsets_.RangeOf(At(index));
    if (next == PolicyParser::NUMBER) diagnostic.Change({offsets_.RangeOf(At(index - 1)).end, range.end}, "");
    else if (SameLine(index - 1, index) && !SameLine(index, index + 1)) diagnostic.Change(range, "1");
    return true;
  }
  if (before == PolicyParser::TEST && type == PolicyParser::NAME && !first) {
    Emit(Kind::kTestNameQuotes, index, {Describe(At(index))}).Replace("\"" + text + "\"");
    return true;
  }
  if (before == PolicyParser::IMPORT && !first) {
    Emit(Kind::kImportWritten, index, {Describe(At(index))});
    return true;
  }
  if (index > 2 && first && before == PolicyParser::STRING && TypeAt(index - 2) == PolicyParser::IMPORT) {
    Emit(Kind::kImportNeedsName, index - 1, {At(index - 1).getText()});
    return true;
  }
  // url = http://model:11434
  if (type == PolicyParser::COLON && before == PolicyParser::NAME && next == PolicyParser::FOREIGN &&
      Touches(index + 1) && At(index + 1).getText().starts_with("//")) {
    SourceRange range = offsets_.RangeOf(At(index - 1), At(index + 1));
    const std::string rest = At(index + 1).getText();
    const std::string address = rest.substr(0, rest.find_first_of(" \t;}"));
    range.end = offsets_.RangeOf(At(index + 1)).begin + static_cast<uint32_t>(address.size());
    const std::string whole = At(index - 1).getText() + ":" + address;
    diagnostics_->Emit(Kind::kAddressInQuotes, range, {whole}).Change(range, "\"" + whole + "\"");
    return true;
  }
  // listen = 127.0.0.1:8080
  if (type == PolicyParser::COLON && index >= 2 && TypeAt(index - 2) == PolicyParser::ASSIGN && Touches(index) &&
      next == PolicyParser::NUMBER && Touches(index + 1)) {
    const SourceRange range = offsets_.RangeOf(At(index - 1), At(index + 1));
    const std::string whole = At(index - 1).getText() + ":" + At(index + 1).getText();
    diagnostics_->Emit(Kind::kAddressInQuotes, range, {whole}).Change(range, "\"" + whole + "\"");
    return true;
  }
  if (type == PolicyParser::REGEX && text.starts_with("/*") && text.ends_with("*/")) {
    auto& diagnostic = Emit(Kind::kBlockComment, index);
    if (!SameLine(index, index + 1)) diagnostic.Replace("#" + text.substr(2, text.size() - 4));
    return true;
  }
  // "max_retries": 2
  if (type == PolicyParser::STRING && (first || before == PolicyParser::LBRACE) &&
      (next == PolicyParser::COLON || next == PolicyParser::ASSIGN) && IsPlainName(text.substr(1, text.size() - 2))) {
    auto& diagnostic = Emit(Kind::kQuotedName, index, {});
    diagnostic.Replace(text.substr(1, text.size() - 2));
    if (next == PolicyParser::COLON) diagnostic.Change(offsets_.RangeOf(At(index + 1)), " =");
    return true;
  }
  // headers { "X-Key" = "a" }
  if (type == PolicyParser::STRING && (first || before == PolicyParser::LBRACE) &&
      (next == PolicyParser::COLON || next == PolicyParser::ASSIGN)) {
    Emit(Kind::kHeaderInBrackets, index, {Describe(At(index)), text});
    return true;
  }
  // idle = 1,5s
  if (type == PolicyParser::COMMA && before == PolicyParser::NUMBER && next == PolicyParser::NUMBER && Touches(index) &&
      Touches(index + 1) && index >= 2 && TypeAt(index - 2) == PolicyParser::ASSIGN) {
    const std::string meant = At(index - 1).getText() + "." + At(index + 1).getText();
    Emit(Kind::kUnexpected, index, {"`,`", "a number has a point: `" + meant + "`"}).Replace(".");
    return true;
  }
  // when: status in 5xx
  if (type == PolicyParser::COLON && before == PolicyParser::WHEN) {
    Emit(Kind::kColonBehindWhen, index).Change(offsets_.RangeOf(At(index)), "");
    return true;
  }
  // {connect-failure}
  if (type == PolicyParser::MINUS && before == PolicyParser::NAME && next == PolicyParser::NAME && Touches(index) &&
      Touches(index + 1)) {
    size_t last = index + 1;
    while (TypeAt(last + 1) == PolicyParser::MINUS && TypeAt(last + 2) == PolicyParser::NAME && Touches(last + 1) &&
           Touches(last + 2)) {
      last += 2;
    }
    std::string written;
    for (size_t i = index - 1; i <= last; ++i) written += At(i).getText();
    std::string meant = written;
    std::replace(meant.begin(), meant.end(), '-', '_');
    const SourceRange range = offsets_.RangeOf(At(index - 1), At(last));
    diagnostics_->Emit(Kind::kBadName, range, {written}).Change(range, meant);
    return true;
  }
  // body = { "error": "busy" }
  if (type == PolicyParser::LBRACE && before == PolicyParser::ASSIGN &&
      (next == PolicyParser::STRING || next == PolicyParser::RBRACE)) {
    const uint32_t at = offsets_.RangeOf(At(index)).begin;
    Emit(Kind::kObjectWithoutJson, index).Change({at, at}, "json ");
    return true;
  }
  return ExplainSeveral(index) || ExplainForeignTest(index);
}

// Several values without their braces: `in 500, 502`, `in (500, 502)`, `in 500-599`, `to = large, small`.
bool ErrorStrategy::ExplainSeveral(size_t index) {
  const size_t type = TypeAt(index);
  if (index < 2 || !IsValue(TypeAt(index - 1))) return false;
  if ((type == PolicyParser::DOT || type == PolicyParser::MINUS) && TypeAt(index - 1) == PolicyParser::NUMBER &&
      At(index - 1).getText().size() == 3 && Touches(index)) {
    Emit(Kind::kNoRanges, index, {Describe(At(index))});
    return true;
  }
  if (type != PolicyParser::COMMA || !IsValue(TypeAt(index + 1)) || !SameLine(index, index + 1)) return false;
  const bool is_parenthesised = TypeAt(index - 2) == PolicyParser::LPAREN;
  const bool is_set = TypeAt(is_parenthesised ? index - 3 : index - 2) == PolicyParser::IN;
  const bool is_list = TypeAt(index - 2) == PolicyParser::ASSIGN && TypeAt(index + 2) != PolicyParser::ASSIGN;
  if (!is_set && !is_list) return false;
  size_t last = index + 1;
  while (TypeAt(last + 1) == PolicyParser::COMMA && IsValue(TypeAt(last + 2))) last += 2;
  SourceRange begin = {offsets_.RangeOf(At(index - 1)).begin, offsets_.RangeOf(At(index - 1)).begin};
  SourceRange end = {offsets_.RangeOf(At(last)).end, offsets_.RangeOf(At(last)).end};
  auto& diagnostic = Emit(is_set ? Kind::kSetWithoutBraces : Kind::kListWithoutBrackets, index);
  if (is_parenthesised) {
    if (TypeAt(last + 1) != PolicyParser::RPAREN) return true;
    begin = offsets_.RangeOf(At(index - 2));
    end = offsets_.RangeOf(At(last + 1));
  }
  diagnostic.Change(begin, is_set ? "{" : "[").Change(end, is_set ? "}" : "]");
  return true;
}

// Words that stand between two values elsewhere.
bool ErrorStrategy::ExplainForeignTest(size_t index) {
  const size_t type = TypeAt(index);
  const std::string text = At(index).getText();
  if (type == PolicyParser::NAME && (text == "starts" || text == "ends") && At(index + 1).getText() == "with" &&
      SameLine(index, index + 1)) {
    const SourceRange range = offsets_.RangeOf(At(index), At(index + 1));
    diagnostics_->Emit(Kind::kMisspeltWord, range, {text + " with", text + "_with"}).Change(range, text + "_with");
    return true;
  }
  if (type == PolicyParser::NAME && (text == "like" || text == "regex")) {
    Emit(Kind::kForeignMatch, index, {text});
    return true;
  }
  return false;
}

}  // namespace compiler::parse
