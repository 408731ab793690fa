// How often a worker asks for memory for one request, once it is warm: on real sockets, with operator new replaced. Client and
// upstream run on threads of their own and are not counted.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <semaphore>
#include <string>
#include <utility>

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

// A gateway of one worker, whose allocations count from its first answer on.
class Counted {
 public:
  explicit Counted(const std::string& policy) {
    compiler::diagnostics::Diagnostics diagnostics;
    const auto compiled = compiler::CompileInterpreted(policy, {}, &diagnostics);
    if (compiled == nullptr) {
      ADD_FAILURE() << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", policy), diagnostics);
      return;
    }
    runtime::gateway::GatewayOptions options;
    options.workers = 1;
    auto started = runtime::gateway::Gateway::Start(compiled, options, events_, &access_);
    if (started) gateway_ = std::move(*started);
    else ADD_FAILURE() << started.error();
  }
  ~Counted() {
    if (gateway_ == nullptr) return;
    gateway_->Drain();
    gateway_->Join();
  }

  bool runs() const { return gateway_ != nullptr; }
  uint16_t port() const { return port_; }

 private:
  uint16_t port_ = 0;
  LineLog events_{[this](std::string_view line) {
    const size_t at = line.find("\"address\":\"127.0.0.1:");
    if (at != std::string_view::npos && port_ == 0) port_ = static_cast<uint16_t>(std::atoi(line.data() + at + 21));
  }};
  LineLog access_{[](std::string_view) { t_is_worker = true; }};  // lines are written where they are made
  std::unique_ptr<runtime::gateway::Gateway> gateway_;
};

// Allocations for each of the requests, on the worker's thread, rounded to the nearest.
uint64_t AllocationsFor(const std::string& policy, const RequestText& request, int status) {
  const Counted gateway(policy);
  if (!gateway.runs()) return 0;
  RawClient client(gateway.port());
  const auto ask = [&] { EXPECT_EQ(client.Request(request).status, status); };
  for (int i = 0; i < kWarm; ++i) ask();
  const uint64_t before = g_allocations.load();
  for (int i = 0; i < kMeasured; ++i) ask();
  return (g_allocations.load() - before + kMeasured / 2) / kMeasured;
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

// Every other answer is a 503, so that every request is tried twice.
TEST(Allocations, OfARetryOnceTheWorkerIsWarm) {
  std::atomic<int> asked{0};
  ScriptedUpstream upstream([&asked](UpstreamExchange& exchange) {
    if (asked++ % 2 == 0) exchange.Answer(503, R"({"error":"busy"})");
    else Answers(exchange);
  });
  std::string policy = Policy(upstream.url());
  const std::string_view rule = "retry { max_retries = 2";
  policy.replace(policy.find(rule), rule.size(), "retry { max_retries = 2  wait = exponential(from: 1ms, factor: 1, cap: 1ms)");
  policy.replace(policy.find("open when failures(60s) >= 5"), 28, "open when failures(60s) >= 10000");
  const uint64_t of_retry = AllocationsFor(policy, {.method = "GET", .target = "/api/tags"}, 200);
  std::printf("allocations: a request that is tried twice %lu\n", static_cast<unsigned long>(of_retry));
  EXPECT_GE(asked.load(), 2 * (kWarm + kMeasured));
  EXPECT_EQ(of_retry, 0u);
}

// Each token comes when its client has the one before.
TEST(Allocations, OfATokenOnceTheWorkerIsWarm) {
  for (const bool is_events : {false, true}) {
    std::counting_semaphore<> taken(0);
    ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
      exchange.SendHead(200, {{"Content-Type", is_events ? "text/event-stream" : "application/x-ndjson"}, {"Transfer-Encoding", "chunked"}});
      for (int i = 0; i < kWarm + kMeasured; ++i) {
        const std::string text = "word" + std::to_string(1000 + i);
        exchange.SendChunk(is_events ? R"(data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":")" + text + "\"}}]}\n\n"
                                     : R"({"model":"m","message":{"role":"assistant","content":")" + text + "\"},\"done\":false}\n");
        taken.acquire();
      }
      exchange.SendChunk(is_events ? "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
                                   : "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":true}\n");
      exchange.SendLastChunk();
    });
    const RequestText request{.method = "POST",
                              .target = is_events ? "/v1/chat/completions" : "/api/chat",
                              .headers = {{"Content-Type", "application/json"}},
                              .body = R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})"};
    const Counted gateway(Policy(upstream.url()));
    ASSERT_TRUE(gateway.runs());
    RawClient client(gateway.port());
    uint64_t made = 0;
    for (const bool is_measured : {false, true}) {
      ASSERT_TRUE(client.Send(ToText(request)));
      support::Answer answer = client.ReadHead();
      ASSERT_EQ(answer.status, 200);
      for (int i = 0; i < kWarm + kMeasured; ++i) {
        EXPECT_TRUE(client.ReadUntil("word" + std::to_string(1000 + i), &answer));
        if (is_measured && i == kWarm) made = g_allocations.load();
        if (is_measured && i + 1 == kWarm + kMeasured) made = g_allocations.load() - made;
        taken.release();
      }
      client.ReadToEnd(&answer);
    }
    std::printf("allocations: %d tokens of %s %lu\n", kMeasured - 1, is_events ? "OpenAI" : "Ollama", static_cast<unsigned long>(made));
    EXPECT_EQ(made, 0u);
  }
}

}  // namespace
}  // namespace tests
