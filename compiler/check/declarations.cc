// What a file declares: its blocks and names, and the findings that it allows.
#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.h"
#include "compiler/check/checker.h"
#include "compiler/check/origins.h"
#include "compiler/diagnostics/codes.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/testcase/tests.h"

namespace compiler::check {

using expr::IsLanguageName;

void Checker::Declare() {
  int32_t lets = 0;
  for (const ast::Statement& statement : file_.body) {
    if (const auto* block = std::get_if<ast::Block>(&statement.node); block != nullptr && testcase::IsCommon(*block)) continue;
    if (const auto* block = std::get_if<ast::Block>(&statement.node)) {
      DeclareBlock(*block, statement.range);
    } else if (const auto* let = std::get_if<ast::Let>(&statement.node)) {
      const bool is_fact = IsLanguageName(let->name.text);
      Entity entity;
      entity.kind = EntityKind::kLet;
      entity.name = let->name.text;
      entity.range = let->name.range;
      entity.index = lets++;
      entity.let = let;
      const std::string_view written = TextOf(let->name.range);
      if (written == let->name.text) origins_->lets.emplace(written, OriginOf(*let));  // not that of an import
      Entity* before = scope_.Find(let->name.text);
      if (is_fact) {
        diagnostics_->Emit(Kind::kDuplicateName, let->name.range, {let->name.text}).help =
            "the language uses it itself; choose another";
      } else if (scope_.Declare(std::move(entity)) == nullptr) {
        diagnostics_->Emit(Kind::kDuplicateName, let->name.range, {let->name.text})
            .At(before->range, "it was given here");
      }
    } else if (const auto* setting = std::get_if<ast::Setting>(&statement.node)) {
      scope_.AddBrokenName(setting->name.text);
      diagnostics_->Emit(Kind::kSettingOutside, setting->name.range, {setting->name.text});
    } else if (const auto* when = std::get_if<ast::When>(&statement.node)) {
      diagnostics_->Emit(Kind::kWhenOutside, when->word ? when->word->range : when->when);
    } else if (std::holds_alternative<ast::Promise>(statement.node)) {
      diagnostics_->Emit(Kind::kBelongsInRoute, statement.range, {"`promise`"});
    }
  }
  ReadAllows(file_.body, {0, static_cast<uint32_t>(file_.text.size())});
}

// `allow` lines, for what is around them.
void Checker::ReadAllows(const std::vector<ast::Statement>& body, source::SourceRange scope) {
  for (const ast::Statement& statement : body) {
    if (const auto* block = std::get_if<ast::Block>(&statement.node)) ReadAllows(block->body, statement.range);
    const auto* allow = std::get_if<ast::Allow>(&statement.node);
    if (allow == nullptr) continue;
    const std::string& code = allow->code.text;
    std::vector<std::string_view> warnings;
    for (const diagnostics::KindInfo& kind : diagnostics::Kinds()) {
      if (kind.severity != diagnostics::Severity::kError) warnings.push_back(kind.code);
    }
    if (std::find(warnings.begin(), warnings.end(), code) == warnings.end()) {
      const bool is_known = diagnostics::FindCode(code) != nullptr;
      const auto nearest = is_known ? std::nullopt : base::Nearest(code, warnings);
      auto& diagnostic =
          diagnostics_->Emit(is_known ? Kind::kCannotAllow : Kind::kUnknownCode, allow->code.range,
                             {code, nearest ? diagnostics::DidYouMean(*nearest) : "`breakwater explain` lists all"});
      if (nearest) diagnostic.Replace(std::string(*nearest));
      if (is_known) diagnostic.Change(statement.range, "");
      continue;
    }
    const bool says_why = std::any_of(allow->reason.parts.begin(), allow->reason.parts.end(), [](const auto& part) {
      return part.value != nullptr || part.text.find_first_not_of(' ') != std::string::npos;
    });
    if (allow->reason.kind != ast::ExprKind::kError && !says_why)
      diagnostics_->Emit(Kind::kNoReason, allow->reason.range);
    const bool is_known = std::any_of(origins_->allows.begin(), origins_->allows.end(),
                                      [&](const auto& known) { return known.statement == statement.range; });
    if (!is_known) origins_->allows.push_back({code, allow->code.range, statement.range, scope});
  }
}

void Checker::DeclareBlock(const ast::Block& block, source::SourceRange whole) {
  const std::optional<BlockKind> kind = TopLevelBlock(block, diagnostics_);
  if (!kind) {
    scope_.AddBrokenName(block.kind.text);
    lost_a_block_ = true;
    if (block.name) scope_.AddBrokenName(block.name->text);
    else scope_.LoseABlock();
    return;
  }
  if (*kind == BlockKind::k_gateway) {
    if (gateway_ != nullptr)
      diagnostics_->Emit(Kind::kDuplicateBlock, block.kind.range, {block.kind.text})
          .At(gateway_->kind.range, "the first one is here");
    else gateway_ = &block, origins_->gateway = OriginOf(block, whole, file_.text);
    return;
  }
  const ast::Name& name = *block.name;
  const bool good_name =
      std::all_of(name.text.begin(), name.text.end(), [](char c) { return !(c >= 'A' && c <= 'Z'); });
  if (!good_name) diagnostics_->Emit(Kind::kBadName, name.range, {name.text});
  Entity entity;
  entity.name = name.text;
  entity.range = name.range;
  std::vector<Named>* list = nullptr;
  switch (*kind) {
    case BlockKind::k_upstream:
      entity.kind = EntityKind::kUpstream;
      list = &upstreams_;
      break;
    case BlockKind::k_cache:
      entity.kind = EntityKind::kCache;
      list = &caches_;
      break;
    case BlockKind::k_reply:
      entity.kind = EntityKind::kReply;
      list = &replies_;
      break;
    case BlockKind::k_mock:
      entity.kind = EntityKind::kMock;
      list = &mocks_;
      break;
    case BlockKind::k_tls:
      entity.kind = EntityKind::kTls;
      list = &tls_;
      break;
    case BlockKind::k_route: {
      const auto [before, is_new] = route_names_.emplace(name.text, name.range);
      if (!is_new)
        diagnostics_->Emit(Kind::kDuplicateName, name.range, {name.text}).At(before->second, "it was given here");
      policy_.routes.Add({});
      origins_->routes.Add(OriginOf(block, whole, file_.text));
      routes_.push_back({&block, static_cast<int32_t>(routes_.size())});
      return;
    }
    default: return;
  }
  const auto index = static_cast<int32_t>(list->size());
  entity.index = index;
  list->push_back({&block, index});
  model::BlockOrigin origin = OriginOf(block, whole, file_.text);
  switch (*kind) {
    case BlockKind::k_upstream:
      policy_.upstreams.Add({});
      origins_->upstreams.Add(std::move(origin));
      break;
    case BlockKind::k_cache:
      policy_.caches.Add({});
      origins_->caches.Add(std::move(origin));
      break;
    case BlockKind::k_reply:
      policy_.replies.Add({});
      origins_->replies.Add(std::move(origin));
      break;
    case BlockKind::k_mock:
      policy_.mocks.Add({});
      origins_->mocks.Add(std::move(origin));
      break;
    case BlockKind::k_tls:
      policy_.tls.Add({});
      origins_->tls.Add(std::move(origin));
      break;
    default: break;
  }
  const Entity* before = scope_.Find(name.text);
  if (scope_.Declare(std::move(entity)) == nullptr) {
    diagnostics_->Emit(Kind::kDuplicateName, name.range, {name.text}).At(before->range, "it was given here");
    scope_.LoseABlock();  // one of the two was to have another name, which others may use
  }
}

// Names are plain letters, so only these are left that a reader takes for one another.
void Checker::CompareNames() {
  std::unordered_map<std::string, const Entity*> seen;
  for (const auto& [name, entity] : scope_.entities()) {
    std::string looks = name;
    std::replace(looks.begin(), looks.end(), '0', 'o');
    std::replace(looks.begin(), looks.end(), '1', 'l');
    const auto [other, is_new] = seen.emplace(looks, &entity);
    if (is_new) continue;
    const bool is_later = entity.range.begin > other->second->range.begin;
    const Entity& first = is_later ? *other->second : entity;
    const Entity& second = is_later ? entity : *other->second;
    diagnostics_->Emit(Kind::kNamesLookAlike, second.range, {second.name, first.name})
        .At(first.range, "the other one is here");
  }
}

}  // namespace compiler::check
