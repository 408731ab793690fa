// TLS on real sockets, against other people's implementations: curl, openssl and node as clients, node and openssl as servers.
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"
#include "tests/support/certificates.h"

namespace tests::e2e {
namespace {

using support::Certificate;
using support::CertificateMaker;
using support::CertificateOptions;

class TlsStory : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    maker_ = new CertificateMaker;
    root_ = maker_->Root("Test Root");
    good_ = maker_->Issue(root_, "good");
  }
  static void TearDownTestSuite() { delete maker_; }

  static std::string Edge(const Certificate& certificate, const std::string& more = "") {
    return "tls edge { certificate = \"" + certificate.certificate + "\"  key = \"" + certificate.key + "\"  " + more +
           " }\n";
  }
  static std::string Policy(const std::string& gateway, const std::string& rest) {
    return "edition 1\ngateway { listen = \"127.0.0.1:0\"  listen_tls = \"127.0.0.1:0\"  tls = edge  admin = "
           "\"127.0.0.1:0\"  " +
           gateway + " }\n" + rest;
  }
  static constexpr const char* kWho =
      "reply safe { status = 200  text = \"over tls\" }\nreply plain { status = 200  text = \"in the clear\" }\n"
      "route tls { when client.tls  reply = safe }\nroute all { reply = plain }\n";

  static std::string TlsPort(const GatewayProcess& gateway) {
    const Json event = gateway.WaitForEvent(
        [](const Json& e) { return e.value("message", "") == "listening" && e.value("protocol", "") == "https"; });
    const std::string address = event.value("address", "");
    return address.substr(address.rfind(':') + 1);
  }
  static std::string Curl(const std::string& port, const std::string& more = "", const std::string& path = "/") {
    return "curl -sS --max-time 20 --cacert " + root_.certificate + " " + more + " https://localhost:" + port + path;
  }

  static inline CertificateMaker* maker_;
  static inline Certificate root_, good_;
};

TEST_F(TlsStory, ClientsAreServedAndKnownAsSuch) {
  GatewayProcess gateway(Policy("", Edge(good_) + kWho));
  const std::string port = TlsPort(gateway);
  Ran ran = Shell(Curl(port, "-w ' %{http_version} %{ssl_verify_result}'"));
  EXPECT_EQ(ran.output, "over tls 1.1 0") << "curl offers h2 as well, and gets HTTP/1.1";
  EXPECT_EQ(Get(gateway.port(), "/").body, "in the clear");
  ran = Shell(Curl(port, "--tls-max 1.2 -w ' %{http_code}'"));
  EXPECT_EQ(ran.output, "over tls 200");
  ran = Shell("NODE_EXTRA_CA_CERTS=" + root_.certificate + " node -e \"fetch('https://localhost:" + port +
              "/').then(r => r.text()).then(t => console.log(t), e => console.log('no', e.cause))\"");
  EXPECT_TRUE(Holds(ran.output, "over tls")) << ran.output;
  // Two requests over one connection.
  ran = Shell(Curl(port, "-w ' %{num_connects}\\n'") + " https://localhost:" + port + "/again");
  EXPECT_EQ(ran.output, "over tls 1\nover tls 0\n");
}

TEST_F(TlsStory, WhatIsNotSafeIsRefusedByAnAlert) {
  GatewayProcess gateway(Policy("", Edge(good_) + kWho));
  const std::string port = TlsPort(gateway);
  const std::string client = "openssl s_client -connect 127.0.0.1:" + port + " -servername localhost ";
  Ran ran = Shell(client + "-tls1_1 -cipher DEFAULT@SECLEVEL=0 </dev/null");
  EXPECT_TRUE(Holds(ran.output, "alert protocol version")) << ran.output;
  ran = Shell(client + "-tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 </dev/null");
  EXPECT_TRUE(Holds(ran.output, "handshake failure")) << ran.output;
  ran = Shell(client + "-alpn h2 </dev/null");
  EXPECT_TRUE(Holds(ran.output, "alert")) << ran.output;
  ran = Shell(client + "-alpn h2,http/1.1 </dev/null");
  EXPECT_TRUE(Holds(ran.output, "ALPN protocol: http/1.1")) << ran.output;
  EXPECT_TRUE(WaitUntil([&] { return gateway.CountEvents("TLS with a client failed") >= 3; }));
  for (const Json& event : gateway.events()) {
    if (event.value("message", "") == "TLS with a client failed") {
      EXPECT_EQ(event.value("reason", ""), "protocol") << event.dump();
    }
  }
}

