#include "compiler/check/check.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/base/text.h"
#include "compiler/check/block_reader.h"
#include "compiler/check/expr_checker.h"
#include "compiler/check/misspelt_names.h"
#include "compiler/check/origins.h"
#include "compiler/check/scope.h"
#include "compiler/check/setting_reader.h"
#include "compiler/diagnostics/codes.h"
#include "compiler/model/print.h"

namespace compiler::check {

using abi::BaseType;
using abi::Phase;
using diagnostics::Kind;

namespace {

// The paths of an Ollama that change the server; refused when a file leaves the routing to us.
constexpr std::string_view kOllamaServerPaths[] = {"/api/pull", "/api/create", "/api/delete", "/api/copy", "/api/push"};
constexpr std::string_view kOllamaBlobs = "/api/blobs";

// What a route may promise.
struct PromiseName {
  std::string_view name;
  model::PromisedBound bound;
  BaseType type;
};
constexpr PromiseName kPromises[] = {
    {"worst_case.latency", model::PromisedBound::kLatency, BaseType::kDuration},
    {"worst_case.first_token", model::PromisedBound::kFirstToken, BaseType::kDuration},
    {"worst_case.attempts", model::PromisedBound::kAttempts, BaseType::kInt},
};

model::Expr Literal(BaseType type, int64_t integer, std::string text = "") {
  model::Expr expr;
  expr.type = {type, false};
  expr.literal = {type, integer, 0, std::move(text)};
  return expr;
}

model::Expr Field(abi::FieldId id) {
  model::Expr expr;
  expr.kind = model::ExprKind::kField;
  expr.field = id;
  expr.type = abi::Fields()[static_cast<size_t>(id)].type;
  return expr;
}

model::Expr Operation(model::ExprKind kind, std::initializer_list<model::Expr> operands) {
  model::Expr expr;
  expr.kind = kind;
  expr.type = {BaseType::kBool, false};
  expr.operands = operands;
  return expr;
}

// Whether the expression reads what tells one caller from another.
bool ReadsCaller(const model::Expr& expr) {
  if (expr.kind == model::ExprKind::kField && expr.field == abi::FieldId::k_client_ip) return true;
  if (expr.kind == model::ExprKind::kSlot && expr.family == abi::FamilyId::k_request_header) return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(), ReadsCaller);
}

// Where something is put in front of `range`.
source::SourceRange AtBegin(source::SourceRange range) { return {range.begin, range.begin}; }

source::SourceRange RangeOf(const ast::Setting& setting) { return {setting.name.range.begin, setting.value.range.end}; }

// Whole numbers above the one edition that there is.
bool IsNewerEdition(std::string_view number) {
  const bool is_whole = number.find_first_not_of("0123456789") == std::string_view::npos;
  return is_whole && number != "1" && number[0] != '0';
}

class Checker {
 public:
  Checker(const ast::File& file, const CheckOptions& options, model::Origins* origins,
          diagnostics::Diagnostics* diagnostics)
      : file_(file),
        options_(options),
        origins_(origins),
        diagnostics_(diagnostics),
        expressions_(&scope_, options_, diagnostics_),
        settings_(&scope_, &expressions_, &policy_, diagnostics_),
        blocks_(&settings_, diagnostics_) {}

  std::optional<model::Policy> Run() {
    const size_t errors_before = diagnostics_->errors();
    scope_.SetBrokenNames(file_.broken_names);
    origins_->text = file_.text;
    if (!CheckEdition()) return std::nullopt;
    Declare();
    CompareNames();
    AdoptMisspeltNames(file_, &scope_, diagnostics_);
    expressions_.CheckLets();
    CheckGateway();
    for (const Named& cache : caches_) CheckCache(*cache.block, model::CacheId(cache.index));
    for (const Named& reply : replies_) CheckReply(*reply.block, model::ReplyId(reply.index));
    for (const Named& mock : mocks_) CheckMock(*mock.block, model::MockId(mock.index));
    for (const ast::Statement& unused : file_.unused_blocks) CheckUnusedBlock(std::get<ast::Block>(unused.node));
    for (const Named& upstream : upstreams_) CheckUpstream(*upstream.block, model::UpstreamId(upstream.index));
    CheckRoutes();
    WarnOfUnused();
    for (auto& [name, entity] : scope_.entities()) {
      const auto origin = origins_->lets.find(name);
      if (entity.condition && origin != origins_->lets.end()) origin->second.condition = std::move(entity.condition);
    }
    if (file_.broken || diagnostics_->errors() > errors_before) return std::nullopt;
    return std::move(policy_);
  }

