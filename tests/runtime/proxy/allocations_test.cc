// How often a worker asks for memory for one request, once it is warm: on real sockets, with operator new replaced. Client and
// upstream run on threads of their own and are not counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "runtime/gateway/gateway.h"
#include "tests/support/raw_client.h"
#include "tests/support/scripted_upstream.h"

namespace {

thread_local bool t_is_worker = false;
std::atomic<uint64_t> g_allocations{0};

void* Allocate(size_t bytes) {
  if (t_is_worker) g_allocations.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return Allocate(bytes); }
void* operator new[](size_t bytes) { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace tests {
namespace {

using runtime::observe::LineLog;
using support::RawClient;
using support::RequestText;
using support::ScriptedUpstream;
using support::UpstreamExchange;

constexpr int kWarm = 50;
constexpr int kMeasured = 200;

// Allocations for each of the requests, on the worker's thread, rounded to the nearest.
uint64_t AllocationsFor(const std::string& policy, const RequestText& request, int status) {
  compiler::diagnostics::Diagnostics diagnostics;
  const auto compiled = compiler::CompileInterpreted(policy, {}, &diagnostics);
  if (compiled == nullptr) {
    ADD_FAILURE() << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", policy), diagnostics);
    return 0;
  }
  uint16_t port = 0;
  LineLog events([&port](std::string_view line) {
    const size_t at = line.find("\"address\":\"127.0.0.1:");
    if (at != std::string_view::npos && port == 0) port = static_cast<uint16_t>(std::atoi(line.data() + at + 21));
  });
  LineLog access([](std::string_view) { t_is_worker = true; });  // lines are written where they are made
  runtime::gateway::GatewayOptions options;
  options.workers = 1;
  auto gateway = runtime::gateway::Gateway::Start(compiled, options, events, &access);
  if (!gateway) {
    ADD_FAILURE() << gateway.error();
    return 0;
  }
  RawClient client(port);
  const auto ask = [&] { EXPECT_EQ(client.Request(request).status, status); };
  for (int i = 0; i < kWarm; ++i) ask();
  const uint64_t before = g_allocations.load();
  for (int i = 0; i < kMeasured; ++i) ask();
  const uint64_t made = g_allocations.load() - before;
  (*gateway)->Drain();
  (*gateway)->Join();
  return (made + kMeasured / 2) / kMeasured;
}

std::string Policy(const std::string& upstream) {
  return "edition 1\ngateway { listen = \"127.0.0.1:0\"  admin = off }\nupstream u {\n  url = \"" + upstream +
         "\"\n  repeat_safe = true\n"
         "  retry { max_retries = 2  when status in {500, 503} or error in {connect_failure, refused} }\n"
         "  breaker { open when failures(60s) >= 5 }\n}\n"
         "route own { when request.path == \"/own\"  reply = fixed }\nroute all { to = u }\n"
         "reply fixed { status = 200  body = json { \"fixed\": true } }\n";
}

void Answers(UpstreamExchange& exchange) {
  exchange.Answer(200, R"({"model":"m","message":{"role":"assistant","content":"yes"},"done":true,"done_reason":"stop"})");
}

TEST(Allocations, OfARequestOnceTheWorkerIsWarm) {
  ScriptedUpstream upstream(Answers);
  const std::string policy = Policy(upstream.url());
  const RequestText get{.method = "GET", .target = "/api/tags"};
  const RequestText post{.method = "POST",
                         .target = "/api/chat",
                         .headers = {{"Content-Type", "application/json"}},
                         .body = R"({"model":"m","stream":false,"messages":[{"role":"user","content":")" + std::string(1'000, 'x') + "\"}]}"};
  const RequestText own{.method = "GET", .target = "/own"};
  const uint64_t of_get = AllocationsFor(policy, get, 200);
  const uint64_t of_post = AllocationsFor(policy, post, 200);
  const uint64_t of_own = AllocationsFor(policy, own, 200);
  RecordProperty("get", std::to_string(of_get));
  std::printf("allocations: GET %lu, POST %lu, own answer %lu\n", static_cast<unsigned long>(of_get),
              static_cast<unsigned long>(of_post), static_cast<unsigned long>(of_own));
  EXPECT_EQ(of_get, 0u);
  EXPECT_EQ(of_post, 0u);
  EXPECT_EQ(of_own, 0u);
  EXPECT_GT(g_allocations.load(), 0u) << "the hook counts";
}

}  // namespace
}  // namespace tests
