// What each file of policies/ promises, on the file as it is shipped. A suite is named after its file: FaqCachePolicy reads
// policies/faq-cache.policy. The last test fails for a file without a suite.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <regex>
#include <set>
#include <thread>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

const std::filesystem::path kPolicies = std::string(BREAKWATER_SOURCE_DIR) + "/policies";

// "faq-cache.policy" → "FaqCachePolicy".
std::string SuiteOf(const std::filesystem::path& file) {
  std::string suite;
  bool at_beginning = true;
  for (const char c : file.stem().string()) {
    if (c != '-') suite += at_beginning ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    at_beginning = c == '-';
  }
  return suite + "Policy";
}

std::vector<std::filesystem::path> ShippedFiles() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(kPolicies)) {
    if (entry.path().extension() == ".policy") files.push_back(entry.path());
  }
  return files;
}

using Changes = std::vector<std::pair<std::string, std::string>>;

class ShippedPolicy : public testing::Test {
 protected:
  // A gateway with the suite's file, on addresses of the test. `changes` are made to its text; each must meet something.
  GatewayProcess Start(const support::ChildProcess::Environment& environment, const Changes& changes = {}) {
    std::string policy = support::ReadFile(File());
    const bool has_admin = policy.find("  admin ") != std::string::npos;
    policy = std::regex_replace(policy, std::regex(R"re("(127\.0\.0\.1|0\.0\.0\.0):8080")re"), "\"127.0.0.1:0\"");
    if (!has_admin) policy = support::ReplaceAll(policy, "gateway {", "gateway {\n  admin = \"127.0.0.1:0\"");
    for (const auto& [from, to] : changes) policy = support::ReplaceAll(policy, from, to);
    GatewayOptions options;
    options.environment = environment;
    return GatewayProcess(policy, options);
  }

 private:
  static std::filesystem::path File() {
    const std::string suite = testing::UnitTest::GetInstance()->current_test_info()->test_suite_name();
    for (const std::filesystem::path& file : ShippedFiles()) {
      if (SuiteOf(file) == suite) return file;
    }
    throw std::runtime_error("no file of policies/ belongs to " + suite);
  }
};

class DevelopmentPolicy : public ShippedPolicy {};
class FailoverPolicy : public ShippedPolicy {};
class FaqCachePolicy : public ShippedPolicy {};
class HostedApiPolicy : public ShippedPolicy {};
class PrioritiesPolicy : public ShippedPolicy {};
class Qwen332bPolicy : public ShippedPolicy {};
class TenantsPolicy : public ShippedPolicy {};
class TwoModelsPolicy : public ShippedPolicy {};

// A port at which nobody answers.
const std::string kNobody = "http://127.0.0.1:9";

// ---- development.policy

TEST_F(DevelopmentPolicy, MockAnswersInPlaceOfAModel) {
  GatewayProcess gateway = Start({{"MODEL_URL", kNobody}}, {{"800ms", "5ms"}});
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"), {{"Origin", "http://localhost:3000"}});
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json()["message"]["content"], "This is what an answer looks like.");
  EXPECT_EQ(answer.json()["model"], "qwen3:32b") << "the one that was asked for";
  EXPECT_EQ(answer.json()["is_fallback"], true);
  EXPECT_EQ(answer.header("x-breakwater-fallback"), "pretend");
  EXPECT_EQ(answer.header("access-control-allow-origin"), "http://localhost:3000");
}

TEST_F(DevelopmentPolicy, IsRefusedWhereMocksAreDenied) {
  support::ChildProcess check(
      {BREAKWATER_EXECUTABLE, "check", "--deny-mock", (kPolicies / "development.policy").string()}, {});
  EXPECT_EQ(check.WaitForExit(), 1);
}

// ---- failover.policy

TEST_F(FailoverPolicy, SmallModelAnswersWhenTheLargeOneFailsAndThePersonIsToldWhenBothDo) {
  ScriptedUpstream large(AnswerFailure), small(AnswerWell);
  GatewayProcess gateway = Start({{"LARGE_URL", large.url()}, {"SMALL_URL", small.url()}}, {{"200ms", "2ms"}});
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, kOllamaAnswer);
  EXPECT_FALSE(answer.is_fallback());
  EXPECT_EQ(large.request_count(), 2);
  EXPECT_EQ(large.last_request().body, Chat("x"));
  EXPECT_EQ(Json::parse(small.last_request().body)["model"], "qwen3:8b");
  EXPECT_EQ(Json::parse(small.last_request().body)["messages"], Json::parse(Chat("x"))["messages"]);

  small.SetScript(AnswerFailure);
  const Answer busy = Post(gateway.port(), "/api/chat", Chat("y"));
  EXPECT_EQ(busy.status, 503);
  EXPECT_EQ(busy.header("retry-after"), "30");
  EXPECT_EQ(busy.header("x-breakwater-fallback"), "busy_now");
}

