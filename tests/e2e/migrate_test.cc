// Published configurations of LiteLLM, migrated by the command and run by the gateway, with a flaky_ollama in place of each of their servers:
// what each of their models is asked for arrives at its server, path and model, and with that server down at what stands in for it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"
#include "tests/support/litellm_models.h"

namespace tests::e2e {
namespace {

using support::ChildProcess;
using support::LiteLlmModel;

// A server that speaks OpenAI's API below `base`, and Ollama's.
class FlakyOllama {
 public:
  explicit FlakyOllama(const std::string& base)
      : process_({FLAKY_OLLAMA, "--port", "0", "--time-scale", "0.0001", "--base", base, "--any-host"}, {}) {
    WaitUntil([this] { return !process_.out().empty(); });
    const std::string line = process_.out().front();
    port_ = static_cast<uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
  }

  std::string address() const { return "http://127.0.0.1:" + std::to_string(port_); }

  // Of chats, in their order: target and body.
  std::vector<std::pair<std::string, Json>> Chats() const {
    std::vector<std::pair<std::string, Json>> chats;
    for (const Json& record : Json::parse(Get(port_, "/control/requests").body)) {
      if (record["method"] == "POST")
        chats.emplace_back(record["target"], Json::parse(record["body"].get<std::string>()));
    }
    return chats;
  }

  void GoDown() { EXPECT_EQ(Post(port_, "/control/down", R"({"for_ms": 600000})").status, 200); }

 private:
  ChildProcess process_;
  uint16_t port_ = 0;
};

// A policy as `migrate` makes it, with the addresses of its servers and of the gateway replaced.
class Migrated {
 public:
  explicit Migrated(const std::string& file) {
    const Ran ran = Shell(std::string(BREAKWATER_EXECUTABLE) + " migrate " + BREAKWATER_SOURCE_DIR +
                          "/tests/compiler/data/litellm/" + file + ".yaml 2>/dev/null");
    EXPECT_LE(ran.code, 1) << ran.output;  // 1: something could not be taken over, and is said
    std::istringstream lines(ran.output);
    std::string upstream;
    std::string policy;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("upstream ")) upstream = line.substr(9, line.find(' ', 9) - 9);
      if (line.starts_with("  url ")) {
        const std::string path = PathOf(line);
        auto& server = servers_[upstream];
        // A base that ends in /v1 is OpenAI's own, whose paths begin so.
        server = std::make_unique<FlakyOllama>(path.ends_with("/v1") ? path.substr(0, path.size() - 3) : path);
        line = "  url = \"" + server->address() + path + "\"";
      }
      policy += line + "\n";
    }
    policy =
        support::ReplaceAll(policy, "listen = \"0.0.0.0:4000\"", "listen = \"127.0.0.1:0\"  admin = \"127.0.0.1:0\"");
    const std::string wait = "exponential(from: 500ms";  // no test waits for what it is not about
    if (Holds(policy, wait)) policy = support::ReplaceAll(policy, wait, "exponential(from: 1ms");
    GatewayOptions options;
    for (const char* name : {"OPENAI", "XAI", "PERPLEXITY", "GROQ", "OPENROUTER", "CUSTOM"})
      options.environment.push_back({std::string(name) + "_API_KEY", std::string("key of ") + name});
    gateway_ = std::make_unique<GatewayProcess>(policy, options);
  }

  FlakyOllama& ServerOf(const std::string& upstream) { return *servers_.at(upstream); }

  // The names of the servers that got a chat.
  std::vector<std::string> Asked() const {
    std::vector<std::string> asked;
    for (const auto& [upstream, server] : servers_) {
      if (!server->Chats().empty()) asked.push_back(upstream);
    }
    return asked;
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

  std::map<std::string, std::unique_ptr<FlakyOllama>> servers_;
  std::unique_ptr<GatewayProcess> gateway_;
};

class LiteLlmOnSockets : public testing::TestWithParam<std::string> {};

TEST_P(LiteLlmOnSockets, ARequestForEachModelArrives) {
  for (const LiteLlmModel& wanted : support::kLiteLlmModels) {
    if (wanted.file != GetParam()) continue;
    Migrated migrated(GetParam());  // with closed breakers
    EXPECT_EQ(migrated.Ask(wanted.asked).status, 200) << wanted.asked;
    ASSERT_EQ(migrated.Asked(), std::vector{wanted.upstream}) << wanted.asked;
    const auto [target, body] = migrated.ServerOf(wanted.upstream).Chats().back();
    EXPECT_EQ(target, PathAt(wanted)) << wanted.asked;
    EXPECT_EQ(body.value("model", ""), wanted.sent) << wanted.asked;

    migrated.ServerOf(wanted.upstream).GoDown();
    const Answer without = migrated.Ask(wanted.asked);
    if (wanted.other.empty()) {
      EXPECT_EQ(without.status, 503) << wanted.asked;
      continue;
    }
    EXPECT_EQ(without.status, 200) << wanted.asked;
    const auto instead = migrated.ServerOf(wanted.other).Chats();
    ASSERT_EQ(instead.size(), 1u) << wanted.asked << " did not arrive at " << wanted.other;
    EXPECT_EQ(instead.back().first, "/v1/chat/completions") << wanted.asked;
    const auto other = std::find_if(
        support::kLiteLlmModels.begin(), support::kLiteLlmModels.end(),
        [&](const LiteLlmModel& model) { return model.file == wanted.file && model.upstream == wanted.other; });
    if (other != support::kLiteLlmModels.end()) {
      EXPECT_EQ(instead.back().second.value("model", ""), other->sent) << wanted.asked;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Published, LiteLlmOnSockets,
                         testing::Values("ollama_farm", "lodestar", "victor", "local_gateway", "coprocessor", "frugal"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tests::e2e
