// Another policy while the gateway runs: nobody is cut, nothing is forgotten, and what can't be is refused whole.
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <thread>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

std::string Saying(const std::string& text) {
  return "reply it { status = 200  text = \"" + text +
         "\" }\nroute hello { when request.path == \"/hello\"  reply = it }\n";
}

class Reload : public testing::Test {
 protected:
  // Gives the gateway another text and waits for what becomes of it.
  static Json Give(GatewayProcess& gateway, const std::string& policy, const std::string& outcome = "policy reloaded") {
    const int before = gateway.CountEvents(outcome);
    gateway.folder().Write("test.policy", policy);
    gateway.process().Signal(SIGHUP);
    Json event;
    EXPECT_TRUE(WaitUntil([&] {
      int seen = 0;
      for (const Json& line : gateway.events()) {
        if (line.is_object() && line.value("message", "") == outcome && ++seen > before) event = line;
      }
      return seen > before;
    })) << outcome;
    return event;
  }
};

TEST_F(Reload, NewRequestsSeeTheNewPolicyAndOldOnesEndUnderTheirs) {
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.request().target == "/slow") exchange.WaitFor(go);
    AnswerWell(exchange);
  });
  const auto policy = [&](const std::string& word) {
    return Gateway() + Upstream("main", upstream.url(), "header[\"X-Word\"] = \"" + word + "\"") + Saying(word) +
           "route rest { to = main }\n";
  };
  GatewayProcess gateway(policy("old"));
  RawClient kept(gateway.port());
  EXPECT_EQ(kept.Request({.target = "/hello"}).body, "old");
  RawClient slow(gateway.port());
  slow.Send(ToText({.target = "/slow", .headers = {{"X-Request-Id", "slow"}}, .body = "{}"}));
  ASSERT_TRUE(WaitUntil([&] { return upstream.in_flight() == 1; }));
  const Json event = Give(gateway, policy("new"));
  EXPECT_EQ(event.value("why", ""), "SIGHUP");
  EXPECT_EQ(kept.Request({.target = "/hello"}).body, "new") << "a connection at rest holds no old policy";
  EXPECT_EQ(Get(gateway.port(), "/hello").body, "new");
  go.Set();
  Answer answer = slow.ReadHead();
  slow.ReadToEnd(&answer);
  EXPECT_EQ(answer.status, 200);
  const Json old_line = gateway.WaitForAccess("slow");
  EXPECT_NE(old_line.value("policy", ""), event.value("policy", "")) << "its line names the policy that it ran under";
  EXPECT_EQ(slow.Request({.target = "/hello"}).body, "new");
}

TEST_F(Reload, ABrokenPolicyIsRefusedWholeAndSaysWhy) {
  GatewayProcess gateway(Gateway() + Saying("old"));
  EXPECT_EQ(gateway.Metric("breakwater_policy_last_reload_successful"), 1);
  Json event = Give(gateway, Gateway() + Saying("new") + "route broken { to = nobody }\n", "reload refused");
  EXPECT_TRUE(WaitUntil([&] { return gateway.Metric("breakwater_policy_last_reload_successful") == 0; }));
  EXPECT_TRUE(Holds(event.value("findings", ""), "nobody")) << event.dump();
  EXPECT_EQ(Get(gateway.port(), "/hello").body, "old");
  event = Give(gateway, Gateway("workers = 7") + Saying("new"), "reload refused");
  EXPECT_TRUE(Holds(event.value("reason", ""), "workers")) << event.dump();
  ScriptedUpstream taken(AnswerWell);
  event = Give(gateway,
               support::ReplaceAll(Gateway(), "listen = \"127.0.0.1:0\"",
                                   "listen = [\"127.0.0.1:0\", \"" + taken.authority() + "\"]") +
                   Saying("new"),
               "reload refused");
  EXPECT_TRUE(Holds(event.value("reason", ""), "taken")) << event.dump();
  EXPECT_EQ(Get(gateway.port(), "/hello").body, "old");
  EXPECT_TRUE(gateway.process().is_running());
}

