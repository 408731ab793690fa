// What is wrong with a sentence of a test.
#include <string>
#include <string_view>

#include "PolicyParser.h"
#include "compiler/base/text.h"
#include "compiler/parse/error_strategy.h"

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

constexpr std::string_view kVerbs[] = {"given", "send", "wait", "expect"};

}  // namespace

bool ErrorStrategy::ExplainSentence(antlr4::RuleContext* context, size_t begin, size_t index) {
  if (!IsInTest(context)) return false;
  const size_t rule = context->getRuleIndex();
  if (TypeAt(begin) == PolicyParser::NAME && (rule == PolicyParser::RuleStatement || rule == PolicyParser::RuleBlock)) {
    const std::string word = At(begin).getText();
    const auto nearest = base::Nearest(word, kVerbs);
    auto& diagnostic = Emit(Kind::kUnknownVerb, begin,
                            {word, nearest ? "" : "a test is made of `given`, `send`, `wait` and `expect`"});
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

}  // namespace compiler::parse
