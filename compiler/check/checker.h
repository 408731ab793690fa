// One run over a file, block by block: what Check of check.h does. Its functions stand in check.cc, declarations.cc,
// check_blocks.cc and check_routes.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/check/block_reader.h"
#include "compiler/check/check.h"
#include "compiler/check/setting_reader.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/scope.h"

namespace compiler::check {

using expr::ExprChecker;
using expr::ExprPlace;
using expr::Scope;

using abi::Phase;
using diagnostics::Kind;

// Where something is put in front of `range`.
inline source::SourceRange AtBegin(source::SourceRange range) { return {range.begin, range.begin}; }

inline source::SourceRange RangeOf(const ast::Setting& setting) {
  return {setting.name.range.begin, setting.value.range.end};
}

class Checker {
 public:
  Checker(const ast::File& file, const CheckOptions& options, model::Origins* origins,
          diagnostics::Diagnostics* diagnostics)
      : file_(file),
        options_(options),
        origins_(origins),
        diagnostics_(diagnostics),
        expressions_(file_.text, &scope_, options_, diagnostics_),
        settings_(&scope_, &expressions_, &policy_, diagnostics_),
        blocks_(&settings_, diagnostics_) {}

  std::optional<model::Policy> Run();

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
  void CheckTls(const ast::Block& block, model::TlsId id);
  void CheckUpstreamTls(const BlockContents& contents, model::UpstreamSettings* upstream);
  void CheckUpstream(const ast::Block& block, model::UpstreamId id);
  void CheckHealth(const BlockContents& contents, model::UpstreamSettings* upstream);
  void CheckQueue(const BlockContents& contents, model::UpstreamSettings* upstream);
  void CheckRetry(const ast::Block& block, model::UpstreamSettings* upstream);
  void CheckBreaker(const ast::Block& block, model::UpstreamSettings* upstream);
  void CheckUnusedBlock(const ast::Block& block);
  void CheckRoutes();
  void CheckRoute(const ast::Block& block, model::RouteId id);
  void CheckKeepAlive(const ast::Setting& setting, const model::RouteSettings& route);
  void ReportUnreached(const ast::Block& everything, const std::vector<const ast::Block*>& behind);
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
  std::vector<Named> tls_;
  std::vector<Named> routes_;
  std::unordered_map<std::string_view, source::SourceRange> route_names_;
  std::unordered_map<std::string, model::PredicateId> predicates_;
};

}  // namespace compiler::check
