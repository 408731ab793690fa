#include "compiler/expand/expand.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/text.h"
#include "compiler/ast/clone.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expand/names.h"
#include "compiler/parse/parse.h"

namespace compiler::expand {
namespace {

using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

// What an imported file may hold besides its edition and `let`; of these, what an upstream names.
constexpr std::string_view kImported[] = {"retry", "breaker", "cache", "reply", "upstream", "mock"};
// A file of nothing but these is no policy, and needs no gateway.
constexpr std::string_view kOnlyImported[] = {"retry", "breaker", "cache", "reply"};
constexpr std::string_view kShared[] = {"retry", "breaker"};

constexpr std::string_view kTestsOf = "tests_of";

template <typename Words>
bool Holds(const Words& words, std::string_view word) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool IsImportable(const ast::Statement& statement) {
  const auto* block = std::get_if<ast::Block>(&statement.node);
  return (block != nullptr && block->name && Holds(kImported, block->kind.text)) ||
         std::holds_alternative<ast::Let>(statement.node);
}

// An edition, and behind it nothing but what others may import, not only upstreams and mocks: those alone want a gateway.
bool IsShared(const ast::File& file) {
  const auto is_only_imported = [](const ast::Statement& statement) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    return block == nullptr || Holds(kOnlyImported, block->kind.text);
  };
  return !file.broken && file.body.size() > 1 && std::holds_alternative<ast::Edition>(file.body[0].node) &&
         std::all_of(std::next(file.body.begin()), file.body.end(), IsImportable) &&
         std::any_of(std::next(file.body.begin()), file.body.end(), is_only_imported);
}

// Whether the first word of a text is `edition`. What is none may be anything, a key among it, and none of it is to be shown.
bool IsPolicy(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  while (true) {
    const size_t word = text.find_first_not_of(" \t\r\n");
    if (word == std::string_view::npos) return false;
    text.remove_prefix(word);
    if (text[0] != '#') return text.starts_with("edition");
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
}

bool IsPlainText(const ast::Expr& expr) { return expr.kind == ExprKind::kString && expr.parts.size() == 1 && !expr.parts[0].value; }

class Expander {
 public:
  Expander(const source::SourceBuffer& source, diagnostics::Diagnostics* diagnostics)
      : source_(source), diagnostics_(diagnostics) {}

  ast::File Run() {
    file_ = parse::ParseFile(source_, diagnostics_);
    file_.is_shared = IsShared(file_);
    TakePolicyOfTests();
    Import();
    TakeOutShared();
    for (ast::Statement& statement : file_.body) {
      if (auto* block = std::get_if<ast::Block>(&statement.node); block != nullptr && block->kind.text == "upstream") PutIn(block);
    }
    for (auto& [key, shared] : shared_) {
      if (shared.used) continue;
      const bool is_imported = key.second.find('.') != std::string::npos;
      if (!is_imported && !file_.broken && !file_.is_shared) {
        diagnostics_->Emit(Kind::kUnusedShared, shared.name, {key.first, key.second})
            .Change(shared.statement.range, "");
      }
      file_.unused_blocks.push_back(std::move(shared.statement));
    }
    return std::move(file_);
  }

 private:
  struct Shared {
    SourceRange name;
    ast::Statement statement;
    bool used = false;
  };

  void TakePolicyOfTests();
  void Import();
  bool ImportOne(const ast::Import& import);
  void Rename(ast::File* part, const std::string& prefix);
  void TakeOutShared();
  void PutIn(ast::Block* upstream);

  const source::SourceBuffer& source_;
  diagnostics::Diagnostics* diagnostics_;
  ast::File file_;
  std::vector<ast::Statement> imported_;
  std::map<std::pair<std::string, std::string>, Shared> shared_;  // by kind and name
};

// `tests_of = "chat.policy"`: this file holds tests, and what they are of stands there.
void Expander::TakePolicyOfTests() {
  const auto is_it = [](const ast::Statement& statement) {
    const auto* setting = std::get_if<ast::Setting>(&statement.node);
    return setting != nullptr && setting->name.text == kTestsOf && !setting->key;
  };
  const auto at = std::find_if(file_.body.begin(), file_.body.end(), is_it);
  if (at == file_.body.end()) return;
  const ast::Expr path = ast::Clone(std::get<ast::Setting>(at->node).value);
  file_.tests_of = at->range;
  std::vector<ast::Statement> own;
  for (ast::Statement& statement : file_.body) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    const auto* edition = std::get_if<ast::Edition>(&statement.node);
    const bool is_of_tests = std::holds_alternative<ast::Test>(statement.node) || (block != nullptr && block->kind.text == "common");
    if (is_of_tests) own.push_back(std::move(statement));
    else if (edition != nullptr && edition->number.text != "1")
      diagnostics_->Emit(Kind::kBadEdition, edition->number.range, {edition->number.text});
    else if (!is_it(statement) && edition == nullptr && !std::holds_alternative<ast::Broken>(statement.node))
      diagnostics_->Emit(Kind::kTestsOfHolds, statement.range);
  }
  file_.body.clear();
  const auto* found = IsPlainText(path) ? source_.FindImport(path.parts[0].text) : nullptr;
  const bool is_policy = found != nullptr && found->part && IsPolicy(source_.Text(*found->part));
  if (is_policy) {
    ast::File part = parse::ParsePart(source_, *found->part, diagnostics_);
    file_.broken = file_.broken || part.broken;
    file_.broken_names.insert(file_.broken_names.end(), part.broken_names.begin(), part.broken_names.end());
    file_.body = std::move(part.body);
    std::erase_if(file_.body, [](const ast::Statement& s) {
      const auto* block = std::get_if<ast::Block>(&s.node);
      return std::holds_alternative<ast::Test>(s.node) || (block != nullptr && block->kind.text == "common");
    });
  } else if (path.kind != ExprKind::kError) {
    const std::string why = !IsPlainText(path) ? "its path is a plain text, without `${…}`"
                            : found == nullptr ? "files can be read by a file only"
                            : !found->part     ? found->why
                                               : "it is no policy: one begins with `edition 1`";
    diagnostics_->Emit(Kind::kImportUnreadable, path.range, {IsPlainText(path) ? path.parts[0].text : "this", why});
    file_.broken = true;
  }
  for (ast::Statement& statement : own) file_.body.push_back(std::move(statement));
}

void Expander::Import() {
  std::map<std::string, SourceRange> aliases;
  std::vector<std::pair<const ast::Import*, SourceRange>> imports;
  for (const ast::Statement& statement : file_.body) {
    const auto* import = std::get_if<ast::Import>(&statement.node);
    if (import != nullptr) imports.emplace_back(import, statement.range);
  }
  if (imports.empty()) return;
  std::set<std::string> unreadable;
  for (const auto& [import, range] : imports) {
    const auto [before, is_new] = aliases.emplace(import->name.text, import->name.range);
    if (is_new && !ImportOne(*import)) unreadable.insert(import->name.text);
    if (!is_new) diagnostics_->Emit(Kind::kDuplicateName, import->name.range, {import->name.text}).At(before->second, "it was given here");
  }
  // `gpu.large` would be both.
  for (const ast::Statement& statement : file_.body) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    if (block == nullptr || !block->name || !aliases.contains(block->name->text)) continue;
    diagnostics_->Emit(Kind::kDuplicateName, aliases.at(block->name->text), {block->name->text})
        .At(block->name->range, "a block has it");
  }
  // `llm.busy` is one name from here on.
  std::set<std::string> used;
  for (ast::Statement& statement : file_.body) {
    ForEachExpr(&statement, [&](ast::Expr* expr) {
      if (expr->kind != ExprKind::kMember || expr->operands[0].kind != ExprKind::kName) return;
      if (!aliases.contains(expr->operands[0].text)) return;
      used.insert(expr->operands[0].text);
      const bool is_lost = unreadable.contains(expr->operands[0].text);
      expr->text = expr->operands[0].text + "." + expr->text;
      if (is_lost) file_.broken_names.push_back(expr->text);
      expr->kind = ExprKind::kName;
      expr->operands.clear();
    });
  }
  for (const auto& [import, range] : imports) {
    if (used.contains(import->name.text) || file_.broken) continue;
    diagnostics_->Emit(Kind::kUnusedImport, import->name.range, {import->name.text}).Change(range, "");
    used.insert(import->name.text);
  }
  std::erase_if(file_.body, [](const ast::Statement& s) { return std::holds_alternative<ast::Import>(s.node); });
  std::move(imported_.begin(), imported_.end(), std::back_inserter(file_.body));
}