 private:
  struct Named {
    const ast::Block* block;
    int32_t index;
  };

  // False if this program cannot know what the file means.
  bool CheckEdition();
  void Declare();
  void DeclareBlock(const ast::Block& block, source::SourceRange whole);
  void ReadAllows(const std::vector<ast::Statement>& body, source::SourceRange scope);
  void ReadPromises(const ast::Block& block, model::BlockOrigin* origin);
  void CompareNames();
  void CheckGateway();
  void CheckCache(const ast::Block& block, model::CacheId id);
  void CheckReply(const ast::Block& block, model::ReplyId id);
  void CheckMock(const ast::Block& block, model::MockId id);
  void CheckUpstream(const ast::Block& block, model::UpstreamId id);
  void CheckHealth(const BlockContents& contents, model::UpstreamSettings* upstream);
  void CheckQueue(const BlockContents& contents, model::UpstreamSettings* upstream);
  void CheckRetry(const ast::Block& block, model::UpstreamSettings* upstream);
  void CheckBreaker(const ast::Block& block, model::UpstreamSettings* upstream);
  void CheckUnusedBlock(const ast::Block& block);
  void CheckRoutes();
  void CheckRoute(const ast::Block& block, model::RouteId id);
  void CheckKeepAlive(const ast::Setting& setting, const model::RouteSettings& route);
  void CheckReachable();
  void AddDefaultRoutes();
  void WarnOfUnused();
  void CheckBody(const ast::Block& block, const BlockContents& contents);

  ExprPlace Place(Phase phase, std::string_view what) {
    ExprPlace place;
    place.phase = phase;
    place.what = what;
    place.policy = &policy_;
    return place;
  }
  std::string_view TextOf(source::SourceRange range) const {
    return file_.text.substr(range.begin, range.end - range.begin);
  }
  // The whole statement that gives a name, by the place of the name.
  source::SourceRange StatementOf(source::SourceRange name) const;

  // Each line's predicate; those with findings are left out.
  std::vector<model::Expr> Predicates(const BlockContents& contents, std::string_view word, const ExprPlace& place);
  // One predicate for lines of which any may hold; nullopt for none.
  std::optional<model::PredicateId> AnyOf(const BlockContents& contents, std::string_view word, const ExprPlace& place);
  model::PredicateId Intern(model::Expr expr, Phase phase);

  const ast::File& file_;
  CheckOptions options_;
  model::Origins* origins_;
  diagnostics::Diagnostics* diagnostics_;
  model::Policy policy_;
  Scope scope_;
  ExprChecker expressions_;
  SettingReader settings_;
  BlockReader blocks_;

