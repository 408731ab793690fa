// What the simulated network has of its own: virtual time, latencies, windows, pieces, faults. What it shares with the real one is
// transport_contract_test.cc.
#include "runtime/net/sim/sim_transport.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace runtime::sim {
namespace {

using runtime::net::ResolveResult;
using runtime::net::Stream;
using runtime::net::StreamObserver;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Recorder : StreamObserver {
  std::string data;
  int pieces = 0, connected = 0, ends = 0, errors = 0, drained = 0;
  NetError error = NetError::kOther;
  std::function<void()> on_connected, on_end, on_error, on_drained;
  std::function<void(std::string_view)> on_data;
  void OnConnected() override {
    ++connected;
    if (on_connected) on_connected();
  }
  void OnData(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    ++pieces;
    data.append(bytes);
    if (on_data) on_data(bytes);
  }
  void OnEnd() override {
    ++ends;
    if (on_end) on_end();
  }
  void OnError(NetError e) override {
    ++errors;
    error = e;
    if (on_error) on_error();
  }
  void OnWriteDrained() override {
    ++drained;
    if (on_drained) on_drained();
  }
};

class SimTransportTest : public testing::Test {
 protected:
  // One connection between two processes.
  void Establish() {
    auto result = server_process_.Listen("10.0.0.2", 80, net::PortUse::kAlone, [this](std::unique_ptr<Stream> stream) {
      server_ = std::move(stream);
      server_->SetObserver(&server_side_);
    });
    ASSERT_TRUE(result.ok());
    listener_ = std::move(*result);
    client_ = client_process_.Connect({"10.0.0.2", 80}, &client_side_);
    EXPECT_EQ(0, client_side_.connected);
    ASSERT_TRUE(network_.RunUntil([&] { return client_side_.connected == 1 && server_ != nullptr; }));
  }

  SimNetwork network_{42};
  SimTransport client_process_{&network_, "10.0.0.1"};
  SimTransport server_process_{&network_, "10.0.0.2"};
  Recorder client_side_, server_side_;
  std::unique_ptr<runtime::net::Listener> listener_;
  std::unique_ptr<Stream> client_, server_;
};

TEST_F(SimTransportTest, BytesTakeTheLatencyOfTheNetwork) {
  Establish();
  EXPECT_EQ("10.0.0.1", server_->peer().ip);
  EXPECT_EQ((Address{"10.0.0.2", 80}), client_->peer());
  const TimePoint sent = network_.now();
  client_->Write("hello");
  EXPECT_EQ("", server_side_.data);
  network_.RunUntil([&] { return server_side_.data == "hello"; });
  EXPECT_GE(network_.now(), sent + network_.options().latency_least);
  EXPECT_LE(network_.now(), sent + network_.options().latency_most);
}

TEST_F(SimTransportTest, ABlackHoleNeverAnswersAndAnUnreachableAddressDoes) {
  network_.SetRoute("10.0.0.2", 80, SimNetwork::Route::kBlackHole);
  network_.SetRoute("10.0.0.3", 80, SimNetwork::Route::kUnreachable);
  Recorder hole, unreachable;
  auto a = client_process_.Connect({"10.0.0.2", 80}, &hole);
  auto b = client_process_.Connect({"10.0.0.3", 80}, &unreachable);
  network_.RunFor(seconds(1000));
  EXPECT_EQ(0, hole.connected + hole.errors);
  EXPECT_EQ(NetError::kUnreachable, unreachable.error);
}

TEST_F(SimTransportTest, DeliversInPiecesByteByByteIfAsked) {
  SimOptions options;
  options.piece = 1;
  network_.set_options(options);
  Establish();
  const std::string text = "one byte at a time";
  client_->Write(text);
  client_->FinishWriting();
  ASSERT_TRUE(network_.RunUntil([&] { return server_side_.ends == 1; }));
  EXPECT_EQ(text, server_side_.data);
  EXPECT_EQ(static_cast<int>(text.size()), server_side_.pieces);
  options.piece = 5;
  network_.set_options(options);
  server_->Write(std::string(1000, 'x'));
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.data.size() == 1000; }));
  EXPECT_GT(client_side_.pieces, 200);
  EXPECT_LT(client_side_.pieces, 600);
}

TEST_F(SimTransportTest, AFullWindowHoldsTheWriterBack) {
  SimOptions options;
  options.window = 1000;
  network_.set_options(options);
  Establish();
  server_->PauseReading();
  const std::string text(5000, 'x');
  client_->Write(text);
  EXPECT_EQ(4000u, client_->queued_bytes());
  network_.RunFor(seconds(10));
  EXPECT_EQ(4000u, client_->queued_bytes());
  EXPECT_EQ("", server_side_.data);
  server_->ResumeReading();
  ASSERT_TRUE(network_.RunUntil([&] { return server_side_.data == text; }));
  network_.RunFor(milliseconds(1));
  EXPECT_EQ(0u, client_->queued_bytes());
  EXPECT_EQ(1, client_side_.drained);
}