// False: it can't be read.
bool Expander::ImportOne(const ast::Import& import) {
  if (import.path.kind == ExprKind::kError) {
    file_.broken = true;
    return false;
  }
  const auto* found = IsPlainText(import.path) ? source_.FindImport(import.path.parts[0].text) : nullptr;
  if (found == nullptr || !found->part) {
    std::string why = "files can be imported by a file only";
    if (found != nullptr) why = found->why;
    else if (!IsPlainText(import.path)) why = "its path is a plain text, without `${…}`";
    diagnostics_->Emit(Kind::kImportUnreadable, import.path.range, {IsPlainText(import.path) ? import.path.parts[0].text : "this", why});
    file_.broken = true;  // names of it are no further findings
    return false;
  }
  if (!IsPolicy(source_.Text(*found->part))) {
    diagnostics_->Emit(Kind::kImportsNoPolicy, import.path.range, {import.path.parts[0].text});
    file_.broken = true;
    return false;
  }
  ast::File part = parse::ParsePart(source_, *found->part, diagnostics_);
  file_.broken = file_.broken || part.broken;
  if (part.body.empty() || !std::holds_alternative<ast::Edition>(part.body[0].node)) {
    if (!part.broken) diagnostics_->Emit(Kind::kNoEdition, {found->part->begin, found->part->begin});
  } else if (const auto& edition = std::get<ast::Edition>(part.body[0].node); edition.number.text != "1") {
    diagnostics_->Emit(Kind::kBadEdition, edition.number.range, {edition.number.text});
  }
  Rename(&part, import.name.text + ".");
  bool holds_others = false;
  for (size_t i = 0; i < part.body.size(); ++i) {
    ast::Statement& statement = part.body[i];
    const auto* block = std::get_if<ast::Block>(&statement.node);
    if (IsImportable(statement) || std::holds_alternative<ast::Broken>(statement.node)) {
      imported_.push_back(std::move(statement));
    } else if (i > 0 || !std::holds_alternative<ast::Edition>(statement.node)) {
      diagnostics_->Emit(Kind::kNotImportable, block != nullptr ? block->kind.range : statement.range,
                         {block != nullptr ? "`" + block->kind.text + "`" : "this"});
      holds_others = true;
    }
  }
  // That it is not used, or lacks a name, may come of what does not belong there.
  if (holds_others) file_.broken = true;
  return !holds_others;
}

