#include "compiler/check/origins.h"

#include <algorithm>
#include <utility>

namespace compiler::check {
namespace {

using ast::ExprKind;
using model::TextOrigin;
using model::WordOrigin;
using source::SourceRange;

std::string_view In(std::string_view text, SourceRange range) {
  return text.substr(range.begin, range.end - range.begin);
}

void AddWords(const ast::Expr& expr, SourceRange removal, std::vector<WordOrigin>* words) {
  switch (expr.kind) {
    case ExprKind::kName:
    case ExprKind::kNumber: words->push_back({expr.range, removal}); return;
    case ExprKind::kSet:
    case ExprKind::kList:
      for (size_t i = 0; i < expr.operands.size(); ++i) {
        SourceRange with_comma{};
        if (i > 0) with_comma = {expr.operands[i - 1].range.end, expr.operands[i].range.end};
        else if (expr.operands.size() > 1) with_comma = {expr.operands[0].range.begin, expr.operands[1].range.begin};
        AddWords(expr.operands[i], with_comma, words);
      }
      return;
    case ExprKind::kMember:
    case ExprKind::kIndex: return;  // a path is no word: nobody looks for its parts
    default: break;
  }
  for (const ast::Expr& operand : expr.operands) AddWords(operand, {}, words);
  for (const ast::Argument& argument : expr.arguments) AddWords(*argument.value, {}, words);
  for (const ast::StringPart& part : expr.parts) {
    if (part.value) AddWords(*part.value, {}, words);
  }
}

std::vector<WordOrigin> WordsOf(const ast::Expr& expr) {
  std::vector<WordOrigin> words;
  AddWords(expr, {}, &words);
  return words;
}

void AddTexts(const ast::Expr& expr, bool is_variable, std::vector<TextOrigin>* texts) {
  if (expr.kind == ExprKind::kString) {
    const bool is_constant = std::all_of(expr.parts.begin(), expr.parts.end(),
                                         [](const ast::StringPart& part) { return part.value == nullptr; });
    std::string text;
    for (const ast::StringPart& part : expr.parts) text += part.text;
    if (is_constant) texts->push_back({expr.range, std::move(text), is_variable});
  }
  for (const ast::Expr& operand : expr.operands) AddTexts(operand, false, texts);
  const bool is_env =
      expr.kind == ExprKind::kCall && expr.operands[0].kind == ExprKind::kName && expr.operands[0].text == "env";
  for (const ast::Argument& argument : expr.arguments) AddTexts(*argument.value, is_env && !argument.name, texts);
  for (const ast::StringPart& part : expr.parts) {
    if (part.value) AddTexts(*part.value, false, texts);
  }
}

std::vector<TextOrigin> TextsOf(const ast::Expr& expr) {
  std::vector<TextOrigin> texts;
  AddTexts(expr, false, &texts);
  return texts;
}

std::string KeyOf(const ast::Setting& setting) {
  if (!setting.key) return "";
  const std::vector<TextOrigin> texts = TextsOf(*setting.key);
  return texts.empty() ? "" : texts[0].text;
}

}  // namespace

model::BlockOrigin OriginOf(const ast::Block& block, SourceRange whole, std::string_view text) {
  model::BlockOrigin origin;
  origin.kind = In(text, block.kind.range);
  origin.kind_range = block.kind.range;
  origin.name = block.name ? block.name->range : block.kind.range;
  origin.whole = whole;
  for (const ast::Statement& statement : block.body) {
    if (const auto* setting = std::get_if<ast::Setting>(&statement.node)) {
      origin.settings.push_back({In(text, setting->name.range), setting->name.range, setting->value.range,
                                 statement.range, WordsOf(setting->value), TextsOf(setting->value), KeyOf(*setting)});
    } else if (const auto* when = std::get_if<ast::When>(&statement.node)) {
      origin.whens.push_back({when->word ? In(text, when->word->range) : std::string_view(), when->predicate.range,
                              statement.range, when->predicate.kind == ExprKind::kOr, WordsOf(when->predicate),
                              TextsOf(when->predicate)});
    } else if (const auto* inner = std::get_if<ast::Block>(&statement.node)) {
      origin.blocks.push_back(OriginOf(*inner, statement.range, text));
    }
  }
  return origin;
}

model::LetOrigin OriginOf(const ast::Let& let) {
  return {let.name.range, let.value.range, WordsOf(let.value), TextsOf(let.value)};
}

}  // namespace compiler::check
