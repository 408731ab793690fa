// What the words of a test may refer to, and what its numbers mean.
#pragma once

#include <initializer_list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/settings.h"

namespace compiler::testcase {

class TestWords {
 public:
  // Both must outlive it.
  TestWords(const ast::File& file, diagnostics::Diagnostics* diagnostics);

  diagnostics::Diagnostic& Emit(diagnostics::Kind kind, source::SourceRange range,
                                std::initializer_list<std::string_view> arguments = {}) const {
    return diagnostics_->Emit(kind, range, arguments);
  }
  std::string_view TextOf(source::SourceRange range) const {
    return file_.text.substr(range.begin, range.end - range.begin);
  }

  // Each gives nullopt, with a finding, where there is none.
  std::optional<model::UpstreamId> UpstreamOf(const ast::Name& name) const;
  // One that has a breaker.
  std::optional<model::UpstreamId> UpstreamWithBreaker(const ast::Name& name) const;
  std::optional<model::Duration> DurationOf(const ast::Expr& number) const;
  // From 1 to `most`. `what`: "a number of times".
  std::optional<int64_t> CountOf(const ast::Expr& number, std::string_view what, int64_t most) const;
  std::optional<int> StatusOf(const ast::Expr& number) const;

  // Text without ${ … }; a finding, and what there is, if it has some.
  std::string PlainText(const ast::Expr& string) const;

  // Names of blocks of these kinds: "upstream", "reply" …
  std::vector<std::string_view> NamesOf(std::initializer_list<std::string_view> kinds) const;
  bool policy_has_errors() const { return has_errors_; }
  bool IsBroken(const std::string& name) const { return broken_.count(name) > 0; }

 private:
  const ast::File& file_;
  diagnostics::Diagnostics* diagnostics_;
  bool has_errors_;  // the policy itself
  std::set<std::string> broken_;  // words of what could not be read
};

}  // namespace compiler::testcase