// Its names get the prefix, where they are given and where they are used.
void Expander::Rename(ast::File* part, const std::string& prefix) {
  std::set<std::string> names;
  for (ast::Statement& statement : part->body) {
    ast::Name* name = nullptr;
    if (auto* let = std::get_if<ast::Let>(&statement.node)) name = &let->name;
    if (auto* block = std::get_if<ast::Block>(&statement.node); block != nullptr && block->name) name = &*block->name;
    if (name == nullptr) continue;
    names.insert(name->text);
    name->text = prefix + name->text;
  }
  for (ast::Statement& statement : part->body) {
    ForEachExpr(&statement, [&](ast::Expr* expr) {
      if (expr->kind == ExprKind::kName && names.contains(expr->text)) expr->text = prefix + expr->text;
    });
  }
}

void Expander::TakeOutShared() {
  std::vector<ast::Statement> rest;
  for (ast::Statement& statement : file_.body) {
    const auto* block = std::get_if<ast::Block>(&statement.node);
    if (block == nullptr || !block->name || !Holds(kShared, block->kind.text)) {
      rest.push_back(std::move(statement));
      continue;
    }
    const ast::Name name = *block->name;
    const std::string kind = block->kind.text;
    const bool is_good = std::none_of(name.text.begin(), name.text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    if (!is_good) diagnostics_->Emit(Kind::kBadName, name.range, {name.text});
    const auto before = shared_.find({kind, name.text});
    if (before != shared_.end()) {
      diagnostics_->Emit(Kind::kDuplicateName, name.range, {name.text}).At(before->second.name, "it was given here");
      continue;
    }
    shared_.emplace(std::pair(kind, name.text), Shared{name.range, std::move(statement)});
  }
  file_.body = std::move(rest);
}

// `retry = gentle` becomes that block.
void Expander::PutIn(ast::Block* upstream) {
  for (ast::Statement& statement : upstream->body) {
    const auto* setting = std::get_if<ast::Setting>(&statement.node);
    if (setting == nullptr || setting->key || !Holds(kShared, setting->name.text)) continue;
    const std::string kind = setting->name.text;
    if (setting->value.kind != ExprKind::kName) continue;  // the checker says what it should be
    const std::string name = setting->value.text;
    const auto found = shared_.find({kind, name});
    if (found != shared_.end()) {
      found->second.used = true;
      ast::Block block = std::get<ast::Block>(ast::Clone(found->second.statement).node);
      block.name.reset();
      statement = {found->second.statement.range, statement.doc, std::move(block)};
      continue;
    }
    if (!file_.broken) {
      std::vector<std::string_view> names;
      for (const auto& [key, shared] : shared_) {
        if (key.first == kind) names.push_back(key.second);
      }
      const auto nearest = base::Nearest(name, names);
      auto& diagnostic =
          diagnostics_->Emit(Kind::kUnknownShared, setting->value.range,
                             {kind, name,
                              nearest ? diagnostics::DidYouMean(*nearest)
                                      : "write `" + kind + " " + name + " { … }` at the top of the file"});
      if (nearest) diagnostic.Replace(std::string(*nearest));
    }
    upstream->broken = true;
    statement.node = ast::Broken{};
  }
}

}  // namespace

