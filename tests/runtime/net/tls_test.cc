// TLS over the simulated transport: what is refused, by whom and in which words; and that a TLS stream keeps to the contract of
// Stream. Certificates are made by the test.
#include "runtime/net/tls.h"

#include <gtest/gtest.h>

#include <functional>

#include "runtime/net/sim/sim_transport.h"
#include "tests/support/certificates.h"

namespace runtime::net {
namespace {

using sim::SimNetwork;
using sim::SimTransport;
using std::chrono::hours;
using std::chrono::seconds;
using tests::support::Certificate;
using tests::support::CertificateMaker;

struct Recorder final : StreamObserver {
  std::string data;
  int connected = 0, ends = 0, errors = 0, drained = 0;
  NetError error = NetError::kOther;
  std::function<void(std::string_view)> on_data;
  void OnConnected() override { ++connected; }
  void OnData(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    data.append(bytes);
    if (on_data) on_data(bytes);
  }
  void OnEnd() override { ++ends; }
  void OnError(NetError e) override {
    ++errors;
    error = e;
  }
  void OnWriteDrained() override { ++drained; }
};

class TlsTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    maker_ = new CertificateMaker;
    root_ = maker_->Root("Test Root");
    other_root_ = maker_->Root("Other Root");
    intermediate_ = maker_->Issue(root_, "Test Intermediate", {.names = {}, .is_authority = true});
    good_ = maker_->Issue(root_, "good");
  }
  static void TearDownTestSuite() { delete maker_; }

  static TlsIdentitySettings Identity(const Certificate& certificate) {
    return {"edge", certificate.certificate, certificate.key, ""};
  }

  void Serve(const std::vector<TlsIdentitySettings>& identities) {
    auto made = TlsServer::Make(identities, server_process_.WallNow(), tls_server_.get());
    ASSERT_TRUE(made.ok()) << made.error();
    tls_server_ = *made;
    auto listening = server_process_.Listen("10.0.0.2", 443, PortUse::kAlone, [this](std::unique_ptr<Stream> stream) {
      server_ = tls_server_->Accept(server_process_, std::move(stream), &server_side_);
    });
    if (listening.ok()) listener_ = std::move(*listening);
  }
  void Trust(const TlsClientSettings& settings) {
    auto made = TlsClient::Make(settings);
    ASSERT_TRUE(made.ok()) << made.error();
    tls_client_ = *made;
  }
  // A connection to `host`; afterwards both sides have said what became of it.
  void Connect(const std::string& host = "localhost") {
    client_.reset();
    server_.reset();
    client_side_ = {};
    server_side_ = {};
    client_ = tls_client_->Connect(client_process_, {"10.0.0.2", 443}, host, &client_side_);
    network_.RunUntil([&] { return client_side_.connected + client_side_.errors > 0 && server_side_.connected + server_side_.errors > 0; },
                      seconds(20));
  }
  std::string Failure() const {
    if (client_side_.errors == 0) return client_side_.connected == 1 ? "connected" : "nothing";
    const TlsFailure* failure = client_->tls_failure();
    return failure == nullptr ? std::string(Name(client_side_.error)) : std::string(Name(failure->reason));
  }
  std::string ServerFailure() const {
    if (server_side_.errors == 0) return server_side_.connected == 1 ? "connected" : "nothing";
    const TlsFailure* failure = server_->tls_failure();
    return failure == nullptr ? std::string(Name(server_side_.error)) : std::string(Name(failure->reason));
  }
  std::string Detail() const { return client_->tls_failure() == nullptr ? "" : client_->tls_failure()->detail; }

  static inline CertificateMaker* maker_;
  static inline Certificate root_, other_root_, intermediate_, good_;
  SimNetwork network_{7};
  SimTransport client_process_{&network_, "10.0.0.1"};
  SimTransport server_process_{&network_, "10.0.0.2"};
  Recorder client_side_, server_side_;
  std::shared_ptr<TlsServer> tls_server_;
  std::shared_ptr<TlsClient> tls_client_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> client_, server_;
};

