#include "compiler/testcase/test_words.h"

#include <algorithm>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/number.h"

namespace compiler::testcase {

using expr::Number;
using expr::NumberKind;
using expr::ParseNumber;

using diagnostics::Kind;

TestWords::TestWords(const ast::File& file, diagnostics::Diagnostics* diagnostics)
    : file_(file),
      diagnostics_(diagnostics),
      has_errors_(diagnostics->has_errors()),
      broken_(file.broken_names.begin(), file.broken_names.end()) {
  // A block whose name is misspelt was told with the name that everybody else calls it.
  for (const diagnostics::Diagnostic& finding : diagnostics->items()) {
    const std::string* meant = finding.kind == Kind::kMisspeltName ? finding.replacement() : nullptr;
    if (meant != nullptr) broken_.insert(*meant);
  }
}

std::vector<std::string_view> TestWords::NamesOf(std::initializer_list<std::string_view> kinds) const {
  std::vector<std::string_view> names;
  for (const ast::Statement& statement : file_.body) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    if (block != nullptr && block->name && std::find(kinds.begin(), kinds.end(), block->kind.text) != kinds.end())
      names.push_back(block->name->text);
  }
  return names;
}

std::optional<model::UpstreamId> TestWords::UpstreamOf(const ast::Name& name) const {
  // In the order of the file, as the checker numbers them.
  const std::vector<std::string_view> upstreams = NamesOf({"upstream"});
  const auto found = std::find(upstreams.begin(), upstreams.end(), name.text);
  if (found != upstreams.end()) return model::UpstreamId(static_cast<int32_t>(found - upstreams.begin()));
  if (IsBroken(name.text)) return std::nullopt;
  const auto nearest = base::Nearest(name.text, upstreams);
  if (!nearest && has_errors_) return std::nullopt;  // one of them may be its block's
  auto& diagnostic = Emit(Kind::kUnknownUpstream, name.range,
                          {name.text, nearest ? diagnostics::DidYouMean(*nearest) : std::string()});
  if (nearest) diagnostic.Replace(std::string(*nearest));
  return std::nullopt;
}

std::optional<model::UpstreamId> TestWords::UpstreamWithBreaker(const ast::Name& name) const {
  const auto upstream = UpstreamOf(name);
  if (!upstream) return std::nullopt;
  for (const ast::Statement& statement : file_.body) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    if (block == nullptr || block->kind.text != "upstream" || !block->name || block->name->text != name.text) continue;
    const bool has_one = std::any_of(block->body.begin(), block->body.end(), [](const ast::Statement& inner) {
      const auto* inner_block = std::get_if<ast::Block>(&inner.node);
      return inner_block != nullptr && inner_block->kind.text == "breaker";
    });
    if (has_one || block->broken) return upstream;
  }
  if (has_errors_) return upstream;  // one of them may be its breaker's
  Emit(Kind::kTestBreaker, name.range, {name.text});
  return std::nullopt;
}

std::optional<model::Duration> TestWords::DurationOf(const ast::Expr& number) const {
  if (number.kind == ast::ExprKind::kError) return std::nullopt;
  const Number value = number.kind == ast::ExprKind::kNumber ? ParseNumber(number.text) : Number();
  if (value.kind == NumberKind::kDuration && value.integer >= 0) return model::Duration(value.integer);
  if (value.kind == NumberKind::kInt || value.kind == NumberKind::kDecimal) {
    Emit(Kind::kNeedsShortTime, number.range, {number.text}).Change({number.range.end, number.range.end}, "s").Unsafe();
  } else if (value.kind == NumberKind::kUnknownUnit && !value.suggestion.empty()) {
    Emit(Kind::kUnknownUnit, number.range, {number.text, ""}).Replace(value.suggestion);
  } else {
    Emit(Kind::kTestTime, number.range);
  }
  return std::nullopt;
}

std::optional<int64_t> TestWords::CountOf(const ast::Expr& number, std::string_view what, int64_t most) const {
  const Number value = ParseNumber(number.text);
  if (value.kind != NumberKind::kInt) {
    Emit(Kind::kTestCount, number.range, {std::string(what)});
    return std::nullopt;
  }
  if (value.integer < 1 || value.integer > most) {
    Emit(Kind::kOutOfRange, number.range, {what, number.text, "1", std::to_string(most), ""});
    return std::nullopt;
  }
  return value.integer;
}

std::optional<int> TestWords::StatusOf(const ast::Expr& number) const {
  const Number value = ParseNumber(number.text);
  if (value.kind != NumberKind::kInt || value.integer < 200 || value.integer > 599) {
    Emit(Kind::kStatusRange, number.range, {number.text});
    return std::nullopt;
  }
  return static_cast<int>(value.integer);
}

std::string TestWords::PlainText(const ast::Expr& string) const {
  std::string text;
  for (const ast::StringPart& part : string.parts) {
    if (part.value != nullptr) {
      Emit(Kind::kTestConstant, string.range);
      return text;
    }
    text += part.text;
  }
  return text;
}

}  // namespace compiler::testcase
