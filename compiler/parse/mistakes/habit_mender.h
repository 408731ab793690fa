// The recognisers of habit_repair: each looks at the tokens from one on, and if they are its habit emits the finding and says which
// tokens the parser is to see instead. Of the folder alone.
#pragma once

#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

class HabitMender {
 public:
  HabitMender(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
              std::vector<std::unique_ptr<antlr4::Token>>* tokens, std::vector<size_t>* guessed);
  void Run();

 private:
  static constexpr size_t kAnyType = static_cast<size_t>(-2);
  struct Recogniser {
    std::string_view name;
    std::string_view example;
    bool (HabitMender::*mend)(size_t i);
    size_t begins = kAnyType;  // the type of the token that it begins at
  };
  static const std::vector<Recogniser>& Recognisers();

  // ---- statements (habit_repair.cc)
  bool QuotedBlockName(size_t i);
  bool ReservedBlockName(size_t i);
  bool BlockWithSign(size_t i);
  bool BlockWithColon(size_t i);
  bool WhenWithSign(size_t i);
  bool WhenWithBraces(size_t i);
  bool Unless(size_t i);
  bool AllowWithoutReason(size_t i);
  bool AllowSeveral(size_t i);
  bool ElseIf(size_t i);
  bool DottedBlockName(size_t i);
  bool ForeignDirective(size_t i);
  bool YamlList(size_t i);
  bool GivenImported(size_t i);
  bool GivenDelay(size_t i);
  // ---- how statements begin (habit_heads.cc)
  bool LetByAnotherName(size_t i);
  bool ImportByAnotherName(size_t i);
  bool TestHead(size_t i);
  bool KindBeforeName(size_t i);
  // ---- tests (habit_sentences.cc)
  bool TestByAnotherName(size_t i);
  bool VerbByAnotherName(size_t i);
  bool GivenInOtherWords(size_t i);
  bool HowOftenInOtherWords(size_t i);
  bool AtATimeInOtherWords(size_t i);
  bool ClauseInOtherWords(size_t i);
  bool ExpectInOtherWords(size_t i);
  void MarkTest(size_t test);  // notes which tokens stand in it
  // ---- lists (habit_lists.cc)
  bool ListInOtherBrackets(size_t i);
  bool ListByOperators(size_t i);
  bool ListOfLists(size_t i);
  bool ListByFunction(size_t i);
  // ---- values (habit_values.cc)
  bool HyphenatedName(size_t i);
  bool IsNull(size_t i);
  bool SplitDuration(size_t i);
  bool Arithmetic(size_t i);
  bool JsonOfNoObject(size_t i);
  bool OperatorAsFunction(size_t i);
  bool NotInside(size_t i);
  bool CountWithin(size_t i);
  bool CountOverBefore(size_t i);
  bool HeaderWithoutQuotes(size_t i);
  bool PercentileFraction(size_t i);

  size_t TypeAt(size_t i) const { return i < types_.size() ? types_[i] : antlr4::Token::EOF; }
  std::string TextAt(size_t i) const { return i < view_.size() ? view_[i]->getText() : std::string(); }
  bool SameLine(size_t a, size_t b) const { return a < lines_.size() && b < lines_.size() && lines_[a] == lines_[b]; }
  bool IsFirstOnLine(size_t i) const { return i == 0 || !SameLine(i - 1, i); }
  bool Touches(size_t i) const { return i > 0 && view_[i - 1]->getStopIndex() + 1 == view_[i]->getStartIndex(); }
  bool MayBegin(size_t i) const;                // a statement
  bool IsItem(size_t i) const;                  // of a list: a name, text, a number, a network
  bool IsListOfNames(size_t i) const;           // `to =`, `fallback =`
  size_t PartnerOf(size_t opener) const;        // kNone if it has none
  size_t EndOfCondition(size_t i) const;        // of the one that begins at `i`: the token behind it
  SourceRange RangeOf(size_t i) const { return offsets_.RangeOf(*view_[i]); }
  SourceRange RangeOf(size_t first, size_t last) const { return offsets_.RangeOf(*view_[first], *view_[last]); }

  // `kind`: one whose {0} is the token; `more`: what fills {1} …
  diagnostics::Diagnostic& Unexpected(size_t i, diagnostics::Kind kind,
                                      std::initializer_list<std::string_view> more = {});
  void Drop(size_t i) { dropped_[i] = true; }
  void Drop(size_t first, size_t last) {
    for (size_t i = first; i <= last; ++i) Drop(i);
  }
  void Retype(size_t i, size_t type, const std::string& text);
  void InsertBefore(size_t i, size_t type, const std::string& text) { inserted_[i].push_back({type, text}); }
  // `[a, b]` of these items, which the parser then sees.
  void MakeList(size_t first, size_t last, const std::vector<size_t>& items);
  std::string ListOf(const std::vector<size_t>& items) const;
  // What is read of the statement at `i` is nothing, and nothing else is said of it.
  void Break(size_t i) { guessed_->push_back(view_[i]->getStartIndex()); }

  static constexpr size_t kNone = static_cast<size_t>(-1);
  // How far each of these looks, in tokens: a large broken file must not take the square of its length.
  static constexpr size_t kFar = 1000;

  const OffsetMap& offsets_;
  diagnostics::Diagnostics* diagnostics_;
  std::vector<std::unique_ptr<antlr4::Token>>& owned_;
  std::vector<size_t>* guessed_;
  std::vector<antlr4::Token*> view_;
  // Of each token of the view: all recognisers ask for them.
  std::vector<size_t> types_;
  std::vector<size_t> lines_;
  std::vector<bool> dropped_;
  std::vector<bool> in_test_;
  std::map<size_t, std::vector<std::pair<size_t, std::string>>> inserted_;
  std::map<std::string, bool> hyphenated_;  // said once for each
};

}  // namespace compiler::parse
