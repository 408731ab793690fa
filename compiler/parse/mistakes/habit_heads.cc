// The recognisers of HabitMender that look at how a statement begins: names for values, imports, heads of tests.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "PolicyParser.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/mistakes/habit_mender.h"

namespace compiler::parse {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

namespace {

constexpr std::string_view kLets[] = {"const", "var", "local", "define", "def", "val", "set", "export", "final", "auto", "my", "variable", "declare", "static"};
constexpr std::string_view kImports[] = {"include", "require", "use", "load", "source", "using", "extends", "includes", "imports"};

template <typename Words>
bool IsOneOf(std::string_view word, const Words& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

}  // namespace

// const a = 5s   var a = 5s   set a 5s   let a: Duration = 5s   let a 5s   let mut a = 5s
bool HabitMender::LetByAnotherName(size_t i) {
  if (!MayBegin(i) || !IsFirstOnLine(i) || in_test_[i] || !SameLine(i, i + 2)) return false;
  const bool is_let = TypeAt(i) == PolicyParser::LET;
  if (!is_let && (TypeAt(i) != PolicyParser::NAME || !IsOneOf(TextAt(i), kLets))) return false;
  if (is_let && (TextAt(i + 1) == "mut" || TextAt(i + 1) == "const") && TypeAt(i + 2) == PolicyParser::NAME) {
    Unexpected(i + 1, Kind::kConstantAlready).Change({RangeOf(i + 1).begin, RangeOf(i + 2).begin}, "");
    Drop(i + 1);
    return true;
  }
  if (TypeAt(i + 1) != PolicyParser::NAME) return false;
  const std::string name = TextAt(i + 1);
  // let a: Duration = 5s
  if (TypeAt(i + 2) == PolicyParser::COLON && TypeAt(i + 3) == PolicyParser::NAME && TypeAt(i + 4) == PolicyParser::ASSIGN && SameLine(i, i + 4)) {
    Unexpected(i + 2, Kind::kTypesNotWritten, {name}).Change({RangeOf(i + 2).begin, RangeOf(i + 4).begin}, " ");
    Drop(i + 2, i + 3);
    if (!is_let) Retype(i, PolicyParser::LET, "let");
    return true;
  }
  const bool has_sign = TypeAt(i + 2) == PolicyParser::ASSIGN || (TypeAt(i + 2) == PolicyParser::FOREIGN && TextAt(i + 2) == ":=");
  const bool has_value = TypeAt(i + 2) == PolicyParser::NUMBER || TypeAt(i + 2) == PolicyParser::STRING || TypeAt(i + 2) == PolicyParser::LBRACKET;
  if (is_let || (!has_sign && !has_value)) return false;
  auto& diagnostic = diagnostics_->Emit(Kind::kLetWritten, RangeOf(i), {TextAt(i), name});
  diagnostic.Replace("let");
  Retype(i, PolicyParser::LET, "let");
  if (TypeAt(i + 2) == PolicyParser::FOREIGN) {
    diagnostic.Change(RangeOf(i + 2), "=");
    Retype(i + 2, PolicyParser::ASSIGN, "=");
  } else if (!has_sign) {
    diagnostic.Change({RangeOf(i + 2).begin, RangeOf(i + 2).begin}, "= ");
    InsertBefore(i + 2, PolicyParser::ASSIGN, "=");
  }
  return true;
}

// include "a.policy"   from a import b   import { a } from "b"   import a.policy as a   import "a.policy" as "a"   !include a.policy
bool HabitMender::ImportByAnotherName(size_t i) {
  if (!IsFirstOnLine(i) || in_test_[i] || !SameLine(i, i + 1)) return false;
  const bool is_bang = TypeAt(i) == PolicyParser::FOREIGN && TextAt(i) == "!" && IsOneOf(TextAt(i + 1), kImports);
  const bool is_from = TypeAt(i) == PolicyParser::NAME && TextAt(i) == "from" && MayBegin(i);
  const bool is_word = TypeAt(i) == PolicyParser::NAME && MayBegin(i) && IsOneOf(TextAt(i), kImports) && TypeAt(i + 1) != PolicyParser::ASSIGN &&
                       TypeAt(i + 1) != PolicyParser::LBRACE && TypeAt(i + 1) != PolicyParser::WHEN;
  size_t last = i;
  while (SameLine(i, last + 1) && TypeAt(last + 1) != Token::EOF) ++last;
  const auto has = [&](size_t type) {
    for (size_t j = i; j <= last; ++j) {
      if (TypeAt(j) == type) return true;
    }
    return false;
  };
  if (TypeAt(i) == PolicyParser::IMPORT) {
    // import "a.policy" as "a"
    if (TypeAt(i + 1) == PolicyParser::STRING && TextAt(i + 2) == "as" && TypeAt(i + 3) == PolicyParser::STRING && SameLine(i, i + 3)) {
      const std::string text = TextAt(i + 3);
      const std::string bare = text.substr(1, text.size() - 2);
      diagnostics_->Emit(Kind::kQuotedName, RangeOf(i + 3)).Replace(bare);
      Retype(i + 3, PolicyParser::NAME, bare);
      return true;
    }
    // Everything else says what to write already, or is right.
    return false;
  }
  if (!is_bang && !is_word && !(is_from && has(PolicyParser::IMPORT))) return false;
  std::string path = "shared.policy";
  for (size_t j = i; j <= last; ++j) {
    if (TypeAt(j) == PolicyParser::STRING) path = TextAt(j).substr(1, TextAt(j).size() - 2);
  }
  const std::string file = path.substr(path.rfind('/') == std::string::npos ? 0 : path.rfind('/') + 1);
  std::string name = file.substr(0, file.find('.'));
  if (name.empty() || name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) name = "shared";
  diagnostics_->Emit(Kind::kForeignImport, is_bang ? RangeOf(i, i + 1) : RangeOf(i),
                     {is_bang ? "!" + TextAt(i + 1) : TextAt(i), path, name});
  Drop(i + 1, last);
  Break(i);
  Retype(i, PolicyParser::MISSING, TextAt(i));
  return true;
}

// test "a" = {   test("a") {   test { … }
bool HabitMender::TestHead(size_t i) {
  if (TypeAt(i) != PolicyParser::TEST || (i > 0 && TypeAt(i - 1) == PolicyParser::DOT)) return false;
  if (TypeAt(i + 1) == PolicyParser::STRING && TypeAt(i + 3) == PolicyParser::LBRACE && SameLine(i, i + 3) &&
      (TypeAt(i + 2) == PolicyParser::ASSIGN || TypeAt(i + 2) == PolicyParser::COLON || TextAt(i + 2) == "=>" || TextAt(i + 2) == "->")) {
    Unexpected(i + 2, Kind::kTestWithoutSign, {TextAt(i + 2), TextAt(i + 1)}).Change(RangeOf(i + 2), "");
    Drop(i + 2);
    MarkTest(i);
    return true;
  }
  if (TypeAt(i + 1) == PolicyParser::LPAREN && TypeAt(i + 2) == PolicyParser::STRING && TypeAt(i + 3) == PolicyParser::RPAREN &&
      TypeAt(i + 4) == PolicyParser::LBRACE && SameLine(i, i + 4)) {
    Unexpected(i + 1, Kind::kTestNameAlone, {TextAt(i + 2)}).Change(RangeOf(i + 1, i + 3), " " + TextAt(i + 2));
    Drop(i + 1);
    Drop(i + 3);
    MarkTest(i);
    return true;
  }
  if (TypeAt(i + 1) == PolicyParser::LBRACE && SameLine(i, i + 1) && (IsTestVerb(TypeAt(i + 2)) || TypeAt(i + 2) == PolicyParser::RBRACE)) {
    const uint32_t at = RangeOf(i).end;
    diagnostics_->Emit(Kind::kTestNeedsName, RangeOf(i)).Change({at, at}, " \"a name\"").Unsafe();
    InsertBefore(i + 1, PolicyParser::STRING, "\"a name\"");
    return true;
  }
  return false;
}

// to = upstream big   to = upstream.big
bool HabitMender::KindBeforeName(size_t i) {
  if (!IsListOfNames(i)) return false;
  constexpr std::string_view kKinds[] = {"upstream", "upstreams", "backend", "server", "reply", "mock", "cache"};
  const size_t kind = i + 2;
  if (TypeAt(kind) != PolicyParser::NAME || !IsOneOf(TextAt(kind), kKinds) || !SameLine(i, kind + 1)) return false;
  const bool is_dotted = TypeAt(kind + 1) == PolicyParser::DOT && TypeAt(kind + 2) == PolicyParser::NAME;
  const bool is_beside = TypeAt(kind + 1) == PolicyParser::NAME && !BeginsStatement(view_, kind + 1);
  if (!is_dotted && !is_beside) return false;
  const size_t name = kind + (is_dotted ? 2 : 1);
  Unexpected(kind, Kind::kNameAlone, {TextAt(i), TextAt(name)}).Change({RangeOf(kind).begin, RangeOf(name).begin}, "");
  Drop(kind, name - 1);
  return true;
}

}  // namespace compiler::parse