TEST_F(TlsTest, CarriesBytesBothWaysAndEndsWithCloseNotify) {
  Serve({Identity(good_)});
  Trust({.ca = root_.certificate});
  Connect();
  ASSERT_EQ("connected", Failure());
  EXPECT_EQ("10.0.0.1", server_->peer().ip);
  client_->Write("hello");
  ASSERT_TRUE(network_.RunUntil([&] { return server_side_.data == "hello"; }));
  const std::string long_text(300'000, 'x');
  const std::string_view pieces[] = {"a", long_text, "b"};
  server_->Write(pieces);
  server_->FinishWriting();
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.ends == 1; }));
  EXPECT_EQ("a" + long_text + "b", client_side_.data);
  EXPECT_TRUE(client_->saw_end());
  EXPECT_EQ(0, client_side_.errors);
  client_->Write("more");  // after the peer's end
  ASSERT_TRUE(network_.RunUntil([&] { return server_side_.data == "hellomore"; }));
}

TEST_F(TlsTest, WorksWhateverThePiecesThatTheNetworkDelivers) {
  sim::SimOptions options;
  options.piece = 3;
  network_.set_options(options);
  Serve({Identity(good_)});
  Trust({.ca = root_.certificate});
  Connect();
  ASSERT_EQ("connected", Failure());
  client_->Write("byte by byte");
  ASSERT_TRUE(network_.RunUntil([&] { return server_side_.data == "byte by byte"; }));
}

TEST_F(TlsTest, AConnectionThatEndsWithoutCloseNotifyIsTruncated) {
  Serve({Identity(good_)});
  Trust({.ca = root_.certificate});
  Connect();
  ASSERT_EQ("connected", Failure());
  network_.ResetConnectionsTo({"10.0.0.2", 443});
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.errors == 1; }));
  EXPECT_EQ(NetError::kReset, client_side_.error);
  EXPECT_EQ(0, client_side_.ends);
}

TEST_F(TlsTest, AnObserverMayDestroyTheStreamInsideItsCallback) {
  Serve({Identity(good_)});
  Trust({.ca = root_.certificate});
  Connect();
  server_side_.on_data = [&](std::string_view) { server_.reset(); };
  client_->Write("go");
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.ends + client_side_.errors > 0; }));
  EXPECT_EQ(1, client_side_.ends) << "closing tells its end";
}

TEST_F(TlsTest, ResetTellsNoEnd) {
  Serve({Identity(good_)});
  Trust({.ca = root_.certificate});
  Connect();
  server_->Write("half an answ");
  server_->Reset();
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.ends + client_side_.errors > 0; }));
  EXPECT_EQ(0, client_side_.ends);
}

// ---- Who the server must be -----------------------------------------------------------------------------------------

TEST_F(TlsTest, AServerThatDoesNotProveWhoItIsIsRefusedInItsOwnWords) {
  const Certificate expired = maker_->Issue(root_, "expired", {.ends = "20210101000000Z"});
  const Certificate early = maker_->Issue(root_, "early", {.begins = "20400101000000Z"});
  const Certificate other_name = maker_->Issue(root_, "other", {.names = {"DNS:other.example"}});
  const Certificate self_signed = maker_->Root("localhost", {.is_authority = false});
  const Certificate behind = maker_->Issue(intermediate_, "behind");
  const std::string whole_chain = maker_->Join("chain.pem", {behind.certificate, intermediate_.certificate});
  struct Row {
    const char* what;
    TlsIdentitySettings server;
    TlsClientSettings client;
    const char* host;
    const char* reason;
    const char* detail;
    const char* server_hears;
  };
  const TlsClientSettings with_root{.ca = root_.certificate};
  const Row rows[] = {
      {"as it should be", Identity(good_), with_root, "localhost", "connected", "", "connected"},
      {"by its address", Identity(good_), with_root, "127.0.0.1", "connected", "", "connected"},
      {"wrong name", Identity(other_name), with_root, "localhost", "name", "it is for other.example; asked for localhost", "alert"},
      {"wrong address", Identity(good_), with_root, "10.0.0.2", "name", "asked for 10.0.0.2", "alert"},
      {"name written", Identity(other_name), {.ca = root_.certificate, .name = "other.example"}, "localhost", "connected", "", "connected"},
      {"not yet valid", Identity(early), with_root, "localhost", "not_yet_valid", "begins on 2040-01-01", "alert"},
      {"unknown authority", Identity(good_), {.ca = other_root_.certificate}, "localhost", "unknown_authority", "CN=good", "alert"},
      {"system's authorities", Identity(good_), {}, "localhost", "unknown_authority", "", "alert"},
      {"self-signed", Identity(self_signed), with_root, "localhost", "self_signed", "pin = \"sha256:", "alert"},
      {"self-signed, right pin", Identity(self_signed), {.pins = {maker_->Pin(self_signed)}}, "elsewhere", "connected", "", "connected"},
      {"self-signed, wrong pin", Identity(self_signed), {.pins = {maker_->Pin(good_)}}, "localhost", "pin", "it shows sha256:", "alert"},
      {"one of two pins", Identity(self_signed), {.pins = {maker_->Pin(good_), maker_->Pin(self_signed)}}, "x", "connected", "", "connected"},
      {"right pin beside ca, wrong authority", Identity(self_signed), {.ca = root_.certificate, .pins = {maker_->Pin(self_signed)}},
       "localhost", "self_signed", "", "alert"},
      {"wrong pin beside ca", Identity(good_), {.ca = root_.certificate, .pins = {maker_->Pin(self_signed)}}, "localhost", "pin", "", "alert"},
      {"no intermediate", Identity(behind), with_root, "localhost", "unknown_authority", "CN=behind", "alert"},
      {"whole chain", {"edge", whole_chain, behind.key, ""}, with_root, "localhost", "connected", "", "connected"},
      {"its own certificate as ca", Identity(self_signed), {.ca = self_signed.certificate}, "localhost", "connected", "", "connected"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    tls_server_.reset();  // one that is not valid yet takes the place of none
    Serve({row.server});
    Trust(row.client);
    Connect(row.host);
    EXPECT_EQ(row.reason, Failure()) << Detail();
    EXPECT_NE(Detail().find(row.detail), std::string::npos) << Detail();
    EXPECT_EQ(row.server_hears, ServerFailure());
  }
  // A server of ours does not even begin with a certificate that has ended: time passes instead.
  const auto refused = TlsServer::Make({Identity(expired)}, server_process_.WallNow(), nullptr);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().find("ended on 2021-01-01"), std::string::npos) << refused.error();
}

