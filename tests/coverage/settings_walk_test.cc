// Walks the table of settings (compiler/model/settings.def): for each setting and each `when` line that is honoured,
// two policies that differ in nothing else, and something that differs between them – what the engine does, bytes on
// a wire, what operators read, or the verdict of the compiler. A setting without a case fails, and so does one that
// changes nothing.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/coverage/tls_walk.h"
#include "tests/coverage/virtual_story.h"
#include "tests/e2e/story.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests::coverage {
namespace {

using e2e::Answer;
using e2e::Chat;
using e2e::GatewayProcess;
using e2e::Get;
using e2e::HeaderList;
using e2e::Json;
using e2e::Post;
using e2e::RawClient;
using e2e::ScriptedUpstream;
using e2e::ToText;
using e2e::UpstreamExchange;
using e2e::WaitUntil;

struct Case {
  std::string policy;  // with @ where the setting stands
  std::string one;
  std::string other;
  std::function<std::string(const std::string& policy)> observe;
};

// ---- Ways to look at a policy ---------------------------------------------------------------------------------------

using Virtual = std::function<std::string(VirtualStory&)>;
auto InTheEngine(Virtual look) {
  return [look](const std::string& policy) {
    VirtualStory story(policy);
    return look(story);
  };
}

// One request whose every attempt meets `plan`.
auto OneRequest(Plan plan, Request request = {}) {
  return InTheEngine([=](VirtualStory& story) { return story.Send(plan, request); });
}

using Wire = std::function<std::string(GatewayProcess&, ScriptedUpstream&)>;
auto OnTheWire(Wire look, ScriptedUpstream::Script script = e2e::AnswerWell) {
  return [look, script](const std::string& policy) {
    ScriptedUpstream upstream(script);
    e2e::GatewayOptions options;
    options.arguments = {};
    GatewayProcess gateway(
        policy.find("$URL") == std::string::npos ? policy : support::ReplaceAll(policy, "$URL", upstream.url()),
        options);
    return look(gateway, upstream);
  };
}

// All of an answer but what differs between any two.
std::string Seen(const Answer& answer) {
  std::string text = answer.head.start_line + "\n";
  for (const auto& [name, value] : answer.head.headers) {
    if (name != "x-request-id" && name != "date") text += name + ": " + value + "\n";
  }
  return text + "\n" + answer.body;
}

std::string AnswerToOnePost(GatewayProcess& gateway, ScriptedUpstream&) {
  return Seen(Post(gateway.port(), "/plain", "{}"));
}

std::string WhatTheUpstreamSees(GatewayProcess& gateway, ScriptedUpstream& upstream) {
  Post(gateway.port(), "/some/path", Chat("x"), {{"X-Request-Id", "walk"}, {"Cookie", "a=1"}});
  const e2e::SeenRequest seen = upstream.last_request();
  std::string text = seen.target + "\n";
  for (const auto& [name, value] : seen.head.headers) {
    if (name != "host" && name != "traceparent") text += name + ": " + value + "\n";
  }
  return text;
}

// ---- Beginnings -----------------------------------------------------------------------------------------------------

const std::string kGateway = "edition 1\ngateway { listen = \"127.0.0.1:0\"  admin = \"127.0.0.1:0\"  workers = 1 }\n";
const std::string kSorry = "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n";

std::string GatewayWith(const std::string& settings) {
  return "edition 1\ngateway { " + settings +
         " }\nroute all { reply = hello }\nreply hello { status = 200  text = \"hello\" }\n";
}
std::string UpstreamWith(const std::string& settings) {
  return kGateway + "upstream main { url = \"$URL\"\n" + settings + "\n}\n";
}
std::string VirtualUpstreamWith(const std::string& settings) {
  return kGateway + "upstream main { url = \"http://127.0.0.1:9\"\n" + settings + "\n}\n";
}
std::string CacheWith(const std::string& settings, const std::string& route = "to = main  cache = kept") {
  return kGateway + "upstream main { url = \"http://127.0.0.1:9\" }\ncache kept { " + settings + " }\nroute all { " +
         route + " }\n";
}
std::string ReplyWith(const std::string& settings) {
  return kGateway + "route all { reply = it }\nreply it { " + settings + " }\n";
}
std::string MockWith(const std::string& settings) {
  return kGateway + "upstream main { url = \"$URL\"  fallback = [it] }\nmock it { " + settings + " }\n";
}
std::string TwoUpstreamsWith(const std::string& route) {
  return kGateway +
         "upstream first { url = \"http://127.0.0.1:9\" }\nupstream second { url = \"http://127.0.0.1:9\" }\n" +
         kSorry + "cache kept { key = \"k ${request.body}\"  ttl = 1h  shared = true }\nroute all { " + route + " }\n";
}

constexpr Plan kHang{.answers = std::nullopt};

std::string TwoRequests(VirtualStory& story, Duration between, const std::string& second_body = "question") {
  std::string text = story.Send(Plan{});
  story.Wait(between);
  return text + story.Send(Plan{}, {.body = second_body});
}

// ---- The table ------------------------------------------------------------------------------------------------------

std::map<std::string, Case> GatewayCases() {
  std::map<std::string, Case> cases;
  cases["gateway.listen"] = {GatewayWith("listen = @  admin = off"), "\"127.0.0.1:0\"",
                             "[\"127.0.0.1:0\", \"localhost:0\"]",
                             OnTheWire([](GatewayProcess& gateway, ScriptedUpstream&) {
                               int answering = 0;
                               for (const Json& event : gateway.events()) {
                                 if (event.value("message", "") != "listening") continue;
                                 const std::string address = event.value("address", "");
                                 const int port = std::atoi(address.c_str() + address.rfind(':') + 1);
                                 answering += Get(static_cast<uint16_t>(port), "/").status == 200 ? 1 : 0;
                               }
                               return std::to_string(answering) + " addresses answer";
                             })};
  cases["gateway.admin"] = {
      GatewayWith("listen = \"127.0.0.1:0\"  admin = @"), "\"127.0.0.1:0\"", "off",
      OnTheWire([](GatewayProcess& gateway, ScriptedUpstream&) { return Get(gateway.port(), "/health/live").body; })};
  cases["gateway.metrics_prefix"] = {
      GatewayWith("listen = \"127.0.0.1:0\"  admin = \"127.0.0.1:0\"  metrics_prefix = @"), "\"breakwater\"",
      "\"clawdbot\"", OnTheWire([](GatewayProcess& gateway, ScriptedUpstream&) {
        const std::string page = Get(gateway.port(), "/metrics").body;
        return page.substr(page.find('\n'), 60);
      })};
  cases["gateway.workers"] = {GatewayWith("listen = \"127.0.0.1:0\"  admin = off  workers = @"), "1", "3",
                              OnTheWire([](GatewayProcess& gateway, ScriptedUpstream&) {
                                std::set<int> workers;  // each connection is served by one; the kernel spreads them
                                for (int i = 0; i < 60; ++i) {
                                  const std::string id = "walk-" + std::to_string(i);
                                  Post(gateway.port(), "/", "x", {{"X-Request-Id", id}});
                                  workers.insert(gateway.WaitForAccess(id).value("worker", -1));
                                }
                                return std::to_string(workers.size()) + " workers served";
                              })};
  cases["gateway.access_log"] = {GatewayWith("listen = \"127.0.0.1:0\"  admin = off  access_log = @"), "stdout", "off",
                                 OnTheWire([](GatewayProcess& gateway, ScriptedUpstream&) {
                                   Post(gateway.port(), "/", "x");
                                   gateway.process().Signal(SIGTERM);
                                   gateway.process().WaitForExit();
                                   return std::to_string(gateway.accesses().size()) + " lines";
                                 })};
  cases["gateway.access_log_format"] = {GatewayWith("listen = \"127.0.0.1:0\"  admin = off  access_log_format = @"), "auto", "text",
                                        OnTheWire([](GatewayProcess& gateway, ScriptedUpstream&) {
                                          Post(gateway.port(), "/", "x");
                                          gateway.process().Signal(SIGTERM);
                                          gateway.process().WaitForExit();
                                          const auto lines = gateway.process().out();
                                          return std::string(lines.empty() ? "nothing" : lines.front().starts_with("{") ? "JSON" : "for people");
                                        })};
  cases["gateway.drain"] = {
      "edition 1\ngateway { listen = \"127.0.0.1:0\"  admin = off  drain = @ }\nupstream main { url = \"$URL\" }\n",
      "1ms", "1h",
      OnTheWire(
          [](GatewayProcess& gateway, ScriptedUpstream& upstream) -> std::string {
            RawClient client(gateway.port());
            client.Send(ToText({.body = Chat("x")}));
            WaitUntil([&] { return upstream.in_flight() == 1; });
            gateway.process().Signal(SIGTERM);
            // What must not happen can only be waited out: one second, against an hour.
            return client.WaitForClose(std::chrono::seconds(1)) ? "broken off" : "still being served";
          },
          e2e::Hang)};
  cases["gateway.cors"] = {GatewayWith("listen = \"127.0.0.1:0\"  admin = off  cors = @"), "off", "\"*\"",
                           OnTheWire([](GatewayProcess& gateway, ScriptedUpstream&) {
                             return Seen(Post(gateway.port(), "/", "x", {{"Origin", "https://chat.example"}}));
                           })};
  return cases;
}

// Lines of the gateway's block, on a simulated network: what `look` sees of a proxy that has them.
auto InTheProxy(std::function<std::string(SimGateway&)> look) {
  return [look](const std::string& settings) {
    SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\" }\n", settings);
    SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer& peer) {
      if (peer.received.find("\r\n\r\n") == std::string::npos) return;
      const std::string body = std::exchange(peer.received, "") + std::string(1'000'000, 'x');
      peer.Send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    });
    return look(gateway);
  };
}

