#include "compiler/parse/token_repair.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "PolicyParser.h"
#include "compiler/parse/parse.h"

namespace compiler::parse {
namespace {

using antlr4::CommonToken;
using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

bool IsOpener(size_t type) {
  return type == PolicyParser::LBRACE || type == PolicyParser::LBRACKET || type == PolicyParser::LPAREN;
}

size_t CloserOf(size_t opener) {
  switch (opener) {
    case PolicyParser::LBRACE: return PolicyParser::RBRACE;
    case PolicyParser::LBRACKET: return PolicyParser::RBRACKET;
    case PolicyParser::LPAREN: return PolicyParser::RPAREN;
    default: return 0;
  }
}

bool IsCloser(size_t type) {
  return type == PolicyParser::RBRACE || type == PolicyParser::RBRACKET || type == PolicyParser::RPAREN;
}

// Took the rest of its line with it, closers and all.
bool IsOpenText(const Token& token) {
  return token.getType() == PolicyParser::OPEN_STRING || token.getType() == PolicyParser::OPEN_REGEX;
}

const char* TextOf(size_t type) {
  switch (type) {
    case PolicyParser::LBRACE: return "{";
    case PolicyParser::RBRACE: return "}";
    case PolicyParser::LBRACKET: return "[";
    case PolicyParser::RBRACKET: return "]";
    case PolicyParser::LPAREN: return "(";
    case PolicyParser::RPAREN: return ")";
    default: return "";
  }
}

// A bracket that waits for its closer.
struct Open {
  size_t index;  // of the token
  size_t type;
  size_t line;
  size_t line_column;  // where the line begins that it stands on
  bool is_block;       // a block's brace, not a set's or JSON's
  size_t end;          // of what is never closed: the token before which its closer belongs; kNowhere if that is not known
};
constexpr size_t kNowhere = static_cast<size_t>(-1);

bool IsComparator(size_t type) {
  return (type >= PolicyParser::EQ && type <= PolicyParser::GT) || type == PolicyParser::IN ||
         (type >= PolicyParser::STARTS_WITH && type <= PolicyParser::MATCHES);
}

bool BeginsOperand(size_t type) {
  return type == PolicyParser::NAME || type == PolicyParser::NUMBER || type == PolicyParser::STRING ||
         type == PolicyParser::NETWORK || type == PolicyParser::REGEX;
}

bool EndsOperand(size_t type) {
  return BeginsOperand(type) || type == PolicyParser::RPAREN || type == PolicyParser::RBRACKET;
}

class Repairer {
 public:
  Repairer(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics, std::vector<std::unique_ptr<Token>>* tokens,
           std::vector<size_t>* guessed)
      : offsets_(offsets), diagnostics_(diagnostics), owned_(*tokens), guessed_(guessed) {
    view_.reserve(owned_.size());
    for (const auto& token : owned_) view_.push_back(token.get());
  }

  bool Run() {
    if (!CheckLimits()) return false;
    if (!Balances()) MendBrackets();
    MarkMissingOperands();
    return true;
  }

 private:
  size_t TypeAt(size_t i) const { return i < view_.size() ? view_[i]->getType() : Token::EOF; }
  bool IsFirstOnLine(size_t i) const { return i == 0 || view_[i - 1]->getLine() < view_[i]->getLine(); }
  size_t LineColumn(size_t i) const {
    while (!IsFirstOnLine(i)) --i;
    return view_[i]->getCharPositionInLine();
  }
  // A block's brace, not a set's or JSON's. Whatever else stands before it was meant to be a head.
  bool IsBlockBrace(size_t i) const {
    if (TypeAt(i) != PolicyParser::LBRACE || i == 0) return false;
    switch (TypeAt(i - 1)) {
      case PolicyParser::IN:
      case PolicyParser::JSON:
      case PolicyParser::COLON:
      case PolicyParser::COMMA:
      case PolicyParser::ASSIGN:
      case PolicyParser::LBRACKET:
      case PolicyParser::LPAREN: return false;
      default: return true;
    }
  }

