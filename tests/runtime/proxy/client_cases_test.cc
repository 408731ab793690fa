// What clients get wrong, and right, as the whole gateway meets it: every case of tests/runtime/http/request_cases.h whole,
// byte by byte and cut at every place. Looked at is what reached the upstream, to the byte, what the client was told, and
// whether the next request on the connection was framed right.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "tests/runtime/http/request_cases.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {
namespace {

using namespace std::chrono_literals;
using runtime::http::cases::AcceptedCase;
using runtime::http::cases::AcceptedCases;
using runtime::http::cases::RefusedCase;
using runtime::http::cases::RefusedCases;

bool Holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// An upstream that keeps every request as "METHOD target {headers} [body]" and answers it. Of the headers, those that the
// gateway adds to each request are looked at and left out.
class Witness {
 public:
  Witness(SimNetwork* network, const std::string& answer_headers = "")
      : answer_headers_(answer_headers), server_(network, "10.0.0.1", 11434, [this](SimPeer& peer) { Serve(peer); }) {}

  std::string client = "10.0.0.99";  // X-Forwarded-For, as expected
  std::vector<std::string> requests;
  std::vector<std::string> heads;    // as they came

 private:
  void Serve(SimPeer& peer) {
    for (;;) {
      const size_t end = peer.received.find("\r\n\r\n");
      if (end == std::string::npos) return;
      const std::string head = peer.received.substr(0, end + 2);
      const size_t at = head.find("Content-Length: ");
      const size_t length = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
      EXPECT_FALSE(Holds(head, "Transfer-Encoding")) << head;
      if (peer.received.size() < end + 4 + length) return;
      heads.push_back(head);
      requests.push_back(Describe(head, peer.received.substr(end + 4, length)));
      peer.received.erase(0, end + 4 + length);
      peer.Send("HTTP/1.1 200 OK\r\n" + answer_headers_ + "Content-Length: 2\r\n\r\n" + (head.starts_with("HEAD") ? "" : "ok"));
    }
  }

