// The blocks that say how requests are served: gateway, caches, replies, mocks, upstreams and what stands in them.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "compiler/check/checker.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::check {

using expr::Field;
using expr::Literal;
using expr::Operation;
namespace {

using abi::BaseType;

// Whether the expression reads what tells one caller from another.
bool ReadsCaller(const model::Expr& expr) {
  if (expr.kind == model::ExprKind::kField && expr.field == abi::FieldId::k_client_ip) return true;
  if (expr.kind == model::ExprKind::kSlot && expr.family == abi::FamilyId::k_request_header) return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(), ReadsCaller);
}

}  // namespace

void Checker::CheckGateway() {
  if (gateway_ == nullptr) {
    const bool may_lack_it = file_.is_shared && !options_.for_run;
    if (!file_.broken && !lost_a_block_ && !may_lack_it) diagnostics_->Emit(Kind::kNoGateway, {0, 0});
    return;
  }
  const BlockContents contents = blocks_.Read(BlockKind::k_gateway, *gateway_, &policy_.gateway);
  if (const auto limits = contents.blocks.find("limits"); limits != contents.blocks.end())
    blocks_.Read(BlockKind::k_limits, *limits->second, &policy_.gateway.limits);
  if (contents.broken) return;
  const auto lacks = [&](const char* what, const char* help) {
    diagnostics_->Emit(Kind::kRequired, gateway_->kind.range, {"gateway", what, help});
  };
  const auto needs = [&](const char* setting, const char* what, const char* help) {
    diagnostics_->Emit(Kind::kNoEffectWithout, contents.settings.at(setting)->name.range, {setting, what, help});
  };
  if (!contents.Has("listen") && !contents.Has("listen_tls")) lacks("listen", "add `listen = …`");
  if (contents.Has("listen_tls") && !contents.Has("tls"))
    lacks("tls", "name the certificates that `listen_tls` shows: `tls = [edge]`");
  if (contents.Has("tls") && !contents.Has("listen_tls"))
    needs("tls", "listen_tls", "add `listen_tls = \"0.0.0.0:8443\"`");
  if (policy_.gateway.redirect_https && !contents.Has("listen_tls"))
    needs("redirect", "listen_tls", "add `listen_tls = \"0.0.0.0:8443\"`: there clients are sent");
  if (policy_.gateway.redirect_https && !contents.Has("listen"))
    needs("redirect", "listen", "add `listen = \"0.0.0.0:8080\"`: from there clients are sent away");
  if (const auto& gateway = policy_.gateway; !gateway.state_path.empty() &&
                                             gateway.access_log == model::AccessLog::kFile &&
                                             gateway.state_path == gateway.access_log_path) {
    diagnostics_->Emit(Kind::kStateFileTaken, contents.settings.at("state")->value.range, {gateway.state_path});
  }
  for (const model::ListenAddress& address : policy_.gateway.listen_tls) {
    const auto& plain = policy_.gateway.listen;
    const bool is_plain = std::find(plain.begin(), plain.end(), address) != plain.end();
    const bool is_admin = policy_.gateway.admin && *policy_.gateway.admin == address;
    if (address.port == 0 || (!is_plain && !is_admin)) continue;
    diagnostics_->Emit(Kind::kTlsAndPlain, contents.settings.at("listen_tls")->value.range,
                       {address.ToString(), is_plain ? "listen" : "admin"});
  }
}

void Checker::CheckTls(const ast::Block& block, model::TlsId id) {
  model::TlsSettings& tls = policy_.tls[id];
  tls.name = block.name->text;
  blocks_.Read(BlockKind::k_tls, block, &tls);
}