  bool CheckLimits() {
    int depth = 0;
    int nots = 0;
    int operators = 0;
    for (size_t i = 0; i < view_.size(); ++i) {
      const size_t type = TypeAt(i);
      nots = type == PolicyParser::NOT ? nots + 1 : 0;
      if (IsOpener(type)) ++depth;
      if (IsCloser(type) && depth > 0) --depth;
      if (depth + nots > kMaxNesting) {
        diagnostics_->Emit(Kind::kTooDeep, offsets_.RangeOf(*view_[i]),
                           {std::to_string(depth + nots), std::to_string(kMaxNesting)});
        return false;
      }
      if (type == PolicyParser::ASSIGN || type == PolicyParser::WHEN) operators = 0;
      const bool is_operator = type == PolicyParser::AND || type == PolicyParser::OR ||
                               type == PolicyParser::COALESCE || type == PolicyParser::NOT || type == PolicyParser::DOT;
      if (is_operator && ++operators > kMaxOperatorsPerExpression) {
        diagnostics_->Emit(Kind::kTooManyOperands, offsets_.RangeOf(*view_[i]),
                           {std::to_string(kMaxOperatorsPerExpression)});
        return false;
      }
    }
    return true;
  }

  // Whether every bracket has its partner and no named block stands inside another one.
  bool Balances() const {
    std::vector<Open> open;
    for (size_t i = 0; i < view_.size(); ++i) {
      const size_t type = TypeAt(i);
      if (IsOpener(type)) {
        open.push_back(OpenAt(i));
      } else if (IsCloser(type)) {
        if (open.empty() || CloserOf(open.back().type) != type) return false;
        open.pop_back();
      } else if (!open.empty() && IsFirstOnLine(i) && BeginsStatement(view_, i)) {
        // A named block that is indented is an inner one with a name that it must not have.
        const bool is_named = type == PolicyParser::NAME && TypeAt(i + 1) == PolicyParser::NAME &&
                              LineColumn(i) <= open.back().line_column;
        const bool top_level = type == PolicyParser::EDITION || type == PolicyParser::LET ||
                               type == PolicyParser::IMPORT || type == PolicyParser::TEST || is_named;
        if (open.back().type != PolicyParser::LBRACE || top_level) return false;
      }
    }
    return open.empty();
  }

  Open OpenAt(size_t i) const {
    return {i, TypeAt(i), view_[i]->getLine(), LineColumn(i), IsBlockBrace(i), kNowhere};
  }

  // The closer of the opener at `i`, if one comes before the next statement and no other bracket is in its way.
  bool HasCloser(size_t i) const {
    std::vector<size_t> open = {TypeAt(i)};
    for (size_t j = i + 1; j < view_.size() && !open.empty(); ++j) {
      if (IsOpener(TypeAt(j))) {
        open.push_back(TypeAt(j));
      } else if (IsCloser(TypeAt(j))) {
        if (CloserOf(open.back()) != TypeAt(j)) return false;
        open.pop_back();
      } else if (open.size() == 1 && EndsList(TypeAt(i), j)) {
        return false;
      }
    }
    return open.empty();
  }

  // Whether a statement begins at `j`, behind a list or arguments that are not closed. `from = 1s` is an argument with a wrong sign.
  bool EndsList(size_t opener, size_t j) const {
    return BeginsStatement(view_, j) && (opener != PolicyParser::LPAREN || IsFirstOnLine(j));
  }

  // Whether the closer of `open` comes before the next statement.
  bool IsClosedBehind(const Open& open, size_t i) const {
    int depth = 0;
    for (size_t j = i + 1; j < view_.size(); ++j) {
      if (IsFirstOnLine(j) && BeginsStatement(view_, j)) return false;
      if (IsOpener(TypeAt(j))) ++depth;
      if (IsCloser(TypeAt(j)) && depth-- == 0) return TypeAt(j) == CloserOf(open.type);
    }
    return false;
  }

  bool IsDoubledOpener(size_t i) const {
    if (i == 0 || TypeAt(i - 1) != TypeAt(i)) return false;
    const bool is_call = TypeAt(i) == PolicyParser::LPAREN && i >= 2 && TypeAt(i - 2) == PolicyParser::NAME;
    return TypeAt(i) == PolicyParser::LBRACE || ((is_call || TypeAt(i) == PolicyParser::LBRACKET) && !HasCloser(i - 1));
  }

