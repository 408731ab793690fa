#include "compiler/check/misspelt_names.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "base/text.h"

namespace compiler::check {
namespace {

using diagnostics::Kind;

using Uses = std::map<std::string, int, std::less<>>;

// How often each name is used.
struct NamesUsed {
  Uses blocks;  // where a setting names upstreams, caches, replies and mocks
  Uses values;  // in expressions

  void Read(const ast::Expr& expr, Uses* direct) {
    if (expr.kind == ast::ExprKind::kName) ++(*direct)[expr.text];
    // Only a list hands on what its place means.
    Uses* const below = expr.kind == ast::ExprKind::kList ? direct : &values;
    for (const ast::Expr& operand : expr.operands) Read(operand, below);
    for (const ast::StringPart& part : expr.parts) {
      if (part.value != nullptr) Read(*part.value, &values);
    }
    for (const ast::Argument& argument : expr.arguments) Read(*argument.value, &values);
  }

  // What a test expects of an upstream, and which block it expects to answer.
  void ReadClaim(const ast::Expr& expr) {
    constexpr std::array<std::string_view, 2> kNamingSubjects = {"served_by", "fallback"};
    constexpr std::array<std::string_view, 4> kOtherServers = {"none", "gateway", "default", "ollama_server_changes"};
    for (const ast::Argument& argument : expr.arguments) {
      if (argument.value->kind == ast::ExprKind::kName) ++blocks[argument.value->text];
    }
    for (size_t i = 0; i < expr.operands.size(); ++i) {
      const ast::Expr& subject = expr.operands[0];
      const bool names =
          i == 1 && std::find(kNamingSubjects.begin(), kNamingSubjects.end(), subject.text) != kNamingSubjects.end();
      const ast::Expr& operand = expr.operands[i];
      ReadClaim(operand);
      if (!names) continue;
      const bool is_set = operand.kind == ast::ExprKind::kSet;
      for (size_t k = 0; k < (is_set ? operand.operands.size() : 1); ++k) {
        const ast::Expr& name = is_set ? operand.operands[k] : operand;
        const bool is_other = std::find(kOtherServers.begin(), kOtherServers.end(), name.text) != kOtherServers.end();
        if (name.kind == ast::ExprKind::kName && !is_other) ++blocks[name.text];
      }
    }
  }

  void Read(const ast::Sentence& sentence) {
    if (sentence.verb.text == "given") ++blocks[sentence.subject.text];
    if (sentence.claim) ReadClaim(*sentence.claim);
  }

  void Read(const std::vector<ast::Statement>& body) {
    constexpr std::array<std::string_view, 4> kNamingSettings = {"to", "reply", "fallback", "cache"};
    for (const ast::Statement& statement : body) {
      if (const auto* inside = ast::BodyOf(statement)) Read(*inside);
      if (const auto* sentence = std::get_if<ast::Sentence>(&statement.node)) Read(*sentence);
      if (const auto* let = std::get_if<ast::Let>(&statement.node)) Read(let->value, &values);
      if (const auto* when = std::get_if<ast::When>(&statement.node)) Read(when->predicate, &values);
      if (const auto* setting = std::get_if<ast::Setting>(&statement.node)) {
        const bool names =
            std::find(kNamingSettings.begin(), kNamingSettings.end(), setting->name.text) != kNamingSettings.end();
        Read(setting->value, names ? &blocks : &values);
      }
    }
  }
};

}  // namespace

void AdoptMisspeltNames(const ast::File& file, Scope* scope, diagnostics::Diagnostics* diagnostics) {
  NamesUsed used;
  used.Read(file.body);
  const std::vector<std::string_view> given =
      scope->NamesOf({EntityKind::kUpstream, EntityKind::kCache, EntityKind::kReply, EntityKind::kMock,
                      EntityKind::kTls, EntityKind::kLet});
  for (auto& [name, entity] : scope->entities()) {
    if (used.blocks.contains(name) || used.values.contains(name)) continue;
    for (const auto& [called, times] : entity.kind == EntityKind::kLet ? used.values : used.blocks) {
      if (times < 2 || scope->Find(called) != nullptr || scope->IsBroken(called) || IsLanguageName(called)) continue;
      if (base::Nearest(called, given) != std::string_view(name)) continue;
      diagnostics->Emit(Kind::kMisspeltName, entity.range, {name, called, std::to_string(times)}).Replace(called);
      scope->Alias(called, &entity);
      entity.used = true;
      break;
    }
  }
}

}  // namespace compiler::check
