// Published configurations of LiteLLM, migrated by the command and served on real sockets: what each of their models is asked for arrives
// at its server, path and model, and with that server down at what stands in for it.
#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"
#include "tests/support/litellm_models.h"

namespace tests::e2e {
namespace {

using support::LiteLlmModel;

// A policy as `migrate` makes it, with a server of the test's in the place of each of its upstreams.
class Migrated {
 public:
  explicit Migrated(const std::string& file) {
    const Ran ran = Shell(std::string(BREAKWATER_EXECUTABLE) + " migrate " + BREAKWATER_SOURCE_DIR +
                          "/tests/compiler/data/litellm/" + file + ".yaml 2>/dev/null");
    std::istringstream lines(ran.output);
    std::string upstream;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("upstream ")) upstream = line.substr(9, line.find(' ', 9) - 9);
      if (line.starts_with("  url ")) line = "  url = \"" + ServerOf(upstream).url() + PathOf(line) + "\"";
      policy_ += line + "\n";
    }
    policy_ =
        support::ReplaceAll(policy_, "listen = \"0.0.0.0:4000\"", "listen = \"127.0.0.1:0\"  admin = \"127.0.0.1:0\"");
    const std::string wait = "exponential(from: 500ms";
    if (Holds(policy_, wait)) policy_ = support::ReplaceAll(policy_, wait, "exponential(from: 1ms");
    GatewayOptions options;
    for (const char* name : {"OPENAI", "XAI", "PERPLEXITY", "GROQ", "OPENROUTER", "CUSTOM"})
      options.environment.push_back({std::string(name) + "_API_KEY", std::string("key of ") + name});
    gateway_ = std::make_unique<GatewayProcess>(policy_, options);
  }

  ScriptedUpstream& ServerOf(const std::string& upstream) {
    auto& server = servers_[upstream];
    if (!server) {
      server = std::make_unique<ScriptedUpstream>([](UpstreamExchange& exchange) {
        exchange.Answer(
            200,
            R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hi"}}]})");
      });
    }
    return *server;
  }

  Answer Ask(const std::string& model) {
    return Post(gateway_->port(), "/v1/chat/completions",
                Json{{"model", model}, {"messages", {{{"role", "user"}, {"content", "hi"}}}}}.dump());
  }

 private:
  // Of `url = "http://host:port/v1"`, or of the default of a variable.
  static std::string PathOf(const std::string& line) {
    const size_t host = line.find("://") + 3;
    const size_t end = line.find('"', host);
    const size_t slash = line.find('/', host);
    return slash == std::string::npos || slash > end ? "" : line.substr(slash, end - slash);
  }

  std::map<std::string, std::unique_ptr<ScriptedUpstream>> servers_;
  std::string policy_;
  std::unique_ptr<GatewayProcess> gateway_;
};

class LiteLlmOnSockets : public testing::TestWithParam<std::string> {};

TEST_P(LiteLlmOnSockets, ARequestForEachModelArrives) {
  for (const LiteLlmModel& wanted : support::kLiteLlmModels) {
    if (wanted.file != GetParam()) continue;
    Migrated migrated(GetParam());  // with closed breakers
    ScriptedUpstream& server = migrated.ServerOf(wanted.upstream);
    const int before = server.request_count();
    EXPECT_EQ(migrated.Ask(wanted.asked).status, 200) << wanted.asked;
    ASSERT_EQ(server.request_count(), before + 1) << wanted.asked << " did not arrive at " << wanted.upstream;
    const SeenRequest seen = server.last_request();
    EXPECT_EQ(seen.target, PathAt(wanted)) << wanted.asked;
    EXPECT_EQ(Json::parse(seen.body).value("model", ""), wanted.sent) << wanted.asked;

    server.Stop();
    const Answer without = migrated.Ask(wanted.asked);
    if (wanted.other.empty()) {
      EXPECT_EQ(without.status, 503) << wanted.asked;
    } else {
      EXPECT_EQ(without.status, 200) << wanted.asked;
      EXPECT_EQ(migrated.ServerOf(wanted.other).last_request().target, "/v1/chat/completions") << wanted.asked;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Published, LiteLlmOnSockets,
                         testing::Values("ollama_farm", "lodestar", "victor", "local_gateway", "coprocessor", "frugal"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tests::e2e