// What a client has got of its answer a while after it sent these bytes.
auto AfterSending(const std::string& bytes, Duration wait, bool reads = true) {
  return InTheProxy([=](SimGateway& gateway) {
    auto client = gateway.NewClient();
    client->Send(bytes);
    if (!reads) client->stream->PauseReading();
    gateway.network.RunFor(wait);
    return client->received.substr(0, 12) + (client->ended || gateway.worker->connections() == 0 ? " over" : " open");
  });
}

std::map<std::string, Case> LimitCases() {
  std::map<std::string, Case> cases;
  const std::string large = "POST /" + std::string(100, 'u') + " HTTP/1.1\r\nHost: a\r\nA: " + std::string(200, 'x') +
                            "\r\nB: b\r\nContent-Length: 10\r\n\r\n0123456789";
  const auto two_clients = InTheProxy([](SimGateway& gateway) {
    auto first = gateway.NewClient();
    gateway.network.RunFor(5ms);
    auto second = gateway.NewClient();
    gateway.network.RunFor(5ms);
    return second->ended ? "refused" : "taken";
  });
  cases["gateway.trusted_proxies"] = {"trusted_proxies = @", "[]", "[10.0.0.0/8]", InTheProxy([](SimGateway& gateway) {
    auto client = gateway.NewClient();
    client->Send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\n\r\n");
    gateway.network.RunFor(5ms);  // the server answers with what it got
    return std::string(client->received.find("X-Forwarded-Proto: https") != std::string::npos ? "believed" : "not believed");
  })};
  cases["limits.connections"] = {"limits { connections = @ }", "1", "2", two_clients};
  cases["limits.per_address"] = {"limits { per_address = @ }", "1", "2", two_clients};
  cases["limits.header_bytes"] = {"limits { header_bytes = @ }", "256B", "1KiB", AfterSending(large, 5ms)};
  cases["limits.header_line"] = {"limits { header_line = @ }", "128B", "1KiB", AfterSending(large, 5ms)};
  cases["limits.header_count"] = {"limits { header_count = @ }", "3", "4", AfterSending(large, 5ms)};
  cases["limits.uri"] = {"limits { uri = @ }", "64B", "128B", AfterSending(large, 5ms)};
  cases["limits.body"] = {"limits { body = @ }", "9B", "10B", AfterSending(large, 5ms)};
  cases["limits.header_time"] = {"limits { header_time = @ }", "1s", "1h", AfterSending("GET", 5s)};
  cases["limits.body_rate"] = {"limits { body_rate = @ }", "1KiB/s", "1B/s", InTheProxy([](SimGateway& gateway) {
    auto client = gateway.NewClient();
    client->Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    for (int i = 0; i < 40; ++i) {
      client->Send("x");
      gateway.network.RunFor(1s);
    }
    return client->received.substr(0, 12);
  })};
  // An answer of which a client takes a little now and then.
  cases["limits.read_rate"] = {"limits { read_rate = @ }", "64KiB/s", "1B/s", InTheProxy([](SimGateway& gateway) {
    auto client = gateway.NewClient();
    client->Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 3; ++i) {
      client->stream->PauseReading();
      gateway.network.RunFor(12s);
      client->stream->ResumeReading();
      gateway.network.RunFor(1us);
    }
    return std::to_string(gateway.worker->connections()) + " connections";
  })};
  cases["limits.memory"] = {"limits { memory = @ }", "1MiB", "64MiB", InTheProxy([](SimGateway& gateway) {
    auto client = gateway.NewClient();  // one address: a quarter is its share
    client->Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n" + std::string(400'000, 'x'));
    gateway.network.RunFor(1s);
    return client->received.substr(0, 12);
  })};
  cases["limits.idle"] = {"limits { idle = @ }", "1s", "1h", AfterSending("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 5s)};
  cases["limits.write_stall"] = {"limits { write_stall = @ }", "1s", "1h",
                                 AfterSending("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 5s, /*reads=*/false)};
  return cases;
}

// Settings of an upstream that answers chats and never a request to load a model: what it was asked for in 20 minutes by one client,
// and for how long.
std::string LoadsSeen(const std::string& settings) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\"  " + settings + " }\nroute r { to = u }\n");
  std::string seen;
  SimServer server(&gateway.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    if (peer.received.find("\r\n\r\n") == std::string::npos) return;
    const std::string request = std::exchange(peer.received, "");
    const auto at = std::chrono::duration_cast<std::chrono::seconds>(gateway.transport.Now().time_since_epoch());
    seen += request.substr(0, request.find(' ', 5)) + " at " + std::to_string(at.count()) + "\n";
    const std::string body = "{\"message\":{\"content\":\"4\"},\"done\":true}";
    if (request.starts_with("POST /api/chat")) {
      peer.Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
  });
  auto client = gateway.NewClient();
  client->Send("POST /api/chat HTTP/1.1\r\nHost: a\r\nContent-Length: 28\r\n\r\n{\"model\":\"m\",\"stream\":false}");
  for (int second = 0; second < 1200; ++second) {
    gateway.network.RunFor(1s);
    if (!client->received.empty()) seen += std::exchange(client->received, "").substr(0, 12) + " after " + std::to_string(second) + " s\n";
  }
  return seen;
}

std::map<std::string, Case> UpstreamCases() {
  std::map<std::string, Case> cases;
  cases["upstream.url"] = {kGateway + "upstream main { url = @ }\n", "\"$URL\"", "\"$URL/api/chat\"",
                           OnTheWire(WhatTheUpstreamSees)};
  cases["upstream.attempt_timeout"] = {VirtualUpstreamWith("attempt_timeout = @"), "1s", "2s", OneRequest(kHang)};
  cases["upstream.repeat_safe"] = {
      VirtualUpstreamWith("repeat_safe = @  retry { max_retries = 1  when error == reset }") +
          "route reads { when request.method == GET  to = main }\nroute writes { to = main }\n",
      "true", "false", OneRequest(Error(ErrorKind::k_reset))};
  cases["upstream.replay_body"] = {UpstreamWith("replay_body = @  repeat_safe = true  retry { max_retries = 1  when "
                                                "status == 500  wait = exponential(from: 1ms) }"),
                                   "1KiB", "64KiB",
                                   OnTheWire(
                                       [](GatewayProcess& gateway, ScriptedUpstream& upstream) {
                                         Post(gateway.port(), "/api/chat", Chat(std::string(4096, 'x')));
                                         return std::to_string(upstream.request_count()) + " attempts";
                                       },
                                       e2e::AnswerFailure)};
  // Places that other requests hold, those that wait for one behind them, and then one more request.
  const auto busy = [](int holders, int waiters) {
    return InTheEngine([=](VirtualStory& story) {
      runtime::engine::Limiter& limiter = *story.objects().limiter(compiler::model::UpstreamId(0));
      for (int i = 0; i < holders + waiters; ++i) limiter.Enter(story.now(), std::nullopt);
      return story.Send(Plan{});
    });
  };
  cases["upstream.max_in_flight"] = {VirtualUpstreamWith("max_in_flight = @"), "4", "5", busy(4, 0)};
  cases["queue.length"] = {VirtualUpstreamWith("max_in_flight = 4  queue { length = @  timeout = 5s }"), "16", "17",
                           busy(4, 16)};
  cases["queue.timeout"] = {VirtualUpstreamWith("max_in_flight = 4  queue { length = 16  timeout = @ }"), "5s", "6s",
                            busy(4, 3)};
  cases["upstream.cold_load"] = {"cold_load = @", "10s", "3min", LoadsSeen};
  cases["upstream.keep_warm"] = {"keep_warm = @", "4min", "8min", LoadsSeen};
  cases["upstream.dialect"] = {UpstreamWith("dialect = @"), "auto", "openai",
                               OnTheWire(
                                   [](GatewayProcess& gateway, ScriptedUpstream&) {
                                     return Seen(Post(gateway.port(), "/elsewhere/answers", Chat("x", true)));
                                   },
                                   [](UpstreamExchange& exchange) {
                                     exchange.Answer(200, "data: {}\n\n", {{"Content-Type", "text/event-stream"}});
                                   })};
  cases["upstream.commit"] = {UpstreamWith("commit = @"), "any_output", "answer",
                              OnTheWire(
                                  [](GatewayProcess& gateway, ScriptedUpstream&) {
                                    const Answer answer = Post(gateway.port(), "/api/chat", Chat("x", true));
                                    return std::to_string(answer.status);
                                  },
                                  [](UpstreamExchange& exchange) {
                                    exchange.SendHead(200, {{"Content-Type", "application/x-ndjson"},
                                                            {"Transfer-Encoding", "chunked"}});
                                    exchange.SendChunk("{\"message\":{\"thinking\":\"Hm\"},\"done\":false}\n");
                                    exchange.SendLastChunk();
                                  })};
  const auto cut = OneRequest({.ends = std::nullopt});
  const std::string second = "prefill = true }\nroute all { to = [main, second] }\nupstream second { url = \"http://127.0.0.1:9\"";
  cases["upstream.on_cut"] = {VirtualUpstreamWith("on_cut = @  " + second), "error", "continue", cut};
  cases["upstream.prefill"] = {VirtualUpstreamWith("on_cut = continue }\nroute all { to = [main, second] }\nupstream second "
                                                   "{ url = \"http://127.0.0.1:9\"  prefill = @"),
                               "true", "false", cut};
  cases["upstream.header"] = {UpstreamWith("header[\"X-Walk\"] = @"), "\"one\"", "\"two\"",
                              OnTheWire(WhatTheUpstreamSees)};
  cases["upstream.remove_header"] = {UpstreamWith("remove_header = @"), "[\"X-None\"]", "[\"Cookie\"]",
                                     OnTheWire(WhatTheUpstreamSees)};
  cases["upstream.rewrite"] = {UpstreamWith("rewrite = @"), "json { \"model\": \"one\" }",
                               "json { \"model\": \"two\" }",
                               OnTheWire([](GatewayProcess& gateway, ScriptedUpstream& upstream) {
                                 Post(gateway.port(), "/api/chat", Chat("x"));
                                 return upstream.last_request().body;
                               })};
  cases["rewrite.patch"] = {UpstreamWith("  rewrite some { when request.method == POST  patch = @ }"), "json { \"model\": \"one\" }",
                            "json { \"model\": \"two\" }",
                            OnTheWire([](GatewayProcess& gateway, ScriptedUpstream& upstream) {
                              Post(gateway.port(), "/api/chat", Chat("x"));
                              return upstream.last_request().body;
                            })};
  cases["upstream.decode"] = {UpstreamWith("decode = @"), "auto", "never",
                              OnTheWire([](GatewayProcess& gateway, ScriptedUpstream& upstream) {
                                // {"model":"m"}, by zstd
                                const std::string body("\x28\xb5\x2f\xfd\x04\x58\x69\x00\x00{\"model\":\"m\"}\x27\x8b\x7c\x64", 26);
                                Post(gateway.port(), "/v1/chat/completions", body, {{"Content-Encoding", "zstd"}});
                                return upstream.last_request().body;
                              })};
  cases["gateway.underscore_headers"] = {"edition 1\ngateway { listen = \"127.0.0.1:0\"  admin = off  underscore_headers = @ }\n"
                                         "upstream main { url = \"$URL\" }\n", "false", "true",
                                         OnTheWire([](GatewayProcess& gateway, ScriptedUpstream& upstream) {
                                           Post(gateway.port(), "/", "x", {{"X_Walk", "seen"}});
                                           return upstream.last_request().header("x_walk");
                                         })};
  cases["upstream.fallback"] = {VirtualUpstreamWith("fallback = @") + kSorry, "[sorry]", "[]", OneRequest(Status(500))};
  cases["timeouts.connect"] = {VirtualUpstreamWith("timeouts { connect = @ }"), "1s", "2s",
                               OneRequest({.connects = std::nullopt})};
  cases["timeouts.first_token"] = {VirtualUpstreamWith("timeouts { first_token = @ }"), "1s", "2s",
                                   OneRequest(kHang, {.wants_stream = true})};
  cases["timeouts.idle"] = {VirtualUpstreamWith("timeouts { idle = @ }"), "1s", "2s",
                            OneRequest({.ends = std::nullopt})};
  cases["timeouts.stall"] = {VirtualUpstreamWith("timeouts { stall = @ }"), "1s", "2s", OneRequest(kHang)};
  cases["timeouts.total"] = {VirtualUpstreamWith("timeouts { total = @ }"), "1s", "2s", OneRequest(kHang)};
  const auto connections_of_three = [](Duration between) {
    return [between](const std::string& settings) {
      SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\"  " + settings + " }\n");
      SimServer server(&gateway.network, "10.0.0.1", 11434, Answering("x"));
      for (int i = 0; i < 3; ++i) {
        gateway.Get();
        gateway.network.RunFor(between);
      }
      return std::to_string(server.peers.size()) + " connections";
    };
  };
  cases["pool.idle"] = {"pool { idle = @ }", "10s", "60s", connections_of_three(20s)};
  cases["pool.size"] = {"pool { size = @ }", "0", "256", connections_of_three(1s)};
  cases["retry.max_retries"] = {
      VirtualUpstreamWith("repeat_safe = true  retry { max_retries = @  when status == 500 }"), "1", "2",
      OneRequest(Status(500))};
  cases["retry.wait"] = {
      VirtualUpstreamWith("repeat_safe = true  retry { max_retries = 2  when status == 500  wait = @ }"),
      "exponential(from: 100ms, factor: 2, cap: 2s)", "exponential(from: 100ms, factor: 3, cap: 2s)",
      OneRequest(Status(500))};
  cases["retry.honour"] = {
      VirtualUpstreamWith("repeat_safe = true  retry { max_retries = 1  when status == 503  honour = @ }"),
      "retry_after(cap: 8s)", "retry_after(cap: 2s)", OneRequest({.status = 503, .retry_after = 5s})};
  cases["retry.budget"] = {VirtualUpstreamWith("repeat_safe = true  retry { max_retries = 9  when status == 503  "
                                               "wait = exponential(from: 1ms)  budget = @ }"),
                           "1%", "100%", InTheEngine([](VirtualStory& story) {
                             std::string text;
                             for (int i = 0; i < 3; ++i) text += story.Send(Status(503));
                             return text;
                           })};
  cases["rewrite.when"] = {UpstreamWith("  rewrite some { when @  patch = json { \"model\": \"one\" } }"), "request.method == POST",
                           "request.method == PUT",
                           OnTheWire([](GatewayProcess& gateway, ScriptedUpstream& upstream) {
                             Post(gateway.port(), "/api/chat", Chat("x"));
                             return upstream.last_request().body;
                           })};
  cases["retry.when"] = {VirtualUpstreamWith("repeat_safe = true  retry { max_retries = 1  when @ }"), "status == 500",
                         "status == 503", OneRequest(Status(500))};
  return cases;
}