  // Where the list, set, key or arguments that open at `i` end: at the first word that cannot stand in them.
  size_t EndOf(size_t i) const {
    const size_t type = TypeAt(i);
    const size_t before = i > 0 ? TypeAt(i - 1) : Token::EOF;
    const bool is_suffix = type != PolicyParser::LBRACE && EndsOperand(before);
    if (type == PolicyParser::LPAREN && !is_suffix) return kNowhere;  // holds any condition
    if (type == PolicyParser::LBRACE && before != PolicyParser::IN) return kNowhere;
    int depth = 0;
    for (size_t j = i + 1; j < view_.size(); ++j) {
      const size_t at = TypeAt(j);
      if (IsOpener(at)) ++depth;
      if (IsCloser(at) && depth-- == 0) return kNowhere;
      if (depth > 0) continue;
      const bool is_key = is_suffix && type == PolicyParser::LBRACKET && (at == PolicyParser::COALESCE || at == PolicyParser::DOT);
      const bool is_operator = IsComparator(at) || at == PolicyParser::AND || at == PolicyParser::OR ||
                               (at == PolicyParser::ASSIGN && type != PolicyParser::LPAREN);
      if (is_operator || is_key || EndsList(type, j) || at == Token::EOF) return j;
    }
    return kNowhere;
  }

  // Walks once more and believes the indentation. Builds the mended list in `out_`.
  void MendBrackets() {
    for (size_t i = 0; i < view_.size(); ++i) {
      const size_t type = TypeAt(i);
      const bool first = IsFirstOnLine(i);
      while (!open_.empty() && open_.back().end == i) CloseDownTo(open_.size() - 1);
      if (type == Token::EOF) {
        CloseDownTo(0);
      } else if (IsCloser(type)) {
        if (!TakeCloser(i)) continue;  // dropped
      } else if (first && BeginsStatement(view_, i)) {
        CloseBefore(i);
      }
      if (first && IsHeadWithoutBrace(i)) {
        MoveToken(i);
        if (TypeAt(i + 1) == PolicyParser::NAME && !IsFirstOnLine(i + 1) && TypeAt(i + 2) != PolicyParser::ASSIGN)
          MoveToken(++i);
        const Token& last = *out_.back();
        diagnostics_->Emit(Kind::kMissingValue, offsets_.RangeOf(last),
                           {"`{`", last.getText(), "a block is written `word {` … `}`"});
        open_.push_back({i, PolicyParser::LBRACE, last.getLine(), LineColumn(i), true, kNowhere});
        AddVirtual(PolicyParser::LBRACE);
        continue;
      }
      if (IsDoubledOpener(i)) {
        const std::string what = "a second `" + std::string(TextOf(type)) + "`";
        diagnostics_->Emit(Kind::kUnexpected, offsets_.RangeOf(*view_[i]), {what, "remove it"})
            .Change(offsets_.RangeOf(*view_[i]), "");
        continue;
      }
      if (IsOpener(type)) {
        open_.push_back(OpenAt(i));
        if (!open_.back().is_block && !HasCloser(i)) open_.back().end = EndOf(i);
      }
      MoveToken(i);
    }
    owned_ = std::move(out_);
    view_.clear();
    for (const auto& token : owned_) view_.push_back(token.get());
  }

  // `retry` or `upstream name` alone on a line, with statements further right below it.
  bool IsHeadWithoutBrace(size_t i) const {
    if (TypeAt(i) != PolicyParser::NAME || (i > 0 && WantsOperand(TypeAt(i - 1)))) return false;
    if (!open_.empty() && open_.back().type != PolicyParser::LBRACE) return false;
    size_t next = i + 1;
    if (TypeAt(next) == PolicyParser::NAME && !IsFirstOnLine(next)) ++next;
    // On one line: `timeouts connect = 1s }`, `route otherwise reply = not_found }`.
    const size_t equals = TypeAt(next) == PolicyParser::NAME ? next + 1 : next;
    if (equals > i + 1 && TypeAt(equals) == PolicyParser::ASSIGN && view_[equals]->getLine() == view_[i]->getLine())
      return true;
    return next < view_.size() && IsFirstOnLine(next) && BeginsStatement(view_, next) &&
           view_[next]->getCharPositionInLine() > view_[i]->getCharPositionInLine();
  }

  // A statement begins at `i`. It closes lists and arguments that are still open, and blocks that began further right or
  // in the same column.
  void CloseBefore(size_t i) {
    size_t keep = open_.size();
    while (keep > 0) {
      const Open& open = open_[keep - 1];
      const bool inside = open.is_block && open.line_column < view_[i]->getCharPositionInLine();
      if (inside) break;
      if (open.line == view_[i]->getLine()) break;
      --keep;
    }
    CloseDownTo(keep);
  }

