// Connections and the process itself: keep-alive, pooled upstream connections and their race, draining.
#include <gtest/gtest.h>
#include <signal.h>

#include <thread>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

GatewayOptions OneWorker() {
  GatewayOptions options;
  options.arguments = {"--workers", "1"};  // each worker has a pool of its own
  return options;
}

TEST(KeepAlive, ReusesConnectionsOnBothSides) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "repeat_safe = true"), OneWorker());
  RawClient client(gateway.port());
  for (int i = 0; i < 20; ++i) ASSERT_EQ(client.Request({.body = Chat("x")}).status, 200);
  EXPECT_EQ(upstream.request_count(), 20);
  EXPECT_EQ(upstream.connection_count(), 1);
}

TEST(KeepAlive, EndsWhereTheClientOrTheProtocolSaysSo) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  RawClient closing(gateway.port());
  const Answer last = closing.Request({.headers = {{"Connection", "close"}}, .body = Chat("x")});
  EXPECT_EQ(last.header("connection"), "close");
  EXPECT_TRUE(closing.WaitForClose());
  RawClient old(gateway.port());
  EXPECT_EQ(old.Request({.body = Chat("x"), .minor_version = 0}).status, 200);
  EXPECT_TRUE(old.WaitForClose());
}

TEST(KeepAlive, PipelinedRequestsAreAnsweredInOrder) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) { exchange.Answer(200, exchange.request().body); });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  RawClient client(gateway.port());
  std::string both;
  for (const char* body : {"first", "second", "third"}) both += ToText({.target = "/x", .body = body});
  client.Send(both);
  for (const char* body : {"first", "second", "third"}) {
    Answer answer = client.ReadHead();
    client.ReadToEnd(&answer);
    EXPECT_EQ(answer.body, body);
  }
}

TEST(ReuseRace, ClosedIdleConnectionsAreNotUsed) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    AnswerWell(exchange);
    exchange.Finish();
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "repeat_safe = true"), OneWorker());
  RawClient client(gateway.port());
  for (int i = 0; i < 5; ++i) ASSERT_EQ(client.Request({.body = Chat("x")}).status, 200);
  EXPECT_EQ(upstream.request_count(), 5);
}

TEST(Drain, FinishesWhatIsInFlightAndTakesNothingNew) {
  Signal go;
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (exchange.WaitFor(go)) AnswerWell(exchange);
  });
  // The admin address is another one, so that it can still be asked.
  GatewayProcess gateway(support::ReplaceAll(Gateway(), "admin = \"127.0.0.1:0\"", "admin = \"localhost:0\"") +
                         Upstream("main", upstream.url()));
  ASSERT_NE(gateway.admin_port(), gateway.port());
  EXPECT_EQ(Get(gateway.admin_port(), "/health/ready").status, 200);
  RawClient idle(gateway.port());
  ASSERT_TRUE(idle.connected());
  RawClient busy(gateway.port());
  busy.Send(ToText({.headers = {{"X-Request-Id", "in-flight"}}, .body = Chat("x")}));
  ASSERT_TRUE(WaitUntil([&] { return upstream.in_flight() == 1; }));

  gateway.process().Signal(SIGTERM);
  gateway.WaitForEvent("draining");
  EXPECT_TRUE(WaitUntil([&] { return Get(gateway.admin_port(), "/health/ready").status == 503; }));
  EXPECT_EQ(Get(gateway.admin_port(), "/health/live").status, 200);
  EXPECT_TRUE(WaitUntil([&] { return !RawClient(gateway.port()).connected(); })) << "new connections are refused";
  EXPECT_TRUE(idle.WaitForClose());
  EXPECT_TRUE(gateway.process().is_running());

  go.Set();
  Answer answer = busy.ReadHead();
  busy.ReadToEnd(&answer);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kOllamaAnswer);
  EXPECT_TRUE(answer.looks_complete());
  EXPECT_EQ(gateway.process().WaitForExit(), 0);
  gateway.WaitForEvent("stopped");
  EXPECT_EQ(gateway.WaitForAccess("in-flight")["how"], "complete");
}

TEST(Drain, BreaksOffHonestlyAtItsLimit) {
  ScriptedUpstream upstream([](UpstreamExchange& exchange) {
    exchange.SendHead(200, {{"Content-Type", "application/x-ndjson"}, {"Transfer-Encoding", "chunked"}});
    exchange.SendChunk(Frame("beginning"));
    exchange.Hang();
  });
  GatewayProcess gateway(Gateway("drain = 200ms") + Upstream("main", upstream.url()));
  RawClient client(gateway.port());
  client.Send(ToText({.headers = {{"X-Request-Id", "cut"}}, .body = Chat("x", true)}));
  Answer answer = client.ReadHead();
  ASSERT_TRUE(client.ReadUntil("beginning", &answer));
  gateway.process().Signal(SIGTERM);
  client.ReadToEnd(&answer);
  EXPECT_FALSE(answer.looks_complete());
  EXPECT_EQ(gateway.process().WaitForExit(), 0);
  EXPECT_EQ(gateway.WaitForAccess("cut")["how"], "cut");
}

// reload_test.cc has what a reload changes.
TEST(Signals, AHangUpReadsThePolicyAnewAndEndsNothing) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url()));
  gateway.process().Signal(SIGHUP);
  gateway.WaitForEvent("policy reloaded");
  EXPECT_EQ(Get(gateway.admin_port(), "/health/ready").status, 200);
  gateway.process().Signal(SIGTERM);
  EXPECT_EQ(gateway.process().WaitForExit(), 0);
}

TEST(Start, AddressInUseIsAClearError) {
  ScriptedUpstream other(AnswerWell);
  GatewayOptions options;
  options.waits_for_ready = false;
  GatewayProcess gateway(
      support::ReplaceAll(Gateway(), "listen = \"127.0.0.1:0\"", "listen = \"" + other.authority() + "\"") +
          Upstream("main", "http://127.0.0.1:9"),
      options);
  EXPECT_EQ(gateway.process().WaitForExit(), 1);
  std::string printed;
  for (const std::string& line : gateway.process().err()) printed += line + "\n";
  const size_t at = printed.find("can't listen on " + other.authority());
  EXPECT_NE(at, std::string::npos) << printed;
  EXPECT_EQ(printed.find("can't listen", at + 1), std::string::npos) << "once is enough: " << printed;
}

TEST(Start, EveryListenerSaysWhereItIs) {
  GatewayProcess gateway(
      "edition 1\ngateway { listen = [\"127.0.0.1:0\", \"localhost:0\"]  admin = \"127.0.0.1:0\" }\n"
      "route all { reply = hi }\nreply hi { status = 200  text = \"hi\" }\n");
  int listening = 0;
  for (const Json& event : gateway.events()) {
    if (event.value("message", "") != "listening") continue;
    ++listening;
    const std::string address = event.value("address", "");
    const auto port = static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
    EXPECT_EQ(Get(port, "/x").body, "hi") << event;
  }
  EXPECT_EQ(listening, 2);
}

}  // namespace
}  // namespace tests::e2e