std::map<std::string, Case> BreakerCases() {
  std::map<std::string, Case> cases;
  const auto fails_then_asks_after = [](Duration wait) {
    return InTheEngine([wait](VirtualStory& story) {
      std::string text = story.Send(Status(500));
      story.Wait(wait);
      return text + story.Send(Plan{});
    });
  };
  cases["breaker.open_for"] = {VirtualUpstreamWith("breaker { open when failures(60s) >= 1  open_for = @ }"), "1s",
                               "10s", fails_then_asks_after(5s)};
  cases["breaker.probes"] = {
      VirtualUpstreamWith(
          "breaker { open when failures(60s) >= 1  open_for = 1s  probes = @  close when successes(30s) >= 3 }"),
      "1", "3", InTheEngine([](VirtualStory& story) {
        story.Send(Status(500));
        story.Wait(5s);
        int admitted = 0;
        for (int i = 0; i < 10; ++i) admitted += story.breaker().Admit(story.now(), 1min).ticket ? 1 : 0;
        return std::to_string(admitted) + " probes out";
      })};
  cases["breaker.open"] = {VirtualUpstreamWith("breaker { open when failures(60s) >= @ }"), "1", "2",
                           fails_then_asks_after(1s)};
  cases["breaker.close"] = {
      VirtualUpstreamWith(
          "breaker { open when failures(60s) >= 1  open_for = 1s  probes = 1  close when successes(30s) >= @ }"),
      "1", "2", InTheEngine([](VirtualStory& story) {
        story.Send(Status(500));
        story.Wait(5s);
        story.Send(Plan{});
        return std::string(runtime::engine::Name(story.breaker().Look(story.now()).state));
      })};
  cases["breaker.rest"] = {VirtualUpstreamWith("breaker { open when failures(60s) >= 9  rest when @ }"), "status == 429", "status == 423",
                           InTheEngine([](VirtualStory& story) { return story.Send(Status(429)) + story.Send(Plan{}); })};
  cases["breaker.failure"] = {VirtualUpstreamWith("breaker { open when failures(60s) >= 1  failure when @ }"),
                              "status == 500", "status == 503", fails_then_asks_after(1s)};
  return cases;
}