TEST_F(TlsTest, ACertificateThatEndsWhileTheServerRunsIsExpired) {
  const Certificate short_lived = maker_->Issue(root_, "short", {.ends = "20240101000000Z"});  // the clock begins in November 2023
  Serve({Identity(short_lived)});
  Trust({.ca = root_.certificate});
  Connect();
  ASSERT_EQ("connected", Failure());
  network_.RunFor(hours(24 * 60));
  Trust({.ca = root_.certificate});
  Connect();
  EXPECT_EQ("expired", Failure());
  EXPECT_NE(Detail().find("CN=short ended on 2024-01-01"), std::string::npos) << Detail();
}

TEST_F(TlsTest, AClockThatIsSetDecidesOnCertificatesAtOnceAndOnNothingElse) {
  const Certificate short_lived = maker_->Issue(root_, "short", {.ends = "20240101000000Z"});  // the clock begins in November 2023
  Serve({Identity(short_lived)});
  Trust({.ca = root_.certificate});
  Connect();
  ASSERT_EQ("connected", Failure());
  network_.StepWall(hours(24 * 60));
  client_->Write("still here");
  EXPECT_TRUE(network_.RunUntil([&] { return server_side_.data == "still here"; })) << "a connection that is open goes on";
  Trust({.ca = root_.certificate});  // a session of the one before would be resumed
  Connect();
  EXPECT_EQ("expired", Failure());
  network_.StepWall(-hours(24 * 60));
  Connect();
  EXPECT_EQ("connected", Failure());
}

TEST_F(TlsTest, WhatIsNoTlsIsAFailureOfTheProtocol) {
  auto listening = server_process_.Listen("10.0.0.2", 443, PortUse::kAlone, [this](std::unique_ptr<Stream> stream) {
    server_ = std::move(stream);
    server_->SetObserver(&server_side_);
    server_->Write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  ASSERT_TRUE(listening.ok());
  Trust({.ca = root_.certificate});
  client_ = tls_client_->Connect(client_process_, {"10.0.0.2", 443}, "localhost", &client_side_);
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.errors == 1; }));
  EXPECT_EQ("protocol", Failure());
}

TEST_F(TlsTest, AServerThatHangsUpInTheHandshakeIsClosed) {
  auto listening = server_process_.Listen("10.0.0.2", 443, PortUse::kAlone, [](std::unique_ptr<Stream> stream) { stream->Reset(); });
  ASSERT_TRUE(listening.ok());
  Trust({.ca = root_.certificate});
  client_ = tls_client_->Connect(client_process_, {"10.0.0.2", 443}, "localhost", &client_side_);
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.errors == 1; }));
  EXPECT_EQ("closed", Failure());
}

