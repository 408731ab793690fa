// Values of settings: one Read<Type> for each Type of settings.def. Each writes its member only if the value is good.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/scope.h"
#include "compiler/model/policy.h"

namespace compiler::check {

using expr::Entity;
using expr::EntityKind;
using expr::ExprChecker;
using expr::ExprPlace;
using expr::Scope;

class SettingReader {
 public:
  SettingReader(Scope* scope, ExprChecker* expressions, model::Policy* policy, diagnostics::Diagnostics* diagnostics)
      : scope_(scope), expressions_(expressions), policy_(policy), diagnostics_(diagnostics) {}

  // What the next Read works on. `range` as in settings.def.
  void Begin(const ast::Setting& setting, std::string_view range) {
    setting_ = &setting;
    range_ = range;
    quoted_name_ = "`" + setting.name.text + "`";
  }

  void ReadDuration(model::Duration& out);
  void ReadOptionalDuration(std::optional<model::Duration>& out);
  void ReadOpenFor(model::OpenFor& out);
  void ReadSize(int64_t& out);
  void ReadOptionalSize(std::optional<int64_t>& out);
  void ReadInt(int& out);
  void ReadOptionalInt(std::optional<int>& out);
  void ReadByteRate(int64_t& out);   // bytes a second
  void ReadStatus(int& out);
  void ReadBool(bool& out);
  void ReadRepeatSafe(model::RepeatSafe& out);

  void ReadDialectName(model::UpstreamDialect& out);
  void ReadCommitAt(model::CommitAt& out);
  void ReadDecode(model::Decode& out);
  void ReadPatch(model::Template& out);
  void ReadOnCut(model::OnCut& out);

  void ReadListenAddresses(std::vector<model::ListenAddress>& out);
  void ReadAdminAddress(std::optional<model::ListenAddress>& out);
  void ReadMetricsPrefix(std::string& out);
  void ReadToken(std::optional<model::Template>& out);
  void ReadTlsNames(std::vector<model::TlsId>& out);
  void ReadRedirect(bool& out);
  void ReadFilePath(std::string& out);
  void ReadHostName(std::string& out);
  void ReadPins(std::vector<std::string>& out);
  void ReadAccessLogTarget(model::AccessLog& out);
  void ReadAccessLogForm(model::AccessLogFormat& out);
  void ReadCorsOrigins(model::Cors& out);
  void ReadNetworks(std::vector<base::Cidr>& out);
  void ReadUpstreamUrl(model::Url& out);
  void ReadHeader(std::vector<model::HeaderSetting>& out);
  void ReadAnswerHeader(std::vector<model::HeaderSetting>& out);
  void ReadHeaderNames(std::vector<std::string>& out);
  void ReadHttpPath(std::string& out);
  void ReadHeaderText(std::optional<std::string>& out);
  void ReadOptionalPercent(std::optional<double>& out);
  void ReadRetryAfter(std::optional<model::Duration>& out);  // retry_after(cap: 8s)
  void ReadBackoff(model::BackoffSettings& out);
  void ReadKey(model::Template& out);
  void ReadJsonBody(model::Body& out);
  void ReadTextBody(model::Body& out);
  void ReadMergePatch(std::optional<model::Template>& out);
  void ReadTargets(std::vector<model::UpstreamId>& out);
  void ReadReplyName(model::ReplyId& out);
  void ReadCacheName(model::CacheId& out);
  void ReadFallbackChain(std::vector<model::FallbackRef>& out);

 private:
  const ast::Expr& value() const { return setting_->value; }
  const std::string& name() const { return setting_->name.text; }
  ExprPlace Place() const;

  // A literal of the type that the setting takes; `example` is shown if it is another.
  std::optional<model::Expr> Constant(const ast::Expr& at, abi::BaseType type, std::string_view example);
  std::optional<int64_t> DurationAt(const ast::Expr& at, std::string_view what, std::string_view range);
  bool InRange(const ast::Expr& at, std::string_view what, int64_t number, std::string_view range);
  std::optional<model::BackoffSettings> ExponentialAt(const ast::Expr& call, model::BackoffSettings wait,
                                                      std::string_view range, bool takes_jitter);
  std::optional<std::string> TextAt(const ast::Expr& at, std::string_view example);
  std::optional<model::ListenAddress> AddressAt(const ast::Expr& at);
  std::optional<std::string> HeaderNameAt(const ast::Expr& at);
  // `leak`: whom a secret would reach; "" where it may stand.
  std::optional<model::Template> TemplateAt(const ast::Expr& at, model::TextPlace place, std::string_view leak);
  std::optional<model::HashOf> HashAt(const ast::Expr& call, std::string_view leak);
  std::optional<model::Template> JsonAt(const ast::Expr& at, std::string_view example);
  void AddHeader(std::vector<model::HeaderSetting>& out, std::string_view leak);
  static bool IsHeaderText(std::string_view text);
  bool IsWord(std::string_view word) const;
  // One of a few words.
  template <typename Enum>
  void ReadWord(const std::vector<std::pair<std::string_view, Enum>>& words, Enum& out);
  // The items of a list, or of the one that the value names, or the value itself.
  std::vector<const ast::Expr*> Items() const;
  // What to take out so that one of Items() is gone from its list.
  source::SourceRange WithComma(const ast::Expr* item) const;
  // The entity that `at` names, of one of `kinds`; null with a finding otherwise.
  Entity* EntityAt(const ast::Expr& at, std::initializer_list<EntityKind> kinds, diagnostics::Kind unknown,
                   std::string_view wanted);
  diagnostics::Diagnostic& Mismatch(const ast::Expr& at, std::string_view takes, const std::string& is,
                                    std::string_view help);

  Scope* scope_;
  ExprChecker* expressions_;
  model::Policy* policy_;
  diagnostics::Diagnostics* diagnostics_;
  const ast::Setting* setting_ = nullptr;
  std::string_view range_;
  std::string quoted_name_;
};

}  // namespace compiler::check
