// What is wrong with a sentence of a test.
#include <string>
#include <string_view>

#include "PolicyParser.h"
#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/mistakes/error_strategy.h"

namespace compiler::parse {
namespace {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

bool IsInTest(antlr4::RuleContext* context) {
  for (auto* c = context; c != nullptr; c = static_cast<antlr4::RuleContext*>(c->parent)) {
    if (c->getRuleIndex() == PolicyParser::RuleTestBlock) return true;
  }
  return false;
}

constexpr std::string_view kVerbs[] = {"given", "send", "wait", "reload", "expect"};

}  // namespace

bool ErrorStrategy::ExplainSentence(antlr4::RuleContext* context, size_t begin, size_t index) {
  if (!IsInTest(context)) return false;
  const size_t rule = context->getRuleIndex();
  if (TypeAt(begin) == PolicyParser::NAME && (rule == PolicyParser::RuleStatement || rule == PolicyParser::RuleBlock)) {
    if (index > begin && SameLine(begin, index) && ExplainMissingVerb(index)) return true;
    const std::string word = At(begin).getText();
    const auto nearest = base::Nearest(word, kVerbs);
    auto& diagnostic = Emit(Kind::kUnknownVerb, begin,
                            {word, nearest ? "" : "a test is made of `given`, `send`, `wait`, `reload` and `expect`"});
    if (nearest) diagnostic.Replace(std::string(*nearest));
    return true;
  }
  if (rule != PolicyParser::RuleSentence && rule != PolicyParser::RuleClause) return false;
  const size_t verb = TypeAt(begin);
  if (verb != PolicyParser::GIVEN && verb != PolicyParser::SEND) return false;
  const bool is_given = verb == PolicyParser::GIVEN;
  const std::string_view help =
      is_given ? "write for example `given model replies 503`" : "write for example `send GET \"/\"`";
  const bool ends_here =
      TypeAt(index) == PolicyParser::RBRACE || TypeAt(index) == Token::EOF || IsTestVerb(TypeAt(index));
  if (!ends_here) {
    Emit(Kind::kUnexpected, index, {Describe(At(index)), help});
  } else if (index == begin + 1) {
    ExplainMissing(index);
  } else {
    Emit(Kind::kMissingValue, index - 1, {is_given ? "what it does" : "a path", At(index - 1).getText(), help});
  }
  return true;
}

// The words before it were read as clauses of the sentence above.
bool ErrorStrategy::ExplainMissingVerb(size_t index) {
  const size_t type = TypeAt(index);
  if (index == 0 || (!IsComparator(type) && !IsOpener(type) && type != PolicyParser::DOT && type != PolicyParser::NOT))
    return false;
  size_t first = index;
  while (first > 0 && SameLine(first - 1, index)) --first;
  if (first == index || TypeAt(first) != PolicyParser::NAME) return false;
  size_t verb = first;
  while (verb > 0 && !IsTestVerb(TypeAt(verb)) && TypeAt(verb) != PolicyParser::TEST) --verb;
  if (!IsTestVerb(TypeAt(verb))) return false;
  const uint32_t at = offsets_.RangeOf(At(first)).begin;
  Emit(Kind::kExpectMissing, first, {Describe(At(first))}).Change({at, at}, "expect ");
  return true;
}

bool ErrorStrategy::ExplainHeaderOfTest(size_t index) {
  if (index < 4 || TypeAt(index - 1) != PolicyParser::STRING || TypeAt(index - 2) != PolicyParser::ASSIGN ||
      TypeAt(index - 3) != PolicyParser::NAME || !SameLine(index - 4, index - 3))
    return false;
  size_t verb = index - 3;
  while (verb > 0 && SameLine(verb - 1, verb)) --verb;
  if (!IsTestVerb(TypeAt(verb))) return false;
  Emit(Kind::kHeaderExample, index - 3, {Describe(At(index - 3))});
  return true;
}

}  // namespace compiler::parse