// ---- Who the client must be -----------------------------------------------------------------------------------------

TEST_F(TlsTest, ClientsShowACertificateWhereOneIsAskedFor) {
  const Certificate client = maker_->Issue(root_, "client", {.names = {}});
  const Certificate stranger = maker_->Issue(other_root_, "stranger", {.names = {}});
  TlsIdentitySettings server = Identity(good_);
  server.client_ca = root_.certificate;
  Serve({server});
  const auto attempt = [&](const Certificate* shown) {
    TlsClientSettings settings{.ca = root_.certificate};
    if (shown != nullptr) {
      settings.certificate = shown->certificate;
      settings.key = shown->key;
    }
    Trust(settings);
    Connect();
    network_.RunFor(seconds(1));  // in TLS 1.3 the server's no comes after the client's handshake
  };
  attempt(&client);
  EXPECT_EQ("connected", Failure());
  EXPECT_EQ("connected", ServerFailure());
  attempt(nullptr);
  EXPECT_EQ("alert", Failure());
  EXPECT_NE(Detail().find("certificate required"), std::string::npos) << Detail();
  EXPECT_EQ("certificate_missing", ServerFailure());
  attempt(&stranger);
  EXPECT_EQ("alert", Failure());
  EXPECT_NE(Detail().find("unknown CA"), std::string::npos) << Detail();
  EXPECT_EQ("unknown_authority", ServerFailure());
}

TEST_F(TlsTest, ASessionOfOneBlockIsNotResumedInAnotherThatAsksForCertificates) {
  const Certificate open = maker_->Issue(root_, "open", {.names = {"DNS:open.example"}});
  const Certificate closed = maker_->Issue(root_, "closed", {.names = {"DNS:closed.example"}});
  TlsIdentitySettings guarded{"guarded", closed.certificate, closed.key, root_.certificate};
  Serve({{"open", open.certificate, open.key, ""}, guarded});
  Trust({.ca = root_.certificate, .name = "open.example"});
  Connect();
  network_.RunFor(seconds(1));
  ASSERT_EQ("connected", Failure());
  Trust({.ca = root_.certificate, .name = "closed.example"});
  Connect();
  network_.RunFor(seconds(1));
  EXPECT_EQ("certificate_missing", ServerFailure());
}

// ---- Names, files ---------------------------------------------------------------------------------------------------

TEST_F(TlsTest, TheCertificateIsChosenByTheNameThatIsAskedFor) {
  const Certificate wild = maker_->Issue(root_, "wild", {.names = {"DNS:*.wild.example"}});
  Serve({Identity(good_), {"wild", wild.certificate, wild.key, ""}});
  for (const auto& [host, reason] : std::vector<std::pair<std::string, std::string>>{
           {"localhost", "connected"}, {"a.wild.example", "connected"}, {"A.WILD.example.", "connected"},
           {"a.b.wild.example", "name"}, {"wild.example", "name"}, {"unknown.example", "name"}}) {
    SCOPED_TRACE(host);
    Trust({.ca = root_.certificate});
    Connect(host);
    EXPECT_EQ(reason, Failure()) << Detail();
  }
}

// As nginx, HAProxy and Envoy do: the order in the policy says nothing about two certificates of which one has the very name.
TEST_F(TlsTest, TheVeryNameGoesBeforeAWildcard) {
  const Certificate wild = maker_->Issue(root_, "wild", {.names = {"DNS:*.example.com"}});
  const Certificate exact = maker_->Issue(other_root_, "exact", {.names = {"DNS:api.example.com"}});
  const std::vector<TlsIdentitySettings> orders[] = {
      {{"wild", wild.certificate, wild.key, ""}, {"exact", exact.certificate, exact.key, ""}},
      {{"exact", exact.certificate, exact.key, ""}, {"wild", wild.certificate, wild.key, ""}}};
  for (const auto& order : orders) {
    Serve(order);
    Trust({.ca = other_root_.certificate});
    Connect("api.example.com");
    EXPECT_EQ("connected", Failure()) << Detail();
    Trust({.ca = root_.certificate});
    Connect("chat.example.com");
    EXPECT_EQ("connected", Failure()) << Detail();
  }
}

