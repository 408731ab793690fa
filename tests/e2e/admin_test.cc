// What operators do while the gateway runs: each subcommand, who may and who may not.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

class Admin : public testing::Test {
 protected:
  // The admin address is one of its own.
  static std::string Policy(const std::string& upstream, const std::string& more = "") {
    return support::ReplaceAll(Gateway(more), "admin = \"127.0.0.1:0\"", "admin = \"localhost:0\"") +
           "cache kept { key = \"k ${request.path}\"  ttl = 1h  shared = true }\n" +
           Upstream("main", upstream, "breaker { open when failures(60s) >= 3  open_for = 1h }") +
           "route cached { when request.path == \"/cached\"  to = main  cache = kept }\nroute rest { to = main }\n";
  }
  static std::string Address(const GatewayProcess& gateway) {
    return "localhost:" + std::to_string(gateway.admin_port());
  }
  static Ran Command(const GatewayProcess& gateway, const std::string& command) {
    return Shell(std::string(BREAKWATER_EXECUTABLE) + " " + command + " --admin " + Address(gateway));
  }
  static std::string Token(const GatewayProcess& gateway) {
    const std::string file = gateway.WaitForEvent("admin token written").value("file", "");
    EXPECT_EQ(std::filesystem::status(file).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    std::string token = support::ReadFile(file);
    token.pop_back();
    return token;
  }
  static Answer Act(const GatewayProcess& gateway, const std::string& action, HeaderList headers) {
    return Post(gateway.admin_port(), "/admin/" + action, "{}", std::move(headers));
  }
};

TEST_F(Admin, BreakersAreOpenedClosedAndReset) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Policy(upstream.url()));
  Ran ran = Command(gateway, "open main --for 10min");
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_TRUE(Holds(ran.output, "OPEN")) << ran.output;
  EXPECT_EQ(Post(gateway.port(), "/x", "{}").status, 503);
  EXPECT_EQ(upstream.request_count(), 0);
  EXPECT_EQ(Command(gateway, "close main --for 10min").code, 0);
  upstream.SetScript(AnswerFailure);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Post(gateway.port(), "/x", "{}").status, 500);
  EXPECT_EQ(gateway.Health("main").value("state", ""), "CLOSED") << "it is held closed";
  EXPECT_EQ(Command(gateway, "reset main").code, 0);
  for (int i = 0; i < 3; ++i) Post(gateway.port(), "/x", "{}");
  EXPECT_EQ(gateway.Health("main").value("state", ""), "OPEN");
  EXPECT_EQ(Command(gateway, "reset main").code, 0);
  EXPECT_EQ(gateway.Health("main").value("state", ""), "CLOSED");
  ran = Command(gateway, "open nobody");
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(Holds(ran.output, "no upstream of that name has a breaker; there are: main")) << ran.output;
  ran = Command(gateway, "open main --for never");
  EXPECT_TRUE(ran.code == 1 && Holds(ran.output, "90s")) << ran.output;
  EXPECT_EQ(gateway.WaitForEvent("admin action").value("action", ""), "breaker/main/open");
  EXPECT_EQ(gateway.Metric("breakwater_admin_actions_total{action=\"reset\",result=\"ok\"}"), 2);
  EXPECT_EQ(gateway.Metric("breakwater_admin_actions_total{action=\"open\",result=\"refused\"}"), 2);
}

TEST_F(Admin, CachesAreEmptied) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Policy(upstream.url()));
  for (int i = 0; i < 2; ++i) Get(gateway.port(), "/cached");
  EXPECT_EQ(upstream.request_count(), 1);
  const Ran ran = Command(gateway, "purge kept");
  EXPECT_TRUE(Holds(ran.output, "\"purged\":1")) << ran.output;
  Get(gateway.port(), "/cached");
  EXPECT_EQ(upstream.request_count(), 2);
  const Ran unknown = Command(gateway, "purge nothing");
  EXPECT_TRUE(unknown.code == 1 && Holds(unknown.output, "there are: kept")) << unknown.output;
}

