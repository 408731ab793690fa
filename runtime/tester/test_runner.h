// Runs the tests of a policy: the engine, the proxy and the predicates of the gateway, on a simulated network, with a virtual clock and a
// fixed seed. A test always gives the same result, and nothing waits.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compiler/compiled_policy.h"
#include "compiler/model/tests.h"
#include "base/time.h"

namespace runtime::tester {

struct TestFailure {
  compiler::source::SourceRange place;  // the expectation, or the `send` that came to grief
  std::string message;                  // one sentence; of an expectation "": expected and got say it
  std::string expected;                 // as it was written
  std::string got;
};

struct TestResult {
  const compiler::model::TestCase* test = nullptr;
  std::vector<TestFailure> failures;
  std::vector<std::string> story;  // what happened; of a test that failed
  base::Duration took{};           // virtual time

  bool passed() const { return failures.empty(); }
};

class TestRunner {
 public:
  // `compiled` is nobody else's: its upstreams are moved to addresses of the simulated network.
  explicit TestRunner(std::shared_ptr<compiler::CompiledPolicy> compiled);

  // `test` is of the same policy and must outlive the result. `text`: of the policy.
  TestResult Run(const compiler::model::TestCase& test, std::string_view text) const;

 private:
  std::shared_ptr<const compiler::CompiledPolicy> compiled_;
};

}  // namespace runtime::tester
