#include "runtime/http/forwarding.h"

#include <gtest/gtest.h>

#include "runtime/http/message_parser.h"

namespace runtime::http {
namespace {

std::string ToUpstream(const std::string& head, const UpstreamRequest& request) {
  MessageParser parser(Role::kRequest, {});
  std::vector<std::string_view> body;
  EXPECT_EQ("", Name(parser.Feed(head, &body).error));
  EXPECT_TRUE(parser.head_complete());
  std::string out;
  AppendUpstreamRequest(parser.request(), request, &out);
  MessageParser again(Role::kRequest, {});
  EXPECT_EQ("", Name(again.Feed(out, &body).error)) << out;  // what we write, we accept
  return out;
}

std::string ToClient(const std::string& head, const ClientResponse& response, bool no_body = false) {
  MessageParser parser(Role::kResponse, {});
  if (no_body) parser.ExpectNoBody();
  std::vector<std::string_view> body;
  EXPECT_EQ("", Name(parser.Feed(head, &body).error));
  std::string out;
  AppendClientResponse(parser.response(), response, &out);
  return out;
}

UpstreamRequest Plain() {
  UpstreamRequest request;
  request.target = "/up";
  request.authority = "upstream:11434";
  request.peer_ip = "192.0.2.1";
  request.request_id = "id-1";
  return request;
}

constexpr std::string_view kAdded =
    "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: gateway\r\nX-Request-Id: id-1\r\n"
    "Via: 1.1 breakwater\r\n";

TEST(Forwarding, WritesTheRequestAnew) {
  UpstreamRequest request = Plain();
  request.framing = BodyFraming::kLength;
  request.content_length = 10;
  EXPECT_EQ(
      "POST /up HTTP/1.1\r\nHost: upstream:11434\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n" + std::string(kAdded) +
          "Content-Length: 10\r\n\r\n",
      ToUpstream(
          "POST /x HTTP/1.1\r\nHost: gateway\r\nAccept: */*\r\ncontent-length: 0010\r\nAccept-Encoding: gzip\r\n\r\n",
          request));
}

TEST(Forwarding, DropsWhatIsForOneHop) {
  const std::string dropped =
      "Connection: close, X-Named , x-other\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: "
      "trailers\r\n"
      "Trailer: X\r\nUpgrade: h2c\r\nProxy-Authorization: Basic x\r\nProxy-Authenticate: Basic\r\nExpect: "
      "100-continue\r\n"
      "X-Named: a\r\nX-OTHER: b\r\n";
  UpstreamRequest request = Plain();
  request.framing = BodyFraming::kChunked;
  EXPECT_EQ(
      "POST /up HTTP/1.1\r\nHost: upstream:11434\r\nKept: yes\r\n" + std::string(kAdded) +
          "Transfer-Encoding: chunked\r\n\r\n",
      ToUpstream("POST / HTTP/1.1\r\nHost: gateway\r\n" + dropped + "Kept: yes\r\nTransfer-Encoding: chunked\r\n\r\n",
                 request));
}

TEST(Forwarding, AClientCannotTakeAwayWhatTheGatewayWrites) {
  const std::string out = ToUpstream(
      "GET / HTTP/1.1\r\nHost: gateway\r\nConnection: x-forwarded-for, via, authorization\r\nAuthorization: "
      "client\r\n\r\n",
      [] {
        static constexpr SetHeader kSet[] = {{"Authorization", "Bearer secret"}};
        UpstreamRequest request = Plain();
        request.set = kSet;
        return request;
      }());
  EXPECT_NE(std::string::npos, out.find("X-Forwarded-For: 192.0.2.1\r\n"));
  EXPECT_NE(std::string::npos, out.find("Via: 1.1 breakwater\r\n"));
  EXPECT_NE(std::string::npos, out.find("Authorization: Bearer secret\r\n"));
  EXPECT_EQ(std::string::npos, out.find("client"));
}

TEST(Forwarding, StripsInternalNamesAndTwins) {
  EXPECT_EQ(
      "GET /up HTTP/1.1\r\nHost: upstream:11434\r\nA-B: kept\r\n" + std::string(kAdded) + "\r\n",
      ToUpstream(
          "GET / HTTP/1.1\r\nHost: gateway\r\nX-Breakwater-Fallback: x\r\nx_breakwater_admin: x\r\nX-Should-Retry: "
          "true\r\n"
          "X_Forwarded_For: 1.2.3.4\r\nProxy_Connection: x\r\nX-Request-Id: theirs\r\nX-Forwarded-Proto: https\r\n"
          "X-Forwarded-Host: theirs\r\nA_B: dropped\r\nA-B: kept\r\n"
          "Forwarded: for=1.2.3.4\r\n\r\n",
          Plain()));
}

TEST(Forwarding, AppendsToForwardedForAndVia) {
  const std::string out = ToUpstream(
      "GET / HTTP/1.1\r\nHost: gateway\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2\r\nVia: 1.0 a\r\nX-FORWARDED-FOR: "
      "10.0.0.3\r\n\r\n",
      [] {
        UpstreamRequest request = Plain();
        request.client_tls = true;
        return request;
      }());
  EXPECT_NE(std::string::npos, out.find("X-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.1\r\n")) << out;
  EXPECT_NE(std::string::npos, out.find("Via: 1.0 a, 1.1 breakwater\r\n")) << out;
  EXPECT_NE(std::string::npos, out.find("X-Forwarded-Proto: https\r\n")) << out;
}

TEST(Forwarding, PassesOnWhatATrustedProxySays) {
  UpstreamRequest request = Plain();
  request.client_tls = true;
  request.forwarded_host = "public.example";
  const std::string out = ToUpstream("GET / HTTP/1.1\r\nHost: gateway\r\n\r\n", request);
  EXPECT_NE(std::string::npos, out.find("X-Forwarded-Proto: https\r\n")) << out;
  EXPECT_NE(std::string::npos, out.find("X-Forwarded-Host: public.example\r\n")) << out;
}

TEST(Forwarding, TraceIsBegunWhereThereIsNone) {
  UpstreamRequest request = Plain();
  request.trace_parent = "00-new-01";
  EXPECT_NE(std::string::npos,
            ToUpstream("GET / HTTP/1.1\r\nHost: g\r\n\r\n", request).find("traceparent: 00-new-01\r\n"));
  const std::string kept = ToUpstream("GET / HTTP/1.1\r\nHost: g\r\nTraceparent: 00-old-01\r\n\r\n", request);
  EXPECT_NE(std::string::npos, kept.find("Traceparent: 00-old-01\r\n"));
  EXPECT_EQ(std::string::npos, kept.find("00-new-01"));
}

TEST(Forwarding, ViaNamesTheVersionThatWasReceived) {
  EXPECT_NE(std::string::npos, ToUpstream("GET / HTTP/1.0\r\n\r\n", Plain()).find("Via: 1.0 breakwater\r\n"));
  EXPECT_NE(std::string::npos,
            ToClient("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", ClientResponse()).find("Via: 1.0 breakwater\r\n"));
}

TEST(Forwarding, PolicySetsAndRemovesHeaders) {
  const SetHeader set[] = {{"Authorization", "Bearer k"}, {"Host", "named.example"}, {"X-New", "1"}};
  const std::vector<std::string> remove = {"cookie", "x-forwarded-for"};
  UpstreamRequest request = Plain();
  request.set = set;
  request.remove = remove;
  EXPECT_EQ(
      "GET /up HTTP/1.1\r\nAccept: a\r\nAuthorization: Bearer k\r\nHost: named.example\r\nX-New: 1\r\n"
      "X-Forwarded-Proto: http\r\nX-Forwarded-Host: gateway\r\nX-Request-Id: id-1\r\nVia: 1.1 breakwater\r\n\r\n",
      ToUpstream("GET / HTTP/1.1\r\nHost: gateway\r\nAUTHORIZATION: mine\r\nCookie: c\r\nAccept: a\r\nauthorization: "
                 "two\r\n\r\n",
                 request));
}

TEST(Forwarding, WritesTheResponseAnew) {
  const SetHeader set[] = {{"X-Request-Id", "id-1"}, {"Access-Control-Allow-Origin", "*"}};
  ClientResponse response;
  response.framing = BodyFraming::kChunked;
  response.set = set;
  EXPECT_EQ(
      "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Upstream-Request-Id: theirs\r\nX-Request-Id: id-1\r\n"
      "Access-Control-Allow-Origin: *\r\nVia: 1.1 breakwater\r\nTransfer-Encoding: chunked\r\n\r\n",
      ToClient("HTTP/1.1 200 Fine\r\nContent-Type: text/plain\r\nSet-Cookie: a\r\nConnection: keep-alive, "
               "X-Hop\r\nX-Hop: 1\r\n"
               "Keep-Alive: x\r\nSet-Cookie: b\r\nX-REQUEST-ID: theirs\r\naccess-control-allow-origin: evil\r\n"
               "X-Breakwater-Fallback: pretended\r\nContent-Length: 5\r\n\r\n",
               response));
}

TEST(Forwarding, TellsTheClientWhetherTheConnectionStays) {
  const std::string upstream = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  ClientResponse response;
  response.framing = BodyFraming::kLength;
  EXPECT_EQ(std::string::npos, ToClient(upstream, response).find("Connection"));
  response.client_minor_version = 0;
  EXPECT_NE(std::string::npos, ToClient(upstream, response).find("Connection: keep-alive\r\n"));
  response.keep_alive = false;
  EXPECT_NE(std::string::npos, ToClient(upstream, response).find("Connection: close\r\n"));
  EXPECT_EQ(std::string::npos, ToClient("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", response).find("Connection"));
}

TEST(Forwarding, AnAnswerWithoutABodyKeepsTheLengthThatItTells) {
  ClientResponse response;
  EXPECT_NE(std::string::npos,
            ToClient("HTTP/1.1 200 OK\r\nContent-Length: 0042\r\n\r\n", response, true).find("Content-Length: 42\r\n"));
  EXPECT_EQ(std::string::npos,
            ToClient("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", response, true).find("Length"));
  EXPECT_NE(
      std::string::npos,
      ToClient("HTTP/1.1 304 Not Modified\r\nContent-Length: 42\r\n\r\n", response).find("Content-Length: 42\r\n"));
  EXPECT_EQ(std::string::npos,
            ToClient("HTTP/1.1 204 No Content\r\nContent-Length: 42\r\n\r\n", response).find("Length"));
}

TEST(Forwarding, IsHopByHopKnowsTheTable) {
#define OWN_HEADER(id, name, requests, responses, why) EXPECT_EQ(requests, IsHopByHop(name)) << name;
#define KNOWN_HEADER(id, name) EXPECT_FALSE(IsHopByHop(name)) << name;
#include "runtime/http/header_names.def"
#undef KNOWN_HEADER
#undef OWN_HEADER
  EXPECT_TRUE(IsHopByHop("x-breakwater-anything"));
  EXPECT_FALSE(IsHopByHop("accept-encoding"));
  EXPECT_FALSE(IsHopByHop("authorization"));
  EXPECT_FALSE(IsHopByHop("tea"));
}

TEST(Forwarding, TheUpstreamsOwnRequestIdGoesOutUnderAnotherName) {
  ClientResponse response;
  const SetHeader ours[] = {{"X-Request-Id", "ours"}};
  response.set = ours;
  const std::string head = ToClient("HTTP/1.1 200 OK\r\nx-request-id: theirs\r\nX-Upstream-Request-Id: posed\r\n\r\n", response);
  EXPECT_NE(std::string::npos, head.find("X-Upstream-Request-Id: theirs\r\n"));
  EXPECT_NE(std::string::npos, head.find("X-Request-Id: ours\r\n"));
  EXPECT_EQ(std::string::npos, head.find("posed"));
  EXPECT_EQ(std::string::npos, ToClient("HTTP/1.1 200 OK\r\nX-Request-Id: ours\r\n\r\n", response).find("Upstream"));
}

TEST(Forwarding, CorsIsTheGatewaysWhereItSaysSo) {
  const std::string answer = "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\naccess-control-expose-headers: x\r\nX: y\r\n\r\n";
  ClientResponse response;
  EXPECT_NE(std::string::npos, ToClient(answer, response).find("Allow-Origin"));
  response.drops_cors = true;
  EXPECT_EQ(std::string::npos, ToClient(answer, response).find("ccess"));
  const std::string asked = "GET / HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n";
  UpstreamRequest request;
  request.target = "/";
  request.authority = "u";
  EXPECT_NE(std::string::npos, ToUpstream(asked, request).find("Origin: http://b"));
  request.drops_origin = true;
  EXPECT_EQ(std::string::npos, ToUpstream(asked, request).find("Origin"));
}

TEST(Forwarding, NamesWithUnderscoresPassWhereThePolicyLetsThem) {
  const std::string asked = "GET / HTTP/1.1\r\nHost: a\r\nx_tenant: t\r\nX_Mine: m\r\nContent_Type: x\r\nx_forwarded_for: 1.1.1.1\r\n\r\n";
  const SetHeader set[] = {{"X-Mine", "policy"}};
  UpstreamRequest request;
  request.target = "/";
  request.authority = "u";
  request.set = set;
  EXPECT_EQ(std::string::npos, ToUpstream(asked, request).find("x_tenant"));
  request.passes_underscores = true;
  const std::string head = ToUpstream(asked, request);
  EXPECT_NE(std::string::npos, head.find("x_tenant: t\r\n"));
  EXPECT_EQ(std::string::npos, head.find("X_Mine"));  // the policy says it
  EXPECT_EQ(std::string::npos, head.find("x_forwarded_for"));
}

TEST(RewriteReference, LeadsBackHere) {
  ClientResponse response;
  response.upstream_authority = "10.0.0.1:11434";
  response.client_authority = "chat.example";
  response.client_tls = true;
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"http://10.0.0.1:11434/v1/x?y=1", "https://chat.example/v1/x?y=1"},
      {"HTTP://10.0.0.1:11434", "https://chat.example/"},
      {"//10.0.0.1:11434/x", "https://chat.example/x"},
      {"http://10.0.0.1:11434?y", "https://chat.example/?y"},
      {"http://10.0.0.1/x", "http://10.0.0.1/x"},
      {"https://elsewhere.example/x", "https://elsewhere.example/x"},
      {"http://10.0.0.1:11434.evil.example/x", "http://10.0.0.1:11434.evil.example/x"},
      {"/x", "/x"},
      {"x/y", "x/y"},
      {"", ""},
  };
  for (const auto& [reference, rewritten] : cases) EXPECT_EQ(rewritten, RewriteReference(reference, response)) << reference;
  response.upstream_base = "/ollama";
  EXPECT_EQ("https://chat.example/x", RewriteReference("http://10.0.0.1:11434/ollama/x", response));
  EXPECT_EQ("/x", RewriteReference("/ollama/x", response));
  EXPECT_EQ("/", RewriteReference("/ollama", response));
  EXPECT_EQ("/ollamas", RewriteReference("/ollamas", response));
  response.upstream_base = "/api/v3";
  response.client_base = "/v1";
  EXPECT_EQ("/v1/x", RewriteReference("/api/v3/x", response));
  EXPECT_EQ("/v1?y", RewriteReference("/api/v3?y", response));
  EXPECT_EQ("/v3/x", RewriteReference("/v3/x", response));
  response.upstream_base = "/ollama";
  response.client_base = "";
  response.upstream_authority = "api.example";
  EXPECT_EQ("https://chat.example/x", RewriteReference("https://api.example/x", response));
  EXPECT_EQ("https://chat.example/x", RewriteReference("http://api.example:80/x", response));
  response.client_authority = "";
  EXPECT_EQ("/x", RewriteReference("https://api.example/x", response));
  response.upstream_authority = "";
  EXPECT_EQ("https://api.example/x", RewriteReference("https://api.example/x", response));
}