TEST_F(SimTransportTest, ResetComesAfterWhatWasInFlightAndDropsTheQueue) {
  SimOptions options;
  options.window = 10;
  network_.set_options(options);
  Establish();
  server_->Write("0123456789dropped");
  server_->Reset();
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.errors == 1; }));
  EXPECT_EQ("0123456789", client_side_.data);
  EXPECT_EQ(NetError::kReset, client_side_.error);
  EXPECT_EQ(0, client_side_.ends);
  EXPECT_EQ(0, server_side_.errors);
}

TEST_F(SimTransportTest, APausedReaderSeesNeitherFinNorReset) {
  Establish();
  client_->PauseReading();
  server_->Write("data");
  network_.RunFor(milliseconds(1));
  server_->Reset();
  network_.RunFor(seconds(1));
  EXPECT_EQ(0, client_side_.pieces + client_side_.ends + client_side_.errors);
  client_->ResumeReading();
  ASSERT_TRUE(network_.RunUntil([&] { return client_side_.errors == 1; }));
  EXPECT_EQ("data", client_side_.data);
}

TEST_F(SimTransportTest, KillingAServerResetsBothSides) {
  Establish();
  network_.ResetConnectionsTo({"10.0.0.2", 80});
  network_.RunFor(milliseconds(1));
  EXPECT_EQ(NetError::kReset, client_side_.error);
  EXPECT_EQ(1, client_side_.errors);
  EXPECT_EQ(1, server_side_.errors);
  EXPECT_EQ(0u, network_.open_connections());
}

TEST_F(SimTransportTest, NamesCanChangeFailAndBeLate) {
  network_.SetName("ollama", {"10.0.0.2"}, milliseconds(5));
  const auto resolve = [&](const std::string& host) {
    ResolveResult result;
    bool done = false;
    auto resolution = client_process_.Resolve(host, 11434, [&](ResolveResult r) {
      result = std::move(r);
      done = true;
    });
    EXPECT_FALSE(done);
    EXPECT_TRUE(network_.RunUntil([&] { return done; }));
    return result;
  };
  const TimePoint before = network_.now();
  EXPECT_EQ((std::vector<Address>{{"10.0.0.2", 11434}}), resolve("ollama").addresses);
  EXPECT_EQ(before + milliseconds(5), network_.now());
  network_.SetName("ollama", {"10.0.0.9", "10.0.0.8"});
  EXPECT_EQ(2u, resolve("ollama").addresses.size());
  network_.FailName("ollama", NetError::kNameFailure);
  EXPECT_TRUE(resolve("ollama").addresses.empty());
  EXPECT_EQ(NetError::kNameFailure, resolve("ollama").error);
  EXPECT_EQ(NetError::kNameNotFound, resolve("nobody").error);
  EXPECT_EQ((std::vector<Address>{{"::1", 11434}}), resolve("::1").addresses);
  EXPECT_EQ(5u, client_process_.look_ups());  // numeric addresses are none
}

TEST_F(SimTransportTest, SharedPortsAreSharedAndOthersAreNot) {
  std::set<int> served;
  std::vector<std::unique_ptr<Stream>> streams;
  const auto serve = [&](int who) {
    return [&, who](std::unique_ptr<Stream> stream) {
      served.insert(who);
      streams.push_back(std::move(stream));
    };
  };
  auto one = server_process_.Listen("0.0.0.0", 80, net::PortUse::kMore, serve(1));
  auto two = client_process_.Listen("0.0.0.0", 80, net::PortUse::kMore, serve(2));
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_FALSE(server_process_.Listen("10.0.0.2", 80, net::PortUse::kAlone, serve(3)).ok());
  std::vector<std::unique_ptr<Stream>> clients;
  for (int i = 0; i < 50; ++i) clients.push_back(client_process_.Connect({"10.1.2.3", 80}, &client_side_));
  network_.RunFor(seconds(1));
  EXPECT_EQ((std::set<int>{1, 2}), served);
  EXPECT_EQ(50u, streams.size());
}

TEST(SimNetwork, TheSameSeedGivesTheSameRun) {
  const auto run = [](uint64_t seed) {
    SimOptions options;
    options.piece = 7;
    options.window = 50;
    SimNetwork network(seed, options);
    SimTransport transport(&network);
    std::string log;
    Recorder client_side, server_side;
    std::unique_ptr<Stream> server;
    auto listener = transport.Listen("127.0.0.1", 80, net::PortUse::kAlone, [&](std::unique_ptr<Stream> stream) {
      server = std::move(stream);
      server->SetObserver(&server_side);
    });
    server_side.on_data = [&](std::string_view bytes) {
      log += std::to_string(network.now().time_since_epoch().count()) + " " + std::to_string(bytes.size()) + "\n";
      server->Write(bytes);
    };
    auto client = transport.Connect({"127.0.0.1", 80}, &client_side);
    client->Write(std::string(500, 'x'));
    EXPECT_TRUE(network.RunUntil([&] { return client_side.data.size() == 500; }));
    return log;
  };
  EXPECT_EQ(run(1), run(1));
  EXPECT_NE(run(1), run(2));
}

}  // namespace
}  // namespace runtime::sim
