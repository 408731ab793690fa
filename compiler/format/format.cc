#include "compiler/format/format.h"

#include <algorithm>

#include "compiler/ast/print.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/format/lines.h"
#include "compiler/format/printer.h"
#include "compiler/parse/parse.h"
#include "compiler/parse/tokens.h"
#include "compiler/source/source_buffer.h"

namespace compiler::format {
namespace {

// What a policy says, apart from its layout.
struct Content {
  std::vector<parse::Token> tokens;
  ast::File file;
  std::string tree;
};

Content ContentOf(const source::SourceBuffer& source, diagnostics::Diagnostics* diagnostics) {
  Content content;
  content.file = parse::ParseFile(source, diagnostics);
  if (diagnostics->has_errors()) return content;  // the text may not even be UTF-8
  content.tokens = parse::ReadTokens(source.text());
  content.tree = ast::Print(content.file);
  return content;
}

std::string_view WordAt(const source::SourceBuffer& source, const parse::Token& token) {
  std::string_view word = source.Text(token.range);
  // Blanks at the end of a comment are white space.
  while (token.kind == parse::TokenKind::kComment && (word.ends_with(' ') || word.ends_with('\t'))) word.remove_suffix(1);
  return word;
}

std::string Compare(const source::SourceBuffer& a, const Content& before, const source::SourceBuffer& b) {
  diagnostics::Diagnostics findings;
  const Content after = ContentOf(b, &findings);
  if (findings.has_errors()) return "it cannot be read: " + findings.items()[0].message;
  const size_t count = std::min(before.tokens.size(), after.tokens.size());
  for (size_t i = 0; i < count; ++i) {
    const std::string_view word = WordAt(a, before.tokens[i]);
    const std::string_view other = WordAt(b, after.tokens[i]);
    if (before.tokens[i].kind != after.tokens[i].kind || word != other)
      return "`" + std::string(word) + "` became `" + std::string(other) + "`";
  }
  if (before.tokens.size() != after.tokens.size())
    return std::to_string(before.tokens.size()) + " words and comments became " + std::to_string(after.tokens.size());
  return before.tree == after.tree ? "" : "the tree is another";
}

// A block inside of which stands what belongs to the top of the file. The parser takes such a line for a sign that a brace is missing
// before it, so giving it a line of its own would change what is read. `check` refuses it in any layout.
bool FindMisplaced(const std::vector<ast::Statement>& body, bool is_top, diagnostics::Diagnostics* diagnostics) {
  for (const ast::Statement& statement : body) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    const bool belongs_to_top = std::holds_alternative<ast::Let>(statement.node) ||
                                std::holds_alternative<ast::Edition>(statement.node) ||
                                std::holds_alternative<ast::Import>(statement.node) ||
                                std::holds_alternative<ast::Test>(statement.node) || (block != nullptr && block->name);
    if (!is_top && belongs_to_top) {
      diagnostics->Emit(diagnostics::Kind::kBelongsAtTop, statement.range,
                        {block != nullptr ? "a block with a name" : "this"});
      return true;
    }
    const auto* inner = ast::BodyOf(statement);
    if (inner != nullptr && FindMisplaced(*inner, false, diagnostics)) return true;
  }
  return false;
}

// A file that was written with CR LF keeps them: its first line tells.
std::string WithLineEndsOf(std::string_view text, std::string formatted) {
  const size_t end = text.find('\n');
  if (end == std::string_view::npos || end == 0 || text[end - 1] != '\r') return formatted;
  std::string lines;
  lines.reserve(formatted.size() + formatted.size() / 20);
  for (size_t i = 0; i < formatted.size(); ++i) {
    if (formatted[i] == '\n' && (i == 0 || formatted[i - 1] != '\r')) lines += '\r';
    lines += formatted[i];
  }
  return lines;
}

}  // namespace

std::string Difference(std::string_view before, std::string_view after) {
  const source::SourceBuffer source("before", before);
  diagnostics::Diagnostics findings;
  const Content content = ContentOf(source, &findings);
  return Compare(source, content, source::SourceBuffer("after", after));
}

std::optional<std::string> FormatPolicy(std::string_view text, diagnostics::Diagnostics* diagnostics,
                                        std::string* refusal) {
  const source::SourceBuffer source("policy", text);
  diagnostics::Diagnostics findings;
  const Content content = ContentOf(source, &findings);
  if (findings.has_errors() || content.file.broken) {
    *diagnostics = std::move(findings);
    return std::nullopt;
  }
  if (FindMisplaced(content.file.body, true, diagnostics)) return std::nullopt;
  std::string formatted = WithLineEndsOf(text, Layout(PrintLines(source.text(), content.file, content.tokens)));
  *refusal = Compare(source, content, source::SourceBuffer("formatted", formatted));
  if (!refusal->empty()) return std::nullopt;
  return formatted;
}

}  // namespace compiler::format