  std::string Describe(const std::string& head, const std::string& body) const {
    std::string line = head.substr(0, head.find("\r\n"));
    EXPECT_TRUE(line.ends_with(" HTTP/1.1")) << line;
    line.resize(line.size() - 9);
    std::string headers;
    std::multiset<std::string> added;
    for (size_t from = head.find("\r\n") + 2; from < head.size();) {
      const size_t to = head.find("\r\n", from);
      const std::string header = head.substr(from, to - from);
      from = to + 2;
      const std::string name = header.substr(0, header.find(':'));
      static const std::set<std::string> kAdded = {"Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host",
                                                   "X-Request-Id", "Via", "traceparent"};
      if (!kAdded.contains(name)) {
        headers += (headers.empty() ? "" : "; ") + header;
        continue;
      }
      added.insert(name);
      if (name == "Host") {
        EXPECT_EQ(header, "Host: 10.0.0.1:11434");
      }
      if (name == "X-Forwarded-For") {
        EXPECT_EQ(header, "X-Forwarded-For: " + client);
      }
      if (name == "Via") {
        EXPECT_TRUE(header == "Via: 1.1 breakwater" || header == "Via: 1.0 breakwater") << header;
      }
    }
    for (const std::string name : {"Host", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id", "Via", "traceparent"})
      EXPECT_EQ(added.count(name), 1u) << name << "\n" << head;
    return line + " {" + headers + "} [" + body + "]";
  }

  std::string answer_headers_;
  SimServer server_;
};

constexpr const char* kPolicy = "upstream u { url = \"http://10.0.0.1:11434\" }\n";

struct Sent {
  std::string answers;  // all that the client got
  bool closed = false;
};

// Sends the pieces one after another, each on its way before the next is written.
Sent Send(SimGateway* gateway, const std::vector<std::string_view>& pieces) {
  auto client = gateway->NewClient();
  for (const std::string_view piece : pieces) {
    if (client->ended) break;
    client->Send(piece);
    gateway->network.RunFor(1ms);
  }
  gateway->network.RunFor(5ms);
  return {client->received, client->ended};
}

// Calls visit with each way to cut the input: whole, byte by byte, and in two at every place (long ones here and there).
void EachWay(std::string_view input, const std::function<void(const std::vector<std::string_view>&, const std::string&)>& visit) {
  visit({input}, "whole");
  if (input.size() < 4000) {
    std::vector<std::string_view> bytes;
    for (size_t i = 0; i < input.size(); ++i) bytes.push_back(input.substr(i, 1));
    visit(bytes, "byte by byte");
  }
  const size_t step = std::max<size_t>(1, input.size() / 250);
  for (size_t cut = 1; cut < input.size() && !testing::Test::HasFailure(); cut += step) {
    visit({input.substr(0, cut), input.substr(cut)}, "cut at " + std::to_string(cut));
  }
}

const std::string kNext = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

class RefusedByTheGateway : public testing::TestWithParam<RefusedCase> {};

TEST_P(RefusedByTheGateway, ReachesNobodyAndEndsTheConnection) {
  SimGateway gateway(kPolicy);
  Witness upstream(&gateway.network);
  // What follows a refused request must never be read as a request.
  const std::string input = GetParam().input + kNext;
  const std::string status = "HTTP/1.1 " + std::to_string(StatusOf(GetParam().error)) + " ";
  EachWay(input, [&](const std::vector<std::string_view>& pieces, const std::string& how) {
    const Sent sent = Send(&gateway, pieces);
    EXPECT_TRUE(sent.answers.starts_with(status)) << how << "\n" << sent.answers;
    EXPECT_TRUE(Holds(sent.answers, "Connection: close\r\n")) << how << "\n" << sent.answers;
    EXPECT_TRUE(Holds(sent.answers, Name(GetParam().error))) << how << "\n" << sent.answers;
    EXPECT_EQ(sent.answers.find("X-Request-Id: "), sent.answers.rfind("X-Request-Id: ")) << how << ": two answers\n" << sent.answers;
    EXPECT_TRUE(sent.closed) << how;
    EXPECT_EQ(upstream.requests, std::vector<std::string>()) << how;
  });
}

INSTANTIATE_TEST_SUITE_P(Case, RefusedByTheGateway, testing::ValuesIn(RefusedCases()),
                         [](const auto& param) { return runtime::http::cases::TestName(param.param, param.index); });

class ForwardedByTheGateway : public testing::TestWithParam<AcceptedCase> {};

TEST_P(ForwardedByTheGateway, ReachesTheUpstreamAnewAndTheNextRequestIsFramedRight) {
  const AcceptedCase& c = GetParam();
  SimGateway gateway(kPolicy);
  Witness upstream(&gateway.network);
  const bool goes_on = c.head.ends_with("keep_alive 1");
  const std::string input = c.input.substr(0, c.input.size() - c.rest.size()) + kNext;
  std::vector<std::string> expected = {c.forwarded};
  if (goes_on) expected.push_back("GET /next {} []");
  EachWay(input, [&](const std::vector<std::string_view>& pieces, const std::string& how) {
    upstream.requests.clear();
    const Sent sent = Send(&gateway, pieces);
    EXPECT_EQ(upstream.requests, expected) << how << "\n" << sent.answers;
    size_t answers = 0;
    for (size_t at = 0; (at = sent.answers.find("HTTP/1.1 200 OK\r\n", at)) != std::string::npos; ++at) ++answers;
    EXPECT_EQ(answers, expected.size()) << how << "\n" << sent.answers;
    EXPECT_EQ(Holds(sent.answers, "HTTP/1.1 100 Continue\r\n\r\n"), Holds(c.head, "expects")) << how;
    EXPECT_TRUE(sent.closed) << how;  // after /next, or because the client asked for it
  });
}

INSTANTIATE_TEST_SUITE_P(Case, ForwardedByTheGateway, testing::ValuesIn(AcceptedCases()),
                         [](const auto& param) { return runtime::http::cases::TestName(param.param, param.index); });

TEST(ClientCases, EachNumberHasItsTest) {
  std::set<int> rows;
  for (const auto& c : RefusedCases()) rows.insert(std::atoi(c.name));
  for (const auto& c : AcceptedCases()) rows.insert(std::atoi(c.name));
  for (const int row : {40, 47, 49, 50, 51}) rows.insert(row);  // below
  rows.insert(48);                                              // ClientLimits.*
  for (int row = 1; row <= 51; ++row) EXPECT_TRUE(rows.contains(row)) << row;
}

// ---- Row 35: paths ---------------------------------------------------------------------------------------------------

TEST(RequestPaths, PathsThatLeaveTheRootOrHideANulReachNobody) {
  SimGateway gateway(kPolicy);
  Witness upstream(&gateway.network);
  for (const std::string path : {"/..", "/a/../../b", "/%2e%2e/a", "/..;/a", "/a%00b", "/a%zz"}) {
    EachWay("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n" + kNext, [&](const auto& pieces, const std::string& how) {
      const Sent sent = Send(&gateway, pieces);
      EXPECT_TRUE(sent.answers.starts_with("HTTP/1.1 400 ")) << path << " " << how << "\n" << sent.answers;
      EXPECT_TRUE(sent.closed) << path << " " << how;
      EXPECT_TRUE(upstream.requests.empty()) << path << " " << how;
    });
  }
}

TEST(RequestPaths, TheUpstreamGetsThePathThatWasJudged) {
  SimGateway gateway(std::string(kPolicy) +
                     "route guarded { when request.path == \"/api/pull\"  reply = no }\nroute rest { to = u }\n"
                     "reply no { status = 403  text = \"no\" }\n");
  Witness upstream(&gateway.network);
  for (const std::string path : {"/api/pull", "//api/./pull", "/x/../api/pull", "/api/%70ull"})
    EXPECT_TRUE(gateway.Get(path).starts_with("HTTP/1.1 403 ")) << path;
  EXPECT_TRUE(upstream.requests.empty());
  EXPECT_TRUE(gateway.Get("/api%2Fpull").starts_with("HTTP/1.1 400 ")) << "a server that decodes it first would see what is refused";
  EXPECT_TRUE(gateway.Get("/api%2fcreate").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(gateway.Get("/x/..;y/api/pull").starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(upstream.requests.empty());
  EXPECT_TRUE(gateway.Get("/a/../b%2fc//d?x=%2f..").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(gateway.Get("/v1/models/Qwen%2FQwen3").starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(upstream.requests, (std::vector<std::string>{"GET /b%2Fc/d?x=%2f.. {} []", "GET /v1/models/Qwen%2FQwen3 {} []"}));
}

// ---- Row 40: too large, told before the rest comes -------------------------------------------------------------------

TEST(RequestLimits, WhatIsTooLargeIsRefusedAtTheByteBeyondTheLimit) {
  SimGateway gateway(kPolicy,
                     "limits { header_bytes = 1KiB  header_line = 256B  header_count = 5  uri = 100B  body = 10B }");
  Witness upstream(&gateway.network);
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\n";
  std::string many;
  for (int i = 0; i < 4; ++i) many += "A: b\r\n";
  std::string large;
  for (int i = 0; i < 4; ++i) large += "A: " + std::string(250, 'x') + "\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  struct Limit {
    std::string at;      // just within
    std::string beyond;  // what more is one too much; no line end follows
    int status;
  };
  const std::vector<Limit> limits = {
      {"GET /" + std::string(99, 'u'), "u", 414},
      {start + "A: " + std::string(253, 'x'), "x", 431},
      {start + many, "A", 431},
      {start + large.substr(0, 1024 - start.size()), "x", 431},
      {post + "Content-Length: 1", "1\r\n\r\n", 413},
      {post + "Transfer-Encoding: chunked\r\n\r\n6\r\nsixsix\r\n", "5\r\n", 413},
  };
  for (const Limit& limit : limits) {
    auto client = gateway.NewClient();
    client->Send(limit.at);
    gateway.network.RunFor(5ms);
    EXPECT_EQ(client->received, "") << limit.at;
    client->Send(limit.beyond);
    gateway.network.RunFor(5ms);
    EXPECT_TRUE(client->received.starts_with("HTTP/1.1 " + std::to_string(limit.status) + " ")) << limit.at << "\n" << client->received;
    EXPECT_TRUE(client->ended);
  }
  EXPECT_TRUE(upstream.requests.empty());
  EXPECT_EQ(Send(&gateway, {post + "Content-Length: 10\r\nConnection: close\r\n\r\n0123456789"}).answers.substr(0, 13), "HTTP/1.1 200 ");
}

// ---- Row 47: who is asking -------------------------------------------------------------------------------------------

TEST(ForwardedAddresses, ForwardedAddressesAreAppendedToAndBelievedOnlyFromTrustedProxies) {
  const std::string policy = std::string(kPolicy) +
                             "route mine { when client.ip == \"203.0.113.9\" and client.tls  reply = yes }\n"
                             "route rest { to = u }\nreply yes { status = 299  text = \"yes\" }\n";
  const std::string forged =
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9:1234, 10.1.1.1\r\n"
      "X-Forwarded-Proto: https\r\nX-Forwarded-Host: public.example\r\nConnection: close\r\n\r\n";
  SimGateway open(policy);
  Witness open_upstream(&open.network);
  open_upstream.client = "198.51.100.1, 203.0.113.9:1234, 10.1.1.1, 10.0.0.99";
  EXPECT_TRUE(Send(&open, {forged}).answers.starts_with("HTTP/1.1 200 "));
  ASSERT_EQ(open_upstream.heads.size(), 1u);
  EXPECT_TRUE(Holds(open_upstream.heads[0], "X-Forwarded-Proto: http\r\n"));
  EXPECT_TRUE(Holds(open_upstream.heads[0], "X-Forwarded-Host: a\r\n"));

  SimGateway behind(policy, "trusted_proxies = [10.0.0.0/8]");
  Witness behind_upstream(&behind.network);
  EXPECT_TRUE(Send(&behind, {forged}).answers.starts_with("HTTP/1.1 299 "));

  // Without the route, what goes on says what the trusted proxy said.
  SimGateway passing(kPolicy, "trusted_proxies = [\"10.0.0.99\"]");
  Witness passing_upstream(&passing.network);
  passing_upstream.client = open_upstream.client;
  EXPECT_TRUE(Send(&passing, {forged}).answers.starts_with("HTTP/1.1 200 "));
  ASSERT_EQ(passing_upstream.heads.size(), 1u);
  EXPECT_TRUE(Holds(passing_upstream.heads[0], "X-Forwarded-Proto: https\r\n"));
  EXPECT_TRUE(Holds(passing_upstream.heads[0], "X-Forwarded-Host: public.example\r\n"));
}

// ---- Row 49: JSON that wants to hurt ---------------------------------------------------------------------------------

constexpr const char* kReadsJson =
    "upstream u { url = \"http://10.0.0.1:11434\" }\n"
    "route blocked { when request.json.model == \"big\"  reply = no }\nroute rest { to = u }\n"
    "reply no { status = 403  text = \"no\" }\n";

std::string PostOf(const std::string& body, const std::string& headers = "", const std::string& path = "/x") {
  return "POST " + path + " HTTP/1.1\r\nHost: a\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
}

TEST(RequestJson, JsonBombsAreRefusedWhereThePolicyReadsJsonAndNeverCrash) {
  SimGateway gateway(kReadsJson);
  Witness upstream(&gateway.network);
  const auto status = [&](const std::string& body) { return Send(&gateway, {PostOf(body)}).answers.substr(9, 3); };
  EXPECT_EQ(status(std::string(100'000, '[')), "400");
  EXPECT_EQ(status(R"({"model":"small","model":"big"})"), "400");
  EXPECT_EQ(status(R"({"model":"small"}{"model":"big"})"), "400");
  EXPECT_EQ(status(R"({"model":"big"} x)"), "400");
  EXPECT_TRUE(upstream.requests.empty());
  EXPECT_EQ(status(R"({"model":"big"})"), "403");
  EXPECT_EQ(status(R"({"m\u006fdel":"b\u0069g"})"), "403");
  for (const std::string body : {"\xef\xbb\xbf{\"model\":\"small\"}", "no json", "[]"}) EXPECT_EQ(status(body), "400") << body;
  for (const std::string body : {R"({"a":1e999})", R"({"model":"\ud800"})", ""}) EXPECT_EQ(status(body), "200") << body;
}

TEST(RequestJson, JsonThatNobodyReadsPassesAsItIs) {
  SimGateway gateway(kPolicy);
  Witness upstream(&gateway.network);
  const std::string body = R"({"model":"a","model":"b"} x)" + std::string(1000, '[');
  EXPECT_TRUE(Send(&gateway, {PostOf(body)}).answers.starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(upstream.requests, std::vector<std::string>{"POST /x {Content-Length: " + std::to_string(body.size()) + "} [" + body + "]"});
}

// ---- Rows 50 and 51: compressed bodies -------------------------------------------------------------------------------

TEST(RequestCoding, ACodingThatIsNotKnownIsA415WhereThePolicyReadsBodies) {
  SimGateway reading(kReadsJson);
  Witness reading_upstream(&reading.network);
  EachWay(PostOf("packed", "Content-Encoding: br\r\n"), [&](const auto& pieces, const std::string& how) {
    const Sent sent = Send(&reading, pieces);
    EXPECT_TRUE(sent.answers.starts_with("HTTP/1.1 415 ")) << how << sent.answers;
    EXPECT_TRUE(Holds(sent.answers, "Accept-Encoding: identity\r\n")) << how;
  });
  EXPECT_TRUE(reading_upstream.requests.empty());
  EXPECT_TRUE(Send(&reading, {PostOf("{}", "Content-Encoding: identity\r\n")}).answers.starts_with("HTTP/1.1 200 "));

  SimGateway blind(kPolicy);
  Witness blind_upstream(&blind.network);
  EXPECT_TRUE(Send(&blind, {PostOf("packed", "Content-Encoding: gzip\r\n")}).answers.starts_with("HTTP/1.1 200 "));
  EXPECT_EQ(blind_upstream.requests, std::vector<std::string>{"POST /x {Content-Encoding: gzip; Content-Length: 6} [packed]"});
}

TEST(AnswerCoding, AnswersThatAreLookedIntoAreAskedForPlainAndPackedOnesPassBy) {
  SimGateway gateway(kPolicy);
  // "ok" is neither gzip nor JSON: looked into, it would be taken for a broken answer.
  Witness upstream(&gateway.network, "Content-Type: application/json\r\nContent-Encoding: gzip\r\n");
  const Sent chat = Send(&gateway, {PostOf("{}", "Accept-Encoding: gzip, br\r\n", "/api/chat")});
  EXPECT_TRUE(chat.answers.starts_with("HTTP/1.1 200 ")) << chat.answers;
  EXPECT_TRUE(Holds(chat.answers, "Content-Encoding: gzip\r\n")) << chat.answers;
  Send(&gateway, {PostOf("{}", "Accept-Encoding: gzip, br\r\n", "/other")});
  EXPECT_EQ(upstream.requests, (std::vector<std::string>{
                                   "POST /api/chat {Accept-Encoding: identity; Content-Length: 2} [{}]",
                                   "POST /other {Accept-Encoding: gzip, br; Content-Length: 2} [{}]"}));
}

}  // namespace
}  // namespace tests
