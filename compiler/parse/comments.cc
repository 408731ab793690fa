#include "compiler/parse/comments.h"

#include "PolicyParser.h"
#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/characters.h"

namespace compiler::parse {

using diagnostics::Kind;
using policy_grammar::PolicyParser;

DocComments::DocComments(const std::vector<std::unique_ptr<antlr4::Token>>& tokens) {
  size_t line_before = 0;
  for (const auto& token : tokens) {
    const bool is_first = token->getLine() != line_before;
    line_before = token->getLine();
    if (is_first && lines_.count(token->getLine() - 1) > 0) first_tokens_[token->getLine()] = token->getStartIndex();
    if (token->getType() != PolicyParser::COMMENT || !is_first) continue;
    std::string text = token->getText();
    text.erase(text.find_last_not_of(" \t\r") + 1);  // blanks at the end of a line are layout
    // ### and more are rules across the page.
    if (!text.starts_with("##") || text.starts_with("###")) continue;
    size_t begin = 2;
    if (text.size() > begin && text[begin] == ' ') ++begin;
    lines_[token->getLine()] = text.substr(begin);
  }
}

std::string DocComments::Above(const antlr4::Token& token) const {
  const size_t line = token.getLine();
  const auto begins = first_tokens_.find(line);
  if (begins == first_tokens_.end() || begins->second != token.getStartIndex()) return "";
  size_t first = line;
  while (first > 1 && lines_.count(first - 1) > 0) --first;
  std::string doc;
  for (; first < line; ++first) doc += (doc.empty() ? "" : "\n") + lines_.at(first);
  return doc;
}

void CheckWrittenText(const std::vector<std::unique_ptr<antlr4::Token>>& tokens, const OffsetMap& offsets,
                      diagnostics::Diagnostics* diagnostics) {
  for (const auto& token : tokens) {
    const bool is_comment = token->getType() == PolicyParser::COMMENT;
    const bool is_text = token->getType() == PolicyParser::STRING || token->getType() == PolicyParser::REGEX;
    if (!is_comment && !is_text) continue;
    const std::string text = token->getText();
    const SourceRange range = offsets.RangeOf(*token);
    char32_t before = 0;
    for (size_t i = 0; i < text.size();) {
      const size_t begin = i;
      const char32_t c = base::NextCodePoint(text, &i).value_or(0);
      size_t behind = i;
      const char32_t after = behind < text.size() ? base::NextCodePoint(text, &behind).value_or(0) : 0;
      const bool deceives = TurnsDirection(c) || (is_text && IsHidden(c, before, after));
      before = c;
      if (!deceives) continue;
      const std::string digits = CodePointName(c).substr(2);
      const std::string help = is_comment ? "remove it"
                                          : "remove it, or write \\u{" + digits + "} (in JSON \\u" + digits +
                                                ", in a pattern \\x{" + digits + "})";
      diagnostics->Emit(Kind::kHiddenCharacter,
                        {range.begin + static_cast<uint32_t>(begin), range.begin + static_cast<uint32_t>(i)},
                        {CodePointName(c), help});
      break;  // one finding for each text
    }
  }
}

}  // namespace compiler::parse