TEST_F(TlsStory, SessionsAreResumedOnEveryLoop) {
  GatewayOptions options;
  options.arguments = {"--workers", "2"};
  GatewayProcess gateway(Policy("", Edge(good_) + kWho), options);
  const std::string port = TlsPort(gateway);
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    const std::string session = maker_->path(std::string("session") + version);
    const std::string client =
        "(printf 'GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n'; sleep 0.2) | openssl s_client "
        "-connect 127.0.0.1:" +
        port + " -servername localhost -ign_eof " + version;
    Ran ran = Shell(client + " -sess_out " + session);
    ASSERT_TRUE(Holds(ran.output, "New, TLS")) << ran.output;
    int resumed = 0;
    for (int i = 0; i < 8; ++i) resumed += Holds(Shell(client + " -sess_in " + session).output, "Reused, TLS") ? 1 : 0;
    EXPECT_EQ(resumed, 8) << version;
  }
}

TEST_F(TlsStory, PlainRequestsToTheTlsPortAreToldSoAndTheOtherPortRedirects) {
  GatewayProcess gateway(Policy("redirect = https", Edge(good_) + kWho));
  const std::string port = TlsPort(gateway);
  const Answer plain = Get(static_cast<uint16_t>(std::stoi(port)), "/");
  EXPECT_EQ(plain.status, 400);
  EXPECT_TRUE(Holds(plain.body, "https://")) << plain.body;
  EXPECT_TRUE(plain.looks_complete());
  const Answer redirect = Post(gateway.port(), "/api/chat?x=1", Chat("x"), {{"Host", "gw.example:8080"}});
  EXPECT_EQ(redirect.status, 308);
  EXPECT_EQ(redirect.header("location"), "https://gw.example:" + port + "/api/chat?x=1");
  const Ran ran = Shell(Curl(port));
  EXPECT_EQ(ran.output, "over tls");
}

TEST_F(TlsStory, ClientsShowCertificatesWhereTheyAreAskedFor) {
  const Certificate other_root = maker_->Root("Other Root");
  const Certificate me = maker_->Issue(root_, "me", {.names = {}});
  const Certificate stranger = maker_->Issue(other_root, "stranger", {.names = {}});
  GatewayProcess gateway(Policy("", Edge(good_, "client_ca = \"" + root_.certificate + "\"") + kWho));
  const std::string port = TlsPort(gateway);
  Ran ran = Shell(Curl(port, "--cert " + me.certificate + " --key " + me.key));
  EXPECT_EQ(ran.output, "over tls");
  ran = Shell(Curl(port));
  EXPECT_NE(ran.code, 0);
  EXPECT_TRUE(Holds(ran.output, "certificate required") || Holds(ran.output, "alert")) << ran.output;
  ran = Shell(Curl(port, "--cert " + stranger.certificate + " --key " + stranger.key));
  EXPECT_NE(ran.code, 0);
  gateway.WaitForEvent([](const Json& e) { return e.value("reason", "") == "certificate_missing"; });
  gateway.WaitForEvent([](const Json& e) { return e.value("reason", "") == "unknown_authority"; });
}

TEST_F(TlsStory, HandshakesThatDoNotEndAreEnded) {
  GatewayProcess gateway(Policy("limits { handshake_time = 300ms  handshakes = 2 }", Edge(good_) + kWho));
  const std::string port = TlsPort(gateway);
  std::vector<std::unique_ptr<RawClient>> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(std::make_unique<RawClient>(static_cast<uint16_t>(std::stoi(port))));
  gateway.WaitForEvent([](const Json& e) { return e.value("reason", "") == "timeout"; });
  for (auto& client : silent) EXPECT_TRUE(client->WaitForClose());
  EXPECT_EQ(Shell(Curl(port)).output, "over tls") << "the others waited to be accepted";
}

TEST_F(TlsStory, AGatewayThatCanNotUseItsCertificateDoesNotStart) {
  const Certificate expired = maker_->Issue(root_, "expired", {.ends = "20210101000000Z"});
  for (const auto& [certificate, key, words] : {std::tuple(expired.certificate, expired.key, "ended on 2021-01-01"),
                                                std::tuple(good_.certificate, root_.key, "does not fit"),
                                                std::tuple(std::string("/nowhere.pem"), good_.key, "No such file")}) {
    GatewayOptions options;
    options.waits_for_ready = false;
    GatewayProcess gateway(
        Policy("", "tls edge { certificate = \"" + certificate + "\"  key = \"" + key + "\" }\n" + kWho), options);
    EXPECT_EQ(gateway.process().WaitForExit(), 1);
    std::string all;
    for (const std::string& line : gateway.process().err()) all += line + "\n";
    EXPECT_TRUE(Holds(all, words)) << all;
  }
}