std::vector<std::string> ImportedPaths(std::string_view text) {
  if (text.find("import") == std::string_view::npos) return {};
  const source::SourceBuffer source("policy", text);
  diagnostics::Diagnostics unheard;
  std::vector<std::string> paths;
  for (const ast::Statement& statement : parse::ParseFile(source, &unheard).body) {
    const auto* import = std::get_if<ast::Import>(&statement.node);
    if (import == nullptr || !IsPlainText(import->path)) continue;
    if (!Holds(paths, import->path.parts[0].text)) paths.push_back(import->path.parts[0].text);
  }
  return paths;
}

std::optional<std::string> TestedPolicy(std::string_view text) {
  if (text.find(kTestsOf) == std::string_view::npos) return std::nullopt;
  const source::SourceBuffer source("policy", text);
  diagnostics::Diagnostics unheard;
  for (const ast::Statement& statement : parse::ParseFile(source, &unheard).body) {
    const auto* setting = std::get_if<ast::Setting>(&statement.node);
    if (setting != nullptr && setting->name.text == kTestsOf && IsPlainText(setting->value)) return setting->value.parts[0].text;
  }
  return std::nullopt;
}

ast::File ReadExpanded(const source::SourceBuffer& source, diagnostics::Diagnostics* diagnostics) {
  return Expander(source, diagnostics).Run();
}

}  // namespace compiler::expand
