#include "tests/coverage/knobs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <variant>

#include "compiler/ast/ast.h"
#include "compiler/parse/parse.h"
#include "compiler/parse/tokens.h"
#include "compiler/source/source_buffer.h"

namespace tests::coverage {
namespace {

using compiler::parse::Token;
using compiler::parse::TokenKind;
using compiler::source::SourceRange;
namespace ast = compiler::ast;

class Finder {
 public:
  Finder(std::string_view name, std::string_view policy) : policy_(policy), source_(std::string(name), policy) {}

  std::vector<Knob> Find() {
    compiler::diagnostics::Diagnostics diagnostics;
    const ast::File file = compiler::parse::ParseFile(source_, &diagnostics);
    for (const ast::Statement& statement : file.body) {
      if (const auto* block = std::get_if<ast::Block>(&statement.node)) RecordName(*block);
    }
    for (const ast::Statement& statement : file.body) {
      if (const auto* block = std::get_if<ast::Block>(&statement.node)) Walk(*block, block->kind.text);
    }
    return std::move(knobs_);
  }

 private:
  // Names of blocks, by what may stand in for each other.
  void RecordName(const ast::Block& block) {
    if (block.name) (block.kind.text == "upstream" ? upstreams_ : others_).push_back(block.name->text);
  }

  void Walk(const ast::Block& block, const std::string& path) {
    for (const ast::Statement& statement : block.body) {
      if (const auto* inner = std::get_if<ast::Block>(&statement.node)) Walk(*inner, path + "." + inner->kind.text);
      if (const auto* setting = std::get_if<ast::Setting>(&statement.node)) Turn(*setting, statement.range, path);
    }
  }

  std::string_view Text(SourceRange range) const { return source_.Text(range); }

  std::string With(SourceRange range, std::string_view text) const {
    return std::string(policy_.substr(0, range.begin)) + std::string(text) + std::string(policy_.substr(range.end));
  }

  void Add(const ast::Setting& setting, const std::string& path, SourceRange at, std::vector<std::string> turned,
           bool is_number = false) {
    const auto line = source_.PositionOf(at.begin).line;
    const std::string shown =
        std::string(Text({setting.name.range.begin, at.begin})) + "»" + std::string(Text(at)) + "«";
    knobs_.push_back({is_number, path + "." + setting.name.text,
                      source_.name() + ":" + std::to_string(line) + ": " + shown, std::move(turned)});
  }

  void Turn(const ast::Setting& setting, SourceRange statement, const std::string& path) {
    const ast::Expr& value = setting.value;
    const std::string removed = With(statement, "");
    if (value.kind == ast::ExprKind::kList) {
      for (size_t i = 0; i < value.operands.size(); ++i) {
        SourceRange out = value.operands[i].range;
        // With the comma on one side of it.
        if (i + 1 < value.operands.size()) out.end = value.operands[i + 1].range.begin;
        else if (i > 0) out.begin = value.operands[i - 1].range.end;
        Add(setting, path, value.operands[i].range, {With(out, "")});
      }
      return;
    }
    if (value.kind == ast::ExprKind::kJson) {
      const auto brace = static_cast<uint32_t>(policy_.find('{', value.range.begin) + 1);
      return Add(setting, path, value.range, {With({brace, brace}, " \"turned\": 1, ")});
    }
    if (value.kind == ast::ExprKind::kName) {
      std::vector<std::string> turned = {removed};
      for (const auto& names : {upstreams_, others_, std::vector<std::string>{"true", "false"}}) {
        for (const std::string& other : names) {
          const bool same_kind = std::find(names.begin(), names.end(), value.text) != names.end();
          if (same_kind && other != value.text) turned.push_back(With(value.range, other));
        }
      }
      return Add(setting, path, value.range, std::move(turned));
    }
    bool any = false;
    for (const Token& token : compiler::parse::ReadTokens(policy_)) {
      if (token.range.begin < value.range.begin || token.range.end > value.range.end) continue;
      const std::string text(Text(token.range));
      if (token.kind == TokenKind::kNumber) {
        any = true;
        Add(setting, path, token.range, Numbers(setting, token.range, text), true);
      } else if (token.kind == TokenKind::kString && !IsVariable(token.range)) {
        any = true;
        Add(setting, path, token.range, {With(token.range, OtherText(text))});
      }
    }
    if (!any) Add(setting, path, value.range, {removed});  // hash(…): what it is made of are names
  }

  // A variable's name, in env(…): another one is as little set.
  bool IsVariable(SourceRange text) const { return policy_.substr(0, text.begin).ends_with("env("); }

  static std::string OtherText(const std::string& text) {
    const size_t host = text.find("http://");
    if (host != std::string::npos) return text.substr(0, host + 7) + "other-" + text.substr(host + 7);
    return text.substr(0, text.size() - 1) + "x\"";
  }

  std::vector<std::string> Numbers(const ast::Setting& setting, SourceRange at, const std::string& text) const {
    char* unit = nullptr;
    const double number = std::strtod(text.c_str(), &unit);
    if (setting.name.text == "status") return {With(at, std::to_string(static_cast<int>(number) + 1))};
    const auto written = [&](double other) {
      std::string digits = std::to_string(other);
      while (digits.ends_with('0')) digits.pop_back();
      if (digits.ends_with('.')) digits.pop_back();
      return With(at, digits + unit);
    };
    const bool is_whole = *unit == '\0' && text.find('.') == std::string::npos;
    // Sizes are whole bytes: a part of one is written in the next smaller unit.
    const std::string written_unit = unit;
    const std::string smaller = written_unit == "GiB"   ? "MiB"
                                : written_unit == "MiB" ? "KiB"
                                : written_unit == "KiB" ? "B"
                                                        : "";
    const auto divided = [&](double by) {
      if (!smaller.empty()) return With(at, std::to_string(static_cast<int64_t>(number * 1024 / by)) + smaller);
      return written(is_whole ? std::max(1.0, std::floor(number / by)) : number / by);
    };
    return {written(2 * number), divided(2), divided(3), divided(5), written(10 * number), divided(10)};
  }

  std::string_view policy_;
  compiler::source::SourceBuffer source_;
  std::vector<std::string> upstreams_;
  std::vector<std::string> others_;
  std::vector<Knob> knobs_;
};

}  // namespace

std::vector<Knob> KnobsOf(std::string_view name, std::string_view policy) { return Finder(name, policy).Find(); }

}  // namespace tests::coverage
