// What a policy judges of a request is what the upstream gets, and what caches keep is for whoever gets it.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;

bool Holds(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// An upstream that keeps the requests that it gets (with a Content-Length, or none), and answers each with `answer`.
struct Upstream {
  explicit Upstream(SimGateway& gateway)
      : server(&gateway.network, "10.0.0.1", 11434, [this](SimPeer& peer) { Serve(peer); }) {}

  void Serve(SimPeer& peer) {
    for (;;) {
      const size_t end = peer.received.find("\r\n\r\n");
      if (end == std::string::npos) return;
      const size_t at = peer.received.find("\r\nContent-Length: ");
      const size_t length = at < end ? std::stoul(peer.received.substr(at + 18)) : 0;
      if (peer.received.size() < end + 4 + length) return;
      requests.push_back(peer.received.substr(0, end + 4 + length));
      peer.received.erase(0, end + 4 + length);
      peer.Send(answer);
    }
  }
  std::string body() const { return requests.empty() ? "nothing" : requests.back().substr(requests.back().find("\r\n\r\n") + 4); }

  std::string answer = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
  std::vector<std::string> requests;
  SimServer server;
};

std::string Ask(SimGateway& gateway, const std::string& request_line, const std::string& lines, const std::string& body = "") {
  auto client = gateway.NewClient();
  const std::string length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
  client->Send(request_line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + lines + length + "\r\n" + body);
  gateway.network.RunUntil([&] { return client->ended; }, 1min);
  return client->received;
}
std::string Chat(SimGateway& gateway, const std::string& body, const std::string& lines = "Content-Type: application/json\r\n") {
  return Ask(gateway, "POST /v1/chat/completions", lines, body);
}

constexpr const char* kModels =
    "upstream u { url = \"http://10.0.0.1:11434\" }\n"
    "reply no { status = 403  text = \"no\" }\n"
    "route big { when request.json.model == \"big\"  reply = no }\n"
    "route rest { to = u }\n";

TEST(OneReading, NobodyIsLedAroundAConditionOnTheBody) {
  SimGateway gateway(kModels);
  Upstream upstream(gateway);
  EXPECT_TRUE(Chat(gateway, R"({"model":"big"})").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(Chat(gateway, R"({"mod\u0065l":"b\u0069g"})").starts_with("HTTP/1.1 403 "));
  const std::pair<const char*, const char*> refused[] = {
      {"folded_json_member", R"({"Model":"big"})"},
      {"folded_json_member", R"({"model":"small","MODEL":"big"})"},
      {"duplicate_json_member", R"({"model":"small","model":"big"})"},
      {"json_trailing", R"({"model":"small"}x)"},
      {"json_byte_order_mark", "\xef\xbb\xbf{\"model\":\"big\"}"},
      {"json_syntax", R"({"model":"big","t":NaN})"},
      {"json_syntax", "no json at all"},
      {"json_not_utf8", "{\"model\":\"big\",\"a\":\"\xff\"}"},
      {"json_not_utf8", "\xff\xfe{"},
      {"json_not_an_object", R"([{"model":"big"}])"},
      {"folded_json_member", R"({"model":"small","model\u0000":"big"})"},
  };
  for (const auto& [reason, body] : refused) {
    const std::string answer = Chat(gateway, body);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ") && Holds(answer, reason)) << body << "\n" << answer;
  }
  EXPECT_TRUE(Chat(gateway, R"({"Model":"big"})", "Content-Type: text/plain\r\n").starts_with("HTTP/1.1 400 ")) << "servers don't look at the type";
  for (const char* charset : {"utf-16", "utf-7", "UTF-16LE", "\"utf-32\"", "shift_jis"}) {
    const std::string answer = Chat(gateway, R"({"model":"small"})", "Content-Type: application/json; charset=" + std::string(charset) + "\r\n");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ") && Holds(answer, "json_charset")) << charset << "\n" << answer;
  }
  const std::string two_types = Ask(gateway, "POST /other", "Content-Type: text/plain, application/json\r\n", R"({"Model":"big"})");
  EXPECT_TRUE(two_types.starts_with("HTTP/1.1 400 ")) << two_types;
  EXPECT_TRUE(upstream.requests.empty());
  for (const char* charset : {"utf-8", "UTF8", "us-ascii", "iso-8859-1"}) {
    EXPECT_TRUE(Chat(gateway, R"({"model":"small"})", "Content-Type: application/json; charset=" + std::string(charset) + "\r\n").starts_with("HTTP/1.1 200 "));
  }
  EXPECT_TRUE(Chat(gateway, R"({"model":"small","messages":[{"content":"{\"Model\":1}"}],"seed":123456789012345678901234567890})")
                  .starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(Ask(gateway, "POST /v1/audio/transcriptions", "Content-Type: multipart/form-data; boundary=x\r\n", "--x\r\n\xff\r\n--x--\r\n")
                  .starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(Holds(gateway.Get("/metrics"), "bad_request_total{reason=\"folded_json_member\"} 5"));
}

TEST(OneReading, HeadersAndQueriesStandOnceWhereTheyAreRead) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:11434\" }\n"
      "reply no { status = 403  text = \"no\" }\n"
      "route admins { when request.header[\"X-Role\"] == \"admin\" or request.query[\"admin\"] == \"1\"  reply = no }\n"
      "route rest { to = u }\n");
  Upstream upstream(gateway);
  EXPECT_TRUE(Ask(gateway, "GET /", "X-Role: user\r\nX-Role: admin\r\n").starts_with("HTTP/1.1 400 "));
  for (const char* query : {"admin=0&admin=1", "Admin=1", "x;admin=1", "admin=%zz", "%61dmin=1", "admin[]=1", "admin%5B0%5D=1", "admin%00=1", "+admin=1",
                            "adm%C4%B1n=1"})
    EXPECT_TRUE(Ask(gateway, "GET /?" + std::string(query), "").starts_with("HTTP/1.1 400 ")) << query;
  EXPECT_TRUE(upstream.requests.empty());
  EXPECT_TRUE(Ask(gateway, "GET /?x=1&x=2&y=%zz", "X-Role: user\r\nX-Other: a\r\nX-Other: b\r\n").starts_with("HTTP/1.1 200 "));
}