TEST(Forwarding, ManyNamesInConnectionCostWhatTheyAreLong) {
  std::string lines = "Connection: x-0";
  for (int i = 1; i < 1000; ++i) lines += ", x-" + std::to_string(i);
  lines += "\r\nX-5: a\r\nX-Other: b\r\n";
  UpstreamRequest request;
  request.target = "/";
  request.authority = "u";
  const std::string head = ToUpstream("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n", request);
  EXPECT_EQ(std::string::npos, head.find("X-5"));
  EXPECT_NE(std::string::npos, head.find("X-Other: b\r\n"));
}

// What a proxy in front says of the client is its word only where it is a trusted one.
TEST(ForwardRequest, WhatOnlyAProxyMaySayComesFromATrustedOneAlone) {
  const std::string asked =
      "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Prefix: /admin\r\nx_real_ip: 10.0.0.1\r\nX-Real-IP: "
      "10.0.0.1\r\nTRUE-CLIENT-IP: 10.0.0.1\r\n"
      "CF-Connecting-IP: 10.0.0.1\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Other: kept\r\nX-Real: kept\r\n\r\n";
  UpstreamRequest request = Plain();
  const std::string out = ToUpstream(asked, request);
  for (const std::string_view name : {"Prefix", "Real-IP", "real_ip", "TRUE", "CF-", "Forwarded-Port"})
    EXPECT_EQ(std::string::npos, out.find(name)) << name << "\n" << out;
  EXPECT_NE(std::string::npos, out.find("X-Forwarded-Other: kept\r\nX-Real: kept\r\n")) << out;
  request.from_proxy = true;
  const std::string trusted = ToUpstream(asked, request);
  for (const std::string_view line : {"X-Forwarded-Prefix: /admin\r\n", "X-Real-IP: 10.0.0.1\r\n",
                                      "TRUE-CLIENT-IP: 10.0.0.1\r\n", "X-Forwarded-Port: 1\r\n"}) {
    EXPECT_NE(std::string::npos, trusted.find(line)) << line << trusted;
  }
}

}  // namespace
}  // namespace runtime::http