  const ast::Block* gateway_ = nullptr;
  bool lost_a_block_ = false;  // one whose kind or name is wrong, which was reported
  std::vector<Named> upstreams_;
  std::vector<Named> caches_;
  std::vector<Named> replies_;
  std::vector<Named> mocks_;
  std::vector<Named> routes_;
  std::unordered_map<std::string_view, source::SourceRange> route_names_;
  std::unordered_map<std::string, model::PredicateId> predicates_;
};

source::SourceRange Checker::StatementOf(source::SourceRange name) const {
  const auto found = std::find_if(file_.body.begin(), file_.body.end(), [&](const ast::Statement& statement) {
    return statement.range.begin <= name.begin && name.end <= statement.range.end;
  });
  return found == file_.body.end() ? name : found->range;
}

bool Checker::CheckEdition() {
  bool seen = false;
  for (size_t i = 0; i < file_.body.size(); ++i) {
    const auto* edition = std::get_if<ast::Edition>(&file_.body[i].node);
    if (edition == nullptr) continue;
    if (seen || i > 0) {
      if (seen || !file_.broken) {
        auto& diagnostic = diagnostics_->Emit(Kind::kEditionPlace, file_.body[i].range).Change(file_.body[i].range, "");
        if (!seen) diagnostic.Change(AtBegin(file_.body[0].range), "edition " + edition->number.text + "\n\n");
      }
    } else if (IsNewerEdition(edition->number.text)) {
      // Whatever else was found may be right there.
      diagnostics_->Emit(Kind::kNewerEdition, edition->number.range, {edition->number.text});
      diagnostics_->Drop([](const diagnostics::Diagnostic& found) { return found.kind != Kind::kNewerEdition; });
      return false;
    } else if (edition->number.text != "1") {
      diagnostics_->Emit(Kind::kBadEdition, edition->number.range, {edition->number.text}).Replace("1");
    }
    seen = true;
  }
  if (!seen && !file_.broken) {
    if (file_.body.empty()) {
      diagnostics_->Emit(Kind::kNoEdition, {0, 0});
    } else {
      const source::SourceRange first = file_.body[0].range;
      diagnostics_->Emit(Kind::kNoEdition, {first.begin, first.begin + 1}).Change(AtBegin(first), "edition 1\n\n");
    }
  }
  return true;
}

void Checker::Declare() {
  int32_t lets = 0;
  for (const ast::Statement& statement : file_.body) {
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
      diagnostics_->Emit(Kind::kMisplaced, setting->name.range,
                         {"the setting `" + setting->name.text + "`", "settings stand in a block"});
    } else if (const auto* when = std::get_if<ast::When>(&statement.node)) {
      diagnostics_->Emit(Kind::kMisplaced, when->word ? when->word->range : when->when,
                         {"a line with `when`", "it stands in a block"});
    } else if (std::holds_alternative<ast::Promise>(statement.node)) {
      diagnostics_->Emit(Kind::kMisplaced, statement.range, {"`promise`", "it stands in a route"});
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
      auto& diagnostic = diagnostics_->Emit(
          is_known ? Kind::kCannotAllow : Kind::kUnknownCode, allow->code.range,
          {code, nearest ? "did you mean `" + std::string(*nearest) + "`?" : "`breakwater explain` lists all"});
      if (nearest) diagnostic.Replace(std::string(*nearest));
      if (is_known) diagnostic.Change(statement.range, "");
      continue;
    }
    const bool says_why = std::any_of(allow->reason.parts.begin(), allow->reason.parts.end(), [](const auto& part) {
      return part.value != nullptr || part.text.find_first_not_of(' ') != std::string::npos;
    });
    if (allow->reason.kind != ast::ExprKind::kError && !says_why)
      diagnostics_->Emit(Kind::kBadText, allow->reason.range,
                         {"because", "it does not say why", "write what makes it right here, for whoever reads this next"});
    const bool is_known = std::any_of(origins_->allows.begin(), origins_->allows.end(),
                                      [&](const auto& known) { return known.statement == statement.range; });
    if (!is_known) origins_->allows.push_back({code, allow->code.range, statement.range, scope});
  }
}