void Checker::CheckUpstreamTls(const BlockContents& contents, model::UpstreamSettings* upstream) {
  const auto block = contents.blocks.find("tls");
  if (block == contents.blocks.end()) return;
  model::UpstreamTls tls;
  const BlockContents inner = blocks_.Read(BlockKind::k_upstream_tls, *block->second, &tls);
  if (!contents.broken && !upstream->url.text.empty() && !upstream->url.is_tls) {
    diagnostics_->Emit(Kind::kTlsWithoutHttps, block->second->kind.range);
    return;
  }
  for (const auto& [one, other] : {std::pair("certificate", "key"), std::pair("key", "certificate")}) {
    if (inner.broken || !inner.Has(one) || inner.Has(other)) continue;
    diagnostics_->Emit(Kind::kRequired, block->second->kind.range,
                       {std::string("tls { ") + one + " }", other, std::string("add `") + other + " = …`"});
  }
  upstream->tls = std::move(tls);
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
    diagnostics_->Emit(Kind::kTextAndBody, text->name.range).Change(RangeOf(*text), "").Unsafe();
  } else if (!contents.Has("body") && !contents.Has("text") && !contents.broken && block.kind.text == "mock") {
    diagnostics_->Emit(Kind::kMockSaysNothing, block.kind.range, {block.name->text});
  }
}

void Checker::CheckReply(const ast::Block& block, model::ReplyId id) {
  model::ReplySettings& reply = policy_.replies[id];
  reply.name = block.name->text;
  const BlockContents contents = blocks_.Read(BlockKind::k_reply, block, &reply);
  CheckBody(block, contents);
  const bool says_json = reply.content_type && reply.content_type->find("json") != std::string::npos;
  if (says_json && contents.Has("text") && reply.body.values) {
    diagnostics_->Emit(Kind::kRawBody, contents.settings.at("text")->value.range);
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
  bool has_stall = false;
  if (const auto timeouts = contents.blocks.find("timeouts"); timeouts != contents.blocks.end()) {
    const BlockContents inner = blocks_.Read(BlockKind::k_timeouts, *timeouts->second, &upstream.timeouts);
    has_stall = inner.Has("stall");
  }
  if (const auto pool = contents.blocks.find("pool"); pool != contents.blocks.end())
    blocks_.Read(BlockKind::k_pool, *pool->second, &upstream.pool);
  // A limit that nobody wrote cuts nothing that a written one lets live.
  if (!has_stall) upstream.timeouts.stall = std::max(upstream.timeouts.stall, upstream.timeouts.attempt);
  if (const auto retry = contents.blocks.find("retry"); retry != contents.blocks.end())
    CheckRetry(*retry->second, &upstream);
  if (const auto breaker = contents.blocks.find("breaker"); breaker != contents.blocks.end())
    CheckBreaker(*breaker->second, &upstream);
  for (const ast::Block* inner : contents.named_blocks) {
    model::ConditionalRewrite rewrite;
    rewrite.name = inner->name->text;
    const BlockContents lines = blocks_.Read(BlockKind::k_rewrite, *inner, &rewrite);
    const auto when = AnyOf(lines, "", Place(Phase::kRoute, "`rewrite { when … }`"));
    if (!when) continue;
    rewrite.when = *when;
    upstream.rewrites.push_back(std::move(rewrite));
  }
  CheckQueue(contents, &upstream);
  CheckHealth(contents, &upstream);
  CheckUpstreamTls(contents, &upstream);
  policy_.upstreams[id] = std::move(upstream);
}

void Checker::CheckQueue(const BlockContents& contents, model::UpstreamSettings* upstream) {
  const auto queue = contents.blocks.find("queue");
  if (queue == contents.blocks.end()) return;
  model::QueueSettings settings;
  blocks_.Read(BlockKind::k_queue, *queue->second, &settings);
  if (!contents.Has("max_in_flight")) {
    if (contents.broken) return;
    diagnostics_->Emit(Kind::kQueueWithoutBound, queue->second->kind.range);
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
    diagnostics_->Emit(Kind::kHealthWithoutBreaker, health->second->kind.range);
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
  breaker.failure_when = AnyOf(contents, "failure", Place(Phase::kStream, "`failure when`"));
  breaker.rest_when = AnyOf(contents, "rest", Place(Phase::kAttempt, "`rest when`"));
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

}  // namespace compiler::check