TEST_F(Admin, ADrainedUpstreamGetsNothingNewUntilItIsResumed) {
  Signal go;
  ScriptedUpstream first([&](UpstreamExchange& exchange) {
    if (exchange.request().target == "/slow") exchange.WaitFor(go);
    AnswerWell(exchange);
  });
  ScriptedUpstream second(AnswerWell);
  GatewayProcess gateway(
      support::ReplaceAll(Gateway(), "admin = \"127.0.0.1:0\"", "admin = \"localhost:0\"") +
      Upstream(
          "one", first.url(),
          "max_in_flight = 1  queue { length = 9  timeout = 1h }  retry { max_retries = 1  when status == 500  wait = "
          "exponential(from: 1ms, factor: 2, cap: 2ms)  budget = 20% }") +
      Upstream("two", second.url()) + "route rest { to = [one, two] }\n");
  RawClient busy(gateway.port());
  busy.Send(ToText({.method = "GET", .target = "/slow"}));
  ASSERT_TRUE(WaitUntil([&] { return first.in_flight() == 1; }));
  RawClient waiting(gateway.port());
  waiting.Send(ToText({.method = "GET", .target = "/waits"}));
  ASSERT_TRUE(WaitUntil([&] { return gateway.Metric("breakwater_queue_length{upstream=\"one\"}") == 1; }));
  EXPECT_EQ(gateway.Metric("breakwater_retry_budget_available{upstream=\"one\"}"), 10) << "of a fresh budget";
  EXPECT_EQ(gateway.Metric("breakwater_upstream_drained{upstream=\"one\"}"), 0);
  EXPECT_EQ(Command(gateway, "drain one").code, 0);
  EXPECT_EQ(gateway.Metric("breakwater_upstream_drained{upstream=\"one\"}"), 1);
  EXPECT_EQ(waiting.ReadHead().status, 200) << "who waits goes on to the next";
  EXPECT_EQ(second.request_count(), 1);
  EXPECT_EQ(Get(gateway.port(), "/x").status, 200);
  EXPECT_EQ(second.request_count(), 2);
  go.Set();
  Answer answer = busy.ReadHead();
  EXPECT_EQ(answer.status, 200) << "what is under way goes on";
  EXPECT_EQ(Command(gateway, "drain two").code, 0);
  const Answer nobody = Get(gateway.port(), "/x");
  EXPECT_EQ(nobody.status, 503) << testing::PrintToString(nobody);
  gateway.process().Signal(SIGHUP);
  gateway.WaitForEvent("policy reloaded");
  EXPECT_EQ(Get(gateway.port(), "/x").status, 503) << "a reload forgets no word of an operator";
  EXPECT_EQ(Command(gateway, "resume one").code, 0);
  EXPECT_EQ(Get(gateway.port(), "/x").status, 200);
  EXPECT_EQ(first.request_count(), 2);
  const Ran unknown = Command(gateway, "drain three");
  EXPECT_TRUE(unknown.code == 1 && Holds(unknown.output, "there are: one, two")) << unknown.output;
}

TEST_F(Admin, TheLevelOfTheLog) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Policy(upstream.url()));
  EXPECT_EQ(Command(gateway, "log-level error").code, 0);
  EXPECT_EQ(Command(gateway, "reload").code, 0);
  EXPECT_EQ(Command(gateway, "log-level info").code, 0);
  EXPECT_EQ(Command(gateway, "reload").code, 0);
  EXPECT_TRUE(WaitUntil([&] { return gateway.CountEvents("admin action") == 4; })) << "whatever the level";
  EXPECT_TRUE(WaitUntil([&] { return gateway.CountEvents("policy reloaded") == 1; }));
  EXPECT_EQ(Command(gateway, "log-level loud").code, 1);
}

TEST_F(Admin, ThePageSaysWhatIsInForceAndWhoDidWhat) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Policy(upstream.url()));
  const HeaderList bearer = {{"Host", Address(gateway)}, {"Authorization", "Bearer " + Token(gateway)}};
  Command(gateway, "drain main");
  Command(gateway, "open nobody");
  const Json page = Get(gateway.admin_port(), "/admin/policy", bearer).json();
  EXPECT_EQ(page["drained"], Json::array({"main"})) << page.dump();
  EXPECT_EQ(page["breakers"]["main"], "CLOSED");
  ASSERT_EQ(page["actions"].size(), 2u);
  EXPECT_EQ(page["actions"][0]["action"], "upstream/main/drain");
  EXPECT_EQ(page["actions"][1]["status"], 404);
  EXPECT_TRUE(Holds(page["file"], "test.policy"));
  EXPECT_EQ(Get(gateway.admin_port(), "/admin/nothing", bearer).status, 404);
}

TEST_F(Admin, AReloadIsWaitedForAndItsFindingsArePrinted) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Policy(upstream.url()));
  gateway.folder().Write("test.policy", Policy(upstream.url()) + "# another text\n");
  Ran ran = Command(gateway, "reload");
  EXPECT_EQ(ran.code, 0) << ran.output;
  EXPECT_TRUE(Holds(ran.output, "in force: ")) << ran.output;
  gateway.folder().Write("test.policy", Policy(upstream.url()) + "route broken { to = nobody }\n");
  ran = Command(gateway, "reload");
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(Holds(ran.output, "nobody") && Holds(ran.output, "refused")) << ran.output;
}