// Kubernetes and certbot swap a symlink.
TEST_F(TlsStory, CertificatesAreRenewedAsPairsWithoutAFailedHandshake) {
  const Certificate next = maker_->Issue(root_, "next");
  const auto link = [&](const Certificate& certificate) {
    const std::string folder = maker_->path("of-" + certificate.subject);
    std::filesystem::create_directories(folder);
    std::filesystem::copy_file(certificate.certificate, folder + "/tls.crt",
                               std::filesystem::copy_options::overwrite_existing);
    std::filesystem::copy_file(certificate.key, folder + "/tls.key", std::filesystem::copy_options::overwrite_existing);
    Shell("ln -sfn " + folder + " " + maker_->path("live.new") + " && mv -T " + maker_->path("live.new") + " " +
          maker_->path("live"));
  };
  link(good_);
  GatewayProcess gateway(Policy("", "tls edge { certificate = \"" + maker_->path("live/tls.crt") + "\"  key = \"" +
                                        maker_->path("live/tls.key") + "\" }\n" + kWho));
  const std::string port = TlsPort(gateway);
  const std::string shown = "openssl s_client -connect 127.0.0.1:" + port +
                            " -servername localhost </dev/null | openssl x509 -noout -subject";
  EXPECT_TRUE(Holds(Shell(shown).output, "good"));
  link(next);
  int failed = 0;
  EXPECT_TRUE(WaitUntil([&] {
    failed += Shell(Curl(port)).output == "over tls" ? 0 : 1;
    return gateway.CountEvents("certificate in use") == 2;
  }));
  EXPECT_EQ(failed, 0);
  EXPECT_TRUE(Holds(Shell(shown).output, "next"));
  EXPECT_EQ(gateway.Metric("breakwater_certificate_not_after_seconds{tls=\"edge\"}"), 2493072000) << "2049-01-01";
  // Half of a pair is not taken.
  std::filesystem::copy_file(good_.certificate, maker_->path("of-next/tls.crt"),
                             std::filesystem::copy_options::overwrite_existing);
  const Json refused = gateway.WaitForEvent("certificates not renewed");
  EXPECT_TRUE(Holds(refused.value("reason", ""), "does not fit")) << refused.dump();
  EXPECT_TRUE(Holds(Shell(shown).output, "next"));
}

// ---- Towards upstreams ----------------------------------------------------------------------------------------------

// A node server. `script` is the body of its request handler (request, response); it prints its port.
class NodeServer {
 public:
  NodeServer(const Certificate& certificate, const std::string& script, const std::string& options = "") {
    const std::string program =
        "const https = require('https'), fs = require('fs');\n"
        "const server = https.createServer({cert: fs.readFileSync('" +
        certificate.certificate + "'), key: fs.readFileSync('" + certificate.key + "')" +
        (options.empty() ? "" : ", " + options) + "}, (request, response) => {" + script +
        "});\n"
        "server.on('tlsClientError', error => console.log('refused ' + error.code));\n"
        "server.listen(0, '127.0.0.1', () => console.log('port ' + server.address().port));\n";
    process_ = std::make_unique<support::ChildProcess>(std::vector<std::string>{"/usr/bin/env", "node", "-e", program},
                                                       support::ChildProcess::Environment{});
    WaitUntil([&] { return !process_->out().empty(); });
    port_ = process_->out().at(0).substr(5);
  }
  std::string url() const { return "https://localhost:" + port_; }
  const std::string& port() const { return port_; }
  std::vector<std::string> lines() const { return process_->out(1); }

 private:
  std::unique_ptr<support::ChildProcess> process_;
  std::string port_;
};

constexpr const char* kHello =
    "response.setHeader('Content-Type', 'application/json'); response.end('{\"hello\":\"tls\"}');";

TEST_F(TlsStory, UpstreamsAreAskedOverTlsAndConnectionsAreKept) {
  NodeServer server(good_, "console.log('request ' + request.socket.isSessionReused() + ' ' + request.headers.host); " +
                               std::string(kHello));
  GatewayOptions one;
  one.arguments = {"--workers", "1"};
  GatewayProcess gateway(
      Gateway() + Upstream("main", server.url(), "repeat_safe = true\n  tls { ca = \"" + root_.certificate + "\" }"),
      one);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Post(gateway.port(), "/x", "{}").body, "{\"hello\":\"tls\"}");
  EXPECT_TRUE(WaitUntil([&] { return server.lines().size() == 3; }));
  EXPECT_EQ(server.lines().at(0), "request false localhost:" + server.port());
}