// What isn't passed on isn't there for conditions, and a list in several lines is one to everybody.
TEST(OneReading, HeadersAreReadAsTheyArePassedOn) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:11434\"\n"
      "  header[\"X-Seen\"] = \"${request.header[\"X-Role\"] ?? \"none\"}|${request.header[\"Accept\"] ?? \"none\"}|${request.header[\"Cookie\"] ?? \"none\"}\"\n"
      "}\n");
  Upstream upstream(gateway);
  const auto seen = [&](const std::string& lines) {
    Ask(gateway, "GET /", lines);
    const std::string& request = upstream.requests.back();
    const size_t at = request.find("X-Seen: ") + 8;
    return request.substr(at, request.find("\r\n", at) - at);
  };
  EXPECT_EQ(seen("X-Role: admin\r\n"), "admin|none|none");
  EXPECT_EQ(seen("X-Role: admin\r\nConnection: x-role\r\n"), "none|none|none");
  EXPECT_FALSE(Holds(upstream.requests.back(), "X-Role"));
  EXPECT_EQ(seen("X_Role: admin\r\n"), "none|none|none");
  EXPECT_EQ(seen("Accept: a\r\naccept: b\r\nCookie: c=1\r\nCookie: d=2\r\n"), "none|a, b|c=1; d=2");
  EXPECT_TRUE(Holds(upstream.requests.back(), "Accept: a, b\r\nCookie: c=1; d=2\r\n")) << upstream.requests.back();
  SimGateway careless("upstream u { url = \"http://10.0.0.1:11434\"  header[\"X-Seen\"] = \"${request.header[\"X-Role\"]}\" }\n", "underscore_headers = true");
  Upstream behind(careless);
  EXPECT_TRUE(Ask(careless, "GET /", "X-Role: user\r\nX_Role: admin\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(Ask(careless, "GET /", "X_Role: admin\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(Ask(careless, "GET /", "X-Role: user\r\nX_Other: a\r\n").starts_with("HTTP/1.1 200 "));
}

TEST(OneReading, APathIsRefusedThatLeadsToARefusedOne) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:11434\" }\nreply no { status = 403  text = \"no\" }\n"
      "route admin { when request.path == \"/admin\" or request.path starts_with \"/admin/\"  reply = no }\n"
      "route host { when request.host == \"inner\"  reply = no }\nroute rest { to = u }\n");
  Upstream upstream(gateway);
  for (const char* path : {"/admin;x=1", "/admin%3bx", "/;x/admin", "/admin%2fx", "/admin%252Fx", "/%2561dmin", "/%252561dmin", "/admin%20", "/admin;/y"}) {
    const std::string answer = Ask(gateway, "GET " + std::string(path), "");
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ") && Holds(answer, "encoded_path")) << path << "\n" << answer;
  }
  for (const char* host : {"inner", "INNER", "inner.", "inner:80", "inner.:8080"}) {
    auto client = gateway.NewClient();
    client->Send("GET /x HTTP/1.1\r\nHost: " + std::string(host) + "\r\nConnection: close\r\n\r\n");
    gateway.network.RunUntil([&] { return client->ended; }, 1min);
    EXPECT_TRUE(client->received.starts_with("HTTP/1.1 403 ")) << host;
  }
  EXPECT_TRUE(upstream.requests.empty());
  for (const char* path : {"/administration", "/v1/models/Qwen%2FQwen3", "/v1/models/a;b", "/x/admin", "/100%25", "/%E4%BD%A0"})
    EXPECT_TRUE(Ask(gateway, "GET " + std::string(path), "").starts_with("HTTP/1.1 200 ")) << path;
}

