#include "compiler/parse/error_strategy.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "PolicyParser.h"
#include "compiler/base/text.h"
#include "compiler/parse/characters.h"

namespace compiler::parse {
namespace {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

struct ForeignWord {
  std::string_view text;
  std::string_view instead;  // what to write; "" if nothing stands for it
  std::string_view help;
};
constexpr ForeignWord kForeignWords[] = {
    {"&&", "and", "conditions are joined with `and`"},
    {"||", "or", "conditions are joined with `or`"},
    {"!", "not", "a condition is turned around with `not`"},
    {"===", "==", "values are compared with `==`"},
    {"!==", "!=", "values are compared with `!=`"},
    {"<>", "!=", "values are compared with `!=`"},
    {"=>", ">=", "values are compared with `>=`"},
    {":=", "=", "a setting is written with `=`"},
    {"=~", "matches", "text is tested with `matches`, `starts_with`, `ends_with` or `contains`"},
    {"->", "", "a route names where it goes with `to = name`"},
    {";", "", "remove it: a statement ends where the next one begins"},
};

bool IsComparator(size_t type) {
  switch (type) {
    case PolicyParser::EQ:
    case PolicyParser::NE:
    case PolicyParser::LT:
    case PolicyParser::LE:
    case PolicyParser::GT:
    case PolicyParser::GE:
    case PolicyParser::IN:
    case PolicyParser::STARTS_WITH:
    case PolicyParser::ENDS_WITH:
    case PolicyParser::CONTAINS:
    case PolicyParser::MATCHES: return true;
    default: return false;
  }
}

bool IsKeyword(size_t type) { return type >= PolicyParser::EDITION && type <= PolicyParser::MATCHES; }

bool IsUnit(std::string_view word) {
  constexpr std::string_view kUnits[] = {"ns", "us",  "ms",   "s",      "sec",     "secs", "second", "seconds",
                                         "m",  "min", "mins", "minute", "minutes", "h",    "hour",   "hours",
                                         "B",  "KiB", "MiB",  "GiB",    "KB",      "MB",   "GB",     "percent"};
  return std::find(std::begin(kUnits), std::end(kUnits), word) != std::end(kUnits);
}

// Conditions of an outcome, as they stand behind `when`.
bool IsFact(std::string_view word) { return word == "status" || word == "error" || word == "attempt" || word == "elapsed"; }

bool IsStatementRule(size_t rule) {
  return rule == PolicyParser::RuleStatement || rule == PolicyParser::RuleBody || rule == PolicyParser::RuleFile ||
         rule == PolicyParser::RuleInterpolation;
}

// Where the statement that holds `context` begins.
size_t StatementBegin(antlr4::RuleContext* context) {
  auto* rule = static_cast<antlr4::ParserRuleContext*>(context);
  while (rule->parent != nullptr && !IsStatementRule(rule->getRuleIndex())) {
    rule = static_cast<antlr4::ParserRuleContext*>(rule->parent);
  }
  return rule->start != nullptr ? rule->start->getTokenIndex() : 0;
}

bool IsInside(antlr4::RuleContext* context, size_t rule) {
  for (auto* c = context; c != nullptr; c = static_cast<antlr4::RuleContext*>(c->parent)) {
    if (c->getRuleIndex() == rule) return true;
    if (IsStatementRule(c->getRuleIndex())) return false;
  }
  return false;
}

}  // namespace

diagnostics::Diagnostic& ErrorStrategy::Emit(Kind kind, size_t index,
                                             std::initializer_list<std::string_view> arguments) {
  return diagnostics_->Emit(kind, offsets_.RangeOf(At(index)), arguments);
}

size_t ErrorStrategy::LineOf(size_t start_index) const {
  size_t line = 0;
  for (const Token* token : tokens_) {
    if (token->getType() == Token::EOF || token->getStartIndex() > start_index) break;
    line = token->getLine();
  }
  return line;
}

bool ErrorStrategy::IsBroken(const antlr4::ParserRuleContext* statement) const {
  if (broken_.count(statement) > 0) return true;
  if (statement->start == nullptr || statement->stop == nullptr) return false;
  return std::any_of(guessed_.begin(), guessed_.end(), [&](size_t at) {
    return at >= statement->start->getStartIndex() && at <= statement->stop->getStartIndex();
  });
}

antlr4::Token* ErrorStrategy::recoverInline(antlr4::Parser* parser) { throw antlr4::InputMismatchException(parser); }

void ErrorStrategy::reportError(antlr4::Parser* parser, const antlr4::RecognitionException& error) {
  if (inErrorRecoveryMode(parser)) return;
  beginErrorCondition(parser);
  any_broken_ = true;
  failed_index_ = error.getOffendingToken()->getTokenIndex();
  if (!IsGuessedLine(failed_index_)) Explain(parser, failed_index_, StatementBegin(parser->getRuleContext()));
}

void ErrorStrategy::recover(antlr4::Parser* parser, std::exception_ptr error) {
  antlr4::ParserRuleContext* context = parser->getContext();
  if (!IsStatementRule(context->getRuleIndex())) std::rethrow_exception(error);
  if (context->getRuleIndex() == PolicyParser::RuleStatement)
    SkipStatement(parser, context->start->getTokenIndex(), failed_index_);
  endErrorCondition(parser);
}

void ErrorStrategy::sync(antlr4::Parser* parser) {
  antlr4::ParserRuleContext* context = parser->getContext();
  if (context->getRuleIndex() != PolicyParser::RuleBody) return;
  while (true) {
    const size_t index = parser->getTokenStream()->index();
    const size_t type = TypeAt(index);
    if (type == Token::EOF || type == PolicyParser::RBRACE) return;
    // `5 minutes` and a block below it: a unit, not a block's kind.
    const bool is_unit = index > 0 && type == PolicyParser::NAME && TypeAt(index - 1) == PolicyParser::NUMBER &&
                         SameLine(index - 1, index) && IsUnit(At(index).getText());
    if (BeginsStatement(tokens_, index) && !is_unit) return;
    const bool behind_another = index > 0 && SameLine(index - 1, index) && TypeAt(index - 1) != PolicyParser::LBRACE;
    const bool may_begin = type == PolicyParser::NAME || (IsKeyword(type) && type <= PolicyParser::TEST);
    if (may_begin && !behind_another) return;  // the rule itself will say what is wrong with it
    if (!IsGuessedLine(index)) ExplainGarbage(index);
    any_broken_ = true;
    broken_.insert(context);
    if (!context->children.empty()) {
      if (auto* last = dynamic_cast<PolicyParser::StatementContext*>(context->children.back())) broken_.insert(last);
    }
    SkipStatement(parser, index, index);
  }
}

void ErrorStrategy::SkipStatement(antlr4::Parser* parser, size_t begin, size_t failed) {
  // Count the braces that the statement opened before the failure.
  int depth = 0;
  bool closed = false;
  const size_t reached = parser->getTokenStream()->index();
  size_t index = begin;
  for (;; ++index) {
    const size_t type = TypeAt(index);
    if (type == Token::EOF) break;
    if (index >= reached) {
      if (type == PolicyParser::RBRACE && depth == 0) break;
      const bool first = index > 0 && !SameLine(index - 1, index);
      if (depth == 0 && index > begin && index >= failed && first && BeginsStatement(tokens_, index)) break;
      // Behind a block or a JSON body that was skipped, the next line may begin with another mistake.
      const bool is_word = type == PolicyParser::NAME || (IsKeyword(type) && type <= PolicyParser::TEST);
      if (depth == 0 && closed && first && is_word && index > failed) break;
    }
    if (type == PolicyParser::LBRACE) ++depth;
    if (type == PolicyParser::RBRACE) {
      --depth;
      closed = true;
    }
    if (type == PolicyParser::NAME) skipped_names_.push_back(At(index).getText());
  }
  parser->getTokenStream()->seek(index);
}

void ErrorStrategy::Explain(antlr4::Parser* parser, size_t index, size_t statement_begin) {
  antlr4::ParserRuleContext* context = parser->getContext();
  const size_t rule = context->getRuleIndex();
  const size_t type = TypeAt(index);
  if (type == PolicyParser::MISSING) return ExplainMissing(index);
  if (ExplainWord(index)) return;
  if (rule == PolicyParser::RuleStatement || rule == PolicyParser::RuleBlock || rule == PolicyParser::RuleSetting ||
      rule == PolicyParser::RuleLet || rule == PolicyParser::RuleWhenLine) {
    if (ExplainStatementHead(statement_begin, index)) return;
  }
  if (rule == PolicyParser::RuleJsonObject || rule == PolicyParser::RuleJsonMember ||
      rule == PolicyParser::RuleJsonValue || rule == PolicyParser::RuleJsonArray) {
    return ExplainJson(rule, index);
  }
  const size_t before = index > 0 ? TypeAt(index - 1) : Token::EOF;
  // `request. in {`: any word may be a member, also the operator that was meant.
  if (IsKeyword(before) && index >= 2 && TypeAt(index - 2) == PolicyParser::DOT) return ExplainMissing(index - 1);
  if (type == PolicyParser::ASSIGN) {
    Emit(IsInside(context, PolicyParser::RuleArgument) || rule == PolicyParser::RuleSuffix ? Kind::kAssignInArgument
                                                                                           : Kind::kAssignInPredicate,
         index, {})
        .Replace(IsInside(context, PolicyParser::RuleArgument) || rule == PolicyParser::RuleSuffix ? ":" : "==");
    return;
  }
  if (WantsOperand(before) || before == PolicyParser::LPAREN || before == PolicyParser::COMMA ||
      before == PolicyParser::LBRACKET) {
    if (type == PolicyParser::LBRACE && before == PolicyParser::WHEN && statement_begin + 1 == index - 1) {
      Emit(Kind::kReservedWord, index - 1, {At(index - 1).getText()});
      return;
    }
    const bool ends_here = !SameLine(index - 1, index) || type == PolicyParser::RBRACE ||
                           type == PolicyParser::RPAREN || type == PolicyParser::RBRACKET ||
                           type == PolicyParser::COMMA || type == Token::EOF || type == PolicyParser::WHEN;
    if (ends_here && before != PolicyParser::LPAREN && before != PolicyParser::LBRACKET &&
        !(before == PolicyParser::COMMA && type == PolicyParser::COMMA)) {
      return ExplainMissing(index);
    }
    if (ends_here && type != PolicyParser::COMMA) return ExplainMissing(index);
    Emit(Kind::kUnexpected, index, {Describe(At(index)), "a value should stand here"});
    return;
  }
  const bool next_line = index > 0 && !SameLine(index - 1, index);
  if (IsComparator(type) || type == PolicyParser::AND || type == PolicyParser::OR) {
    Emit(Kind::kUnexpected, index, {Describe(At(index)), "a value should stand before it"});
    return;
  }
  if (IsInside(context, PolicyParser::RuleList) || IsInside(context, PolicyParser::RuleSet) ||
      IsInside(context, PolicyParser::RuleSuffix)) {
    if (!next_line || type == PolicyParser::STRING || type == PolicyParser::NAME || type == PolicyParser::NUMBER) {
      const uint32_t end = offsets_.RangeOf(At(index - 1)).end;
      Emit(Kind::kSideBySide, index, {Describe(At(index)), "separate the two with a comma"}).Change({end, end}, ",");
      return;
    }
  }
  Emit(Kind::kUnexpected, index, {Describe(At(index)), next_line ? "the line before it is not complete" : "remove it"});
}

void ErrorStrategy::ExplainMissing(size_t index) {
  const size_t before = index - 1;
  const size_t type = TypeAt(before);
  std::string_view what = "a value";
  std::string help = "write a value behind it";
  if (type == PolicyParser::WHEN || type == PolicyParser::AND || type == PolicyParser::OR ||
      type == PolicyParser::NOT) {
    what = "a condition";
    help = "write one, for example `status in 5xx`";
  } else if (type == PolicyParser::DOT) {
    what = "a member";
    help = "write its name behind the dot";
  } else if (type == PolicyParser::LET) {
    what = "a name";
    help = "write `let name = …`";
  } else if (type == PolicyParser::EDITION) {
    what = "a number";
    help = "write `edition 1`";
  } else if (type == PolicyParser::COMMA) {
    help = "remove the comma, or write another value behind it";
  }
  Emit(Kind::kMissingValue, before, {what, At(before).getText(), help});
}

bool ErrorStrategy::ExplainWord(size_t index) {
  const std::string text = At(index).getText();
  switch (TypeAt(index)) {
    case PolicyParser::OPEN_STRING: {
      const SourceRange range = offsets_.RangeOf(At(index));
      Emit(Kind::kOpenString, index, {}).Change({range.end, range.end}, "\"").Unsafe();
      return true;
    }
    case PolicyParser::OPEN_REGEX: Emit(Kind::kOpenRegex, index, {}); return true;
    case PolicyParser::FOREIGN: {
      const auto* word = std::find_if(std::begin(kForeignWords), std::end(kForeignWords),
                                      [&](const ForeignWord& w) { return w.text == text; });
      if (word != std::end(kForeignWords)) {
        auto& diagnostic = Emit(Kind::kForeignOperator, index, {text, word->help});
        if (!word->instead.empty() || text == ";") diagnostic.Replace(std::string(word->instead));
        // A word needs a space that a sign does not: `!x`, `a&&b`.
        const SourceRange range = offsets_.RangeOf(At(index));
        const bool is_word = text == "!" || text == "&&" || text == "||" || text == "=~";
        if (is_word && index + 1 < tokens_.size() && offsets_.RangeOf(At(index + 1)).begin == range.end)
          diagnostic.Change({range.end, range.end}, " ");
        if (is_word && index > 0 && offsets_.RangeOf(At(index - 1)).end == range.begin)
          diagnostic.Change({range.begin, range.begin}, " ");
      } else if (text.starts_with("//")) {
        const SourceRange range = offsets_.RangeOf(At(index));
        Emit(Kind::kForeignOperator, index, {"//", "a comment begins with `#`"}).Change({range.begin, range.begin + 2}, "#");
      } else {
        auto& diagnostic = Emit(Kind::kForeignOperator, index, {text.substr(0, 1), "a string stands in double quotes"});
        if (text.find_first_of("\"\\") == std::string::npos)
          diagnostic.Replace("\"" + text.substr(1, text.size() - 2) + "\"");
      }
      return true;
    }
    case PolicyParser::UNKNOWN: {
      size_t at = 0;
      const char32_t c = base::NextCodePoint(text, &at).value_or(0);
      const std::string code_point = CodePointName(c);
      const bool printable = c > 0x20 && c != 0x7F;
      const std::optional<std::string_view> like = c < 0x80 ? std::nullopt : Lookalike(c);
      if (like && like->empty()) {
        Emit(Kind::kHiddenCharacter, index, {code_point, "remove it"}).Replace("");
      } else if (like) {
        Emit(Kind::kConfusingCharacter, index, {text, code_point, *like == " " ? "a blank" : *like})
            .Replace(std::string(*like));
      } else {
        Emit(Kind::kUnknownCharacter, index,
             {printable ? std::string_view(text) : std::string_view(code_point),
              c < 0x80 ? "remove it" : "names are plain letters, digits and `_`; text stands in double quotes"})
            .Change(offsets_.RangeOf(At(index)), "")
            .Unsafe();
      }
      return true;
    }
    default: return false;
  }
}

// `store status == 200`, `status in 5xx or …` at the beginning of a line: a condition without its word.
bool ErrorStrategy::ExplainMissingWhen(size_t begin) {
  const bool has_word = TypeAt(begin + 1) == PolicyParser::NAME && SameLine(begin, begin + 1);
  const size_t operand = has_word ? begin + 1 : begin;
  // What makes it a condition and no setting: `name == value` alone was meant to set something.
  bool compares = false;
  bool joins = false;
  int depth = 0;
  for (size_t i = operand + 1; i < tokens_.size() && TypeAt(i) != Token::EOF; ++i) {
    const size_t type = TypeAt(i);
    if (depth == 0 && (type == PolicyParser::ASSIGN || type == PolicyParser::WHEN || type == PolicyParser::RBRACE)) break;
    if (depth == 0 && BeginsStatement(tokens_, i) && !SameLine(i - 1, i)) break;
    if (depth == 0 && type == PolicyParser::LBRACE && TypeAt(i - 1) != PolicyParser::IN) break;
    const bool opens = type == PolicyParser::LBRACE || type == PolicyParser::LPAREN || type == PolicyParser::LBRACKET;
    const bool closes = type == PolicyParser::RBRACE || type == PolicyParser::RPAREN || type == PolicyParser::RBRACKET;
    depth += opens ? 1 : closes ? -1 : 0;
    if (depth < 0) break;
    if (depth > 0) continue;
    joins = joins || type == PolicyParser::AND || type == PolicyParser::OR || type == PolicyParser::DOT ||
            type == PolicyParser::IN || (IsComparator(type) && type != PolicyParser::EQ);
    compares = compares || IsComparator(type);
  }
  if (!joins && !(compares && (has_word || IsFact(At(begin).getText())))) return false;
  const SourceRange range = offsets_.RangeOf(At(operand));
  if (has_word) {
    Emit(Kind::kMissingValue, begin, {"`when`", At(begin).getText(), "a line with a condition is written `word when …`"})
        .Change({range.begin, range.begin}, "when ");
  } else {
    Emit(Kind::kUnexpected, begin, {Describe(At(begin)), "a line with a condition begins with `when`"})
        .Change({range.begin, range.begin}, "when ");
  }
  return true;
}

bool ErrorStrategy::ExplainStatementHead(size_t begin, size_t index) {
  const Token& first = At(begin);
  const size_t type = TypeAt(index);
  if (first.getType() == PolicyParser::LET) {
    if (index == begin + 1) {
      if (IsKeyword(type)) Emit(Kind::kReservedWord, index, {At(index).getText()});
      else if (!SameLine(begin, index)) ExplainMissing(index);
      else if (type == PolicyParser::ASSIGN) ExplainMissing(index);
      else Emit(Kind::kBadName, index, {At(index).getText()});
      if (type == PolicyParser::ASSIGN) skipped_names_.emplace_back();  // a name that nobody knows
      return true;
    }
    if (index == begin + 2) {
      const bool is_compare = type == PolicyParser::EQ;
      if (is_compare) Emit(Kind::kCompareInSetting, index, {}).Replace("=");
      else
        Emit(Kind::kMissingAssign, SameLine(index - 1, index) ? index : index - 1,
             {At(begin + 1).getText(), Describe(At(index))});
      return true;
    }
    return false;
  }
  if (first.getType() != PolicyParser::NAME) return false;
  if (index > begin && ExplainMissingWhen(begin)) return true;
  if (type == PolicyParser::BECAUSE && index == begin + 1) {
    const uint32_t at = offsets_.RangeOf(first).begin;
    Emit(Kind::kUnexpected, begin, {Describe(first), "an answer to a finding begins with `allow`"}).Change({at, at}, "allow ");
    return true;
  }
  // kind name {: what stands between the kind and its brace?
  size_t brace = begin + 1;
  while (brace < tokens_.size() && SameLine(begin, brace) && TypeAt(brace) != PolicyParser::LBRACE &&
         TypeAt(brace) != PolicyParser::ASSIGN && TypeAt(brace) != Token::EOF) {
    ++brace;
  }
  if (TypeAt(brace) == PolicyParser::LBRACE && SameLine(begin, brace) && brace > begin + 1 && index > begin &&
      index < brace) {
    if (brace == begin + 2 && type == PolicyParser::STRING) {
      std::string bare = At(index).getText();
      bare = bare.substr(1, bare.size() - 2);
      Emit(Kind::kQuotedName, index, {}).Replace(bare);
    } else if (brace == begin + 2 && IsKeyword(type)) {
      Emit(Kind::kReservedWord, index, {At(index).getText()});
    } else {
      const SourceRange range = offsets_.RangeOf(At(begin + 1), At(brace - 1));
      std::string text;
      for (size_t i = begin + 1; i < brace; ++i)
        text += (i > begin + 1 && At(i - 1).getStopIndex() + 1 < At(i).getStartIndex() ? " " : "") + At(i).getText();
      diagnostics_->Emit(Kind::kBadName, range, {text});
    }
    return true;
  }
  if (type == PolicyParser::EQ) {
    Emit(Kind::kCompareInSetting, index, {}).Replace("=");
    return true;
  }
  if (type == PolicyParser::COLON) {
    Emit(Kind::kColonInSetting, index, {}).Replace("=");
    return true;
  }
  if (index == begin) return false;
  std::string written;
  for (size_t i = begin; i < index && i < begin + 8; ++i) {
    if (i > begin + 0 && (TypeAt(i) == PolicyParser::NAME)) break;
    written += At(i).getText();
  }
  size_t place = SameLine(index - 1, index) ? index : index - 1;
  // `cors ["a", "b"]`: a list behind a setting, not a key.
  const bool is_list = TypeAt(begin + 1) == PolicyParser::LBRACKET && (type == PolicyParser::COMMA || place != index);
  if (is_list) {
    place = begin + 1;
    written = At(begin).getText();
  }
  // A word alone on its line.
  if (TypeAt(begin + 1) == PolicyParser::NAME && !SameLine(begin, begin + 1)) place = begin;
  if (TypeAt(begin + 1) == PolicyParser::NAME && SameLine(begin, begin + 1)) {
    // `max_retries two`, `open wen failures(60s) >= 5`: nothing that begins with two names but a block.
    Emit(Kind::kMissingAssign, begin + 1, {written, Describe(At(begin + 1))});
    return true;
  }
  auto& diagnostic = Emit(Kind::kMissingAssign, place, {written, Describe(At(is_list ? place : std::min(index, begin + 1)))});
  const bool is_value = type == PolicyParser::NUMBER || type == PolicyParser::STRING || type == PolicyParser::LBRACKET;
  if (is_list || (place == index && index == begin + 1 && is_value)) {
    const uint32_t at = offsets_.RangeOf(At(place)).begin;
    diagnostic.Change({at, at}, "= ");
  }
  return true;
}

void ErrorStrategy::ExplainJson(size_t rule, size_t index) {
  const size_t type = TypeAt(index);
  const size_t before = TypeAt(index - 1);
  const bool closes = type == PolicyParser::RBRACE || type == PolicyParser::RBRACKET;
  if (before == PolicyParser::COMMA && closes) {
    Emit(Kind::kBadJson, index - 1, {"nothing follows the comma", "remove it"})
        .Change(offsets_.RangeOf(At(index - 1)), "");
    return;
  }
  if (rule == PolicyParser::RuleJsonMember || rule == PolicyParser::RuleJsonObject) {
    if (before == PolicyParser::STRING && rule == PolicyParser::RuleJsonMember) {
      Emit(Kind::kBadJson, SameLine(index - 1, index) ? index : index - 1,
           {"a member's name is followed by `:`", "write `\"name\": value`"});
      return;
    }
    if (before == PolicyParser::LBRACE || before == PolicyParser::COMMA) {
      auto& diagnostic =
          Emit(Kind::kBadJson, index, {"a member's name stands in double quotes", "write `\"name\": value`"});
      if (type == PolicyParser::NAME) diagnostic.Replace("\"" + At(index).getText() + "\"");
      return;
    }
  }
  if (rule == PolicyParser::RuleJsonValue || before == PolicyParser::COLON) {
    const bool missing = closes || type == PolicyParser::COMMA || type == Token::EOF;
    Emit(Kind::kBadJson, missing ? index - 1 : index,
         {missing ? "a value is missing" : "this is no JSON value",
          "values are \"text\", numbers, true, false, null, [ … ] and { … }"});
    return;
  }
  const uint32_t end = offsets_.RangeOf(At(index - 1)).end;
  Emit(Kind::kBadJson, SameLine(index - 1, index) ? index : index - 1, {"members are separated by `,`", "add a comma"})
      .Change({end, end}, ",");
}

void ErrorStrategy::ExplainGarbage(size_t index) {
  if (ExplainWord(index)) return;
  if (index >= 2 && IsKeyword(TypeAt(index - 1)) && TypeAt(index - 2) == PolicyParser::DOT) return ExplainMissing(index - 1);
  const size_t type = TypeAt(index);
  const std::string text = At(index).getText();
  if (type == PolicyParser::MISSING) return ExplainMissing(index);
  if (type == PolicyParser::ASSIGN) {
    if (index == 0 || !SameLine(index - 1, index) || TypeAt(index - 1) == PolicyParser::LBRACE) {
      Emit(Kind::kUnexpected, index, {"`=`", "the name of a setting stands before it"});
    } else {
      Emit(Kind::kAssignInPredicate, index, {}).Replace("==");
    }
    return;
  }
  if (IsComparator(type)) {
    Emit(Kind::kChainedComparison, index, {});
    return;
  }
  if (type == PolicyParser::COMMA) {
    Emit(Kind::kUnexpected, index, {"`,`", "remove it: a statement ends where the next one begins"})
        .Change(offsets_.RangeOf(At(index)), "");
    return;
  }
  if (index > 0 && TypeAt(index - 1) == PolicyParser::REGEX &&
      At(index - 1).getStopIndex() + 1 == At(index).getStartIndex()) {
    Emit(Kind::kSideBySide, index,
         {Describe(At(index)), "text stands in double quotes; a slash in a pattern is written \\/"});
    return;
  }
  if (index > 0 && TypeAt(index - 1) == PolicyParser::NUMBER && type == PolicyParser::NAME && IsUnit(text)) {
    const std::string joined = At(index - 1).getText() + text;
    Emit(Kind::kSideBySide, index,
         {Describe(At(index)), "a unit stands behind its number without a space: `" + joined + "`"})
        .Change(offsets_.RangeOf(At(index - 1), At(index)), joined);
    return;
  }
  if (type == PolicyParser::NAME || type == PolicyParser::NUMBER || type == PolicyParser::STRING ||
      type == PolicyParser::NETWORK || type == PolicyParser::REGEX || type == PolicyParser::NOT ||
      type == PolicyParser::LPAREN || type == PolicyParser::JSON) {
    Emit(Kind::kSideBySide, index,
         {Describe(At(index)), "an operator such as `==`, `in`, `and` or `or` is missing between them"});
    return;
  }
  Emit(Kind::kUnexpected, index, {Describe(At(index)), "a setting, a line with `when` or a block should stand here"});
}

}  // namespace compiler::parse