std::map<std::string, Case> HealthCases() {
  std::map<std::string, Case> cases;
  const auto with = [](const std::string& health) {
    return UpstreamWith("breaker { open when failures(60s) >= 1  open_for = 1h }  health { " + health + " }");
  };
  // The breaker is opened by a failure; then the first checks are looked at. They get no answer.
  const auto checks = [](std::function<std::string(ScriptedUpstream&)> look) {
    return OnTheWire(
        [look](GatewayProcess& gateway, ScriptedUpstream& upstream) {
          Post(gateway.port(), "/", "x");
          return look(upstream);
        },
        [](UpstreamExchange& exchange) {
          exchange.request().method == "POST" ? e2e::AnswerFailure(exchange) : exchange.Hang();
        });
  };
  const auto asked = [](ScriptedUpstream& upstream, int requests) {
    // What must not happen can only be waited out: one second, against an hour.
    return WaitUntil([&] { return upstream.request_count() >= requests; }, std::chrono::seconds(1)) ? "asked"
                                                                                                    : "not asked";
  };
  cases["health.path"] = {with("path = @  interval = 10ms"), "\"/one\"", "\"/two\"",
                          checks([](ScriptedUpstream& upstream) {
                            WaitUntil([&] { return upstream.requests().size() >= 2; });  // counted a moment before it is kept
                            return upstream.requests()[1].target;
                          })};
  cases["health.interval"] = {with("path = \"/\"  interval = @"), "10ms", "1h",
                              checks([asked](ScriptedUpstream& upstream) { return asked(upstream, 2); })};
  cases["health.timeout"] = {with("path = \"/\"  interval = 10ms  timeout = @"), "20ms", "1h",
                             checks([asked](ScriptedUpstream& upstream) { return asked(upstream, 3); })};
  return cases;
}