TEST_F(FailoverPolicy, BusyLargeModelIsAskedOnceAndNotBlamed) {
  ScriptedUpstream large([](UpstreamExchange& exchange) { exchange.Answer(429, R"({"error":"too many requests"})"); });
  ScriptedUpstream small(AnswerWell);
  GatewayProcess gateway = Start({{"LARGE_URL", large.url()}, {"SMALL_URL", small.url()}});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x")).status, 200) << i;
  EXPECT_EQ(large.request_count(), 6);
  EXPECT_EQ(gateway.Health("large").value("state", ""), "CLOSED");
}

TEST_F(FailoverPolicy, LargeModelIsLeftAloneAfterFiveFailuresAndOtherPathsReachNobody) {
  ScriptedUpstream large(AnswerFailure), small(AnswerWell);
  GatewayProcess gateway = Start({{"LARGE_URL", large.url()}, {"SMALL_URL", small.url()}}, {{"200ms", "2ms"}});
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x")).status, 200) << i;
  EXPECT_EQ(gateway.Health("large").value("state", ""), "OPEN");
  EXPECT_EQ(large.request_count(), 5);
  EXPECT_EQ(small.request_count(), 5);
  EXPECT_EQ(Post(gateway.port(), "/api/pull", "{}").status, 404);
  EXPECT_EQ(small.request_count(), 5);
}

// ---- faq-cache.policy

TEST_F(FaqCachePolicy, FrequentQuestionIsAskedOnceAndOthersEveryTime) {
  ScriptedUpstream model(AnswerWell);
  GatewayProcess gateway = Start({{"MODEL_URL", model.url()}});
  const HeaderList faq = {{"X-Faq", "yes"}};
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("opening hours"), faq).body, kOllamaAnswer);
  const Answer again = Post(gateway.port(), "/api/chat", Json::parse(Chat("opening hours")).dump(2), faq);
  EXPECT_EQ(again.body, kOllamaAnswer);
  EXPECT_TRUE(again.has_header("age"));
  EXPECT_FALSE(again.is_fallback());
  EXPECT_EQ(model.request_count(), 1);
  EXPECT_FALSE(Post(gateway.port(), "/api/chat", Chat("opening hours")).has_header("age"))
      << "a person's question is not answered from the page's cache";
  EXPECT_FALSE(Post(gateway.port(), "/api/chat", Chat("my letter")).has_header("age"));
  EXPECT_FALSE(Post(gateway.port(), "/api/chat", Chat("my letter")).has_header("age")) << "and is not kept";
  EXPECT_EQ(model.request_count(), 4);
}

TEST_F(FaqCachePolicy, OldAnswerIsGivenWhileTheModelIsDownAndOnlyThen) {
  ScriptedUpstream model(AnswerWell);
  GatewayProcess gateway = Start({{"MODEL_URL", model.url()}}, {{"10min", "1ms"}});
  const HeaderList faq = {{"X-Faq", "yes"}};
  Post(gateway.port(), "/api/chat", Chat("opening hours"), faq);
  ASSERT_TRUE(WaitUntil([&] {
    Post(gateway.port(), "/api/chat", Chat("opening hours"), faq);
    return model.request_count() >= 3;
  })) << "an old answer is not given while the model is up";

  model.Stop();
  Answer old;
  EXPECT_TRUE(WaitUntil([&] {
    old = Post(gateway.port(), "/api/chat", Chat("opening hours"), faq);
    return old.header("x-breakwater-fallback") == "faq";  // at once, or when the last answer is a millisecond old
  }));
  EXPECT_EQ(old.status, 200);
  EXPECT_EQ(old.body, kOllamaAnswer);
  const Answer unknown = Post(gateway.port(), "/api/chat", Chat("never asked"), faq);
  EXPECT_EQ(unknown.status, 503);
  EXPECT_EQ(unknown.header("x-breakwater-fallback"), "sorry");
}

// ---- hosted-api.policy

