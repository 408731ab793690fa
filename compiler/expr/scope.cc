#include "compiler/expr/scope.h"

#include <algorithm>
#include <utility>

#include "compiler/abi/fact_table.h"

namespace compiler::expr {

std::string_view ArticleAndWord(EntityKind kind) {
  switch (kind) {
    case EntityKind::kUpstream: return "an upstream";
    case EntityKind::kCache: return "a cache";
    case EntityKind::kReply: return "a reply";
    case EntityKind::kMock: return "a mock";
    case EntityKind::kTls: return "a tls block";
    case EntityKind::kLet: return "a let name";
  }
  return "";
}

std::string_view Word(EntityKind kind) {
  const std::string_view text = ArticleAndWord(kind);
  return text.substr(text.find(' ') + 1);
}

bool IsLanguageName(std::string_view name) {
  constexpr std::string_view kOthers[] = {"true", "false", "none", "request", "response", "client", "timeout"};
  if (std::find(std::begin(kOthers), std::end(kOthers), name) != std::end(kOthers)) return true;
  // Facts and errors that came after the first list of edition 1: a file that gave one of these names to a `let` keeps its meaning.
  constexpr std::string_view kLater[] = {"empty_answer", "prompt_too_long", "client_timeout", "exhausted", "unfinished"};
  if (std::find(std::begin(kLater), std::end(kLater), name) != std::end(kLater)) return false;
  for (const abi::FieldInfo& field : abi::Fields()) {
    if (field.name == name) return true;
  }
  return abi::ErrorKindOf(name) != abi::ErrorKind::kNone || abi::MethodOf(name) != abi::Method::kOther;
}

Entity* Scope::Declare(Entity entity) {
  const std::string name = entity.name;
  const auto [at, inserted] = entities_.emplace(name, std::move(entity));
  return inserted ? &at->second : nullptr;
}

Entity* Scope::Find(std::string_view name) {
  const auto found = entities_.find(name);
  if (found != entities_.end()) return &found->second;
  const auto alias = aliases_.find(name);
  return alias == aliases_.end() ? nullptr : alias->second;
}

std::vector<std::string_view> Scope::NamesOf(std::initializer_list<EntityKind> kinds) const {
  std::vector<std::string_view> names;
  for (const auto& [name, entity] : entities_) {
    if (std::find(kinds.begin(), kinds.end(), entity.kind) != kinds.end()) names.push_back(name);
  }
  return names;
}

}  // namespace compiler::expr