std::map<std::string, Case> CacheCases() {
  std::map<std::string, Case> cases;
  cases["cache.key"] = {CacheWith("key = @  ttl = 1h  shared = true"), "\"k ${request.body}\"", "\"k ${request.path}\"",
                        InTheEngine([](VirtualStory& story) { return TwoRequests(story, 1s, "another question"); })};
  cases["cache.ttl"] = {CacheWith("key = \"k ${request.body}\"  ttl = @  shared = true"), "1s", "1h",
                        InTheEngine([](VirtualStory& story) { return TwoRequests(story, 5s); })};
  cases["cache.stale"] = {
      CacheWith("key = \"k ${request.body}\"  ttl = 1s  stale = @  shared = true", "to = main  fallback = [kept]"),
      "0s", "1h", InTheEngine([](VirtualStory& story) {
        story.Send(Plan{});
        story.Wait(5s);
        return story.Send(Error(ErrorKind::k_refused));
      })};
  cases["cache.shared"] = {CacheWith("key = \"k ${request.body}\"  ttl = 1h  shared = @"), "true", "false",
                           [](const std::string& policy) { return Findings(policy); }};
  cases["cache.max_entry"] = {CacheWith("key = \"k ${request.body}\"  ttl = 1h  shared = true  max_entry = @"), "100B",
                              "10KiB", InTheEngine([](VirtualStory& story) {
                                story.stored_bytes = 1000;
                                return TwoRequests(story, 1s);
                              })};
  cases["cache.max_bytes"] = {CacheWith("key = \"k ${request.body}\"  ttl = 1h  shared = true  max_bytes = @"), "2KiB",
                              "1MiB", InTheEngine([](VirtualStory& story) {
                                story.stored_bytes = 1200;
                                for (const char* body : {"one", "two", "three"}) story.Send(Plan{}, {.body = body});
                                return story.Send(Plan{}, {.body = "one"});
                              })};
  cases["cache.store"] = {CacheWith("key = \"k ${request.body}\"  ttl = 1h  shared = true  store when @"),
                          "status == 200", "status == 201",
                          InTheEngine([](VirtualStory& story) { return TwoRequests(story, 1s); })};
  return cases;
}