TEST_F(HostedApiPolicy, KeyIsAddedAndWhatTheClientShouldNotSendIsDropped) {
  ScriptedUpstream hosted(AnswerWell);
  GatewayProcess gateway =
      Start({{"LLM_API_KEY", "key-of-the-house"}}, {{"http://llm.internal:8000", "http://127.0.0.1:9"}, {"https://api.llm.example", hosted.url()}});
  Post(gateway.port(), "/v1/models", "{}", {{"Authorization", "Bearer of-the-client"}, {"Cookie", "a=1"}});
  const SeenRequest seen = hosted.last_request();
  EXPECT_EQ(seen.header("authorization"), "Bearer key-of-the-house");
  EXPECT_EQ(seen.header("x-user"), "anonymous");
  EXPECT_EQ(seen.header("cookie"), "");
}

TEST_F(HostedApiPolicy, EachUserHasAnswersOfTheirOwn) {
  ScriptedUpstream hosted([](UpstreamExchange& exchange) {
    exchange.Answer(200, R"({"object":"chat.completion","choices":[{"message":{"role":"assistant","content":")" +
                             exchange.request().header("x-user") + R"("},"finish_reason":"stop"}]})");
  });
  GatewayProcess gateway =
      Start({{"LLM_API_KEY", "key-of-the-house"}}, {{"http://llm.internal:8000", "http://127.0.0.1:9"}, {"https://api.llm.example", hosted.url()}});
  const std::string path = "/v1/chat/completions";
  const std::string ann = Post(gateway.port(), path, Chat("x"), {{"X-User", "ann"}}).body;
  EXPECT_NE(ann.find("ann"), std::string::npos);
  EXPECT_EQ(Post(gateway.port(), path, Chat("x"), {{"X-User", "ann"}}).body, ann);
  EXPECT_EQ(hosted.request_count(), 1);
  EXPECT_NE(Post(gateway.port(), path, Chat("x"), {{"X-User", "bob"}}).body.find("bob"), std::string::npos);
  EXPECT_EQ(hosted.request_count(), 2);
}

// ---- priorities.policy

TEST_F(PrioritiesPolicy, PeopleAreAnsweredWhateverPilesUpBehindThem) {
  Signal done;
  ScriptedUpstream model([&](UpstreamExchange& exchange) {
    if (exchange.request().header("x-priority") == "batch") exchange.WaitFor(done);
    AnswerWell(exchange);
  });
  GatewayProcess gateway = Start({{"MODEL_URL", model.url()}});
  std::vector<std::thread> pile;
  std::atomic<int> answered{0};
  for (int i = 0; i < 5; ++i) {
    pile.emplace_back([&, i] {
      const Answer answer = Post(gateway.port(), "/api/generate", Chat(std::to_string(i)), {{"X-Priority", "batch"}});
      if (answer.status == 200) ++answered;
    });
  }
  EXPECT_TRUE(WaitUntil([&] { return model.in_flight() == 2; }));
  for (int i = 0; i < 3; ++i) {
    const Answer person = Post(gateway.port(), "/api/chat", Chat("person"));
    EXPECT_EQ(person.status, 200);
    EXPECT_FALSE(person.is_fallback());
  }
  EXPECT_LE(model.max_in_flight(), 3) << "two of the pile, and a person";
  EXPECT_EQ(answered, 0);
  done.Set();
  for (std::thread& thread : pile) thread.join();
  EXPECT_EQ(answered, 5);
}

// ---- qwen3-32b.policy: founding_test.cc tells more of it.

TEST_F(Qwen332bPolicy, FallbackAnswersWhenOllamaIsGone) {
  GatewayProcess gateway = Start({}, {{"http://ollama-service:11434", kNobody}, {"500ms", "1ms"}});
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json()["is_fallback"], true);
  EXPECT_EQ(gateway.CountEvents("retry attempt 1/2", 1), 1);
}

// ---- tenants.policy