TEST_F(TlsTest, APairIsTakenAsAPairOrNotAtAll) {
  const Certificate behind = maker_->Issue(intermediate_, "behind");
  const std::string upside_down = maker_->Join("upside-down.pem", {intermediate_.certificate, behind.certificate});
  const std::string strange_chain = maker_->Join("strange.pem", {behind.certificate, other_root_.certificate});
  const std::string half = maker_->folder().Write("half.pem", tests::support::ReadFile(good_.certificate).substr(0, 200));
  const std::string empty = maker_->folder().Write("empty.pem", "");
  struct Row {
    std::string certificate, key, words;
  };
  for (const Row& row :
       std::vector<Row>{{good_.certificate, root_.key, "the key does not fit the certificate"},
                        {good_.key, good_.key, "no certificate in it: it holds a key"},
                        {good_.certificate, good_.certificate, "no key that can be read: it holds a certificate"},
                        {upside_down, behind.key, "not in order"},
                        {strange_chain, behind.key, "not in order"},
                        {half, good_.key, "no certificate in it: it ends in the middle"},
                        {empty, good_.key, "no PEM file"},
                        {maker_->path("nowhere.pem"), good_.key, "No such file"}}) {
    const auto made = TlsServer::Make({{"edge", row.certificate, row.key, ""}}, server_process_.WallNow(), nullptr);
    ASSERT_FALSE(made.ok()) << row.words;
    EXPECT_NE(made.error().find(row.words), std::string::npos) << made.error();
    EXPECT_TRUE(made.error().starts_with("tls edge: ")) << made.error();
  }
  const auto alone = TlsServer::Make({{"edge", behind.certificate, behind.key, ""}}, server_process_.WallNow(), nullptr);
  ASSERT_TRUE(alone.ok()) << alone.error();
  EXPECT_NE(alone.value()->identities()[0].certificate.warning.find("no intermediate"), std::string::npos);
}

TEST_F(TlsTest, ACertificateThatIsNotValidYetDoesNotTakeThePlaceOfOneThatIs) {
  const Certificate early = maker_->Issue(root_, "early", {.begins = "20240101000000Z"});  // the clock begins in November 2023
  const auto first = TlsServer::Make({Identity(good_)}, server_process_.WallNow(), nullptr);
  ASSERT_TRUE(first.ok());
  TlsIdentitySettings next = Identity(early);
  const auto refused = TlsServer::Make({next}, server_process_.WallNow(), first.value().get());
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().find("not valid before 2024-01-01"), std::string::npos) << refused.error();
  const auto alone = TlsServer::Make({next}, server_process_.WallNow(), nullptr);
  ASSERT_TRUE(alone.ok()) << "a clock may be wrong at start";
  EXPECT_NE(alone.value()->identities()[0].certificate.warning.find("2024-01-01"), std::string::npos);
  const auto later = TlsServer::Make({next}, server_process_.WallNow() + hours(24 * 60), first.value().get());
  EXPECT_TRUE(later.ok());
}

TEST_F(TlsTest, PinsAreReadInTheFormsThatPeopleHave) {
  const std::string hex(64, 'a');
  EXPECT_TRUE(IsTlsPin("sha256:" + hex));
  EXPECT_TRUE(IsTlsPin("sha256//qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo="));
  EXPECT_TRUE(IsTlsPin("sha256:qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo="));
  EXPECT_FALSE(IsTlsPin(hex));
  EXPECT_FALSE(IsTlsPin("sha256:" + hex.substr(1)));
  EXPECT_FALSE(IsTlsPin("sha1:" + hex));
  EXPECT_FALSE(IsTlsPin(""));
}

TEST_F(TlsTest, PlainHttpGetsAPlainAnswer) {
  Serve({Identity(good_)});
  Recorder plain;
  auto stream = client_process_.Connect({"10.0.0.2", 443}, &plain);
  stream->Write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ASSERT_TRUE(network_.RunUntil([&] { return plain.ends + plain.errors > 0; }));
  EXPECT_EQ(1, plain.ends);
  EXPECT_TRUE(plain.data.starts_with("HTTP/1.1 400 ")) << plain.data;
  EXPECT_NE(plain.data.find("https://"), std::string::npos);
  EXPECT_EQ(plain.data.size() - plain.data.find("\r\n\r\n") - 4, 63u) << "Content-Length";
  EXPECT_EQ("plain_http", ServerFailure());
}

}  // namespace
}  // namespace runtime::net
