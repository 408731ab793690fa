// One entry of a cache for every client of an API, whether it reads an object or a stream: on a simulated network.
#include <cstdlib>

#include <nlohmann/json.hpp>

#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

using Json = nlohmann::json;

const SpokenDialect* const kDialects[] = {&kOllama, &kOpenAi, &kAnthropic};
const std::string kCache = "cache answers { key = \"${request.json.model}\"  ttl = 1h  stale = 1h  shared = true }\n";

// The same answer as an object.
std::string ObjectOf(const SpokenDialect& dialect, const std::string& text) {
  if (&dialect == &kOllama) {
    return "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":" + Quoted(text) +
           "},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":7,\"eval_count\":3}";
  }
  if (&dialect == &kOpenAi) {
    return "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{"
           "\"role\":\"assistant\","
           "\"content\":" +
           Quoted(text) + "},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}";
  }
  return "{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[{\"type\":\"text\","
         "\"text\":" +
         Quoted(text) +
         "}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":3}}";
}
std::string TextOf(const SpokenDialect& dialect, const std::string& object) {
  const Json json = Json::parse(object, nullptr, false);
  const char* path = &dialect == &kOllama   ? "/message/content"
                     : &dialect == &kOpenAi ? "/choices/0/message/content"
                                            : "/content/0/text";
  return json.value(Json::json_pointer(path), "none");
}

class CacheShapes : public testing::Test {
 protected:
  void Begin(const std::string& route = "cache = answers") {
    server.reset();
    gateway = std::make_unique<SimGateway>(
        kCache + "upstream u { url = \"http://10.0.0.1:11434\" }\nroute all { to = u  " + route + " }\n");
    server = std::make_unique<SimServer>(&gateway->network, "10.0.0.1", 11434, [this](SimPeer& peer) {
      if (is_down) return peer.stream->Reset();
      const bool wants_stream = peer.received.find("\"stream\":true") != std::string::npos;
      plan =
          wants_stream ? ServerPlan{200, dialect->content_type, stream} : ServerPlan{200, "application/json", object};
      Serving(&plan, &requests)(peer);
    });
    requests.clear();
  }
  void Answers(const SpokenDialect& spoken, const std::string& text) {
    dialect = &spoken;
    stream = spoken.begin + spoken.text(text.substr(0, 2)) + spoken.text(text.substr(2)) + spoken.end;
    object = ObjectOf(spoken, text);
  }
  Received AskFor(bool wants_stream, const std::string& more = "") {
    return Ask(*gateway, *dialect,
               StreamRequest(*dialect, std::string("{\"model\":\"m\",\"stream\":") + (wants_stream ? "true" : "false") +
                                           more + ",\"messages\":[]}"));
  }
  void ExpectStream(const Received& received) {
    EXPECT_EQ(received.text, "Hello") << received.body;
    EXPECT_TRUE(received.is_taken_for_complete(*dialect)) << received.body;
    EXPECT_TRUE(received.http_ended);
    EXPECT_EQ(received.ends, 1);
    EXPECT_NE(received.head.find("Content-Type: " + dialect->content_type), std::string::npos) << received.head;
  }
  void ExpectObject(const Received& received) {
    EXPECT_EQ(TextOf(*dialect, received.body), "Hello") << received.body;
    EXPECT_NE(received.head.find("Content-Type: application/json"), std::string::npos) << received.head;
    EXPECT_TRUE(received.http_ended);
  }
  uint64_t entries() { return gateway->state->objects.cache(compiler::model::CacheId(0))->stats().entries; }

  const SpokenDialect* dialect = nullptr;
  bool is_down = false;
  std::string stream;
  std::string object;
  ServerPlan plan;
  std::vector<std::string> requests;
  std::unique_ptr<SimGateway> gateway;
  std::unique_ptr<SimServer> server;
};

TEST_F(CacheShapes, AnObjectIsServedToClientsOfStreams) {
  for (const SpokenDialect* spoken : kDialects) {
    Answers(*spoken, "Hello");
    Begin();
    ExpectObject(AskFor(false));
    ExpectStream(AskFor(true));
    ExpectObject(AskFor(false));
    EXPECT_EQ(requests.size(), 1u) << spoken->path;
    EXPECT_EQ(entries(), 1u);
  }
}