TEST_F(TenantsPolicy, EachTenantHasItsKeyAndItsAnswersAndStrangersGetNothing) {
  ScriptedUpstream shop(AnswerWell), school(AnswerWell);
  GatewayProcess gateway = Start({{"SHOP_URL", shop.url()}, {"SCHOOL_URL", school.url()}, {"SHOP_KEY", "s1"}, {"SCHOOL_KEY", "s2"}});
  const auto ask = [&](const std::string& tenant) {
    return Post(gateway.port(), "/api/chat", Chat("same question"), {{"X-Tenant", tenant}});
  };
  EXPECT_EQ(ask("shop").status, 200);
  EXPECT_EQ(shop.last_request().header("authorization"), "Bearer s1");
  EXPECT_EQ(shop.last_request().header("x-tenant"), "");
  EXPECT_TRUE(ask("shop").has_header("age"));
  EXPECT_FALSE(ask("school").has_header("age"));
  EXPECT_EQ(school.last_request().header("authorization"), "Bearer s2");
  EXPECT_EQ(ask("somebody").status, 403);
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("same question")).status, 403);
  EXPECT_EQ(shop.request_count(), 1);
  EXPECT_EQ(school.request_count(), 1);
}

TEST_F(TenantsPolicy, NobodyIsATenantWhoDoesNotComeByTheLoginProxy) {
  ScriptedUpstream shop(AnswerWell);
  GatewayProcess gateway =
      Start({{"SHOP_URL", shop.url()}, {"SCHOOL_URL", kNobody}, {"SHOP_KEY", "s1"}, {"SCHOOL_KEY", "s2"}},
            {{"[127.0.0.1, ::1]", "[192.0.2.7]"}});
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Tenant", "shop"}}).status, 403);
  EXPECT_EQ(shop.request_count(), 0);
}

TEST_F(TenantsPolicy, OneTenantsFailuresLeaveTheOtherAlone) {
  ScriptedUpstream shop(AnswerFailure), school(AnswerWell);
  GatewayProcess gateway = Start({{"SHOP_URL", shop.url()}, {"SCHOOL_URL", school.url()}, {"SHOP_KEY", "s1"}, {"SCHOOL_KEY", "s2"}});
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat(std::to_string(i)), {{"X-Tenant", "shop"}}).status, 503);
  }
  EXPECT_EQ(gateway.Health("shop").value("state", ""), "OPEN");
  EXPECT_EQ(shop.request_count(), 5);
  EXPECT_EQ(gateway.Health("school").value("state", ""), "CLOSED");
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x"), {{"X-Tenant", "school"}}).status, 200);
}

// ---- two-models.policy: tests/failover tells more of it.

TEST_F(TwoModelsPolicy, SmallModelAnswersWhenTheLargeOneIsBusyThriceAndWhenItIsLeftAlone) {
  std::atomic<int> asked = 0;  // health checks are not counted
  ScriptedUpstream large([&asked](UpstreamExchange& exchange) {
    if (exchange.request().method == "POST") ++asked;
    exchange.Answer(503, R"({"error":"server busy"})");
  });
  ScriptedUpstream small(AnswerWell);
  GatewayProcess gateway = Start({{"LARGE_URL", large.url()}, {"SMALL_URL", small.url()}}, {{"from: 500ms", "from: 1ms"}});
  const Answer answer = Post(gateway.port(), "/api/chat", Chat("x"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_FALSE(answer.is_fallback());
  EXPECT_EQ(asked, 3);
  EXPECT_EQ(small.request_count(), 1);
  EXPECT_EQ(Post(gateway.port(), "/v1/chat/completions", Chat("y")).status, 200);
  EXPECT_EQ(asked, 5) << "the breaker opened at the fifth failure";
  EXPECT_EQ(small.request_count(), 2);
}

// ---- All of them

TEST(Policies, EveryFileHasATestAndIsListed) {
  const std::string index = support::ReadFile(kPolicies / "README.md");
  std::set<std::string> suites;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) suites.insert(all.GetTestSuite(i)->name());
  for (const std::filesystem::path& file : ShippedFiles()) {
    EXPECT_TRUE(suites.contains(SuiteOf(file))) << file << " has no test: no suite is called " << SuiteOf(file);
    EXPECT_NE(index.find("`" + file.filename().string() + "`"), std::string::npos) << file << " is not in the index";
  }
}

TEST(Policies, AreClean) {
  for (const std::filesystem::path& file : ShippedFiles()) {
    support::ChildProcess check({BREAKWATER_EXECUTABLE, "check", "--deny", "warnings", file.string()}, {});
    EXPECT_EQ(check.WaitForExit(), 0) << file;
    EXPECT_TRUE(check.err().empty()) << file << ": " << check.err().front();
    EXPECT_TRUE(check.out().empty()) << file << ": " << check.out().front();
  }
}

}  // namespace
}  // namespace tests::e2e