std::map<std::string, Case> AnswerCases() {
  std::map<std::string, Case> cases;
  const auto answer = OnTheWire(AnswerToOnePost);
  const auto fallback = OnTheWire(AnswerToOnePost, e2e::AnswerFailure);
  cases["reply.status"] = {ReplyWith("status = @  text = \"x\""), "200", "203", answer};
  cases["reply.body"] = {ReplyWith("status = 200  body = @"), "json { \"a\": 1 }", "json { \"a\": 2 }", answer};
  cases["reply.text"] = {ReplyWith("status = 200  text = @"), "\"one\"", "\"two\"", answer};
  cases["reply.content_type"] = {ReplyWith("status = 200  body = json { }  content_type = @"), "\"application/json\"",
                                 "\"application/problem+json\"", answer};
  cases["reply.header"] = {ReplyWith("status = 200  text = \"x\"  header[\"X-Walk\"] = @"), "\"one\"", "\"two\"",
                           answer};
  cases["mock.status"] = {MockWith("status = @  text = \"x\""), "200", "418", fallback};
  cases["mock.body"] = {MockWith("body = @"), "json { \"a\": 1 }", "json { \"a\": 2 }", fallback};
  cases["mock.text"] = {MockWith("text = @"), "\"one\"", "\"two\"", fallback};
  cases["mock.delay"] = {support::ReplaceAll(MockWith("text = \"x\"  delay = @"), "$URL", "http://127.0.0.1:9"), "1s",
                         "2s", OneRequest(Status(500))};
  cases["route.to"] = {TwoUpstreamsWith("to = @"), "first", "[second, first]", OneRequest(Status(500))};
  cases["route.next"] = {TwoUpstreamsWith("to = [first, second]  next when @"), "status == 404", "status == 410",
                         OneRequest(Status(404), {.method = compiler::abi::Method::kGET})};
  cases["route.reply"] = {
      kGateway +
          "route first { when request.path == \"/first\"  reply = one }\n"
          "route second { when request.path == \"/second\"  reply = two }\nroute rest { reply = @ }\n"
          "reply one { status = 200  text = \"1\" }\nreply two { status = 200  text = \"2\" }\n",
      "one", "two", answer};
  cases["route.fallback"] = {TwoUpstreamsWith("to = first  fallback = @"), "[sorry]", "[]", OneRequest(Status(500))};
  cases["route.cache"] = {kGateway +
                              "upstream main { url = \"http://127.0.0.1:9\" }\n"
                              "cache one { key = \"k ${request.body}\"  ttl = 1h  shared = true }\n"
                              "cache two { key = \"k ${request.path}\"  ttl = 1h  shared = true }\n"
                              "route all { to = main  cache = @ }\n",
                          "one", "two",
                          InTheEngine([](VirtualStory& story) { return TwoRequests(story, 1s, "another question"); })};
  cases["route.deadline"] = {TwoUpstreamsWith("to = first  deadline = @"), "1s", "2s", OneRequest(kHang)};
  cases["route.keep_alive"] = {TwoUpstreamsWith("to = first  deadline = 10s  keep_alive = @"), "1s", "2s",
                               OneRequest(kHang, {.wants_stream = true})};
  cases["route.when"] = {kGateway +
                             "route some { when @  reply = one }\nroute rest { reply = two }\n"
                             "reply one { status = 200  text = \"1\" }\nreply two { status = 200  text = \"2\" }\n",
                         "request.path == \"/plain\"", "request.path == \"/other\"", answer};
  return cases;
}

