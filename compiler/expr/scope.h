// The names of a file: upstreams, caches, replies, mocks and lets share one space. Every name remembers whether it is used.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/type.h"
#include "compiler/ast/ast.h"
#include "compiler/model/expr.h"

namespace compiler::expr {

enum class EntityKind : uint8_t { kUpstream, kCache, kReply, kMock, kTls, kLet };
std::string_view ArticleAndWord(EntityKind kind);  // "an upstream"
std::string_view Word(EntityKind kind);            // "upstream"

// What a let reads: at its use each must be readable.
struct LetRead {
  abi::Phase phase;
  std::string name;
};

// What stands in a predicate in place of a let's name, and what it took to check it.
struct WrittenLet {
  model::Expr expr;
  int nodes = 0;
  bool used_stand_in = false;
};

enum class LetState : uint8_t { kUnchecked, kChecking, kGood, kBad };

struct Entity {
  EntityKind kind{};
  std::string name;
  source::SourceRange range;
  int32_t index = -1;  // the id's value; for kLet the index in lets
  bool used = false;

  const ast::Let* let = nullptr;
  LetState state = LetState::kUnchecked;
  std::vector<LetRead> reads;
  std::optional<WrittenLet> written;  // set by its first use in the policy
};

// Whether the language itself uses the name in expressions: facts, errors, methods.
bool IsLanguageName(std::string_view name);

class Scope {
 public:
  // Words of what could not be parsed: an unknown name among them is no finding.
  void SetBrokenNames(const std::vector<std::string>& names) { broken_.insert(names.begin(), names.end()); }
  void AddBrokenName(const std::string& name) { broken_.insert(name); }
  bool IsBroken(std::string_view name) const { return broken_.count(std::string(name)) > 0; }
  // Whether a let, or a block, lost its name: a name that nothing is near to may have been that.
  bool LostALet() const { return broken_.count("") > 0; }
  bool LostABlock() const { return lost_a_block_; }
  void LoseABlock() { lost_a_block_ = true; }

  // Null if the name is taken.
  Entity* Declare(Entity entity);
  Entity* Find(std::string_view name);
  // `name` is what everybody calls `entity`, whose own name is misspelt.
  void Alias(const std::string& name, Entity* entity) { aliases_[name] = entity; }

  std::map<std::string, Entity, std::less<>>& entities() { return entities_; }
  std::vector<std::string_view> NamesOf(std::initializer_list<EntityKind> kinds) const;

 private:
  std::map<std::string, Entity, std::less<>> entities_;
  std::map<std::string, Entity*, std::less<>> aliases_;
  std::set<std::string> broken_;
  bool lost_a_block_ = false;
};

}  // namespace compiler::expr