  // Returns false if the closer was taken out.
  bool TakeCloser(size_t i) {
    Token& token = *view_[i];
    const size_t type = token.getType();
    const auto partner =
        std::find_if(open_.rbegin(), open_.rend(), [&](const Open& o) { return CloserOf(o.type) == type; });
    const bool crosses_block = std::any_of(open_.rbegin(), partner, [](const Open& o) { return o.is_block; });
    if ((partner == open_.rend() || crosses_block || type == PolicyParser::RBRACE) && AddOpener(i)) return true;
    if (partner == open_.rend()) {
      const bool same_line = !open_.empty() && open_.back().line == token.getLine();
      // Where the right one follows, this one is too much.
      if (same_line && !IsClosedBehind(open_.back(), i)) return ReplaceCloser(i);
      return DropCloser(i);
    }
    size_t keep = open_.size() - static_cast<size_t>(partner - open_.rbegin());
    if (type == PolicyParser::RBRACE) {
      const std::optional<size_t> indented = PartnerByIndentation(i);
      if (!indented) return DropCloser(i);
      keep = *indented;
    } else if (keep < open_.size()) {
      // A bracket in between is open. On one line the nearer one is the likelier partner.
      if (crosses_block) return DropCloser(i);
    }
    CloseDownTo(keep);
    open_.pop_back();
    return true;
  }

  // How many brackets are open once the partner of the brace at `i` is the last one; nullopt if it closes nothing.
  std::optional<size_t> PartnerByIndentation(size_t i) const {
    size_t nearest = open_.size();
    while (nearest > 0 && open_[nearest - 1].type != PolicyParser::LBRACE) --nearest;
    if (nearest == 0) return std::nullopt;
    const Token& token = *view_[i];
    if (open_[nearest - 1].line == token.getLine()) return nearest;
    if (!IsFirstOnLine(i) && open_[nearest - 1].is_block && ClosesBelow(i, open_[nearest - 1].line_column))
      return std::nullopt;
    // Nothing but a statement follows a block; here the line goes on with an operator.
    const bool goes_on = i + 1 < view_.size() && !IsFirstOnLine(i + 1) &&
                         (WantsOperand(TypeAt(i + 1)) || TypeAt(i + 1) == PolicyParser::COMMA);
    if (goes_on && TypeAt(i + 1) != PolicyParser::WHEN && TypeAt(i + 1) != PolicyParser::LET) return std::nullopt;
    const size_t column = LineColumn(i);
    for (size_t n = nearest; n > 0; --n) {
      if (open_[n - 1].type == PolicyParser::LBRACE && open_[n - 1].line_column == column) return n;
    }
    const bool line_begins_with_brace = TypeAt(FirstOfLine(i)) == PolicyParser::RBRACE;
    if (line_begins_with_brace && column > open_[nearest - 1].line_column) return std::nullopt;
    return nearest;
  }

  // Whether the first line below that is not further right than `column` is a closing brace there.
  bool ClosesBelow(size_t i, size_t column) const {
    for (size_t j = i + 1; j < view_.size(); ++j) {
      if (IsFirstOnLine(j) && view_[j]->getCharPositionInLine() <= column)
        return TypeAt(j) == PolicyParser::RBRACE && view_[j]->getCharPositionInLine() == column;
    }
    return false;
  }

