#include "compiler/format/printer.h"

#include <algorithm>
#include <string>
#include <utility>

namespace compiler::format {
namespace {

using parse::Token;
using parse::TokenKind;

constexpr size_t kMaxWidth = 120;
constexpr size_t kIndent = 2;

class Printer {
 public:
  Printer(std::string_view text, const std::vector<Token>& tokens) : text_(text), tokens_(tokens) {}

  std::vector<Line> Run(const ast::File& file) {
    PrintBody(file.body, 0, tokens_.size(), 0);
    return std::move(lines_);
  }

 private:
  std::string_view TextAt(size_t i) const {
    return text_.substr(tokens_[i].range.begin, tokens_[i].range.end - tokens_[i].range.begin);
  }
  bool IsComment(size_t i) const { return tokens_[i].kind == TokenKind::kComment; }
  bool Is(size_t i, std::string_view symbol) const {
    return tokens_[i].kind == TokenKind::kSymbol && TextAt(i) == symbol;
  }
  bool IsOpener(size_t i) const { return Is(i, "{") || Is(i, "[") || Is(i, "("); }
  bool IsCloser(size_t i) const { return Is(i, "}") || Is(i, "]") || Is(i, ")"); }

  // How many line ends stand between a token and the one before it; the first of the file begins a line.
  size_t LineEndsBefore(size_t i) const {
    if (i == 0) return 1;
    const uint32_t begin = tokens_[i - 1].range.end;
    const std::string_view between = text_.substr(begin, tokens_[i].range.begin - begin);
    size_t ends = 0;
    for (size_t at = 0; at < between.size(); ++at) {
      if (between[at] == '\n' || (between[at] == '\r' && (at + 1 == between.size() || between[at + 1] != '\n'))) ++ends;
    }
    return ends;
  }
  bool BeginsLine(size_t i) const { return LineEndsBefore(i) > 0; }
  bool EmptyLineBefore(size_t i) const { return i > 0 && LineEndsBefore(i) > 1; }

  size_t TokenAt(uint32_t offset) const {
    const auto found = std::lower_bound(tokens_.begin(), tokens_.end(), offset,
                                        [](const Token& token, uint32_t at) { return token.range.begin < at; });
    return static_cast<size_t>(found - tokens_.begin());
  }

  std::string CommentAt(size_t i) const {
    std::string_view comment = TextAt(i);
    while (!comment.empty() && (comment.back() == ' ' || comment.back() == '\t')) comment.remove_suffix(1);
    return std::string(comment);
  }

  // The bracket that closes the one at `i`.
  size_t CloserOf(size_t i) const {
    size_t depth = 0;
    for (; i < tokens_.size(); ++i) {
      if (IsOpener(i)) ++depth;
      if (IsCloser(i) && --depth == 0) return i;
    }
    return tokens_.size();
  }

  // A statement's words: from its first to the last that is no comment.
  struct Words {
    size_t begin;
    size_t end;  // behind the last
  };

  void PrintBody(const std::vector<ast::Statement>& body, size_t begin, size_t end, size_t level) {
    bool first = true;          // of the body: no empty line stands before it
    bool apart = false;         // the last statement wants an empty line behind it
    size_t at = begin;
    for (size_t s = 0; s <= body.size(); ++s) {
      const size_t next = s < body.size() ? TokenAt(body[s].range.begin) : end;
      // Comments before the statement. One on the line of the last statement was taken with it.
      const auto* block = s < body.size() ? ast::BodyOf(body[s]) : nullptr;
      const bool wants_room = level == 0 && block != nullptr && !StaysOnOneLine(*block, next, level);
      const size_t first_comment = at;
      // The comments right above a block belong to it.
      size_t own = next;
      while (block != nullptr && own > first_comment && !EmptyLineBefore(own)) --own;
      for (; at < next; ++at) {
        const bool empty = EmptyLineBefore(at) || apart || (wants_room && at == own);
        AddLine(level, "", CommentAt(at), empty && !first);
        first = apart = false;
      }
      if (s == body.size()) break;
      const bool empty = EmptyLineBefore(at) || apart || (wants_room && own == next);
      const size_t lines_before = lines_.size();
      const size_t statement_end = s + 1 < body.size() ? TokenAt(body[s + 1].range.begin) : end;
      at = PrintStatement(body[s], WordsOf(at, statement_end), level);
      lines_[lines_before].empty_before = empty && !first;
      first = false;
      apart = level == 0 && (wants_room || std::holds_alternative<ast::Edition>(body[s].node));
      // A comment behind the statement, on its last line.
      if (at < statement_end && IsComment(at) && !BeginsLine(at)) lines_.back().comment = CommentAt(at++);
    }
  }