TEST_F(Reload, WhatIsKnownGoesOnByName) {
  std::atomic<bool> fails{true};
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.request().target == "/slow") exchange.WaitFor(go);
    fails&& exchange.request().target != "/slow" && exchange.request().target != "/kept" ? AnswerFailure(exchange)
                                                                                         : AnswerWell(exchange);
  });
  const auto policy = [&](int number) {
    return Gateway() + "cache kept { key = \"k ${request.path}\"  ttl = " + std::to_string(number) +
           "h  shared = true }\n" + "upstream broken { url = \"" + upstream.url() +
           "\"  breaker { open when failures(60s) >= 1  open_for = 1h } }\n" + "upstream counted { url = \"" +
           upstream.url() + "\"  breaker { open when failures(" + std::to_string(60 + number) +
           "s) >= 5  open_for = 1h } }\n" + "upstream narrow { url = \"" + upstream.url() +
           "\"  max_in_flight = 1  queue { length = 10  timeout = " + std::to_string(20 + number) + "s } }\n" +
           "route a { when request.path == \"/broken\"  to = broken }\nroute b { when request.path == \"/counted\"  to "
           "= counted }\n" +
           "route c { when request.path == \"/kept\"  to = narrow  cache = kept }\nroute d { to = narrow }\n";
  };
  GatewayProcess gateway(policy(1));
  ASSERT_EQ(Get(gateway.port(), "/kept").status, 200);
  EXPECT_EQ(Get(gateway.port(), "/broken").status, 500);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Get(gateway.port(), "/counted").status, 500);
  std::vector<std::unique_ptr<RawClient>> waiting;
  for (int i = 0; i < 6; ++i) {
    waiting.push_back(std::make_unique<RawClient>(gateway.port()));
    waiting.back()->Send(ToText({.method = "GET", .target = "/slow"}));
  }
  ASSERT_TRUE(WaitUntil([&] { return gateway.Metric("breakwater_queue_length{upstream=\"narrow\"}") == 5; }));
  const int asked = 6;  // one each for /kept, /broken and the place of `narrow`, three for /counted
  ASSERT_TRUE(WaitUntil([&] { return upstream.request_count() == asked; }));

  for (int number = 2; number < 6; ++number) Give(gateway, policy(number));

  EXPECT_EQ(gateway.Health("broken").value("state", ""), "OPEN");
  EXPECT_EQ(gateway.Health("counted").value("state", ""), "CLOSED") << "a reload trips nothing";
  EXPECT_EQ(gateway.Health("counted").value("failure_count", 0), 3);
  EXPECT_EQ(gateway.Metric("breakwater_queue_length{upstream=\"narrow\"}"), 5);
  EXPECT_EQ(gateway.Metric("breakwater_cache_entries{cache=\"kept\"}"), 1);
  EXPECT_EQ(Get(gateway.port(), "/kept").header("age").empty(), false);
  EXPECT_EQ(upstream.request_count(), asked) << "nobody was asked for what is known";
  for (int i = 0; i < 2; ++i) Get(gateway.port(), "/counted");
  EXPECT_EQ(gateway.Health("counted").value("state", ""), "OPEN") << "three before and two after are five";
  go.Set();
  for (auto& client : waiting) {
    Answer answer = client->ReadHead();
    client->ReadToEnd(&answer);
    EXPECT_EQ(answer.status, 200);
  }
}

TEST_F(Reload, ListenersComeAndGo) {
  const auto policy = [](const std::string& listen) {
    return "edition 1\ngateway { listen = " + listen + "  admin = \"127.0.0.1:0\" }\n" + Saying("here");
  };
  GatewayProcess gateway(policy("\"127.0.0.1:0\""));
  const uint16_t first = gateway.port();
  RawClient old(first);
  EXPECT_EQ(old.Request({.target = "/hello"}).body, "here");
  Give(gateway, policy("\"localhost:0\""));
  uint16_t second = 0;
  for (const Json& event : gateway.events()) {
    if (!event.is_object()) continue;  // a finding
    const std::string address = event.value("address", "");
    if (event.value("message", "") == "listening" && address.starts_with("localhost:"))
      second = static_cast<uint16_t>(std::stoi(address.substr(10)));
  }
  ASSERT_NE(second, 0);
  EXPECT_EQ(Get(second, "/hello").body, "here");
  EXPECT_TRUE(WaitUntil([&] { return !RawClient(first).connected(); }));
  EXPECT_EQ(old.Request({.target = "/hello"}).body, "here") << "its connections go on";
}