TEST_F(CacheShapes, AStreamIsServedToClientsOfObjects) {
  for (const SpokenDialect* spoken : kDialects) {
    Answers(*spoken, "Hello");
    Begin();
    ExpectStream(AskFor(true));
    ExpectObject(AskFor(false));
    ExpectStream(AskFor(true));
    EXPECT_EQ(requests.size(), 1u) << spoken->path;
    EXPECT_EQ(entries(), 1u);
  }
}

TEST_F(CacheShapes, TheObjectIsThatOfTheModelNotOfTheStream) {
  Answers(kOllama, "Hello");
  Begin();
  AskFor(true);
  const Json folded = Json::parse(AskFor(false).body);
  EXPECT_EQ(folded["done"], true);
  EXPECT_EQ(folded["done_reason"], "stop");
  EXPECT_EQ(folded["eval_count"], 3);
  EXPECT_EQ(folded["message"]["role"], "assistant");
}

TEST_F(CacheShapes, OpenAiClientsGetUsageInAStreamIfTheyAsk) {
  Answers(kOpenAi, "Hello");
  Begin();
  AskFor(false);
  EXPECT_EQ(AskFor(true).body.find("\"usage\""), std::string::npos);
  EXPECT_NE(AskFor(true, ",\"stream_options\":{\"include_usage\":true}").body.find("\"usage\""), std::string::npos);
  EXPECT_EQ(requests.size(), 1u);
}

// What one shape can't say of the other is kept for clients that read the same.
TEST_F(CacheShapes, AnswersWithToolCallsAreKeptForEachShape) {
  Answers(kOllama, "Hello");
  const std::string calls = "\"tool_calls\":[{\"function\":{\"name\":\"look\",\"arguments\":{}}}]";
  object = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"," + calls + "},\"done\":true}";
  stream = kOllama.text("Hello") + "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"," + calls +
           "},\"done\":false}\n" + kOllama.end;
  Begin();
  for (int i = 0; i < 3; ++i) {
    ExpectObject(AskFor(false));
    ExpectStream(AskFor(true));
  }
  EXPECT_EQ(requests.size(), 2u);
  EXPECT_EQ(entries(), 2u);
}

TEST_F(CacheShapes, AFallbackServesTheOtherShapeToo) {
  for (const SpokenDialect* spoken : kDialects) {
    Answers(*spoken, "Hello");
    for (const bool first_streams : {false, true}) {
      is_down = false;
      Begin("fallback = [answers]");
      AskFor(first_streams);
      is_down = true;
      gateway->network.RunFor(90min);  // stale
      const Received received = AskFor(!first_streams);
      if (first_streams) {
        ExpectObject(received);
      } else {
        ExpectStream(received);
      }
      EXPECT_NE(received.head.find("X-Breakwater-Fallback: answers"), std::string::npos) << received.head;
    }
  }
}

TEST_F(CacheShapes, AFollowerOfTheOtherShapeIsServedWhenTheLeaderIsDone) {
  for (const bool leader_streams : {false, true}) {
    Answers(kOpenAi, "Hello");
    Begin();
    std::vector<std::unique_ptr<SimPeer>> clients;
    for (const bool streams : {leader_streams, !leader_streams}) {
      clients.push_back(gateway->NewClient());
      clients.back()->Send(StreamRequest(
          kOpenAi, std::string("{\"model\":\"m\",\"stream\":") + (streams ? "true" : "false") + ",\"messages\":[]}"));
    }
    ASSERT_TRUE(gateway->network.RunUntil([&] { return clients[0]->ended && clients[1]->ended; }));
    for (size_t i = 0; i < 2; ++i) {
      const Received received = ReadAsClient(kOpenAi, clients[i]->received, clients[i]->was_reset);
      if (leader_streams == (i == 0)) {
        ExpectStream(received);
      } else {
        ExpectObject(received);
      }
    }
    EXPECT_EQ(requests.size(), 1u);
  }
}

}  // namespace
}  // namespace tests