std::map<std::string, Case> TlsCases() {
  std::map<std::string, Case> cases;
  const auto curl = [](const std::string& policy) { return CurlSees(policy); };
  const auto upstream = [](const std::string& tls) { return UpstreamOverTls(tls, ""); };
  const auto asked_upstream = [](const std::string& tls) { return UpstreamOverTls(tls, "client_ca = \"$ROOT\""); };
  cases["gateway.listen_tls"] = {
      support::ReplaceAll(TlsServerWith(""), "listen_tls = \"127.0.0.1:0\"", "listen_tls = @"), "\"127.0.0.1:0\"",
      "[\"127.0.0.1:0\", \"localhost:0\"]", [](const std::string& policy) {
        return IfItStarts(policy, [](GatewayProcess& gateway) {
          int open = 0;
          for (const Json& event : gateway.events()) {
            open += event.is_object() && event.value("protocol", "") == "https" ? 1 : 0;
          }
          return std::to_string(open) + " addresses speak TLS";
        });
      }};
  cases["gateway.tls"] = {
      support::ReplaceAll(TlsServerWith(""), "tls = edge", "tls = @") +
          "tls other { certificate = \"$OTHER.crt\"  key = \"$OTHER.key\" }\n",
      "[edge, other]", "[other, edge]", [](const std::string& policy) {
        return IfItStarts(policy, [](GatewayProcess& gateway) {
          return e2e::Shell("openssl s_client -noservername -connect 127.0.0.1:" + TlsPortOf(gateway) +
                            " </dev/null 2>/dev/null | openssl x509 -noout -subject")
              .output;
        });
      }};
  cases["gateway.admin_token"] = {
      "edition 1\ngateway { listen = \"127.0.0.1:0\"  admin = \"localhost:0\"  admin_token = @ }\n"
      "route all { reply = hello }\nreply hello { status = 200  text = \"hello\" }\n",
      "\"one\"", "\"two\"", [](const std::string& policy) {
        return IfItStarts(policy, [](GatewayProcess& gateway) {
          return std::to_string(Get(gateway.admin_port(), "/admin/policy", {{"Host", "localhost"}, {"Authorization", "Bearer one"}}).status);
        });
      }};
  cases["gateway.state"] = {GatewayWith("listen = \"127.0.0.1:0\"  admin = \"127.0.0.1:0\"  state = @"),
                            "\"/nowhere/state\"", "\"/dev/null\"", [](const std::string& policy) {
                              return IfItStarts(policy, [](GatewayProcess& gateway) {
                                return gateway.WaitForEvent("state not kept").value("reason", "");
                              });
                            }};
  cases["gateway.redirect"] = {TlsServerWith("redirect = @"), "off", "https", [](const std::string& policy) {
                                 return IfItStarts(policy, [](GatewayProcess& gateway) {
                                   return std::to_string(Get(gateway.port(), "/").status);
                                 });
                               }};
  cases["gateway.drain_delay"] = {TlsServerWith("drain_delay = @"), "0s", "1h", [](const std::string& policy) {
                                    return IfItStarts(policy, [](GatewayProcess& gateway) {
                                      const uint16_t port = gateway.port();
                                      gateway.process().Signal(SIGTERM);
                                      gateway.WaitForEvent("draining");
                                      // What must not happen can only be waited out.
                                      const bool is_closed = WaitUntil([&] { return !RawClient(port).connected(); },
                                                                       std::chrono::seconds(1));
                                      return std::string(is_closed ? "closed" : "still accepting");
                                    });
                                  }};
  const auto held_up = [](const std::string& policy) {
    return IfItStarts(policy, [](GatewayProcess& gateway) {
      const std::string port = TlsPortOf(gateway);
      RawClient silent(static_cast<uint16_t>(std::stoi(port)));
      const bool is_ended = silent.WaitForClose(std::chrono::seconds(1));
      const std::string command = "curl -s --max-time 2 -k https://localhost:" + port + "/ || echo waits";
      return (is_ended ? "ended " : "waited for ") + e2e::Shell(command).output;
    });
  };
  cases["limits.handshake_time"] = {TlsServerWith("limits { handshake_time = @ }"), "200ms", "1h", held_up};
  cases["limits.handshakes"] = {TlsServerWith("limits { handshake_time = 1h  handshakes = @ }"), "1", "2", held_up};
  cases["tls.certificate"] = {support::ReplaceAll(TlsServerWith(""), "certificate = \"$GOOD.crt\"", "certificate = @"),
                              "\"$GOOD.crt\"", "\"$OTHER.crt\"", curl};
  cases["tls.key"] = {support::ReplaceAll(TlsServerWith(""), "key = \"$GOOD.key\"", "key = @"), "\"$GOOD.key\"",
                      "\"$OTHER.key\"", curl};
  cases["tls.client_ca"] = {
      TlsServerWith("", "client_ca = @"), "\"$ROOT\"", "\"$ELSE\"",
      [](const std::string& policy) { return CurlSees(policy, "--cacert $ROOT --cert $ME.crt --key $ME.key"); }};
  cases["upstream_tls.ca"] = {"tls { ca = @ }", "\"$ROOT\"", "\"$ELSE\"", upstream};
  cases["upstream_tls.name"] = {"tls { ca = \"$ROOT\"  name = @ }", "\"127.0.0.1\"", "\"other.example\"", upstream};
  cases["upstream_tls.pin"] = {"tls { pin = @ }", "\"$PIN\"", "\"$ZEROS\"", upstream};
  cases["upstream_tls.certificate"] = {"tls { ca = \"$ROOT\"  certificate = @  key = \"$ME.key\" }", "\"$ME.crt\"",
                                       "\"$STRANGER.crt\"", asked_upstream};
  cases["upstream_tls.key"] = {"tls { ca = \"$ROOT\"  certificate = \"$ME.crt\"  key = @ }", "\"$ME.key\"",
                               "\"$STRANGER.key\"", asked_upstream};
  return cases;
}