TEST_F(Reload, WatchTakesAChangeOnceItIsQuiet) {
  GatewayOptions options;
  options.arguments = {"--workers", "1", "--watch"};
  GatewayProcess gateway(Gateway() + Saying("old"), options);
  gateway.folder().Write("next", Gateway() + Saying("new"));
  std::filesystem::rename(gateway.folder().path() / "next", gateway.folder().path() / "test.policy");  // as editors do
  EXPECT_EQ(gateway.WaitForEvent("policy reloaded").value("why", ""), "the file changed");
  EXPECT_EQ(Get(gateway.port(), "/hello").body, "new");
}

TEST_F(Reload, ManyUnderLoadFailNoRequestAndKeepNothing) {
  Signal end;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.request().target != "/stream") return AnswerWell(exchange);
    exchange.SendHead(200, {{"Content-Type", "application/x-ndjson"}, {"Transfer-Encoding", "chunked"}});
    exchange.SendChunk(Frame("first"));
    exchange.WaitFor(end, std::chrono::minutes(5));
    exchange.SendChunk(Frame("last", true));
    exchange.SendLastChunk();
  });
  const auto policy = [&](int number) {
    return Gateway() +
           Upstream("main", upstream.url(),
                    "repeat_safe = true\n  timeouts { idle = 10min  total = 20min }\n  breaker { open when failures(" +
                        std::to_string(60 + number) + "s) >= 50 }") +
           Saying("n" + std::to_string(number)) + "route rest { to = main }\n";
  };
  GatewayProcess gateway(policy(0), ForMemory());
  std::vector<std::unique_ptr<RawClient>> streams;
  std::vector<Answer> answers;
  for (int i = 0; i < 20; ++i) {
    streams.push_back(std::make_unique<RawClient>(gateway.port()));
    streams.back()->Send(ToText({.target = "/stream", .body = Chat("x", true)}));
    answers.push_back(streams.back()->ReadHead());
    ASSERT_TRUE(streams.back()->ReadUntil("first", &answers.back()));
  }
  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, bad{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back([&, i] {
      RawClient client(gateway.port());
      while (!stop) {
        const Answer answer = i == 0 ? client.Request({.target = "/hello"}) : client.Request({.body = Chat("x")});
        (answer.status == 200 && answer.looks_complete() ? good : bad)++;
      }
    });
  }
  constexpr int kReloads = 20;  // a build for debugging takes a second or two for each
  size_t warm = 0;
  for (int i = 1; i <= kReloads; ++i) {
    if (i % 10 == 0) {
      Give(gateway, policy(i) + "broken {", "reload refused");
    } else {
      Give(gateway, policy(i));
    }
    if (i == 8) warm = gateway.process().resident_bytes();
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  end.Set();
  for (size_t i = 0; i < streams.size(); ++i) {
    streams[i]->ReadToEnd(&answers[i]);
    EXPECT_TRUE(answers[i].looks_complete() && Holds(answers[i].body, "last")) << testing::PrintToString(answers[i]);
  }
  EXPECT_EQ(bad, 0);
  EXPECT_GT(good, 0);
  EXPECT_LE(gateway.process().resident_bytes(), warm + kMemoryAllowance);
  EXPECT_EQ(gateway.Metric("breakwater_policy_reloads_total{result=\"ok\"}"), 18);
  EXPECT_EQ(gateway.Metric("breakwater_policy_reloads_total{result=\"refused\"}"), 2);
  EXPECT_GT(gateway.Metric("breakwater_policy_last_success_timestamp_seconds"), 1.7e9);
  EXPECT_LT(gateway.Metric("breakwater_policy_oldest_seconds"), 600);
  EXPECT_TRUE(WaitUntil([&] { return gateway.Metric("breakwater_policies_alive") == 1; })) << "the streams have ended";
}

}  // namespace
}  // namespace tests::e2e
