// The claim of an `expect`: what it is about (test_subjects.def), how it is compared, and with what.
#pragma once

#include <optional>

#include "compiler/model/tests.h"
#include "compiler/testcase/test_words.h"

namespace compiler::testcase {

class ExpectReader {
 public:
  explicit ExpectReader(const TestWords& words) : words_(words) {}

  // nullopt, with a finding, if it is none.
  std::optional<model::Expectation> Read(const ast::Expr& claim) const;

 private:
  void EmitJoined(const ast::Expr& claim, const ast::Expr& joined) const;
  bool ReadSubject(const ast::Expr& at, model::Expectation* out) const;
  bool ReadSent(const ast::Expr& at, const ast::Expr& part, model::SubjectTakes takes, model::Expectation* out) const;
  bool ReadMetric(const ast::Expr& call, model::Expectation* out) const;
  std::optional<model::TestValue> ValueOf(const ast::Expr& at, const model::Expectation& about) const;
  std::optional<model::TestValue> WordOf(const ast::Expr& at, model::SubjectType type) const;
  bool Fits(const ast::Expr& claim, const model::Expectation& about) const;

  const TestWords& words_;
};

}  // namespace compiler::testcase
