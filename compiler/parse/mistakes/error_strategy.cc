#include "compiler/parse/mistakes/error_strategy.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "PolicyParser.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::parse {
namespace {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

struct WrittenUnit {
  std::string_view word;
  std::string_view unit;  // as the language writes it
};
constexpr WrittenUnit kUnits[] = {
    {"ns", "ns"},       {"us", "us"},     {"ms", "ms"},  {"s", "s"},     {"sec", "s"},    {"secs", "s"},
    {"second", "s"},    {"seconds", "s"}, {"m", "min"},  {"min", "min"}, {"mins", "min"}, {"minute", "min"},
    {"minutes", "min"}, {"hr", "h"},      {"hrs", "h"}, {"h", "h"},       {"hour", "h"}, {"hours", "h"}, {"B", "B"},      {"KiB", "KiB"},
    {"MiB", "MiB"},     {"GiB", "GiB"},   {"KB", "KiB"}, {"MB", "MiB"},  {"GB", "GiB"},   {"percent", "%"},
};

// Empty if `word` is none.
std::string_view UnitOf(std::string_view word) {
  const auto* found =
      std::find_if(std::begin(kUnits), std::end(kUnits), [&](const WrittenUnit& u) { return u.word == word; });
  return found == std::end(kUnits) ? std::string_view() : found->unit;
}

bool IsPlainWord(std::string_view word) {
  return !word.empty() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

bool IsUnit(std::string_view word) { return !UnitOf(word).empty(); }

// What other languages write behind a pattern: /chat/i.
bool AreFlags(std::string_view word) { return word.find_first_not_of("dgimsuvxy") == std::string_view::npos; }

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
  const auto behind = std::upper_bound(tokens_.begin(), std::prev(tokens_.end()), start_index,
                                       [](size_t at, const Token* token) { return at < token->getStartIndex(); });
  return behind == tokens_.begin() ? 0 : (*std::prev(behind))->getLine();
}

bool ErrorStrategy::IsBroken(const antlr4::ParserRuleContext* statement) const {
  if (broken_.count(statement) > 0) return true;
  if (statement->start == nullptr || statement->stop == nullptr) return false;
  const auto first = std::lower_bound(guessed_.begin(), guessed_.end(), statement->start->getStartIndex());
  return first != guessed_.end() && *first <= statement->stop->getStartIndex();
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

void ErrorStrategy::SkipForeign(antlr4::Parser* parser) {
  reportError(parser, antlr4::InputMismatchException(parser));
  SkipStatement(parser, failed_index_, failed_index_);
  endErrorCondition(parser);
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
  if (ExplainSentence(context, statement_begin, index)) return;
  if (rule == PolicyParser::RuleStatement || rule == PolicyParser::RuleBlock || rule == PolicyParser::RuleSetting ||
      rule == PolicyParser::RuleLet || rule == PolicyParser::RuleWhenLine) {
    if (ExplainStatementHead(statement_begin, index)) return;
  }
  if (rule == PolicyParser::RuleJsonObject || rule == PolicyParser::RuleJsonMember ||
      rule == PolicyParser::RuleJsonValue || rule == PolicyParser::RuleJsonArray) {
    return ExplainJson(rule, index);
  }
  if (ExplainHabit(index)) return;
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
    std::string_view help;
    if (type == PolicyParser::LBRACE && before == PolicyParser::WHEN)
      help = "a condition is written without braces: `when request.path == \"/a\"`";
    else if (type == PolicyParser::LBRACE && (before == PolicyParser::EQ || before == PolicyParser::NE))
      help = "a value is looked for in a set with `in { … }`";
    else if (type == PolicyParser::LBRACE && before == PolicyParser::ASSIGN)
      help = "a list stands in brackets: `[a, b]`";
    else if (type == PolicyParser::COMMA) help = "a value should stand before it, or remove it";
    else if (before == PolicyParser::NOT)
      help = "`not` stands before a condition: `not status == 503`; values are compared with `!=`";
    if (help.empty()) Emit(Kind::kValueExpected, index, {Describe(At(index))});
    else Emit(Kind::kUnexpected, index, {Describe(At(index)), help});
    return;
  }
  if (ExplainMissingFunction(context, index)) return;
  const bool next_line = index > 0 && !SameLine(index - 1, index);
  if (IsComparator(type) || type == PolicyParser::AND || type == PolicyParser::OR) {
    Emit(Kind::kValueBefore, index, {Describe(At(index))});
    return;
  }
  if (IsInside(context, PolicyParser::RuleList) || IsInside(context, PolicyParser::RuleSet) ||
      IsInside(context, PolicyParser::RuleSuffix)) {
    if (!next_line || type == PolicyParser::STRING || type == PolicyParser::NAME || type == PolicyParser::NUMBER) {
      const std::string_view other = type == PolicyParser::NAME    ? HelpOfJoiningWord(At(index).getText())
                                     : type == PolicyParser::COLON ? HelpOfJoiningWord("weight")
                                                                   : std::string_view();
      if (!other.empty() && (type != PolicyParser::COLON || TypeAt(index + 1) == PolicyParser::NUMBER)) {
        Emit(Kind::kSideBySide, index, {Describe(At(index)), other});
        return;
      }
      const uint32_t end = offsets_.RangeOf(At(index - 1)).end;
      Emit(Kind::kNeedsComma, index, {Describe(At(index))}).Change({end, end}, ",");
      return;
    }
  }
  Emit(next_line ? Kind::kLineNotComplete : Kind::kNeedless, index, {Describe(At(index))});
}

void ErrorStrategy::ExplainMissing(size_t index) {
  const size_t before = index - 1;
  const size_t type = TypeAt(before);
  const auto kind = [&] {
    switch (type) {
      case PolicyParser::WHEN:
      case PolicyParser::AND:
      case PolicyParser::OR:
      case PolicyParser::NOT: return Kind::kNoCondition;
      case PolicyParser::DOT: return Kind::kNoMember;
      case PolicyParser::LET: return Kind::kNoName;
      case PolicyParser::EDITION: return Kind::kNoNumber;
      case PolicyParser::GIVEN: return Kind::kNoUpstream;
      case PolicyParser::SEND: return Kind::kNoMethod;
      case PolicyParser::WAIT: return Kind::kNoTime;
      case PolicyParser::RELOAD: return Kind::kNoFile;
      case PolicyParser::EXPECT: return Kind::kNoClaim;
      case PolicyParser::COMMA: return Kind::kNoneBehindComma;
      default: return Kind::kNoValue;
    }
  };
  auto& diagnostic = Emit(kind(), before, {At(before).getText()});
  if (type == PolicyParser::COMMA) diagnostic.Change(offsets_.RangeOf(At(before)), "").Unsafe();
}

void ErrorStrategy::ExplainGarbage(size_t index) {
  if (ExplainWord(index) || ExplainHabit(index)) return;
  const bool is_member = index >= 2 && IsKeyword(TypeAt(index - 1)) && TypeAt(index - 2) == PolicyParser::DOT;
  if (is_member) return ExplainMissing(index - 1);
  const size_t type = TypeAt(index);
  const std::string text = At(index).getText();
  if (type == PolicyParser::MISSING) return ExplainMissing(index);
  if (type == PolicyParser::ASSIGN) {
    if (index == 0 || !SameLine(index - 1, index) || TypeAt(index - 1) == PolicyParser::LBRACE) {
      Emit(Kind::kNoSettingName, index);
    } else {
      Emit(Kind::kAssignInPredicate, index, {}).Replace("==");
    }
    return;
  }
  if (ExplainMissingVerb(index) || ExplainHeaderOfTest(index)) return;
  // Behind a set on its line, too: `path in {"/a"} == true`.
  const bool has_operand = index > 0 && (EndsOperand(TypeAt(index - 1)) ||
                                         (TypeAt(index - 1) == PolicyParser::RBRACE && SameLine(index - 1, index)));
  if (IsComparator(type) && !has_operand) {
    Emit(Kind::kValueBefore, index, {Describe(At(index))});
    return;
  }
  if (IsComparator(type)) {
    auto& diagnostic = Emit(Kind::kChainedComparison, index);
    // `500 <= status < 600`: what stands between the two is compared twice.
    size_t middle = index;
    while (middle > 0 && (TypeAt(middle - 1) == PolicyParser::NAME || TypeAt(middle - 1) == PolicyParser::DOT ||
                          TypeAt(middle - 1) == PolicyParser::NUMBER))
      --middle;
    if (middle == index || middle == 0 || !IsComparator(TypeAt(middle - 1))) return;
    const uint32_t at = offsets_.RangeOf(At(index)).begin;
    std::string value;
    for (size_t i = middle; i < index; ++i) value += At(i).getText();
    diagnostic.Change({at, at}, "and " + value + " ").Unsafe();
    return;
  }
  if (type == PolicyParser::COMMA && index > 0 && SameLine(index - 1, index) && SameLine(index, index + 1) && !BeginsStatement(tokens_, index + 1)) {
    size_t head = index;
    while (head > 0 && SameLine(head - 1, head) && TypeAt(head) != PolicyParser::WHEN && TypeAt(head) != PolicyParser::EXPECT) --head;
    const bool is_condition = TypeAt(head) == PolicyParser::WHEN;
    const size_t next = TypeAt(index + 1);
    const bool is_value = (next == PolicyParser::NAME || next == PolicyParser::NUMBER || next == PolicyParser::STRING) &&
                          (!SameLine(index + 1, index + 2) || TypeAt(index + 2) == PolicyParser::COMMA || TypeAt(index + 2) == PolicyParser::RBRACE ||
                           TypeAt(index + 2) == PolicyParser::NAME);
    if (is_condition && is_value) {
      Emit(Kind::kValuesInBraces, index, {At(index - 1).getText(), At(index + 1).getText()});
      return;
    }
    if (is_condition) {
      Emit(Kind::kConditionsInList, index).Change(offsets_.RangeOf(At(index)), " and").Unsafe();
      return;
    }
    if (TypeAt(head) == PolicyParser::EXPECT && next == PolicyParser::NAME) {
      Emit(Kind::kExpectsInList, index)
          .Change({offsets_.RangeOf(At(index)).begin, offsets_.RangeOf(At(index + 1)).begin}, "\n  expect ");
      return;
    }
  }
  if (type == PolicyParser::COMMA) {
    Emit(Kind::kCommaAtEnd, index).Change(offsets_.RangeOf(At(index)), "");
    return;
  }
  if (index > 0 && TypeAt(index - 1) == PolicyParser::REGEX &&
      At(index - 1).getStopIndex() + 1 == At(index).getStartIndex()) {
    if (type == PolicyParser::NAME && AreFlags(text)) {
      const uint32_t begin = offsets_.RangeOf(At(index - 1)).begin;
      auto& diagnostic = Emit(Kind::kFlagsBehind, index, {Describe(At(index))});
      if (text == "i") diagnostic.Change({begin + 1, begin + 1}, "(?i)").Change(offsets_.RangeOf(At(index)), "");
      return;
    }
    Emit(Kind::kSlashInPattern, index, {Describe(At(index))});
    return;
  }
  if (index > 0 && TypeAt(index - 1) == PolicyParser::NUMBER && type == PolicyParser::NAME && IsUnit(text)) {
    const std::string joined = At(index - 1).getText() + std::string(UnitOf(text));
    Emit(Kind::kUnitApart, index, {Describe(At(index)), joined})
        .Change(offsets_.RangeOf(At(index - 1), At(index)), joined);
    return;
  }
  if (type == PolicyParser::UNKNOWN) {
    Emit(Kind::kStatementExpected, index, {Describe(At(index))});
    return;
  }
  if (type == PolicyParser::NAME && SameLine(index - 1, index)) {
    // On one line: `reply busy { status = 404  text: "x" }`.
    const size_t next = TypeAt(index + 1);
    const bool is_setting = IsPlainWord(text) && index > 0 && (next == PolicyParser::COLON || next == PolicyParser::STRING);
    if (is_setting && next == PolicyParser::COLON) {
      Emit(Kind::kColonInSetting, index + 1, {}).Replace(" =");
      return;
    }
    if (const std::string_view help = HelpOfJoiningWord(text); !help.empty()) {
      // `max_in_flight = 4 requests`, `expect elapsed within 2s`.
      const bool is_counted = (text == "requests" || text == "failures" || text == "errors") && index >= 2 && TypeAt(index - 1) == PolicyParser::NUMBER && TypeAt(index - 2) == PolicyParser::ASSIGN;
      const bool is_expected =
          TypeAt(HeadOfLine(index)) == PolicyParser::EXPECT && (text == "within" || text == "over");
      Emit(Kind::kSideBySide, index,
           {Describe(At(index)), is_counted    ? "remove it: a number stands alone"
                                 : is_expected ? "times are compared as well: `expect elapsed < 2s`"
                                               : help});
      return;
    }
    if (is_setting) {
      const uint32_t at = offsets_.RangeOf(At(index + 1)).begin;
      Emit(Kind::kMissingAssign, index + 1, {text, Describe(At(index + 1))}).Change({at, at}, "= ");
      return;
    }
  }
  if (type == PolicyParser::STRING && index > 0 && SameLine(index - 1, index) && TypeAt(index - 1) == PolicyParser::STRING) {
    const bool is_triple = Touches(index) && (text == "\"\"" || At(index - 1).getText() == "\"\"");
    Emit(is_triple ? Kind::kTripleQuotes : Kind::kTwoStrings, index, {Describe(At(index))});
    return;
  }
  const std::string_view sentence = HelpOfSentence(HeadOfLine(index));
  if (type == PolicyParser::NAME || type == PolicyParser::NUMBER || type == PolicyParser::STRING ||
      type == PolicyParser::NETWORK || type == PolicyParser::REGEX || type == PolicyParser::NOT ||
      type == PolicyParser::LPAREN || type == PolicyParser::JSON) {
    if (sentence.empty()) Emit(Kind::kOperatorMissing, index, {Describe(At(index))});
    else Emit(Kind::kSideBySide, index, {Describe(At(index)), sentence});
    return;
  }
  if (sentence.empty()) Emit(Kind::kStatementExpected, index, {Describe(At(index))});
  else Emit(Kind::kUnexpected, index, {Describe(At(index)), sentence});
}

size_t ErrorStrategy::HeadOfLine(size_t index) const {
  while (index > 0 && SameLine(index - 1, index)) --index;
  return index;
}

// How a sentence of a test is written; "" for anything else.
std::string_view ErrorStrategy::HelpOfSentence(size_t head) const {
  switch (TypeAt(head)) {
    case PolicyParser::GIVEN:
      return "write for example `given model replies 503 after 2s`, or `given model streams 5 tokens then cuts`; "
             "another answer is another `given`";
    case PolicyParser::SEND:
      return "write for example `send POST \"/api/chat\" json { \"model\": \"a\" } leaves after 2s`";
    case PolicyParser::WAIT: return "write for example `wait 15s`";
    case PolicyParser::EXPECT:
      return "an `expect` compares one thing: `expect status == 200`, `expect attempts(model) == 1`";
    default: return {};
  }
}

}  // namespace compiler::parse