  // The place of the opener that the closer at `i` lacks: `env"X", …)`, `in GET, HEAD}`, `= a, b]`, `json "a": 1 }`.
  size_t OpenerPlace(size_t i) const {
    const size_t type = TypeAt(i);
    size_t begin = i;
    int depth = 0;
    while (begin > 0) {
      const size_t at = TypeAt(begin - 1);
      if (IsCloser(at)) ++depth;
      if (IsOpener(at) && depth-- == 0) break;
      --begin;
      const bool next_line = IsFirstOnLine(begin) && begin > 0 && EndsOperand(TypeAt(begin - 1)) && BeginsOperand(TypeAt(begin));
      if (depth == 0 && (next_line || BeginsStatement(view_, begin))) break;
    }
    bool has_comma = false;
    size_t place = kNowhere;
    for (size_t j = begin; j < i; ++j) {
      const size_t at = TypeAt(j);
      const size_t next = TypeAt(j + 1);
      if (IsOpener(at)) ++depth;
      if (IsCloser(at)) --depth;
      if (depth > 0) continue;
      has_comma = has_comma || at == PolicyParser::COMMA;
      const bool is_list = at == PolicyParser::ASSIGN && type == PolicyParser::RBRACKET;
      const bool is_set = at == PolicyParser::IN && type == PolicyParser::RBRACE;
      const bool is_json = at == PolicyParser::JSON && type == PolicyParser::RBRACE && next != PolicyParser::LBRACE;
      const bool is_inner_json = at == PolicyParser::COLON && type == PolicyParser::RBRACE && next == PolicyParser::STRING &&
                                 TypeAt(j + 2) == PolicyParser::COLON;
      const bool side_by_side = type != PolicyParser::RBRACE && EndsOperand(at) && BeginsOperand(next) && j > begin;
      if (is_json || is_inner_json || side_by_side || ((is_list || is_set) && !IsOpener(next))) place = j + 1;
      if (is_json || is_inner_json || side_by_side) return place;
    }
    // A single word between `in` and a brace may just as well be all of the set, and the brace one too many.
    return type == PolicyParser::RBRACE && !has_comma ? kNowhere : place;
  }

  // Puts the opener in that the closer at `i` lacks, if its place is known.
  bool AddOpener(size_t i) {
    if (AfterOpenString(i)) return false;
    if (TypeAt(i) == PolicyParser::RBRACKET && TypeAt(i - 1) == PolicyParser::RBRACKET) return false;  // once too often
    const size_t place = OpenerPlace(i);
    if (place == kNowhere || place >= i) return false;
    const size_t type = TypeAt(i);
    const size_t opener = type == PolicyParser::RBRACE     ? PolicyParser::LBRACE
                          : type == PolicyParser::RBRACKET ? PolicyParser::LBRACKET
                                                           : PolicyParser::LPAREN;
    const auto at = std::find_if(out_.begin(), out_.end(), [&](const auto& token) { return token.get() == view_[place]; });
    if (at == out_.begin() || at == out_.end()) return false;
    const SourceRange range = offsets_.RangeOf(*view_[place]);
    diagnostics_
        ->Emit(Kind::kUnopened, range, {TextOf(opener), TextOf(type), std::to_string(view_[i]->getLine())})
        .At(offsets_.RangeOf(*view_[i]), "it would close this one")
        .Change({range.begin, range.begin}, TextOf(opener))
        .Unsafe();
    guessed_->push_back(view_[place]->getStartIndex());
    out_.insert(at, MakeVirtual(opener, std::prev(at)->get()));
    return true;
  }

  size_t FirstOfLine(size_t i) const {
    while (!IsFirstOnLine(i)) --i;
    return i;
  }

  bool ReplaceCloser(size_t i) {
    const Open open = open_.back();
    const char* right = TextOf(CloserOf(open.type));
    diagnostics_->Emit(Kind::kWrongCloser, offsets_.RangeOf(*view_[i]), {view_[i]->getText(), TextOf(open.type), right})
        .Replace(right);
    open_.pop_back();
    AddVirtual(CloserOf(open.type));
    return false;
  }

  bool DropCloser(size_t i) {
    const size_t type = TypeAt(i);
    const char* opener = type == PolicyParser::RBRACE ? "{" : type == PolicyParser::RBRACKET ? "[" : "(";
    if (AfterOpenString(i)) return false;
    diagnostics_->Emit(Kind::kStrayCloser, offsets_.RangeOf(*view_[i]), {TextOf(type), opener})
        .Change(offsets_.RangeOf(*view_[i]), "")
        .Unsafe();
    if (!IsFirstOnLine(i)) guessed_->push_back(view_[i]->getStartIndex());
    return false;
  }

  // Closes what is open until `keep` brackets are left. An open string on the bracket's line took the closer with it and
  // is reported itself.
  void CloseDownTo(size_t keep) {
    while (open_.size() > keep) {
      const Open open = open_.back();
      open_.pop_back();
      const bool swallowed =
          std::any_of(view_.begin() + static_cast<ptrdiff_t>(open.index), view_.end(), [&](const Token* t) {
            return IsOpenText(*t) && (t->getLine() == open.line || !open.is_block) &&
                   t->getStartIndex() <= out_.back()->getStartIndex();
          });
      if (!swallowed) {
        const Token* before = LastInside(open);
        const SourceRange last = offsets_.RangeOf(*before);
        const bool own_line = open.is_block && open.line != before->getLine();
        const std::string closer = TextOf(CloserOf(open.type));
        diagnostics_->Emit(Kind::kUnclosed, last, {closer, TextOf(open.type), std::to_string(open.line)})
            .At(offsets_.RangeOf(*view_[open.index]), "this one is never closed")
            .Change({last.end, last.end}, own_line ? "\n" + std::string(open.line_column, ' ') + closer : closer)
            .Unsafe();
        if (!open.is_block) guessed_->push_back(view_[open.index]->getStartIndex());
      }
      AddVirtual(CloserOf(open.type));
    }
  }

