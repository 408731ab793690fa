#include "compiler/check/misspelt_names.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::check {

using expr::Entity;
using expr::EntityKind;
using expr::IsLanguageName;
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

bool IsWordCharacter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// How often a word stands in the text, as one of its own; `_` and `-` join words to names.
int TimesIn(std::string_view text, std::string_view word) {
  int times = 0;
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const bool begins = at == 0 || !IsWordCharacter(text[at - 1]);
    const size_t end = at + word.size();
    if (begins && (end == text.size() || !IsWordCharacter(text[end]))) ++times;
  }
  return times;
}

// Whether somebody has thought of the name: of each of its words whether it stands elsewhere in the file, as in an address, a path or the
// name of a model, or is one that names are made of. In percent.
int Plausibility(std::string_view text, std::string_view name) {
  static constexpr std::string_view kUsual[] = {
#define USUAL(word) word,
#include "compiler/check/usual_names.def"
#undef USUAL
  };
  int words = 0;
  int known = 0;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find('_', begin), name.size());
    const std::string_view word = name.substr(begin, end - begin);
    begin = end + 1;
    if (word.empty()) continue;
    ++words;
    const bool is_usual = std::find(std::begin(kUsual), std::end(kUsual), word) != std::end(kUsual);
    if (is_usual || TimesIn(text, word) > 1) ++known;
  }
  return words == 0 ? 0 : 100 * known / words;
}

}  // namespace

void AdoptMisspeltNames(const ast::File& file, Scope* scope, diagnostics::Diagnostics* diagnostics) {
  constexpr size_t kMostUnknown = 50;  // beyond that the file is no policy
  NamesUsed used;
  used.Read(file.body);
  const std::vector<std::string_view> given =
      scope->NamesOf({EntityKind::kUpstream, EntityKind::kCache, EntityKind::kReply, EntityKind::kMock,
                      EntityKind::kTls, EntityKind::kLet});
  for (const bool is_let : {false, true}) {
    size_t unknown = 0;
    for (const auto& [called, times] : is_let ? used.values : used.blocks) {
      if (scope->Find(called) != nullptr || scope->IsBroken(called) || IsLanguageName(called)) continue;
      if (++unknown > kMostUnknown) break;
      const auto nearest = base::Nearest(called, given);
      if (!nearest || used.blocks.contains(*nearest) || used.values.contains(*nearest)) continue;
      Entity& entity = *scope->Find(*nearest);
      if ((entity.kind == EntityKind::kLet) != is_let || entity.used) continue;
      // Used once: the one of the two that somebody has thought of is right; where that is not known, the one that is given.
      if (times < 2 && Plausibility(file.text, called) <= Plausibility(file.text, entity.name)) continue;
      diagnostics
          ->Emit(Kind::kMisspeltName, entity.range,
                 {entity.name, called, times == 1 ? "once" : std::to_string(times) + " times"})
          .Replace(called);
      scope->Alias(called, &entity);
      entity.used = true;
    }
  }
}

}  // namespace compiler::check