TEST(OneReading, TheGuardOfAnOllamaStaysWithRoutes) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\" }\nroute pulls { when request.path == \"/api/push\"  to = u }\nroute rest { to = u }\n");
  Upstream upstream(gateway);
  for (const char* path : {"/api/pull", "/API/Create", "/api%2fdelete", "/api/experimental/x", "/api/signout", "/api;x/pull", "/api/pull;x"})
    EXPECT_TRUE(Ask(gateway, "POST " + std::string(path), "", "{}").starts_with("HTTP/1.1 403 ")) << path;
  EXPECT_TRUE(upstream.requests.empty());
  for (const char* path : {"/api/push", "/api/show", "/v1/models", "/props"})
    EXPECT_TRUE(Ask(gateway, "POST " + std::string(path), "", "{}").starts_with("HTTP/1.1 200 ")) << path;
}

TEST(OneReading, CompressedBodiesAreDecoded) {
  SimGateway gateway(kModels, "limits { body = 20B }");
  Upstream upstream(gateway);
  // {"model":"m"}, and a block of one byte that is 128 KiB long; zstd.
  const std::string zstd("\x28\xb5\x2f\xfd\x04\x58\x69\x00\x00{\"model\":\"m\"}\x27\x8b\x7c\x64", 26);
  const std::string bomb("\x28\xb5\x2f\xfd\x00\x38\x03\x00\x10\x00", 10);
  const std::string lines = "Content-Type: application/json\r\nContent-Encoding: zstd\r\n";
  SimGateway roomy(kModels);
  Upstream behind(roomy);
  EXPECT_TRUE(Chat(roomy, zstd, lines).starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(behind.body(), "{\"model\":\"m\"}");
  EXPECT_FALSE(Holds(behind.requests.back(), "Content-Encoding"));
  EXPECT_TRUE(Chat(roomy, zstd.substr(0, 20), lines).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(Chat(roomy, zstd, "Content-Encoding: br\r\n").starts_with("HTTP/1.1 415 "));
  EXPECT_TRUE(Chat(gateway, bomb, lines).starts_with("HTTP/1.1 413 "));
  SimGateway small(kModels, "limits { memory = 1MiB }");  // a fourth is what one client may hold: no more than that is decoded
  std::string larger = bomb.substr(0, 6);
  for (int i = 0; i < 3; ++i) larger.append("\x02\x00\x10\x00", 4);
  larger.append(bomb.substr(6));
  const std::string refused = Chat(small, larger, lines);
  EXPECT_TRUE(refused.starts_with("HTTP/1.1 413 ") && Holds(refused, "memory")) << refused;
  EXPECT_EQ(behind.requests.size(), 1u);
}

TEST(Rewrite, KeepsTypesAndLeavesOutWhatIsAbsent) {
  SimGateway gateway(
      "upstream u { url = \"http://10.0.0.1:11434\"\n"
      "  rewrite = json { \"model\": \"x\", \"n\": \"${request.json.max_tokens}\", \"k\": \"${request.json.none}\",\n"
      "                   \"o\": { \"t\": \"${request.json.tools}\", \"s\": \"a ${request.json.max_tokens}\" }, \"l\": [\"${request.json.none}\", \"${request.json.yes}\"] }\n"
      "  rewrite short { when request.header[\"X-Short\"] == \"1\"  patch = json { \"n\": 5 } }\n"
      "  rewrite loud { when request.json.yes == true  patch = json { \"loud\": true, \"o\": null } }\n"
      "}\n");
  Upstream upstream(gateway);
  Chat(gateway, R"({"max_tokens":7,"tools":[{"a":1}],"k":"stays"})");
  EXPECT_EQ(upstream.body(), R"({"max_tokens":7,"tools":[{"a":1}],"k":"stays","model":"x","n":7,"o":{"t":[{"a":1}],"s":"a 7"},"l":[]})");
  Chat(gateway, R"({"max_tokens":1.5e3,"yes":true})", "X-Short: 1\r\n");
  EXPECT_EQ(upstream.body(), R"({"max_tokens":1.5e3,"yes":true,"model":"x","n":5,"l":[true],"loud":true})");
  Chat(gateway, R"({"max_tokens":12345678901234567890,"tools":1.0})");
  EXPECT_TRUE(Holds(upstream.body(), R"("n":12345678901234567890,"o":{"t":1.0,)")) << upstream.body();
  EXPECT_TRUE(Chat(gateway, R"({"max_tokens":1})", "Content-Type: application/json; charset=utf-16\r\n").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(Chat(gateway, R"({"Model":"y"})").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(Chat(gateway, "[1]").starts_with("HTTP/1.1 400 "));
}

// ---- Caches ----------------------------------------------------------------------------------------------------------

constexpr const char* kCached =
    "upstream u { url = \"http://10.0.0.1:11434\" }\n"
    "cache kept { key = \"${request.path}\"  ttl = 10min  shared = true }\n"
    "route all { to = u  cache = kept }\n";

class CacheRules : public testing::Test {
 protected:
  // How many requests the upstream got of these.
  size_t Asked(const std::vector<std::pair<std::string, std::string>>& requests, const std::string& body = "") {
    const size_t before = upstream.requests.size();
    for (const auto& [line, headers] : requests) last = Ask(gateway, line, headers, body);
    return upstream.requests.size() - before;
  }
  void AnswerWith(const std::string& lines) { upstream.answer = "HTTP/1.1 200 OK\r\n" + lines + "Content-Length: 2\r\n\r\nok"; }

  SimGateway gateway{kCached};
  Upstream upstream{gateway};
  std::string last;
};

TEST_F(CacheRules, OnlyGetAndHeadAreAnsweredFromAGet) {
  EXPECT_EQ(Asked({{"GET /x", ""}, {"GET /x", ""}, {"HEAD /x", ""}}), 1u);
  EXPECT_EQ(Asked({{"PUT /x", ""}, {"DELETE /x", ""}, {"POST /x", ""}, {"OPTIONS /x", ""}, {"PATCH /x", ""}}), 5u);
  EXPECT_EQ(Asked({{"POST /x", ""}, {"GET /y", ""}, {"GET /y?q=1", ""}, {"GET /y?q=2", ""}, {"GET /y?q=1", ""}}), 4u);
  EXPECT_EQ(Asked({{"GET /a%2Fb", ""}, {"GET /a/b", ""}}), 2u);
}

TEST_F(CacheRules, AnswersThatSayTheyAreNotForOthersAreNotKept) {
  for (const char* lines :
       {"Cache-Control: private\r\n", "Cache-Control: max-age=5, No-Store\r\n", "Cache-Control: private=\"x\"\r\n",
        "Vary: *\r\n", "Vary: X-A, *\r\n", "Vary: X-Forwarded-For\r\n", "Vary: x-request-id\r\n",
        "Vary: X-Forwarded-Proto\r\n", "Vary: traceparent\r\n", "Content-Encoding: gzip\r\n", "Set-Cookie: a=b\r\n",
        "Cache-Control: no-cache\r\n", "Cache-Control: max-age=0\r\n", "Cache-Control: s-maxage=0, max-age=60\r\n",
        "Cache-Control: no-store;\r\n", "Cache-Control: max-age=soon\r\n"}) {
    AnswerWith(lines);
    EXPECT_EQ(Asked({{"GET /n", ""}, {"GET /n", ""}}), 2u) << lines;
  }
  AnswerWith("");
  EXPECT_EQ(Asked({{"GET /s", "Cache-Control: no-store\r\n"}, {"GET /s", ""}, {"GET /s", "Cache-Control: no-store\r\n"}, {"GET /s", ""}}), 3u);
  EXPECT_TRUE(Holds(gateway.Get("/metrics"), "cache_not_stored_total{reason=\"private\"} 6"));
}

TEST_F(CacheRules, WhatIsEmptyOrMayBeCutIsNotKept) {
  for (const char* answer : {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
                             "HTTP/1.1 304 Not Modified\r\n\r\n", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\nContent-Length: 2\r\n\r\nok"}) {
    SimGateway any("upstream u { url = \"http://10.0.0.1:11434\" }\n"
                   "cache kept { key = \"${request.path}\"  ttl = 10min  shared = true  store when true }\nroute all { to = u  cache = kept }\n");
    Upstream behind(any);
    behind.answer = answer;
    Ask(any, "GET /e", "");
    Ask(any, "GET /e", "");
    EXPECT_EQ(behind.requests.size(), 2u) << answer;
  }
  SimGateway plain(kCached);
  size_t asked = 0;
  SimServer server(&plain.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n")) return;
    ++asked;
    peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nhalf of");
    peer.stream->FinishWriting();
  });
  plain.Get("/c");
  plain.Get("/c");
  EXPECT_EQ(asked, 2u) << "its end is that of a connection, which a server that dies closes, too";
}

TEST_F(CacheRules, JsonTellsItsEndItself) {
  SimGateway plain(kCached);
  std::string body = "{\"a\":[1,2]}";
  size_t asked = 0;
  SimServer server(&plain.network, "10.0.0.1", 11434, [&](SimPeer& peer) {
    if (!Holds(peer.received, "\r\n\r\n")) return;
    ++asked;
    peer.Send("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + body);
    peer.stream->FinishWriting();
  });
  plain.Get("/j");
  plain.Get("/j");
  EXPECT_EQ(asked, 1u);
  body = "{\"a\":[1,";
  plain.Get("/k");
  plain.Get("/k");
  EXPECT_EQ(asked, 3u) << "cut";
}

TEST_F(CacheRules, AGetWithABodyIsForTheUpstream) {
  EXPECT_EQ(Asked({{"GET /z", "Content-Length: 0\r\n"}, {"GET /z", ""}}), 1u) << "an empty one is none";
  EXPECT_EQ(Asked({{"GET /b", ""}, {"GET /b", ""}}, "x"), 2u);
  EXPECT_EQ(Asked({{"GET /b", ""}, {"GET /b", ""}}), 1u);
}

// The upstream says that the answer differs by what it was sent: that is not always what the client said.
TEST(CacheVary, CountsByWhatTheUpstreamGot) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\"  header[\"X-Who\"] = \"${client.ip}\"  header[\"X-Fixed\"] = \"a\"  remove_header = [\"X-Gone\"] }\n"
                     "cache kept { key = \"${request.path}\"  ttl = 10min  shared = true }\nroute all { to = u  cache = kept }\n");
  Upstream upstream(gateway);
  const auto asked = [&](const std::string& vary, const std::string& path, const std::string& lines) {
    upstream.answer = "HTTP/1.1 200 OK\r\nVary: " + vary + "\r\nContent-Length: 2\r\n\r\nok";
    const size_t before = upstream.requests.size();
    Ask(gateway, "GET " + path, lines);
    return upstream.requests.size() - before;
  };
  EXPECT_EQ(asked("X-Who", "/w", "X-Who: a\r\n") + asked("X-Who", "/w", "X-Who: a\r\n"), 2u) << "the policy's value is anybody's";
  EXPECT_EQ(asked("X-Fixed", "/f", "X-Fixed: a\r\n") + asked("X-Fixed", "/f", "X-Fixed: b\r\n"), 1u);
  EXPECT_EQ(asked("X-Gone", "/g", "X-Gone: a\r\n") + asked("X-Gone", "/g", "X-Gone: b\r\n"), 1u);
  EXPECT_EQ(asked("X_U", "/u", "X_U: a\r\n") + asked("X_U", "/u", "X_U: b\r\n"), 1u) << "it is dropped";
  EXPECT_EQ(asked("X-L", "/l", "X-L: de\r\nConnection: x-l\r\n") + asked("X-L", "/l", "X-L: de\r\n"), 2u) << "nobody says another's language";
  EXPECT_EQ(asked("X-L", "/l", "X-L: de\r\n"), 0u);
  EXPECT_EQ(asked("X-L", "/l", ""), 0u) << "as who kept it from the upstream";
}

TEST_F(CacheRules, AnAnswerIsFreshNoLongerThanItsServerSays) {
  AnswerWith("Cache-Control: max-age=30\r\n");
  EXPECT_EQ(Asked({{"GET /m", ""}, {"GET /m", ""}}), 1u);
  gateway.network.RunFor(31s);
  EXPECT_EQ(Asked({{"GET /m", ""}}), 1u);
  AnswerWith("Cache-Control: no-cache=\"x-a\", max-age=99999\r\n");
  EXPECT_EQ(Asked({{"GET /l", ""}, {"GET /l", ""}}), 1u) << "one header only, and no longer than the policy says";
  gateway.network.RunFor(10min);
  EXPECT_EQ(Asked({{"GET /l", ""}}), 1u);
}

TEST_F(CacheRules, AnswersThatVaryAreForRequestsThatAreEqualInThat) {
  AnswerWith("Vary: X-User, Accept-Encoding\r\nVary: Accept-Language\r\n");
  EXPECT_EQ(Asked({{"GET /v", "X-User: a\r\n"}, {"GET /v", "X-User: b\r\n"}, {"GET /v", ""}}), 3u);
  EXPECT_EQ(Asked({{"GET /v", "X-User: a\r\nAccept-Encoding: br\r\n"}, {"GET /v", "X-User: b\r\n"}, {"GET /v", ""}}), 0u);
  EXPECT_EQ(Asked({{"GET /v", "X-User: a\r\nAccept-Language: de\r\n"}}), 1u);
}

TEST_F(CacheRules, WhatIsKeptPassedTheSameFilter) {
  AnswerWith(
      "X-Kept: 1\r\nX-Hop: 1\r\nConnection: x-hop\r\nKeep-Alive: timeout=5\r\nAge: 77\r\nWarning: 110 - "
      "stale\r\nX-Request-Id: theirs\r\n"
      "X-Breakwater-Fallback: posed\r\n");
  EXPECT_EQ(Asked({{"GET /h", ""}, {"GET /h", ""}}), 1u);
  EXPECT_TRUE(Holds(last, "X-Kept: 1") && Holds(last, "Age: 0\r\n")) << last;
  for (const char* gone : {"X-Hop", "Keep-Alive", "77", "Warning", "theirs", "posed"})
    EXPECT_FALSE(Holds(last, gone)) << gone << "\n" << last;
}

TEST_F(CacheRules, ALargeAnswerGoesOutInSteps) {
  SimGateway roomy("upstream u { url = \"http://10.0.0.1:11434\" }\n"
                   "cache kept { key = \"${request.path}\"  ttl = 10min  shared = true  max_entry = 8MiB }\nroute all { to = u  cache = kept }\n");
  SimServer server(&roomy.network, "10.0.0.1", 11434, Answering(std::string(4'000'000, 'y')));
  const std::string whole = roomy.Get("/big");
  ASSERT_GT(whole.size(), 4'000'000u);
  auto client = roomy.NewClient();
  client->stream->PauseReading();
  client->Send("GET /big HTTP/1.1\r\nHost: gateway\r\n\r\n");
  roomy.network.RunFor(1s);
  client->stream->ResumeReading();
  ASSERT_TRUE(roomy.network.RunUntil([&] { return client->received.size() > 4'000'000u; }, 10s)) << client->received.size();
  EXPECT_TRUE(client->received.ends_with("yyy"));
  client->Send("GET /health/live HTTP/1.1\r\nHost: gateway\r\n\r\n");
  EXPECT_TRUE(roomy.network.RunUntil([&] { return Holds(client->received, "\"live\""); }, 10s));
}

TEST_F(CacheRules, FollowersDoNotWaitForALeaderThatStoresNothing) {
  AnswerWith("Cache-Control: no-store\r\n");
  std::vector<std::unique_ptr<SimPeer>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(gateway.NewClient());
    clients.back()->Send("GET /f HTTP/1.1\r\nHost: gateway\r\n\r\n");
  }
  gateway.network.RunFor(1s);
  for (const auto& client : clients) EXPECT_TRUE(client->received.ends_with("ok"));
  EXPECT_EQ(upstream.requests.size(), 4u);
}

// ---- Peers -----------------------------------------------------------------------------------------------------------

TEST(Cut, IsToldInAFrameAndNotByAReset) {
  SimGateway gateway("upstream u { url = \"http://10.0.0.1:11434\" }\n");
  SimServer server(&gateway.network, "10.0.0.1", 11434, [](SimPeer& peer) {
    if (!Holds(peer.received, "}")) return;
    peer.Send("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
              "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"He\"},\"finish_reason\":null}]}\n\n");
    peer.stream->Reset();
  });
  for (const char* version : {"1.0", "1.1"}) {  // nginx asks with 1.0
    auto client = gateway.NewClient();
    client->Send("POST /v1/chat/completions HTTP/" + std::string(version) + "\r\nHost: a\r\nContent-Length: 15\r\n\r\n{\"stream\":true}");
    ASSERT_TRUE(gateway.network.RunUntil([&] { return Holds(client->received, "\"error\""); }, 10s)) << client->received;
    gateway.network.RunFor(100ms);
    EXPECT_FALSE(client->ended || client->was_reset) << version << ": who is in front still passes the frame on";
    ASSERT_TRUE(gateway.network.RunUntil([&] { return client->ended; }, 5s));
    EXPECT_FALSE(client->was_reset) << version;
    EXPECT_FALSE(client->received.ends_with("0\r\n\r\n")) << version;
    EXPECT_FALSE(Holds(client->received, "[DONE]")) << version;
  }
}

}  // namespace
}  // namespace tests
