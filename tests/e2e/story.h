// What the end-to-end stories share: beginnings of policies, bodies as Ollama's clients send them, and answers as
// Ollama gives them.
#pragma once

#include <string>

#include "tests/support/gateway_process.h"
#include "tests/support/raw_client.h"
#include "tests/support/scripted_upstream.h"

namespace tests::e2e {

using std::chrono::milliseconds;
using std::chrono::seconds;
using support::Answer;
using support::Clock;
using support::Fetch;
using support::GatewayOptions;
using support::GatewayProcess;
using support::Get;
using support::HeaderList;
using support::Json;
using support::kPatience;
using support::Post;
using support::RawClient;
using support::RequestText;
using support::ScriptedUpstream;
using support::SeenRequest;
using support::Signal;
using support::ToText;
using support::UpstreamExchange;
using support::WaitUntil;

// The head of a policy with both addresses chosen by the system. `more`: settings of the gateway block.
inline std::string Gateway(const std::string& more = "") {
  return "edition 1\n\ngateway {\n  listen = \"127.0.0.1:0\"\n  admin = \"127.0.0.1:0\"\n  " + more + "\n}\n\n";
}

// An upstream block. `more`: its other settings and blocks.
inline std::string Upstream(const std::string& name, const std::string& url, const std::string& more = "") {
  return "upstream " + name + " {\n  url = \"" + url + "\"\n  " + more + "\n}\n\n";
}

// The founding policy as it is shipped, or another text of it, with the addresses of a test.
inline std::string FoundingPolicy(const std::string& upstream_url, std::string policy = "") {
  if (policy.empty()) policy = support::ReadFile(std::string(BREAKWATER_SOURCE_DIR) + "/policies/qwen3-32b.policy");
  policy = support::ReplaceAll(policy, "http://ollama-service:11434", upstream_url);
  return support::ReplaceAll(policy, "\"0.0.0.0:8080\"", "\"127.0.0.1:0\"");
}

// A chat request as Ollama's clients send it; `content` keeps it apart from others (caches).
inline std::string Chat(const std::string& content, bool stream = false) {
  return Json{{"model", "qwen3:32b"}, {"messages", {{{"role", "user"}, {"content", content}}}}, {"stream", stream}}
      .dump();
}

inline const std::string kOllamaAnswer =
    R"({"model":"qwen3:32b","created_at":"2026-01-28T10:00:00Z","message":{"role":"assistant","content":"Hello."},)"
    R"("done_reason":"stop","done":true})";

inline std::string Frame(const std::string& content, bool done = false) {
  return Json{{"model", "qwen3:32b"}, {"message", {{"role", "assistant"}, {"content", content}}}, {"done", done}}
             .dump() +
         "\n";
}

// Scripts.
inline void AnswerWell(UpstreamExchange& exchange) { exchange.Answer(200, kOllamaAnswer); }
inline void AnswerFailure(UpstreamExchange& exchange) { exchange.Answer(500, R"({"error":"CUDA out of memory"})"); }
inline void HangUp(UpstreamExchange& exchange) { exchange.Reset(); }
inline void Hang(UpstreamExchange& exchange) { exchange.Hang(); }

// How much the gateway's memory may grow where it is to stay bounded. Sanitizers keep shadow and freed memory.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr size_t kMemoryAllowance = 48 << 20;
#else
inline constexpr size_t kMemoryAllowance = 6 << 20;
#endif

// For tests that look at memory: without it, ASan keeps what is freed.
inline GatewayOptions ForMemory() {
  GatewayOptions options;
  options.environment = {{"ASAN_OPTIONS", "quarantine_size_mb=1:intercept_tls_get_addr=0"}};
  return options;
}

inline milliseconds Gap(const SeenRequest& earlier, const SeenRequest& later) {
  return std::chrono::duration_cast<milliseconds>(later.at - earlier.at);
}

}  // namespace tests::e2e
