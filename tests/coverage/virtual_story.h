// A policy's text, its engine and a virtual clock: requests one after another, with an upstream whose every attempt is
// planned. What the engine did comes back as text, one line for each command with its time; two policies that differ in
// meaning tell different stories.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "compiler/compile.h"
#include "runtime/engine/exchange_machine.h"

namespace tests::coverage {

using namespace std::chrono_literals;  // NOLINT: times in tests
using base::Duration;
using base::TimePoint;
using runtime::engine::ErrorKind;

// What an attempt meets. Times count from the step before; nothing: the upstream stands still there for ever.
struct Plan {
  std::optional<Duration> connects = 1ms;
  std::optional<Duration> answers = 10ms;  // the head, or `error`
  ErrorKind error = ErrorKind::kNone;
  int status = 200;
  std::optional<Duration> content = 1ms;
  std::optional<Duration> ends = 1ms;
  std::optional<Duration> retry_after = std::nullopt;
};

inline Plan Status(int status) { return {.status = status}; }
inline Plan Error(ErrorKind error) { return {.error = error}; }

struct Request {
  std::string path = "/api/chat";
  std::string body = "question";
  bool wants_stream = false;
  compiler::abi::Method method = compiler::abi::Method::kPOST;
};

class VirtualStory {
 public:
  // Throws, with the findings, if the policy does not compile.
  explicit VirtualStory(const std::string& policy);

  // `plan`: what attempt `number` at the upstream of that name meets. The lines of the request.
  using Planner = std::function<Plan(const std::string& upstream, int number)>;
  std::string Send(const Planner& plan, const Request& request = {});
  std::string Send(const Plan& plan, const Request& request = {});

  void Wait(Duration time) { now_ += time; }
  TimePoint now() const { return now_; }
  size_t stored_bytes = 14;  // of the body of an answer that is kept

  const compiler::CompiledPolicy& compiled() const { return *compiled_; }
  runtime::engine::EngineObjects& objects() { return *objects_; }
  runtime::engine::Breaker& breaker() { return *objects_->breaker(compiler::model::UpstreamId(0)); }

 private:
  std::shared_ptr<const compiler::CompiledPolicy> compiled_;
  std::unique_ptr<runtime::engine::EngineObjects> objects_;
  base::Random random_{1};
  TimePoint now_{std::chrono::hours(1)};
};

// What the compiler says of a policy: every finding, or "" for none. `for_run`: as `breakwater run` would.
std::string Findings(const std::string& policy, bool for_run = false);

}  // namespace tests::coverage