// promise worst_case.latency <= 6min
void Checker::ReadPromises(const ast::Block& block, model::BlockOrigin* origin) {
  for (const ast::Statement& statement : block.body) {
    const auto* promise = std::get_if<ast::Promise>(&statement.node);
    if (promise == nullptr || promise->claim.kind == ast::ExprKind::kError) continue;
    const ast::Expr& claim = promise->claim;
    const std::string_view written = TextOf(claim.operands.empty() ? claim.range : claim.operands[0].range);
    const auto* bound =
        std::find_if(std::begin(kPromises), std::end(kPromises), [&](const auto& p) { return p.name == written; });
    if (claim.kind != ast::ExprKind::kCompare || claim.text != "<=" || bound == std::end(kPromises)) {
      std::vector<std::string_view> names;
      for (const PromiseName& promised : kPromises) names.push_back(promised.name);
      const bool is_known = bound != std::end(kPromises);
      auto nearest = is_known ? std::nullopt : base::Nearest(written, names);
      for (const std::string_view name : names) {
        if (!is_known && !written.empty() && name.ends_with("." + std::string(written))) nearest = name;
      }
      if (nearest) diagnostics_->Emit(Kind::kBadPromise, claim.operands[0].range).Replace(std::string(*nearest));
      else diagnostics_->Emit(Kind::kBadPromise, claim.range);
      continue;
    }
    const ast::Expr& limit_at = claim.operands[1];
    const auto limit = expressions_.CheckValue(limit_at, Place(Phase::kRoute, "`promise`"));
    if (!limit) continue;
    if (limit->kind != model::ExprKind::kLiteral || limit->type.base != bound->type) {
      diagnostics_->Emit(Kind::kTypeMismatch, limit_at.range,
                         {bound->name, DescribeType({bound->type, false}), DescribeValue(*limit),
                          bound->type == BaseType::kInt ? "write for example `3`" : "write for example `30s`"});
      continue;
    }
    origin->promises.push_back({bound->bound, limit->literal.integer, claim.range, limit_at.range, statement.range});
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
    default: break;
  }
  const Entity* before = scope_.Find(name.text);
  if (scope_.Declare(std::move(entity)) == nullptr) {
    diagnostics_->Emit(Kind::kDuplicateName, name.range, {name.text}).At(before->range, "it was given here");
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

std::vector<model::Expr> Checker::Predicates(const BlockContents& contents, std::string_view word,
                                             const ExprPlace& place) {
  std::vector<model::Expr> predicates;
  const auto lines = contents.whens.find(word);
  if (lines == contents.whens.end()) return predicates;
  for (const ast::When* line : lines->second) {
    if (auto expr = expressions_.CheckPredicate(line->predicate, place)) predicates.push_back(std::move(*expr));
  }
  return predicates;
}

std::optional<model::PredicateId> Checker::AnyOf(const BlockContents& contents, std::string_view word,
                                                 const ExprPlace& place) {
  std::vector<model::Expr> lines = Predicates(contents, word, place);
  if (lines.empty()) return std::nullopt;
  if (lines.size() == 1) return Intern(std::move(lines[0]), *place.phase);
  model::Expr any = Operation(model::ExprKind::kOr, {});
  any.operands = std::move(lines);
  return Intern(std::move(any), *place.phase);
}

model::PredicateId Checker::Intern(model::Expr expr, Phase phase) {
  const std::string key = std::string(abi::Name(phase)) + " " + model::Print(expr);
  const auto found = predicates_.find(key);
  if (found != predicates_.end()) return found->second;
  const model::PredicateId id = policy_.predicates.Add({std::move(expr), phase});
  predicates_.emplace(key, id);
  return id;
}

void Checker::CheckGateway() {
  if (gateway_ == nullptr) {
    if (!file_.broken && !lost_a_block_) {
      diagnostics_->Emit(Kind::kRequired, {0, 0},
                         {"a policy", "gateway", "add `gateway { listen = \"127.0.0.1:8080\" }`"});
    }
    return;
  }
  const BlockContents contents = blocks_.Read(BlockKind::k_gateway, *gateway_, &policy_.gateway);
  if (const auto limits = contents.blocks.find("limits"); limits != contents.blocks.end())
    blocks_.Read(BlockKind::k_limits, *limits->second, &policy_.gateway.limits);
}

void Checker::CheckCache(const ast::Block& block, model::CacheId id) {
  model::CacheSettings& cache = policy_.caches[id];
  cache.name = block.name->text;
  const size_t errors = diagnostics_->errors();
  const BlockContents contents = blocks_.Read(BlockKind::k_cache, block, &cache);
  const ExprPlace place = Place(Phase::kAnswer, "`store when`");
  if (const auto when = AnyOf(contents, "store", place)) {
    cache.store_when = *when;
  } else {
    model::Expr is_ok =
        Operation(model::ExprKind::kCompare, {Field(abi::FieldId::k_status), Literal(BaseType::kStatus, 200)});
    model::Expr is_no_fallback = Operation(model::ExprKind::kNot, {Field(abi::FieldId::k_is_fallback)});
    cache.store_when =
        Intern(Operation(model::ExprKind::kAnd, {std::move(is_ok), std::move(is_no_fallback)}), Phase::kAnswer);
  }
  if (!contents.Has("key") || contents.broken || diagnostics_->errors() > errors) return;
  const ast::Expr& written = contents.settings.at("key")->value;
  // A name in it is broken, which was reported there.
  if (cache.key.parts.empty() && (written.kind != ast::ExprKind::kString || !written.parts.empty())) return;
  bool reads_anything = false;
  bool reads_caller = false;
  for (const model::Template::Part& part : cache.key.parts) {
    const auto note = [&](const model::Expr& value) {
      reads_anything = reads_anything || value.kind != model::ExprKind::kLiteral;
      reads_caller = reads_caller || ReadsCaller(value);
    };
    if (const auto* value = std::get_if<model::Expr>(&part)) note(*value);
    if (const auto* hash = std::get_if<model::HashOf>(&part))
      std::for_each(hash->values.begin(), hash->values.end(), note);
  }
  const source::SourceRange range = contents.settings.at("key")->value.range;
  // A key that is written as a string takes what it lacks in front.
  const bool is_string = contents.settings.at("key")->value.kind == ast::ExprKind::kString;
  const auto offer = [&](diagnostics::Diagnostic& diagnostic, const char* lacking) {
    if (is_string) diagnostic.Change({range.begin + 1, range.begin + 1}, lacking).Unsafe();
  };
  if (!reads_anything)
    offer(diagnostics_->Emit(Kind::kConstantKey, range, {cache.name}),
          cache.shared ? "${request.body} " : "${client.ip} ${request.body} ");
  else if (!reads_caller && !cache.shared)
    offer(diagnostics_->Emit(Kind::kSharedKey, range, {cache.name}), "${client.ip} ");
}

void Checker::CheckBody(const ast::Block& block, const BlockContents& contents) {
  if (contents.Has("body") && contents.Has("text")) {
    const ast::Setting* text = contents.settings.at("text");
    diagnostics_->Emit(Kind::kExclusive, text->name.range, {"text", "body", "an answer has one of the two"})
        .Change(RangeOf(*text), "")
        .Unsafe();
  } else if (!contents.Has("body") && !contents.Has("text") && !contents.broken && block.kind.text == "mock") {
    diagnostics_->Emit(Kind::kRequired, block.kind.range,
                       {"mock " + block.name->text, "body", "add `body = json { … }` or `text = \"…\"`"});
  }
}

void Checker::CheckReply(const ast::Block& block, model::ReplyId id) {
  model::ReplySettings& reply = policy_.replies[id];
  reply.name = block.name->text;
  const BlockContents contents = blocks_.Read(BlockKind::k_reply, block, &reply);
  CheckBody(block, contents);
  const bool says_json = reply.content_type && reply.content_type->find("json") != std::string::npos;
  if (says_json && contents.Has("text") && reply.body.values) {
    diagnostics_->Emit(Kind::kRawJson, contents.settings.at("text")->value.range,
                       {"text", "write `body = json { … }`: what stands in its strings is escaped"});
  }
}

void Checker::CheckMock(const ast::Block& block, model::MockId id) {
  model::MockSettings& mock = policy_.mocks[id];
  mock.name = block.name->text;
  if (options_.deny_mock) diagnostics_->Emit(Kind::kMockDenied, block.kind.range, {mock.name});
  CheckBody(block, blocks_.Read(BlockKind::k_mock, block, &mock));
}

void Checker::CheckUpstream(const ast::Block& block, model::UpstreamId id) {
  model::UpstreamSettings upstream;
  upstream.name = block.name->text;
  const BlockContents contents = blocks_.Read(BlockKind::k_upstream, block, &upstream);
  if (const auto timeouts = contents.blocks.find("timeouts"); timeouts != contents.blocks.end()) {
    const BlockContents inner = blocks_.Read(BlockKind::k_timeouts, *timeouts->second, &upstream.timeouts);
    if (inner.Has("total") && contents.Has("attempt_timeout")) {
      diagnostics_
          ->Emit(Kind::kSameSetting, inner.settings.at("total")->name.range, {"timeouts.total", "attempt_timeout"})
          .At(contents.settings.at("attempt_timeout")->name.range, "it is set here");
    }
  }
  if (const auto retry = contents.blocks.find("retry"); retry != contents.blocks.end())
    CheckRetry(*retry->second, &upstream);
  if (const auto breaker = contents.blocks.find("breaker"); breaker != contents.blocks.end())
    CheckBreaker(*breaker->second, &upstream);
  CheckQueue(contents, &upstream);
  CheckHealth(contents, &upstream);
  policy_.upstreams[id] = std::move(upstream);
}

void Checker::CheckQueue(const BlockContents& contents, model::UpstreamSettings* upstream) {
  const auto queue = contents.blocks.find("queue");
  if (queue == contents.blocks.end()) return;
  model::QueueSettings settings;
  blocks_.Read(BlockKind::k_queue, *queue->second, &settings);
  if (!contents.Has("max_in_flight")) {
    if (contents.broken) return;
    diagnostics_->Emit(Kind::kNoEffectWithout, queue->second->kind.range,
                       {"queue", "max_in_flight", "say how many may be under way: `max_in_flight = 4`"});
    return;
  }
  upstream->queue = settings;
}

void Checker::CheckHealth(const BlockContents& contents, model::UpstreamSettings* upstream) {
  const auto health = contents.blocks.find("health");
  if (health == contents.blocks.end()) return;
  model::HealthSettings settings;
  blocks_.Read(BlockKind::k_health, *health->second, &settings);
  if (contents.blocks.count("breaker") == 0) {
    if (contents.broken) return;
    diagnostics_->Emit(Kind::kNoEffectWithout, health->second->kind.range,
                       {"health", "breaker", "it is asked only while the breaker is open: add `breaker { … }`"});
    return;
  }
  upstream->health = settings;
}

void Checker::CheckRetry(const ast::Block& block, model::UpstreamSettings* upstream) {
  model::RetrySettings retry;
  const BlockContents contents = blocks_.Read(BlockKind::k_retry, block, &retry);
  if (const auto when = AnyOf(contents, "", Place(Phase::kAttempt, "`retry { when … }`"))) retry.when = *when;
  upstream->retry = retry;
}

void Checker::CheckBreaker(const ast::Block& block, model::UpstreamSettings* upstream) {
  model::BreakerSettings breaker;
  const BlockContents contents = blocks_.Read(BlockKind::k_breaker, block, &breaker);
  ExprPlace open = Place(Phase::kWindow, "`open when`");
  open.measures = &breaker.measures;
  for (model::Expr& expr : Predicates(contents, "open", open))
    breaker.open_when.push_back(Intern(std::move(expr), Phase::kWindow));
  breaker.failure_when = AnyOf(contents, "failure", Place(Phase::kAttempt, "`failure when`"));
  ExprPlace close = Place(Phase::kWindow, "`close when`");
  close.measures = &breaker.measures;
  for (model::Expr& expr : Predicates(contents, "close", close))
    breaker.close_when.push_back(Intern(std::move(expr), Phase::kWindow));
  if (contents.whens.count("close") == 0) {
    // successes(30s) >= probes
    const model::WindowMeasure measure{abi::WindowMeasureKind::kSuccesses, model::seconds(30), breaker.probes};
    auto found = std::find_if(breaker.measures.begin(), breaker.measures.end(), [&](const model::WindowMeasure& m) {
      return m.kind == measure.kind && m.window == measure.window;
    });
    if (found == breaker.measures.end()) found = breaker.measures.insert(found, measure);
    found->enough = std::max(found->enough, measure.enough);
    model::Expr count;
    count.kind = model::ExprKind::kWindow;
    count.type = {BaseType::kInt, false};
    count.slot = static_cast<int32_t>(found - breaker.measures.begin());
    model::Expr rule =
        Operation(model::ExprKind::kCompare, {std::move(count), Literal(BaseType::kInt, breaker.probes)});
    rule.compare = model::CompareOp::kGe;
    breaker.close_when.push_back(Intern(std::move(rule), Phase::kWindow));
  }
  upstream->breaker = std::move(breaker);
}

// `retry` and `breaker` blocks with a name that nobody uses must be right, too.
void Checker::CheckUnusedBlock(const ast::Block& block) {
  model::UpstreamSettings nowhere;
  if (block.kind.text == "retry") CheckRetry(block, &nowhere);
  else CheckBreaker(block, &nowhere);
}

void Checker::CheckRoutes() {
  for (const Named& route : routes_) CheckRoute(*route.block, model::RouteId(route.index));
  CheckReachable();
  if (!routes_.empty() || file_.broken || lost_a_block_) return;
  if (upstreams_.size() > 1) {
    std::string names;
    for (const Named& upstream : upstreams_) names += (names.empty() ? "" : ", ") + upstream.block->name->text;
    const uint32_t end = StatementOf(upstreams_.back().block->kind.range).end;
    diagnostics_->Emit(Kind::kNoRoute, upstreams_[1].block->kind.range, {std::to_string(upstreams_.size()), names})
        .Change({end, end}, "\n\nroute everything { to = [" + names + "] }")
        .Unsafe();
  } else if (upstreams_.empty()) {
    // A word that was meant to open a block was reported already.
    if (diagnostics_->errors() == 0 && gateway_ != nullptr)
      diagnostics_->Emit(Kind::kNothingToDo, gateway_->kind.range);
  } else {
    AddDefaultRoutes();
  }
}

void Checker::CheckRoute(const ast::Block& block, model::RouteId id) {
  model::RouteSettings route;
  route.name = block.name->text;
  const BlockContents contents = blocks_.Read(BlockKind::k_route, block, &route);
  route.when = AnyOf(contents, "", Place(Phase::kRoute, "`route { when … }`"));
  route.next_when = AnyOf(contents, "next", Place(Phase::kAnswer, "`next when`"));
  const bool has_to = contents.Has("to");
  const bool has_reply = contents.Has("reply");
  if (has_to && has_reply) {
    const ast::Setting& reply = *contents.settings.at("reply");
    auto& diagnostic = diagnostics_->Emit(
        Kind::kExclusive, reply.name.range,
        {"reply", "to",
         "a route goes to an upstream or answers itself; what answers when the upstream cannot is a `fallback`"});
    if (!contents.Has("fallback")) diagnostic.Change(reply.name.range, "fallback").Unsafe();
  } else if (!has_to && !has_reply && !contents.broken) {
    diagnostics_->Emit(Kind::kRequired, block.kind.range, {"route " + route.name, "to", "add `to = …` or `reply = …`"});
  } else if (has_reply) {
    for (const char* unused : {"fallback", "cache", "deadline", "keep_alive"}) {
      if (contents.Has(unused))
        diagnostics_->Emit(Kind::kFallbackWithoutUpstream, contents.settings.at(unused)->name.range, {unused})
            .Change(RangeOf(*contents.settings.at(unused)), "");
    }
  }
  if (route.next_when && (has_reply || route.to.size() == 1)) {
    const std::vector<const ast::When*>& lines = contents.whens.at("next");
    auto& diagnostic = diagnostics_->Emit(Kind::kNoNext, lines[0]->word->range, {route.name});
    for (const ast::When* line : lines) diagnostic.Change({line->word->range.begin, line->predicate.range.end}, "");
    diagnostic.Unsafe();
  }
  ReadPromises(block, &origins_->routes[id]);
  if (route.keep_alive && !route.to.empty()) CheckKeepAlive(*contents.settings.at("keep_alive"), route);
  if (!contents.Has("fallback") && !route.to.empty()) route.fallback = policy_.upstreams[route.to[0]].fallback;
  policy_.routes[id] = std::move(route);
}

// What it costs is said even where all is well.
void Checker::CheckKeepAlive(const ast::Setting& setting, const model::RouteSettings& route) {
  const std::string after(TextOf(setting.value.range));
  if (route.deadline && *route.keep_alive >= *route.deadline) {
    diagnostics_->Emit(Kind::kKeepAliveTooLate, RangeOf(setting), {after, "route " + route.name});
  } else {
    diagnostics_->Emit(Kind::kStatusSentEarly, setting.name.range, {after, route.name});
  }
}

void Checker::CheckReachable() {
  const ast::Block* everything = nullptr;
  for (const Named& route : routes_) {
    if (everything != nullptr) {
      diagnostics_
          ->Emit(Kind::kRouteNeverReached, route.block->name->range, {route.block->name->text, everything->name->text})
          .At(everything->name->range, "it has no `when`")
          .Change(AtBegin(StatementOf(everything->name->range)),
                  std::string(TextOf(StatementOf(route.block->name->range))) + "\n\n")
          .Change(StatementOf(route.block->name->range), "");
      continue;
    }
    const bool has_when = std::any_of(route.block->body.begin(), route.block->body.end(), [](const ast::Statement& s) {
      return std::holds_alternative<ast::When>(s.node);
    });
    if (!has_when && !route.block->broken) everything = route.block;
  }
}

// One upstream and no route: everything goes to it, but for what changes an Ollama.
void Checker::AddDefaultRoutes() {
  model::Expr is_command = Operation(model::ExprKind::kIn, {Field(abi::FieldId::k_request_path)});
  for (std::string_view path : kOllamaServerPaths)
    is_command.set.push_back({Literal(BaseType::kString, 0, std::string(path)).literal, 0});
  model::Expr is_blob =
      Operation(model::ExprKind::kStringTest,
                {Field(abi::FieldId::k_request_path), Literal(BaseType::kString, 0, std::string(kOllamaBlobs))});
  is_blob.string_test = model::StringTest::kStartsWith;

  model::ReplySettings refusal;
  refusal.name = "ollama_server_changes";
  refusal.status = 403;
  refusal.body = {model::BodyKind::kText,
                  "This path changes the model server. It is refused unless the policy has a route for it."};
  model::RouteSettings refused;
  refused.name = refusal.name;
  refused.when = Intern(Operation(model::ExprKind::kOr, {std::move(is_command), std::move(is_blob)}), Phase::kRoute);
  refused.reply = policy_.replies.Add(std::move(refusal));
  policy_.routes.Add(std::move(refused));

  model::RouteSettings everything;
  everything.name = "default";
  everything.to.push_back(model::UpstreamId(0));
  everything.fallback = policy_.upstreams[model::UpstreamId(0)].fallback;
  policy_.routes.Add(std::move(everything));
}

void Checker::WarnOfUnused() {
  // What could not be read may have used them.
  if (file_.broken || diagnostics_->has_errors()) return;
  for (auto& [name, entity] : scope_.entities()) {
    if (entity.used || name.find('.') != std::string::npos) continue;  // of an import not all need be used
    const bool is_only_upstream = entity.kind == EntityKind::kUpstream && routes_.empty();
    if (is_only_upstream) continue;
    if (entity.kind == EntityKind::kLet) {
      diagnostics_->Emit(Kind::kUnusedLet, entity.range, {name}).Change(StatementOf(entity.range), "");
    } else {
      const std::string help = entity.kind == EntityKind::kUpstream
                                   ? "name it in the `to` of a route, or remove it"
                                   : "name it in a `fallback` or a route, or remove it";
      diagnostics_->Emit(Kind::kUnused, entity.range, {Word(entity.kind), name, help})
          .Change(StatementOf(entity.range), "");
    }
  }
}

}  // namespace

std::optional<model::Policy> Check(const ast::File& file, const CheckOptions& options, model::Origins* origins,
                                   diagnostics::Diagnostics* diagnostics) {
  return Checker(file, options, origins, diagnostics).Run();
}

}  // namespace compiler::check