  // The last token that stands within `open`, which is closed here: for a block also the last one before a line that is not indented
  // more than the block's own. What stands there may be another mistake, and no statement.
  const Token* LastInside(const Open& open) const {
    const Token* last = LastWritten();
    if (!open.is_block) return last;
    for (size_t j = open.index + 1; j < view_.size() && view_[j]->getStartIndex() < last->getStartIndex(); ++j) {
      if (IsFirstOnLine(j + 1) && j + 1 < view_.size() && view_[j + 1]->getCharPositionInLine() <= open.line_column)
        return view_[j];
    }
    return last;
  }

  // The last token of what was read that stands in the text.
  const Token* LastWritten() const {
    const auto is_written = [](const auto& token) { return token->getStopIndex() + 1 > token->getStartIndex(); };
    const auto last = std::find_if(out_.rbegin(), out_.rend(), is_written);
    return last == out_.rend() ? out_.front().get() : last->get();
  }

  bool AfterOpenString(size_t i) const {
    return i > 0 && std::any_of(view_.begin(), view_.begin() + static_cast<ptrdiff_t>(i), [&](const Token* t) {
             return IsOpenText(*t) && t->getLine() + 1 >= view_[i]->getLine();
           });
  }

  void MoveToken(size_t i) { out_.push_back(std::move(owned_[i])); }

  // Behind the last token, without a width.
  void AddVirtual(size_t type) { out_.push_back(MakeVirtual(type, out_.empty() ? nullptr : out_.back().get())); }

  static std::unique_ptr<Token> MakeVirtual(size_t type, const Token* before) {
    auto token = std::make_unique<CommonToken>(type, TextOf(type));
    if (before != nullptr) {
      token->setLine(before->getLine());
      token->setCharPositionInLine(before->getCharPositionInLine() + 1);
      token->setStartIndex(before->getStopIndex() + 1);
      token->setStopIndex(before->getStopIndex());
    }
    return token;
  }

  void MarkMissingOperands() {
    std::vector<size_t> places;
    for (size_t i = 1; i < view_.size(); ++i) {
      if (TypeAt(i) != PolicyParser::NAME || !WantsOperand(TypeAt(i - 1)) || !BeginsStatement(view_, i)) continue;
      // On one line, too: `connect =  idle = 10s`. But `let busy = status = 503` compares.
      const bool is_setting = TypeAt(i - 1) == PolicyParser::ASSIGN && TypeAt(i + 1) == PolicyParser::ASSIGN &&
                              !IsFirstOnLine(i + 1) && i >= 2 &&
                              (i < 3 || TypeAt(i - 3) != PolicyParser::LET);
      if (IsFirstOnLine(i) || is_setting) places.push_back(i);
    }
    if (places.empty()) return;
    std::vector<std::unique_ptr<Token>> marked;
    marked.reserve(owned_.size() + places.size());
    size_t next = 0;
    for (size_t i = 0; i < owned_.size(); ++i) {
      if (next < places.size() && places[next] == i) {
        marked.push_back(MakeVirtual(PolicyParser::MISSING, marked.back().get()));
        ++next;
      }
      marked.push_back(std::move(owned_[i]));
    }
    owned_ = std::move(marked);
  }

  const OffsetMap& offsets_;
  diagnostics::Diagnostics* diagnostics_;
  std::vector<std::unique_ptr<Token>>& owned_;
  std::vector<Token*> view_;
  std::vector<std::unique_ptr<Token>> out_;
  std::vector<Open> open_;
  std::vector<size_t>* guessed_;
};

}  // namespace

bool RepairTokens(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                  std::vector<std::unique_ptr<antlr4::Token>>* tokens, std::vector<size_t>* guessed) {
  return Repairer(offsets, diagnostics, tokens, guessed).Run();
}

}  // namespace compiler::parse
