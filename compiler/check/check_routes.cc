// Routes, what they promise, and those that a policy gets by itself.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "compiler/check/checker.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::check {

using expr::DescribeType;
using expr::DescribeValue;
using expr::Field;
using expr::Literal;
using expr::Operation;
namespace {

using abi::BaseType;

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

}  // namespace

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

void Checker::CheckRoutes() {
  for (const Named& route : routes_) CheckRoute(*route.block, model::RouteId(route.index));
  CheckReachable();
  if (!routes_.empty() || file_.broken || lost_a_block_) return;
  if (upstreams_.size() > 1) {
    std::string names;
    for (const Named& upstream : upstreams_) names += (names.empty() ? "" : ", ") + upstream.block->name->text;
    const uint32_t end = StatementOf(upstreams_.back().block->kind.range).end;
    // One that stands twice is reported; whether there will be two is not known.
    if (upstreams_.size() == 2 && upstreams_[0].block->name->text == upstreams_[1].block->name->text) return;
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
    auto& diagnostic = diagnostics_->Emit(Kind::kReplyAndTo, reply.name.range);
    if (!contents.Has("fallback")) diagnostic.Change(reply.name.range, "fallback").Unsafe();
  } else if (!has_to && !has_reply && !contents.broken) {
    diagnostics_->Emit(Kind::kRouteLeadsNowhere, block.kind.range, {route.name});
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

// Of one route, or of several behind the same one: that is one mistake, and one move mends it.
void Checker::ReportUnreached(const ast::Block& everything, const std::vector<const ast::Block*>& behind) {
  const ast::Block& first = *behind.front();
  const source::SourceRange whole = StatementOf(everything.name->range);
  if (behind.size() == 1) {
    diagnostics_->Emit(Kind::kRouteNeverReached, first.name->range, {first.name->text, everything.name->text})
        .At(everything.name->range, "it has no `when`")
        .Change(AtBegin(whole), std::string(TextOf(StatementOf(first.name->range))) + "\n\n")
        .Change(StatementOf(first.name->range), "");
    return;
  }
  const uint32_t end = StatementOf(behind.back()->name->range).end;
  auto& diagnostic = diagnostics_->Emit(Kind::kRoutesNeverReached, first.name->range,
                                        {first.name->text, std::to_string(behind.size() - 1), everything.name->text});
  diagnostic.At(everything.name->range, "it has no `when`");
  diagnostic.Change(whole, "").Change({end, end}, "\n\n" + std::string(TextOf(whole)));
}

void Checker::CheckReachable() {
  const ast::Block* everything = nullptr;
  std::vector<const ast::Block*> behind;
  for (const Named& route : routes_) {
    if (everything != nullptr) {
      behind.push_back(route.block);
      continue;
    }
    const bool has_when = std::any_of(route.block->body.begin(), route.block->body.end(), [](const ast::Statement& s) {
      return std::holds_alternative<ast::When>(s.node);
    });
    if (has_when || route.block->broken) continue;
    // `path = "/x"`: what is wrong in it may have been meant as its condition.
    const source::SourceRange own = StatementOf(route.block->name->range);
    const bool is_doubtful = std::any_of(
        diagnostics_->items().begin(), diagnostics_->items().end(), [&](const diagnostics::Diagnostic& finding) {
          return finding.kind == Kind::kUnknownSetting && finding.range.begin >= own.begin && finding.range.end <= own.end;
        });
    if (!is_doubtful) everything = route.block;
  }
  if (!behind.empty()) ReportUnreached(*everything, behind);
}

// One upstream and no route: everything goes to it, but for what changes an Ollama.
void Checker::AddDefaultRoutes() {
  model::Expr is_command = Operation(model::ExprKind::kIn, {Field(abi::FieldId::k_request_path)});
  for (std::string_view path : kOllamaServerPaths)
    is_command.set.push_back({Literal(BaseType::kString, 0, 0, std::string(path)).literal, 0});
  model::Expr is_blob =
      Operation(model::ExprKind::kStringTest,
                {Field(abi::FieldId::k_request_path), Literal(BaseType::kString, 0, 0, std::string(kOllamaBlobs))});
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

}  // namespace compiler::check
