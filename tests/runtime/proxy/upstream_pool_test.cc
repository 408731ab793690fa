#include "runtime/proxy/upstream_pool.h"

#include <gtest/gtest.h>

#include <set>

#include "runtime/net/sim/sim_transport.h"

namespace runtime::proxy {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests
using base::Duration;

http::Headers KeepAlive(std::string_view value) {
  http::Headers headers;
  headers.lines().push_back({"Keep-Alive", value});
  return headers;
}

TEST(KeepAliveHeader, IsReadAsServersWriteIt) {
  EXPECT_EQ(ReadKeepAlive(KeepAlive("timeout=5, max=100")).timeout, 5s);  // llama.cpp (cpp-httplib), Apache
  EXPECT_EQ(ReadKeepAlive(KeepAlive("timeout=5, max=100")).max, 100);
  EXPECT_EQ(ReadKeepAlive(KeepAlive("timeout=5")).timeout, 5s);  // Node.js
  EXPECT_EQ(ReadKeepAlive(KeepAlive("timeout=5")).max, std::nullopt);
  EXPECT_EQ(ReadKeepAlive(KeepAlive("Max=4;x,Timeout = \"15\"")).timeout, 15s);
  EXPECT_EQ(ReadKeepAlive(KeepAlive("timeout=, max=-1, =,,x")).timeout, std::nullopt);
  EXPECT_EQ(ReadKeepAlive(KeepAlive("timeout=99999999999")).timeout, 24h);
  EXPECT_EQ(ReadKeepAlive({}).timeout, std::nullopt);
}

class UpstreamPoolTest : public testing::Test {
 protected:
  UpstreamPoolTest() : transport_(&network_) {
    listener_ = std::move(*transport_.Listen("10.0.0.1", 80, net::PortUse::kAlone, [this](std::unique_ptr<net::Stream> stream) {
      accepted_.push_back(std::move(stream));
    }));
  }
  struct Nobody final : net::StreamObserver {
    void OnData(std::string_view) override {}
    void OnEnd() override {}
    void OnError(net::NetError) override {}
  };
  std::unique_ptr<UpstreamConnection> Connection() {
    auto connection = std::make_unique<UpstreamConnection>(transport_.Connect({"10.0.0.1", 80}, &nobody_));
    network_.RunFor(1s);
    return connection;
  }
  UpstreamPool& pool() {
    if (!pool_) pool_.emplace(transport_, settings_);
    return *pool_;
  }

  sim::SimNetwork network_{1};
  sim::SimTransport transport_;
  std::unique_ptr<net::Listener> listener_;
  std::vector<std::unique_ptr<net::Stream>> accepted_;
  Nobody nobody_;
  compiler::model::PoolSettings settings_;
  std::optional<UpstreamPool> pool_;
};

TEST_F(UpstreamPoolTest, AConnectionWaitsAsLongAsThePolicyOrTheServerSays) {
  const auto waits = [this](const KeepAliveHints& hints, Duration time) {
    pool().Clear();
    pool().Put(Connection(), hints);
    network_.RunFor(time);
    return pool().Take() != nullptr;
  };
  EXPECT_TRUE(waits({}, 59s));
  EXPECT_FALSE(waits({}, 60s));
  EXPECT_TRUE(waits({5s, std::nullopt}, 3900ms));
  EXPECT_FALSE(waits({5s, std::nullopt}, 4s)) << "not until the last moment: the request is on its way for a while";
  EXPECT_TRUE(waits({1s, std::nullopt}, 400ms));
  EXPECT_TRUE(waits({10min, std::nullopt}, 59s));
  EXPECT_FALSE(waits({10min, std::nullopt}, 60s));
  EXPECT_FALSE(waits({0s, std::nullopt}, 0s));
  EXPECT_FALSE(waits({std::nullopt, 1}, 0s)) << "it has had its one";
  EXPECT_TRUE(waits({std::nullopt, 2}, 0s));
}

TEST_F(UpstreamPoolTest, TheNumberOfAnswersIsTheConnections) {
  std::unique_ptr<UpstreamConnection> connection = Connection();
  for (int i = 1; i < 4; ++i) {
    pool().Put(std::move(connection), {std::nullopt, 4});
    connection = pool().Take();
    ASSERT_NE(connection, nullptr) << i;
  }
  pool().Put(std::move(connection), {std::nullopt, 4});
  EXPECT_EQ(pool().idle(), 0u);
}

TEST_F(UpstreamPoolTest, NoMoreWaitThanThePolicySays) {
  settings_.size = 2;
  for (int i = 0; i < 3; ++i) pool().Put(Connection());
  EXPECT_EQ(pool().idle(), 2u);
}

TEST_F(UpstreamPoolTest, NoneWaitsWhereThePolicySaysNone) {
  settings_.size = 0;
  pool().Put(Connection());
  EXPECT_EQ(pool().idle(), 0u);
}

}  // namespace
}  // namespace runtime::proxy
