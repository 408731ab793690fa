// Runs the tests of a policy: the engine, the proxy and the predicates of the gateway, on a simulated network, with a virtual clock and a
// fixed seed. A test always gives the same result, and nothing waits.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "compiler/compiled_policy.h"
#include "compiler/model/tests.h"
#include "runtime/net/transport.h"

namespace runtime::tester {

// Where the upstreams of a test's policies are.
struct SimulatedServers {
  struct Server {
    std::string upstream;  // its name
    net::Address address;
    std::string url;  // what the policy writes
  };
  std::vector<Server> servers;

  // Of an upstream with that url; makes one.
  const net::Address& AddressOf(const std::string& upstream, const std::string& url, uint16_t port);
  const Server* At(std::string_view ip) const;  // null: it is none of them
};

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

// A policy that `reload "…"` brings in, or why it can't.
struct NextPolicy {
  std::shared_ptr<compiler::CompiledPolicy> compiled;  // null: refused
  std::string why;                                     // one sentence
};

class TestRunner {
 public:
  // `compiled` is nobody else's, and so are those that its tests reload, by the file as written there: their upstreams are moved to addresses
  // of the simulated network, and one whose url another policy changes is at another one.
  explicit TestRunner(std::shared_ptr<compiler::CompiledPolicy> compiled, std::map<std::string, NextPolicy> next = {});

  // `test` is of the same policy and must outlive the result. `text`: of the policy.
  TestResult Run(const compiler::model::TestCase& test, std::string_view text) const;

 private:
  std::shared_ptr<const compiler::CompiledPolicy> compiled_;
  std::map<std::string, NextPolicy> next_;
  SimulatedServers servers_;
};

}  // namespace runtime::tester