  Words WordsOf(size_t begin, size_t end) const {
    while (end > begin + 1 && IsComment(end - 1)) --end;
    return {begin, end};
  }

  // Whether the block at `i` was written on one line, holds no comment and fits there.
  bool StaysOnOneLine(const std::vector<ast::Statement>& block, size_t i, size_t level) const {
    const size_t open = OpenBraceOf(i);
    const size_t close = open < tokens_.size() ? CloserOf(open) : open;
    if (close >= tokens_.size()) return false;
    for (size_t k = i; k <= close; ++k) {
      if (IsComment(k) || (k > i && BeginsLine(k))) return false;
    }
    return level * kIndent + WidthOf(OneLine(block, i)) <= kMaxWidth;
  }

  // The brace of the block that begins at `i`.
  size_t OpenBraceOf(size_t i) const {
    while (i < tokens_.size() && !Is(i, "{")) ++i;
    return i;
  }

  // Returns the token behind the statement.
  size_t PrintStatement(const ast::Statement& statement, Words words, size_t level) {
    const auto* block = ast::BodyOf(statement);
    if (block == nullptr) {
      PrintWords(words, level, /*is_value=*/!std::holds_alternative<ast::Sentence>(statement.node));
      return words.end;
    }
    const size_t open = OpenBraceOf(words.begin);
    const size_t close = CloserOf(open);
    if (StaysOnOneLine(*block, words.begin, level)) {
      AddLine(level, OneLine(*block, words.begin), "", false);
      return close + 1;
    }
    PrintWords({words.begin, open + 1}, level, /*is_value=*/false);
    size_t inner = open + 1;
    if (inner < close && IsComment(inner) && !BeginsLine(inner)) lines_.back().comment = CommentAt(inner++);
    PrintBody(*block, inner, close, level + 1);
    AddLine(level, "}", "", false);
    return close + 1;
  }

  // A block on one line: two spaces between its statements.
  std::string OneLine(const std::vector<ast::Statement>& block, size_t begin) const {
    const size_t open = OpenBraceOf(begin);
    const size_t close = CloserOf(open);
    std::string out = Joined({begin, open + 1});
    for (size_t s = 0; s < block.size(); ++s) {
      const size_t from = TokenAt(block[s].range.begin);
      const size_t to = s + 1 < block.size() ? TokenAt(block[s + 1].range.begin) : close;
      const auto* inner = ast::BodyOf(block[s]);
      out += (s == 0 ? " " : "  ") + (inner != nullptr ? OneLine(*inner, from) : Joined({from, to}));
    }
    return out + " }";
  }

  // Words with the spaces between them, on one line.
  std::string Joined(Words words) const {
    std::string out;
    for (size_t i = words.begin; i < words.end; ++i) {
      if (i > words.begin && WantsSpace(i)) out += " ";
      out += TextAt(i);
    }
    return out;
  }

  // An open bracket while words are printed.
  struct Bracket {
    bool spread;   // its items stand on lines of their own
    size_t level;  // of what stands in it
  };

  // A bracket is spread if a line ends right inside of it, not only in a bracket within. A parenthesis around a condition is not:
  // its lines are those of the writer.
  bool IsSpread(size_t open) const {
    if (Is(open, "(") && open > 0 && WantsSpace(open)) return false;
    const size_t close = CloserOf(open);
    size_t depth = 0;
    bool has_break = false;
    for (size_t i = open; i <= close && i < tokens_.size(); ++i) {
      if (i > open && (BeginsLine(i) || IsComment(i)) && (depth == 1)) has_break = true;
      if (IsOpener(i)) ++depth;
      if (IsCloser(i)) --depth;
    }
    return has_break;
  }