TEST_F(Admin, HealthyAndStop) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Policy(upstream.url()));
  EXPECT_EQ(Command(gateway, "healthy").code, 0);
  const std::string address = Address(gateway);
  const std::string token = gateway.WaitForEvent("admin token written").value("file", "");
  EXPECT_TRUE(std::filesystem::exists(token));
  EXPECT_EQ(Command(gateway, "stop").code, 0);
  EXPECT_EQ(gateway.process().WaitForExit(), 0);
  EXPECT_FALSE(std::filesystem::exists(token)) << "it went with its gateway";
  EXPECT_EQ(Shell(std::string(BREAKWATER_EXECUTABLE) + " healthy --admin " + address).code, 1);
}

TEST_F(Admin, NobodyElseMayAct) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Policy(upstream.url()));
  const std::string bearer = "Bearer " + Token(gateway);
  const std::string own = Address(gateway);
  const HeaderList good = {{"Host", own}, {"Authorization", bearer}, {"Content-Type", "application/json"}};
  const auto without = [&](const std::string& name, const std::string& value = "") {
    HeaderList headers;
    for (const auto& [key, text] : good) {
      if (key != name) headers.emplace_back(key, text);
    }
    if (!value.empty()) headers.emplace_back(name, value);
    return headers;
  };
  const std::string action = "breaker/main/open";
  EXPECT_EQ(Act(gateway, action, without("Authorization")).status, 401);
  EXPECT_EQ(Act(gateway, action, without("Authorization", bearer + "x")).status, 401);
  EXPECT_EQ(Act(gateway, action, without("Content-Type")).status, 415) << "a form of a page can send no JSON";
  EXPECT_EQ(Act(gateway, action, without("Content-Type", "text/plain")).status, 415);
  EXPECT_EQ(Act(gateway, action, without("Host", "rebound.example:80")).status, 421);
  HeaderList foreign = good;
  foreign.emplace_back("Sec-Fetch-Site", "cross-site");
  EXPECT_EQ(Act(gateway, action, foreign).status, 403);
  EXPECT_EQ(Get(gateway.admin_port(), "/admin/policy", {{"Host", own}}).status, 401);
  EXPECT_EQ(Post(gateway.port(), "/admin/" + action, "{}", good).status, 200) << "traffic: the upstream's";
  EXPECT_EQ(upstream.last_request().target, "/admin/" + action);
  EXPECT_EQ(gateway.Health("main").value("state", ""), "CLOSED") << "nothing of it happened";
  EXPECT_EQ(Act(gateway, action, good).status, 200);
  EXPECT_EQ(gateway.Health("main").value("state", ""), "OPEN");
  EXPECT_EQ(Get(gateway.admin_port(), "/admin/" + action, good).status, 404) << "reading does nothing";
  EXPECT_EQ(Fetch(gateway.admin_port(), {.method = "PUT", .target = "/admin/" + action, .headers = good, .body = "{}"})
                .status,
            405);
  // Wrong tokens are logged and limited.
  int refused = 0;
  for (int i = 0; i < 15; ++i)
    refused += Act(gateway, action, without("Authorization", "Bearer wrong")).status == 429 ? 1 : 0;
  EXPECT_GE(refused, 4);
  EXPECT_GE(gateway.CountEvents("admin action refused"), 10);
}

TEST_F(Admin, ATokenOfThePolicyIsAskedFor) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayOptions options;
  options.environment = {{"ADMIN_TOKEN", "of-the-house"}};
  GatewayProcess gateway(Policy(upstream.url(), "admin_token = secret(\"ADMIN_TOKEN\")"), options);
  EXPECT_EQ(gateway.CountEvents("admin token written"), 0);
  EXPECT_EQ(Command(gateway, "open main").code, 1);
  EXPECT_EQ(Command(gateway, "open main --token of-the-house").code, 0);
  for (const Json& event : gateway.events()) EXPECT_FALSE(Holds(event.dump(), "of-the-house"));
}

TEST_F(Admin, AnAddressSharedWithTrafficTakesNoActions) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway("edition 1\ngateway { listen = \"127.0.0.1:0\"  admin = \"127.0.0.1:0\" }\n" +
                         Upstream("main", upstream.url()));
  ASSERT_EQ(gateway.admin_port(), gateway.port());
  EXPECT_EQ(Post(gateway.port(), "/admin/stop", "{}", {{"Content-Type", "application/json"}}).status, 200)
      << "the upstream's";
  EXPECT_EQ(upstream.last_request().target, "/admin/stop");
  EXPECT_TRUE(gateway.process().is_running());
}

}  // namespace
}  // namespace tests::e2e