TEST_F(TlsStory, AnUpstreamThatDoesNotProveWhoItIsIsNeverAsked) {
  const Certificate expired = maker_->Issue(root_, "expired-upstream", {.ends = "20210101000000Z"});
  const Certificate other = maker_->Issue(root_, "other-upstream", {.names = {"DNS:other.example"}});
  const Certificate own = maker_->Root("localhost", {.is_authority = false});
  struct Row {
    const Certificate& certificate;
    std::string tls, reason;
  };
  const std::string ca = "ca = \"" + root_.certificate + "\"";
  for (const Row& row : std::vector<Row>{{expired, ca, "expired"},
                                         {other, ca, "name"},
                                         {good_, "", "unknown_authority"},
                                         {own, "", "self_signed"},
                                         {own, "pin = \"" + maker_->Pin(good_) + "\"", "pin"},
                                         {own, "pin = \"" + maker_->Pin(own) + "\"", ""},
                                         {other, ca + "  name = \"other.example\"", ""}}) {
    SCOPED_TRACE(row.reason + " " + row.tls);
    NodeServer server(row.certificate, "console.log('asked'); " + std::string(kHello));
    GatewayProcess gateway(Gateway() + Upstream("main", server.url(), "tls { " + row.tls + " }"));
    const Answer answer = Post(gateway.port(), "/x", "{}");
    if (row.reason.empty()) {
      EXPECT_EQ(answer.status, 200) << testing::PrintToString(answer);
      continue;
    }
    EXPECT_EQ(answer.status, 502) << testing::PrintToString(answer);
    const Json event = gateway.WaitForEvent("TLS with an upstream failed");
    EXPECT_EQ(event.value("reason", ""), row.reason) << event.dump();
    EXPECT_GE(gateway.Metric("breakwater_tls_failures_total{side=\"main\",reason=\"" + row.reason + "\"}").value_or(0),
              1);
    for (const std::string& line : server.lines()) EXPECT_NE(line, "asked");
  }
}

TEST_F(TlsStory, AnUpstreamThatSpeaksNoTlsOrNoneInCommonIsAFailureOfTheProtocol) {
  support::ChildProcess plain(
      {"/usr/bin/env", "node", "-e",
       "const server = require('http').createServer((q, r) => { console.log('asked'); r.end(); });"
       "server.listen(0, '127.0.0.1', () => console.log(server.address().port));"},
      {});
  ASSERT_TRUE(WaitUntil([&] { return !plain.out().empty(); }));
  GatewayProcess gateway(Gateway() + Upstream("main", "https://127.0.0.1:" + plain.out().at(0)));
  EXPECT_EQ(Post(gateway.port(), "/x", "{}").status, 502);
  EXPECT_EQ(gateway.WaitForEvent("TLS with an upstream failed").value("reason", ""), "protocol");
  EXPECT_EQ(plain.out().size(), 1u) << "never asked";
  NodeServer old(good_, kHello, "maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0'");
  GatewayProcess second(Gateway() + Upstream("main", old.url(), "tls { ca = \"" + root_.certificate + "\" }"));
  EXPECT_EQ(Post(second.port(), "/x", "{}").status, 502);
  EXPECT_EQ(second.WaitForEvent("TLS with an upstream failed").value("reason", ""), "alert");
}

TEST_F(TlsStory, TheGatewayShowsItsOwnCertificateWhereItIsAskedFor) {
  const Certificate me = maker_->Issue(root_, "gateway", {.names = {}});
  NodeServer server(good_, "response.end(request.socket.getPeerCertificate().subject.CN);",
                    "requestCert: true, rejectUnauthorized: true, ca: fs.readFileSync('" + root_.certificate + "')");
  const std::string ca = "ca = \"" + root_.certificate + "\"";
  GatewayProcess with(
      Gateway() + Upstream("main", server.url(),
                           "tls { " + ca + "  certificate = \"" + me.certificate + "\"  key = \"" + me.key + "\" }"));
  EXPECT_EQ(Post(with.port(), "/x", "{}").body, "gateway");
  GatewayProcess without(Gateway() + Upstream("main", server.url(), "tls { " + ca + " }"));
  EXPECT_EQ(Post(without.port(), "/x", "{}").status, 502);
  const Json event = without.WaitForEvent("TLS with an upstream failed");
  EXPECT_EQ(event.value("reason", ""), "alert") << event.dump();
  EXPECT_TRUE(Holds(event.value("detail", ""), "certificate required")) << event.dump();
}

// FIN without close_notify: an attacker can send one.
TEST_F(TlsStory, AnAnswerThatEndsWithoutCloseNotifyIsCut) {
  NodeServer server(
      good_,
      "response.socket.write('HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\nall that there is, it seems');"
      "setTimeout(() => response.socket._handle.close(), 100);");
  GatewayProcess gateway(Gateway() + Upstream("main", server.url(), "tls { ca = \"" + root_.certificate + "\" }"));
  const Answer answer = Fetch(gateway.port(), {.method = "GET", .target = "/x", .headers = {{"X-Request-Id", "cut"}}});
  EXPECT_FALSE(answer.looks_complete()) << testing::PrintToString(answer);
  EXPECT_EQ(gateway.WaitForAccess("cut").value("how", ""), "cut");
}

}  // namespace
}  // namespace tests::e2e