const std::map<std::string, Case>& Cases() {
  static const auto* const kCases = [] {
    auto* cases = new std::map<std::string, Case>;
    for (const auto& some : {GatewayCases(), LimitCases(), UpstreamCases(), BreakerCases(), HealthCases(), CacheCases(),
                             AnswerCases(), TlsCases()})
      cases->insert(some.begin(), some.end());
    return cases;
  }();
  return *kCases;
}

// ---- The walk -------------------------------------------------------------------------------------------------------

// "block.setting" for settings, "block.word" for lines with `when` ("block.when" for a bare one).
std::vector<std::string> HonouredNames() {
  std::set<std::string> refused_blocks;
#define BLOCK(kind, parent, named, honoured, doc) \
  if (!(honoured)) refused_blocks.insert(#kind);
#include "compiler/model/settings.def"
#undef BLOCK
  std::vector<std::string> names;
  const auto add = [&](const std::string& block, const std::string& name) {
    if (!refused_blocks.contains(block)) names.push_back(block + "." + name);
  };
#define SETTING(block, name, Type, default_text, other_text, range, member, doc) add(#block, #name);
#include "compiler/model/settings.def"
#undef SETTING
#define WHEN_LINE(block, word, Phase, required, honoured, doc) \
  if (honoured) add(#block, std::string_view(word).empty() ? "when" : word);
#include "compiler/model/settings.def"
#undef WHEN_LINE
  return names;
}

std::string With(const Case& c, const std::string& value) { return support::ReplaceAll(c.policy, "@", value); }

class SettingsWalk : public testing::TestWithParam<std::string> {};

TEST_P(SettingsWalk, TwoValuesDiffer) {
  const auto found = Cases().find(GetParam());
  ASSERT_NE(found, Cases().end()) << "no case shows what " << GetParam() << " does: add one to this file";
  const Case& c = found->second;
  ASSERT_NE(c.one, c.other);
  const std::string one = c.observe(With(c, c.one));
  const std::string other = c.observe(With(c, c.other));
  EXPECT_NE(one, other) << GetParam() << " changes nothing";
  // The same value twice is no difference: what is looked at is the setting, not chance.
  EXPECT_EQ(one, c.observe(With(c, c.one))) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Each, SettingsWalk, testing::ValuesIn(HonouredNames()),
                         [](const testing::TestParamInfo<std::string>& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '.', '_');
                           return text;
                         });

TEST(SettingsTable, HasNoCaseForWhatIsNotInIt) {
  const std::vector<std::string> names = HonouredNames();
  EXPECT_GT(names.size(), 40u);
  for (const auto& [name, unused] : Cases()) {
    EXPECT_NE(std::find(names.begin(), names.end(), name), names.end()) << name << " is not a setting";
  }
}

// What this version would not act on is refused by name, instead of being accepted and ignored.
struct NotHonoured {
  std::string block;
  std::string name;
};
std::ostream& operator<<(std::ostream& out, const NotHonoured& setting) {
  return out << setting.block << "." << setting.name;
}

std::vector<NotHonoured> NotHonouredSettings() {
  std::vector<NotHonoured> settings;
#define NOT_HONOURED(block, name, doc) settings.push_back({#block, #name});
#include "compiler/model/settings.def"
#undef NOT_HONOURED
  return settings;
}

class RefusedSettings : public testing::TestWithParam<NotHonoured> {};

TEST_P(RefusedSettings, AreRefusedByName) {
  const NotHonoured& setting = GetParam();
  const std::string line = setting.name + " = 1";
  const std::map<std::string, std::string> homes = {
      {"gateway", "edition 1\ngateway { listen = \"127.0.0.1:0\"  " + line + " }\n"},
      {"upstream", VirtualUpstreamWith(line)},
      {"retry", VirtualUpstreamWith("repeat_safe = true  retry { max_retries = 1  when status == 500  " + line + " }")},
      {"route", TwoUpstreamsWith("to = first  " + line)},
  };
  const auto home = homes.find(setting.block);
  ASSERT_NE(home, homes.end()) << setting.block;
  const std::string findings = Findings(home->second);
  EXPECT_NE(findings.find("error"), std::string::npos) << findings;
  // A block that is refused as a whole is named instead of what stands in it.
  EXPECT_TRUE(findings.find(setting.name) != std::string::npos || findings.find(setting.block) != std::string::npos)
      << findings;
}

INSTANTIATE_TEST_SUITE_P(Each, RefusedSettings, testing::ValuesIn(NotHonouredSettings()),
                         [](const testing::TestParamInfo<NotHonoured>& setting) {
                           return setting.param.block + "_" + setting.param.name;
                         });

}  // namespace
}  // namespace tests::coverage
