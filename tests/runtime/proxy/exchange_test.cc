// What comes of one request: for its client, in the log of requests, in the events and the metrics. Each row is a way that an exchange can
// take; the whole proxy on a network without sockets.
#include "tests/runtime/proxy/exchange_scene.h"

namespace tests {
namespace {

const std::string kOneUpstream = "upstream a { url = \"http://10.0.0.1:80\" }\n";
const std::string kTwoUpstreams =
    kOneUpstream + "upstream b { url = \"http://10.0.0.2:80\" }\nroute r { to = [a, b] }\n";
const std::string kChat = "/v1/chat/completions";
const std::string kContinues =
    "upstream a { url = \"http://10.0.0.1:80\"  on_cut = continue }\nupstream b { url = \"http://10.0.0.2:80\" "
    "}\nroute r { to = [a, b] }\n";
const std::string kCutStream = StreamHead(kLines) + Chunk(kSaid) + "\x03";

struct Row {
  std::string what;
  std::string policy;
  std::string request;
  std::vector<std::string> a, b;          // what the two upstreams answer
  std::vector<std::string> client;        // parts of what the client gets; "!…": it doesn't
  std::vector<std::string> log = {};      // … of the access log
  std::vector<std::string> events = {};   // … of the event log
  std::vector<std::string> metrics = {};  // series that are 1
};

void Expect(const Row& row, const char* where, const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    const bool is_denied = part.starts_with('!');
    EXPECT_EQ(Holds(text, is_denied ? part.substr(1) : part), !is_denied)
        << row.what << ": " << where << ": " << part << "\n"
        << text;
  }
}

void Play(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    SimGateway gateway(row.policy);
    gateway.network.SetName("model", {"10.0.0.1"});
    const Answerer a(&gateway.network, 1, row.a.empty() ? std::vector<std::string>{""} : row.a);
    const Answerer b(&gateway.network, 2, row.b.empty() ? std::vector<std::string>{""} : row.b);
    const auto client = AskAndWait(gateway, row.request);
    Expect(row, "client", client->received, row.client);
    Expect(row, "log", gateway.access, row.log);
    Expect(row, "events", gateway.events, row.events);
    for (const std::string& series : row.metrics) EXPECT_EQ(gateway.Metric(series), 1) << row.what << ": " << series;
    gateway.network.RunFor(5min);  // whatever it held is free again
    EXPECT_EQ(gateway.worker->context().followers(), 0u) << row.what;
    EXPECT_EQ(gateway.state->memory.held(), 0) << row.what;
  }
}

