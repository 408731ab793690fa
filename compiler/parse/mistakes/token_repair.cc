#include "compiler/parse/mistakes/token_repair.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "PolicyParser.h"
#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/characters.h"
#include "compiler/parse/mistakes/bracket_places.h"
#include "compiler/parse/parse.h"

namespace compiler::parse {
namespace {

using antlr4::CommonToken;
using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

// Took the rest of its line with it, closers and all; so does what stands behind the colon of an address without quotes.
bool IsOpenText(const Token& token) {
  if (token.getType() == PolicyParser::FOREIGN) {
    const std::string text = token.getText();
    return text.starts_with("//") && text.find_first_of("})]") != std::string::npos;
  }
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

class Repairer {
 public:
  Repairer(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics, std::vector<std::unique_ptr<Token>>* tokens,
           std::vector<size_t>* guessed)
      : offsets_(offsets), diagnostics_(diagnostics), owned_(*tokens), guessed_(guessed) {
    view_.reserve(owned_.size());
    open_text_line_.reserve(owned_.size());
    size_t line = 0;
    for (const auto& token : owned_) {
      ReadBracketOfAnotherScript(token.get());
      open_text_line_.push_back(line);
      if (IsOpenText(*token)) line = token->getLine();
      view_.push_back(token.get());
    }
    places_.emplace(view_);
  }

  bool Run() {
    if (!CheckLimits()) return false;
    if (!Balances()) MendBrackets();
    MarkMissingOperands();
    return true;
  }

 private:
  // `（` of an input method: what closes it must find its partner, or the finding would stand there.
  void ReadBracketOfAnotherScript(Token* token) {
    if (token->getType() != PolicyParser::UNKNOWN) return;
    const std::string text = token->getText();
    size_t at = 0;
    const char32_t c = base::NextCodePoint(text, &at).value_or(0);
    const std::optional<std::string_view> like = c < 0x80 ? std::nullopt : Lookalike(c);
    if (!like) return;
    for (const size_t type : {PolicyParser::LBRACE, PolicyParser::RBRACE, PolicyParser::LBRACKET,
                              PolicyParser::RBRACKET, PolicyParser::LPAREN, PolicyParser::RPAREN}) {
      if (*like != TextOf(type)) continue;
      diagnostics_->Emit(Kind::kConfusingCharacter, offsets_.RangeOf(*token), {text, CodePointName(c), *like})
          .Replace(std::string(*like));
      static_cast<CommonToken*>(token)->setType(type);
      static_cast<CommonToken*>(token)->setText(std::string(*like));
    }
  }

  size_t TypeAt(size_t i) const { return i < view_.size() ? view_[i]->getType() : Token::EOF; }
  bool IsFirstOnLine(size_t i) const { return i == 0 || view_[i - 1]->getLine() < view_[i]->getLine(); }

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
    std::vector<OpenBracket> open;
    for (size_t i = 0; i < view_.size(); ++i) {
      const size_t type = TypeAt(i);
      if (IsOpener(type)) {
        open.push_back(places_->OpenAt(i));
      } else if (IsCloser(type)) {
        if (open.empty() || CloserOf(open.back().type) != type) return false;
        open.pop_back();
      } else if (!open.empty() && IsFirstOnLine(i) && BeginsStatement(view_, i)) {
        // A named block that is indented is an inner one with a name that it must not have.
        const bool is_named = type == PolicyParser::NAME && TypeAt(i + 1) == PolicyParser::NAME &&
                              places_->LineColumn(i) <= open.back().line_column;
        const bool top_level = type == PolicyParser::EDITION || type == PolicyParser::LET ||
                               type == PolicyParser::IMPORT || type == PolicyParser::TEST || is_named;
        if (open.back().type != PolicyParser::LBRACE || top_level) return false;
      }
    }
    return open.empty();
  }

  // Walks once more and believes the indentation. Builds the mended list in `out_`.
  void MendBrackets() {
    for (size_t i = 0; i < view_.size(); ++i) {
      const size_t type = TypeAt(i);
      const bool first = IsFirstOnLine(i);
      while (!open_.empty() && open_.back().end == i) CloseDownTo(open_.size() - 1);
      if (type == Token::EOF) {
        CloseDownTo(0);
      } else if (IsTurnedAround(i)) {
        TakeTurnedAround(i++);
        continue;
      } else if (IsCloser(type)) {
        if (!TakeCloser(i)) continue;  // dropped
      } else if (first && BeginsStatement(view_, i)) {
        CloseBefore(i);
      }
      // A brace that is put in nests, too, and the parser recurses.
      if (first && open_.size() < static_cast<size_t>(kMaxNesting) && IsHeadWithoutBrace(i)) {
        MoveToken(i);
        const bool has_name = TypeAt(i + 1) == PolicyParser::STRING ||
                              (TypeAt(i + 1) == PolicyParser::NAME && TypeAt(i + 2) != PolicyParser::ASSIGN);
        if (has_name && !IsFirstOnLine(i + 1)) MoveToken(++i);
        if (TypeAt(i + 1) == PolicyParser::COLON && !IsFirstOnLine(i + 1)) ++i;  // dropped
        const Token& last = *out_.back();
        diagnostics_->Emit(Kind::kBlockNeedsBrace, offsets_.RangeOf(last), {last.getText()})
            .Change({offsets_.RangeOf(last).end, offsets_.RangeOf(last).end}, " {");
        open_.push_back({i, PolicyParser::LBRACE, last.getLine(), places_->LineColumn(i), true, kNowhere});
        AddVirtual(PolicyParser::LBRACE);
        continue;
      }
      if (places_->IsDoubledOpener(i)) {
        const std::string what = "a second `" + std::string(TextOf(type)) + "`";
        diagnostics_->Emit(Kind::kNeedless, offsets_.RangeOf(*view_[i]), {what})
            .Change(offsets_.RangeOf(*view_[i]), "");
        continue;
      }
      if (IsOpener(type)) {
        open_.push_back(places_->OpenAt(i));
        if (!open_.back().is_block && !places_->HasCloser(i)) open_.back().end = places_->EndOf(i);
      }
      MoveToken(i);
    }
    owned_ = std::move(out_);
    places_.reset();
    view_.clear();
    for (const auto& token : owned_) view_.push_back(token.get());
  }

  // `retry`, `upstream name` or `test "…"` alone on a line, with statements further right below it.
  bool IsHeadWithoutBrace(size_t i) const {
    if (TypeAt(i) == PolicyParser::TEST && TypeAt(i + 1) == PolicyParser::STRING)
      return IsTestVerb(TypeAt(i + 2)) && IsFirstOnLine(i + 2);
    if (TypeAt(i) != PolicyParser::NAME || (i > 0 && WantsOperand(TypeAt(i - 1)))) return false;
    if (!open_.empty() && open_.back().type != PolicyParser::LBRACE) return false;
    size_t next = i + 1;
    if (TypeAt(next) == PolicyParser::NAME && !IsFirstOnLine(next)) ++next;
    // On one line: `timeouts connect = 1s }`, `route otherwise reply = not_found }`.
    const size_t equals = TypeAt(next) == PolicyParser::NAME ? next + 1 : next;
    if (equals > i + 1 && TypeAt(equals) == PolicyParser::ASSIGN && view_[equals]->getLine() == view_[i]->getLine())
      return true;
    if (TypeAt(next) == PolicyParser::COLON && !IsFirstOnLine(next)) ++next;  // as YAML writes it: `retry:`
    return next < view_.size() && IsFirstOnLine(next) && BeginsStatement(view_, next) &&
           view_[next]->getCharPositionInLine() > view_[i]->getCharPositionInLine();
  }

  // `] [`, where neither the first closes nor the second opens anything.
  bool IsTurnedAround(size_t i) const {
    const size_t opener = OpenerOf(TypeAt(i));
    return opener != 0 && TypeAt(i + 1) == opener && !IsFirstOnLine(i + 1) && !open_.empty() &&
           open_.back().type != opener && !places_->HasCloser(i + 1);
  }

  void TakeTurnedAround(size_t i) {
    const size_t closer = TypeAt(i);
    const std::string right = std::string(TextOf(OpenerOf(closer))) + TextOf(closer);
    const SourceRange range = offsets_.RangeOf(*view_[i], *view_[i + 1]);
    diagnostics_->Emit(Kind::kTurnAround, range, {TextOf(closer), TextOf(OpenerOf(closer)), right}).Replace(right);
    AddVirtual(OpenerOf(closer));
    AddVirtual(closer);
  }

  // A statement begins at `i`. It closes lists and arguments that are still open, and blocks that began further right or
  // in the same column.
  void CloseBefore(size_t i) {
    size_t keep = open_.size();
    while (keep > 0) {
      const OpenBracket& open = open_[keep - 1];
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
        std::find_if(open_.rbegin(), open_.rend(), [&](const OpenBracket& o) { return CloserOf(o.type) == type; });
    const bool crosses_block = std::any_of(open_.rbegin(), partner, [](const OpenBracket& o) { return o.is_block; });
    if ((partner == open_.rend() || crosses_block || type == PolicyParser::RBRACE) && AddOpener(i)) return true;
    // `[{ … } }]`: behind it comes the right one.
    const bool is_doubled = type == PolicyParser::RBRACE && !open_.empty() && !open_.back().is_block &&
                            open_.back().type != PolicyParser::LBRACE && TypeAt(i - 1) == type &&
                            TypeAt(i + 1) == CloserOf(open_.back().type);
    if (is_doubled) return DropCloser(i);
    if (partner == open_.rend()) {
      const bool same_line = !open_.empty() && open_.back().line == token.getLine();
      // Where the right one follows, this one is too much.
      if (same_line && !places_->IsClosedBehind(open_.back(), i)) return ReplaceCloser(i);
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
    if (!IsFirstOnLine(i) && open_[nearest - 1].is_block && places_->ClosesBelow(i, open_[nearest - 1].line_column))
      return std::nullopt;
    // Nothing but a statement follows a block; here the line goes on with an operator.
    const bool goes_on = i + 1 < view_.size() && !IsFirstOnLine(i + 1) &&
                         (WantsOperand(TypeAt(i + 1)) || TypeAt(i + 1) == PolicyParser::COMMA);
    if (goes_on && TypeAt(i + 1) != PolicyParser::WHEN && TypeAt(i + 1) != PolicyParser::LET) return std::nullopt;
    const size_t column = places_->LineColumn(i);
    for (size_t n = nearest; n > 0; --n) {
      if (open_[n - 1].type == PolicyParser::LBRACE && open_[n - 1].line_column == column) return n;
    }
    const bool line_begins_with_brace = TypeAt(places_->FirstOfLine(i)) == PolicyParser::RBRACE;
    if (line_begins_with_brace && column > open_[nearest - 1].line_column) return std::nullopt;
    return nearest;
  }

  // Puts the opener in that the closer at `i` lacks, if its place is known.
  bool AddOpener(size_t i) {
    if (AfterOpenString(i)) return false;
    if (TypeAt(i) == PolicyParser::RBRACKET && TypeAt(i - 1) == PolicyParser::RBRACKET) return false;  // once too often
    const size_t place = places_->OpenerPlace(i);
    if (place == kNowhere || place >= i) return false;
    const size_t type = TypeAt(i);
    const size_t opener = OpenerOf(type);
    const auto found = std::find_if(out_.rbegin(), out_.rend(), [&](const auto& t) { return t.get() == view_[place]; });
    if (found == out_.rend() || found == std::prev(out_.rend())) return false;
    const auto at = std::prev(found.base());
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

  bool ReplaceCloser(size_t i) {
    const OpenBracket open = open_.back();
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
      const OpenBracket open = open_.back();
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

  // The last token that stands within `open`, which is closed here: of a block the last one before a line that is not
  // indented more than the block's own. What stands there may be another mistake, and no statement.
  const Token* LastInside(const OpenBracket& open) const {
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
    return open_text_line_[i] > 0 && open_text_line_[i] + 1 >= view_[i]->getLine();
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
      const bool may_begin = TypeAt(i) == PolicyParser::NAME || IsTestVerb(TypeAt(i));
      if (!may_begin || !WantsOperand(TypeAt(i - 1)) || !BeginsStatement(view_, i)) continue;
      if (i >= 2 && TypeAt(i - 2) == PolicyParser::DOT) continue;  // the name of a member: request.matches
      // On one line, too: `connect =  idle = 10s`. But `let busy = status = 503` compares.
      const bool is_setting = TypeAt(i - 1) == PolicyParser::ASSIGN && TypeAt(i + 1) == PolicyParser::ASSIGN &&
                              !IsFirstOnLine(i + 1) && i >= 2 &&
                              (i < 3 || TypeAt(i - 3) != PolicyParser::LET);
      if (IsFirstOnLine(i) || IsTestVerb(TypeAt(i)) || is_setting) places.push_back(i);
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
  std::vector<size_t> open_text_line_;  // of each token the line of the last open string or pattern before it; 0 for none
  std::optional<BracketPlaces> places_;  // of view_, until the brackets are mended
  std::vector<std::unique_ptr<Token>> out_;
  std::vector<OpenBracket> open_;
  std::vector<size_t>* guessed_;
};

}  // namespace

bool RepairTokens(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                  std::vector<std::unique_ptr<antlr4::Token>>* tokens, std::vector<size_t>* guessed) {
  return Repairer(offsets, diagnostics, tokens, guessed).Run();
}

}  // namespace compiler::parse
