#include "compiler/check/check.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "compiler/check/checker.h"
#include "compiler/check/misspelt_names.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/model/print.h"

namespace compiler::check {

using expr::Operation;
using expr::Word;
namespace {

// Whether the expression reads what only a frame of a stream has.
bool ReadsFrames(const model::Expr& expr) {
  if (expr.kind == model::ExprKind::kField) return abi::Fields()[static_cast<size_t>(expr.field)].phase == Phase::kStream;
  if (expr.kind == model::ExprKind::kSlot) return abi::Families()[static_cast<size_t>(expr.family)].phase == Phase::kStream;
  return std::any_of(expr.operands.begin(), expr.operands.end(), ReadsFrames);
}

// Whole numbers above the one edition that there is.
bool IsNewerEdition(std::string_view number) {
  const bool is_whole = number.find_first_not_of("0123456789") == std::string_view::npos;
  return is_whole && number != "1" && number[0] != '0';
}

}  // namespace

std::optional<model::Policy> Checker::Run() {
  const size_t errors_before = diagnostics_->errors();
  scope_.SetBrokenNames(file_.broken_names);
  origins_->text = file_.text;
  if (file_.tests_of && options_.for_run) diagnostics_->Emit(Kind::kTestsAreNotRun, *file_.tests_of);
  if (!CheckEdition()) return std::nullopt;
  Declare();
  CompareNames();
  AdoptMisspeltNames(file_, &scope_, diagnostics_);
  expressions_.CheckLets();
  CheckGateway();
  for (const Named& cache : caches_) CheckCache(*cache.block, model::CacheId(cache.index));
  for (const Named& reply : replies_) CheckReply(*reply.block, model::ReplyId(reply.index));
  for (const Named& tls : tls_) CheckTls(*tls.block, model::TlsId(tls.index));
  for (const Named& mock : mocks_) CheckMock(*mock.block, model::MockId(mock.index));
  for (const ast::Statement& unused : file_.unused_blocks) CheckUnusedBlock(std::get<ast::Block>(unused.node));
  for (const Named& upstream : upstreams_) CheckUpstream(*upstream.block, model::UpstreamId(upstream.index));
  CheckRoutes();
  WarnOfUnused();
  for (auto& [name, entity] : scope_.entities()) {
    const auto origin = origins_->lets.find(name);
    const bool is_condition = entity.written && entity.written->expr.type.base == abi::BaseType::kBool;
    if (is_condition && origin != origins_->lets.end()) origin->second.condition = std::move(entity.written->expr);
  }
  if (file_.broken || diagnostics_->errors() > errors_before) return std::nullopt;
  return std::move(policy_);
}

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
  // Only what reads a frame is asked for each.
  if (phase == Phase::kStream && !ReadsFrames(expr)) phase = Phase::kAttempt;
  const std::string key = std::string(abi::Name(phase)) + " " + model::Print(expr);
  const auto found = predicates_.find(key);
  if (found != predicates_.end()) return found->second;
  const model::PredicateId id = policy_.predicates.Add({std::move(expr), phase});
  predicates_.emplace(key, id);
  return id;
}

void Checker::WarnOfUnused() {
  // What could not be read may have used them.
  if (file_.broken || file_.is_shared || diagnostics_->has_errors()) return;
  for (auto& [name, entity] : scope_.entities()) {
    if (entity.used || name.find('.') != std::string::npos) continue;  // of an import not all need be used
    const bool is_only_upstream = entity.kind == EntityKind::kUpstream && routes_.empty();
    if (is_only_upstream) continue;
    if (entity.kind == EntityKind::kLet) {
      diagnostics_->Emit(Kind::kUnusedLet, entity.range, {name}).Change(StatementOf(entity.range), "");
    } else {
      const Kind kind = entity.kind == EntityKind::kUpstream ? Kind::kUnusedUpstream
                        : entity.kind == EntityKind::kTls    ? Kind::kUnusedTls
                                                             : Kind::kUnused;
      diagnostics_->Emit(kind, entity.range, {Word(entity.kind), name}).Change(StatementOf(entity.range), "");
    }
  }
}

std::optional<model::Policy> Check(const ast::File& file, const CheckOptions& options, model::Origins* origins,
                                   diagnostics::Diagnostics* diagnostics) {
  return Checker(file, options, origins, diagnostics).Run();
}

}  // namespace compiler::check