TEST(Exchange, SaysWhatBecameOfItsAttempts) {
  const std::string html = "<html><head><title>502 Bad Gateway</title></head></html>";
  Play({
      {"which address a name was",
       "upstream a { url = \"http://model:80\" }\n",
       GetOf("/x"),
       {Whole(200, "text/plain", "ok")},
       {},
       {"200 OK"},
       {"\"address\":\"10.0.0.1:80\""}},
      {"… of one that refused",
       "upstream a { url = \"http://model:81\" }\n",
       GetOf("/x"),
       {},
       {},
       {"502"},
       {"\"address\":\"10.0.0.1:81\"", "\"error\":\"refused\""}},
      {"why HTTP can't be read",
       kOneUpstream,
       GetOf("/x"),
       {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"},
       {},
       {"502"},
       {"\"detail\":\""}},
      {"what a failing server says at once",
       kTwoUpstreams,
       Post(kChat, kObjectAsked),
       {Whole(500, "application/json", R"({"error":{"message":"out of memory"}})")},
       {Whole(200, "application/json", kChatAnswer)},
       {"200 OK"},
       {"\"detail\":\"out of memory\""}},
      {"… and a little later",
       kTwoUpstreams,
       Post(kChat, kObjectAsked),
       {"HTTP/1.1 500 X\r\nContent-Type: application/json\r\nContent-Length: "
        "37\r\n\r\n\x01{\"error\":{\"message\":\"out of memory\"}}"},
       {Whole(200, "application/json", kChatAnswer)},
       {"200 OK"},
       {"\"detail\":\"out of memory\""}},
      {"… on a page",
       kTwoUpstreams,
       Post(kChat, kObjectAsked),
       {Whole(502, "text/html", html)},
       {Whole(200, "application/json", kChatAnswer)},
       {"200 OK"},
       {"\"detail\":\""}},
      {"an error inside a stream",
       kTwoUpstreams,
       Post("/api/chat", kStreamAsked),
       {StreamHead(kLines) + Chunk("{\"error\":\"out of memory\"}\n")},
       {StreamHead(kLines) + Chunk(kSaid + kSaidAll) + kLastChunk},
       {"Hi"},
       {"\"detail\":\"out of memory\""}},
      {"no answer of its API",
       kTwoUpstreams,
       Post(kChat, kObjectAsked),
       {Whole(200, "text/html", html)},
       {Whole(200, "application/json", kChatAnswer)},
       {"200 OK"},
       {"\"detail\":\"it is no answer of its API\""}},
      {"one that goes on",
       kContinues,
       Post("/api/chat", kStreamAsked),
       {kCutStream},
       {StreamHead(kLines) + Chunk("{\"message\":{\"content\":\" there\"}}\n" + kSaidAll) + kLastChunk},
       {"Hi", " there"},
       {"\"served_by\":\"b\"", "\"continuations\":1"},
       {"answer continued"}},
      {"… and does not fit",
       kContinues,
       Post("/api/chat", kStreamAsked),
       {kCutStream},
       {Whole(200, "text/plain", "Something else")},
       {"Hi", "error"},
       {"\"detail\":\"it does not go on from what was sent\""}},
      {"… and refuses, and says why",
       kContinues,
       Post("/api/chat", kStreamAsked),
       {kCutStream},
       {Whole(500, "application/json", R"({"error":"out of memory"})")},
       {"Hi", "error"},
       {"\"detail\":\"out of memory\""}},
  });
}

TEST(Exchange, TellsItsClientWhatItsServerSaid) {
  const std::string sorry = "upstream a { url = \"http://10.0.0.1:80\" }\n";
  Play({
      {"an error under a 200",
       sorry,
       Post(kChat, kObjectAsked),
       {Whole(200, "application/json", R"({"error":{"message":"out of memory","code":"oom_error"}})")},
       {},
       {"out of memory", "oom_error"},
       {"\"status\":5"}},
      {"… with a status of its own",
       sorry,
       Post(kChat, kObjectAsked),
       {Whole(200, "application/json", R"({"error":{"message":"no such model","code":404}})")},
       {},
       {"HTTP/1.1 404 ", "no such model"}},
      {"… without words",
       sorry,
       Post(kChat, kObjectAsked),
       {Whole(200, "application/json", R"({"error":true})")},
       {},
       {"HTTP/1.1 502 ", "stream_error"}},
      {"a fallback that is a reply",
       kOneUpstream + "route r { to = a  fallback = sorry }\nreply sorry { status = 503  text = \"sorry\" }\n",
       GetOf("/x"),
       {"\x03"},
       {},
       {"sorry", "X-Breakwater-Fallback: sorry"},
       {"\"fallback\":\"sorry\"", "\"served_by\":\"sorry\""},
       {},
       {"fallback_response_total{fallback=\"sorry\"}"}},
      {"a fallback that is a mock",
       kOneUpstream + "route r { to = a  fallback = m }\nmock m { text = \"pretended\" }\n",
       Post(kChat, kObjectAsked),
       {"\x03"},
       {},
       {"pretended", "X-Breakwater-Fallback: m"},
       {"\"fallback\":\"m\"", "\"served_by\":\"m\""}},
      {"a reply as a stream says when it was made",
       "route r { when request.method == POST  reply = hello }\nreply hello { status = 200  text = \"hello\" }\n",
       Post("/api/chat", kStreamAsked),
       {},
       {},
       {"hello", "\"created_at\":\"20"},
       {"\"served_by\":\"hello\""}},
      {"a refusal that nobody betters",
       kTwoUpstreams,
       Post(kChat, kObjectAsked),
       {Whole(503, "application/json", R"({"error":"full"})")},
       {Whole(503, "application/json", R"({"error":"full, too"})")},
       {"HTTP/1.1 503 ", "full, too"}},
      {"… whose last one nobody can read",
       kTwoUpstreams,
       Post(kChat, kObjectAsked),
       {Whole(503, "application/json", R"({"error":"full"})")},
       {Whole(503, "application/json", "\x1f\x8b", "Content-Encoding: gzip\r\n")},
       {"HTTP/1.1 503 ", "!full"}},
      {"a head that predicates read",
       "upstream a { url = \"http://10.0.0.1:80\"  retry { max_retries = 1  when response.header[\"x-shed\"] == \"1\" "
       "} }\n",
       GetOf("/x"),
       {Whole(200, "text/plain", "shed", "X-Shed: 1\r\n"), Whole(200, "text/plain", "served", "X-Shed: 0\r\n")},
       {},
       {"served"}},
      {"a path that changes its server, behind a base",
       "upstream a { url = \"http://10.0.0.1:80/api\" }\n",
       Post("/delete", kObjectAsked),
       {Whole(200, "text/plain", "deleted")},
       {},
       {"!deleted", "ollama_server_changes"}},
      {"an answer of the end point that is asked",
       "upstream a { url = \"http://10.0.0.1:80/api/chat\" }\n",
       Post(kChat, kObjectAsked),
       {Whole(200, "application/json", R"({"message":{"content":"Hi"},"done":false})")},
       {},
       {"HTTP/1.1 502 "},
       {"\"model\":\"m\"", "\"error\":\"truncated\""}},
  });
}

// Its body turns out wrong while it comes: it is over and recorded, whatever was answered.
TEST(Exchange, ThatIsRefusedForItsBodyIsOver) {
  SimGateway gateway(kOneUpstream);
  auto client = gateway.NewClient();
  client->Send("POST /x HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
  gateway.network.RunFor(10ms);
  EXPECT_EQ(gateway.access, "");
  client->Send("zz\r\n");
  gateway.network.RunFor(10ms);
  EXPECT_TRUE(client->received.starts_with("HTTP/1.1 400 ")) << client->received;
  EXPECT_TRUE(Holds(gateway.access, "\"status\":400")) << gateway.access;
}

TEST(Exchange, SaysWhyABodyCanNotBeRewritten) {
  const std::string rewrites = "upstream a { url = \"http://10.0.0.1:80\"  rewrite = json { \"model\": \"other\" } }\n";
  const auto refused = [&](const std::string& body) {
    SimGateway gateway(rewrites);
    const Answerer a(&gateway.network, 1, {Whole(200, "text/plain", "ok")});
    const auto client = AskAndWait(gateway, Post("/x", body));
    const size_t at = client->received.find("\"code\":\"");
    const std::string code = at == std::string::npos
                                 ? client->received.substr(9, 3)
                                 : client->received.substr(at + 8, client->received.find('"', at + 8) - at - 8);
    // The next one on the same memory has nothing of it.
    EXPECT_TRUE(Holds(AskAndWait(gateway, Post("/x", "{}"))->received, "ok"));
    return code;
  };
  EXPECT_EQ(refused("{\"a\":1}"), "200");
  EXPECT_EQ(refused("[1]"), "json_not_an_object");
  EXPECT_EQ(refused("{\"a\":"), "json_syntax");
  EXPECT_EQ(refused(std::string(2000, '[')), "json_too_deep");
}

}  // namespace
}  // namespace tests