  // One statement or the head of a block, on as many lines as it needs.
  void PrintWords(Words words, size_t level, bool is_value) {
    std::vector<Bracket> brackets;
    std::string code;
    size_t line_level = level;
    const size_t first_line = lines_.size();
    std::optional<size_t> assign;
    const auto flush = [&](std::string comment) {
      AddLine(line_level, std::move(code), std::move(comment), false);
      code.clear();
    };
    for (size_t i = words.begin; i < words.end; ++i) {
      const bool in_spread = !brackets.empty() && brackets.back().spread;
      if (IsComment(i)) {
        // Behind the code of a line, or on a line of its own.
        if (BeginsLine(i) && !code.empty()) flush("");
        if (code.empty()) line_level = (brackets.empty() ? level : brackets.back().level) + (in_spread ? 0 : 1);
        flush(CommentAt(i));
        continue;
      }
      const bool after_comment = i > words.begin && IsComment(i - 1);
      // What belongs to the word before it stays on its line.
      const bool clings = Is(i, ",") || Is(i, ":") || Is(i, ".");
      bool breaks = i > words.begin && (after_comment || (BeginsLine(i) && !clings));
      if (in_spread && i > words.begin) {
        const bool item = IsOpener(i - 1) || Is(i - 1, ",");
        if (item || IsCloser(i)) breaks = true;
      }
      if (breaks) {
        if (!code.empty()) flush("");
        const bool item = in_spread && (BeginsItem(i) || IsCloser(i));
        const size_t inside = brackets.empty() ? level : brackets.back().level;
        line_level = IsCloser(i) && in_spread ? inside - 1 : item ? inside : inside + 1;
      } else if (!code.empty() && WantsSpace(i)) {
        code += " ";
      }
      if (is_value && !assign && brackets.empty() && Is(i, "=") && lines_.size() == first_line)
        assign = code.empty() ? 0 : code.size() - 1;
      code += TextAt(i);
      if (IsOpener(i)) {
        const bool spread = IsSpread(i);
        const size_t outside = brackets.empty() ? level : brackets.back().level;
        brackets.push_back({spread, spread ? line_level + 1 : Is(i, "(") ? outside + 1 : outside});
      } else if (IsCloser(i) && !brackets.empty()) {
        brackets.pop_back();
      }
    }
    if (!code.empty()) flush("");
    lines_[first_line].assign = assign;
    lines_[first_line].keyed = assign && Is(words.begin + 1, "[");
    for (size_t i = first_line; i + 1 < lines_.size(); ++i) lines_[i].goes_on = true;
  }

  // Whether the word is the first of an item of its bracket, comments before it aside.
  bool BeginsItem(size_t i) const {
    while (i > 0 && IsComment(i - 1)) --i;
    return i > 0 && (IsOpener(i - 1) || Is(i - 1, ","));
  }

  // Whether a name that stands at `i` is a member: behind a dot.
  bool IsMember(size_t i) const { return i > 0 && Is(i - 1, "."); }

  // Whether a set's brace: behind `in`, or its closing one.
  bool IsSetBrace(size_t i) const {
    if (Is(i, "{")) return i > 0 && tokens_[i - 1].kind == TokenKind::kKeyword && TextAt(i - 1) == "in" && !IsMember(i - 1);
    size_t depth = 0;
    for (size_t k = i + 1; k-- > 0;) {
      if (IsCloser(k)) ++depth;
      if (IsOpener(k) && --depth == 0) return IsSetBrace(k);
    }
    return false;
  }

  // Whether a space stands between a word and the one before it, on one line.
  bool WantsSpace(size_t i) const {
    const size_t before = i - 1;
    if (Is(i, ",") || Is(i, ":") || Is(i, ")") || Is(i, "]") || Is(i, ".")) return false;
    if (Is(before, "(") || Is(before, "[") || Is(before, ".")) return false;
    if (Is(i, "}")) return !IsSetBrace(i);
    if (Is(before, "{")) return !IsSetBrace(before);
    if (Is(before, "-")) return tokens_[i].kind != TokenKind::kNumber;
    if (Is(i, "(") || Is(i, "[")) {
      // A call or an index, if what stands before it is a value.
      const bool value = tokens_[before].kind == TokenKind::kName || Is(before, ")") || Is(before, "]") ||
                         (tokens_[before].kind == TokenKind::kKeyword && IsMember(before));
      return !value;
    }
    return true;
  }

  void AddLine(size_t level, std::string code, std::string comment, bool empty_before) {
    Line line;
    line.level = level;
    line.code = std::move(code);
    line.comment = std::move(comment);
    line.empty_before = empty_before;
    lines_.push_back(std::move(line));
  }

  const std::string_view text_;
  const std::vector<Token>& tokens_;
  std::vector<Line> lines_;
};

}  // namespace

std::vector<Line> PrintLines(std::string_view text, const ast::File& file, const std::vector<parse::Token>& tokens) {
  return Printer(text, tokens).Run(file);
}

}  // namespace compiler::format
