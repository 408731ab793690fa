// What only real sockets over loopback show of UvTransport; what it shares with the simulated network is transport_contract_test.cc.
// Nothing sleeps: each test runs its loop until what it waits for is true, and
// a watchdog ends it if that never comes.
#include "runtime/net/uv_transport.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace runtime::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Records what happened; each callback may be given something to do.
struct Recorder : StreamObserver {
  std::string data;
  size_t bytes = 0;
  bool keep_data = true;
  int connected = 0, ends = 0, errors = 0, drained = 0;
  NetError error = NetError::kOther;
  std::function<void()> on_connected, on_end, on_error, on_drained;
  std::function<void(std::string_view)> on_data;

  void OnConnected() override {
    ++connected;
    if (on_connected) on_connected();
  }
  void OnData(std::string_view piece) override {
    EXPECT_FALSE(piece.empty());
    bytes += piece.size();
    if (keep_data) data.append(piece);
    if (on_data) on_data(piece);
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

class UvTransportTest : public testing::Test {
 protected:
  // Runs the loop until Done() is called; fails after 30 s.
  void RunUntilDone() {
    watchdog_ = transport_->NewTimer([this] {
      ADD_FAILURE() << "what the test waits for did not come within 30 s";
      transport_->Stop();
    });
    watchdog_->Set(transport_->Now() + seconds(30));
    transport_->Run();
    watchdog_.reset();
  }
  void Done() { transport_->Stop(); }

  std::unique_ptr<Listener> Listen(Transport::AcceptCallback on_accept, const std::string& host = "127.0.0.1") {
    auto listener = transport_->Listen(host, 0, PortUse::kAlone, std::move(on_accept));
    EXPECT_TRUE(listener.ok()) << (listener.ok() ? "" : listener.error());
    return std::move(*listener);
  }
  Address Local(const std::unique_ptr<Listener>& listener) { return {"127.0.0.1", listener->port()}; }

  std::unique_ptr<UvTransport> transport_ = std::make_unique<UvTransport>();
  std::unique_ptr<Timer> watchdog_;
};

// A plain blocking client socket, for what a Stream won't do.
class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer = 0) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    EXPECT_EQ(0, connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)));
  }
  ~RawClient() { Close(); }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }
  void CloseWithReset() {
    const linger reset = {1, 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    Close();
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

TEST_F(UvTransportTest, EchoesTenMegabytesWithBackPressure) {
  constexpr size_t kTotal = 10 << 20;
  constexpr size_t kHighWater = 256 << 10;
  std::string payload(kTotal, '\0');
  for (size_t i = 0; i < kTotal; ++i) payload[i] = static_cast<char>((i * 2654435761u) >> 13);

  std::unique_ptr<Stream> server;
  Recorder server_side, client_side;
  server_side.keep_data = false;
  size_t most_queued = 0;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    server = std::move(stream);
    server->SetObserver(&server_side);
  });
  server_side.on_data = [&](std::string_view piece) {
    server->Write(piece);
    most_queued = std::max(most_queued, server->queued_bytes());
    if (server->queued_bytes() > kHighWater) server->PauseReading();
  };
  server_side.on_drained = [&] { server->ResumeReading(); };
  server_side.on_end = [&] { server->FinishWriting(); };

  std::unique_ptr<Stream> client = transport_->Connect(Local(listener), &client_side);
  // The client sends all before it reads anything, so that the echo has to wait.
  client->PauseReading();
  client->Write(payload);
  EXPECT_EQ(kTotal, client->queued_bytes());
  client->FinishWriting();
  server_side.on_data = [&, echo = server_side.on_data](std::string_view piece) {
    echo(piece);
    if (server->queued_bytes() > kHighWater) client->ResumeReading();
  };
  client_side.on_end = [&] { Done(); };
  RunUntilDone();

  EXPECT_EQ(1, client_side.connected);
  EXPECT_TRUE(client_side.data == payload);
  EXPECT_GT(most_queued, kHighWater);                // back-pressure was needed
  EXPECT_LE(most_queued, kHighWater + (64u << 10));  // and held: one read beyond the mark
  EXPECT_GT(server_side.drained, 0);
  EXPECT_EQ(0, client_side.errors);
  EXPECT_EQ(0, server_side.errors);
}

// Few bytes are put together before they are written: also where the socket takes none, or only some of them.
TEST_F(UvTransportTest, WritesSmallGroupsOfPiecesInOrder) {
  std::unique_ptr<Stream> server;
  Recorder server_side, client_side;
  bool is_written = false;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    server = std::move(stream);
    server->SetObserver(&server_side);
    if (!is_written) server->PauseReading();
  });
  std::string whole;
  std::unique_ptr<Stream> client = transport_->Connect(Local(listener), &client_side);
  client_side.on_connected = [&] {
    int queued_groups = 0;
    for (size_t i = 0; queued_groups < 100; ++i) {
      const std::string head = std::to_string(i) + ":", text(i % 1200, static_cast<char>('a' + i % 26));
      const std::vector<std::string_view> pieces = {head, text, "", ";"};
      client->Write(pieces);
      whole += head + text + ";";
      if (client->queued_bytes() > 0) ++queued_groups;
    }
    client->FinishWriting();
    is_written = true;
    if (server != nullptr) server->ResumeReading();
  };
  server_side.on_end = [&] { Done(); };
  RunUntilDone();
  EXPECT_TRUE(server_side.data == whole);
}

TEST_F(UvTransportTest, RefusesAnAddressThatIsNotNumericByACallback) {
  Recorder recorder;
  recorder.on_error = [&] { Done(); };
  auto stream = transport_->Connect({"not an address", 1}, &recorder);
  RunUntilDone();
  EXPECT_EQ(1, recorder.errors);
  EXPECT_EQ(NetError::kOther, recorder.error);
}

TEST_F(UvTransportTest, ShowsAPeersResetAsReset) {
  std::unique_ptr<Stream> server;
  Recorder server_side;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    server = std::move(stream);
    server->SetObserver(&server_side);
  });
  RawClient client(listener->port());
  ASSERT_EQ(5, write(client.fd(), "hello", 5));
  server_side.on_data = [&](std::string_view) { client.CloseWithReset(); };
  server_side.on_error = [&] { Done(); };
  RunUntilDone();
  EXPECT_EQ(NetError::kReset, server_side.error);
  EXPECT_EQ(0, server_side.ends);
}

TEST_F(UvTransportTest, AResetBehindAnEndReachesThePeerAsReset) {
  std::unique_ptr<Stream> server;
  Recorder client_side, server_side;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    server = std::move(stream);
    server->SetObserver(&server_side);
    server->Write("half an answer");
  });
  auto client = transport_->Connect(Local(listener), &client_side);
  client_side.on_data = [&](std::string_view) {
    server->FinishWriting();
    server->Reset();
  };
  client_side.on_error = [&] { Done(); };
  client_side.on_end = [&] { client->Write("more"); };
  RunUntilDone();
  EXPECT_EQ(NetError::kReset, client_side.error);
  EXPECT_EQ(0, server_side.errors);
}

TEST_F(UvTransportTest, DeliversAnEarlyAnswerBeforeTheFailedWrite) {
  // The server answers and closes while the client is still sending: the answer must not be lost to the write error.
  std::unique_ptr<Stream> server;
  Recorder server_side, client_side;
  server_side.keep_data = false;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    server = std::move(stream);
    server->SetObserver(&server_side);
  });
  auto client = transport_->Connect(Local(listener), &client_side);
  const std::string block(1 << 20, 'x');
  size_t sent = 0;
  const auto fill = [&] {
    while (client->queued_bytes() == 0 && client_side.errors == 0 && sent < (64u << 20)) {
      client->Write(block);
      sent += block.size();
    }
  };
  client_side.on_connected = client_side.on_drained = fill;
  server_side.on_data = [&](std::string_view) {
    if (server_side.bytes < (4u << 20)) return;
    server->Write("413");
    server.reset();  // unread bytes are there: this is an RST
  };
  client_side.on_error = [&] { Done(); };
  RunUntilDone();
  EXPECT_EQ(1, client_side.errors);
  EXPECT_EQ(NetError::kReset, client_side.error);
  EXPECT_EQ("413", client_side.data);
}

TEST_F(UvTransportTest, ATimerThatSetsItselfToThePastLetsSocketsRun) {
  std::unique_ptr<Timer> greedy;
  greedy = transport_->NewTimer([&] { greedy->Set(transport_->Now() - seconds(1)); });
  greedy->Set(transport_->Now());
  auto listener = Listen([&](std::unique_ptr<Stream>) { Done(); });
  Recorder recorder;
  auto client = transport_->Connect(Local(listener), &recorder);
  RunUntilDone();
}

TEST_F(UvTransportTest, PostsFromFourThreadsAllArriveInEachThreadsOrder) {
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  std::vector<int> next(kThreads, 0);
  int total = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        transport_->Post([&, t, i] {
          EXPECT_EQ(next[static_cast<size_t>(t)], i);
          next[static_cast<size_t>(t)] = i + 1;
          if (++total == kThreads * kEach) Done();
        });
      }
    });
  }
  RunUntilDone();
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(kThreads * kEach, total);
}

TEST_F(UvTransportTest, StopFromAnotherThreadEndsRunAndTasksBeforeItRun) {
  std::atomic<bool> ran = false;
  std::thread other([&] {
    transport_->Post([&] { ran = true; });
    transport_->Stop();
  });
  RunUntilDone();
  other.join();
  EXPECT_TRUE(ran);
}

TEST(UvTransport, TwoLoopsServeOneSharedPort) {
  UvTransport first, second;
  std::atomic<int> first_count = 0, second_count = 0;
  constexpr int kConnections = 200;
  const auto count = [&](std::atomic<int>* own) {
    return [&, own](std::unique_ptr<Stream>) {
      ++*own;
      if (first_count + second_count == kConnections) {
        first.Stop();
        second.Stop();
      }
    };
  };
  auto listener_1 = first.Listen("127.0.0.1", 0, PortUse::kMore, count(&first_count));
  ASSERT_TRUE(listener_1.ok()) << listener_1.error();
  const uint16_t port = (*listener_1)->port();
  auto listener_2 = second.Listen("127.0.0.1", port, PortUse::kMore, count(&second_count));
  ASSERT_TRUE(listener_2.ok()) << listener_2.error();
  std::thread thread_1([&] { first.Run(); });
  std::thread thread_2([&] { second.Run(); });
  for (int i = 0; i < kConnections; ++i) RawClient client(port);
  thread_1.join();
  thread_2.join();
  EXPECT_EQ(kConnections, first_count + second_count);
  EXPECT_GT(first_count, kConnections / 10);  // the kernel spreads them by a hash
  EXPECT_GT(second_count, kConnections / 10);
}

TEST_F(UvTransportTest, AForeignAddressAndAnUnknownNameAreErrors) {
  auto foreign = transport_->Listen("192.0.2.1", 0, PortUse::kAlone, [](std::unique_ptr<Stream>) {});
  ASSERT_FALSE(foreign.ok());
  EXPECT_NE(std::string::npos, foreign.error().find("no such address")) << foreign.error();
  auto empty = transport_->Listen("", 0, PortUse::kAlone, [](std::unique_ptr<Stream>) {});
  ASSERT_FALSE(empty.ok());
  EXPECT_NE(std::string::npos, empty.error().find("name was not found")) << empty.error();
}

TEST_F(UvTransportTest, ListensOnTheNameLocalhost) {
  Recorder recorder;
  std::unique_ptr<Stream> server;
  auto listener = Listen(
      [&](std::unique_ptr<Stream> stream) {
        server = std::move(stream);
        Done();
      },
      "localhost");
  auto client = transport_->Connect(Local(listener), &recorder);  // by its IPv4 address, whichever comes first
  RunUntilDone();
  ASSERT_NE(nullptr, server);
  EXPECT_EQ("127.0.0.1", server->peer().ip);
  EXPECT_NE(0, server->peer().port);
}

TEST_F(UvTransportTest, ServesIpv6AndShowsMappedIpv4AsIpv4) {
  auto probe = transport_->Listen("::1", 0, PortUse::kAlone, [](std::unique_ptr<Stream>) {});
  if (!probe.ok()) GTEST_SKIP() << "no IPv6 here: " << probe.error();
  std::vector<std::string> peers;
  auto listener = Listen(
      [&](std::unique_ptr<Stream> stream) {
        peers.push_back(stream->peer().ip);
        if (peers.size() == 2) Done();
      },
      "::");
  Recorder recorder;
  std::unique_ptr<Stream> second;
  auto first = transport_->Connect({"::1", listener->port()}, &recorder);
  recorder.on_connected = [&] {
    if (second == nullptr) second = transport_->Connect(Local(listener), &recorder);
  };
  RunUntilDone();
  EXPECT_EQ((std::vector<std::string>{"::1", "127.0.0.1"}), peers);
}

TEST_F(UvTransportTest, GracefulCloseDeliversTheWholeAnswerThoughThePeerIsStillSending) {
  const std::string answer(2 << 20, 'a');
  Recorder server_side;
  std::unique_ptr<Stream> server;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    server = std::move(stream);
    server->SetObserver(&server_side);
  });
  std::atomic<bool> got_it_all = false;
  std::thread peer([&, port = listener->port()] {
    RawClient client(port);
    // Sends and reads at once; the answer comes while most of the body is unsent.
    fcntl(client.fd(), F_SETFL, O_NONBLOCK);
    const std::string body(64 << 10, 'b');
    size_t sent = 0;
    size_t received = 0;
    char buffer[64 << 10];
    bool ended = false;
    while (!ended) {
      pollfd wait{client.fd(), static_cast<short>(POLLIN | (sent < (32u << 20) ? POLLOUT : 0)), 0};
      if (poll(&wait, 1, 20000) <= 0) break;
      if (wait.revents & POLLOUT) {
        const ssize_t n = send(client.fd(), body.data(), body.size(), MSG_NOSIGNAL);
        if (n > 0) sent += static_cast<size_t>(n);
      }
      if (wait.revents & (POLLIN | POLLERR | POLLHUP)) {
        const ssize_t n = read(client.fd(), buffer, sizeof(buffer));
        if (n > 0) received += static_cast<size_t>(n);
        if (n == 0) got_it_all = received == answer.size();
        if (n == 0 || (n < 0 && errno != EAGAIN)) ended = true;
      }
    }
    client.Close();
    transport_->Stop();
  });
  server_side.on_data = [&](std::string_view) {
    if (server == nullptr) return;
    server->PauseReading();  // unread bytes of the peer are in the socket: a plain close would be an RST
    server->Write(answer);
    transport_->CloseGracefully(std::move(server), seconds(10));
  };
  RunUntilDone();
  peer.join();
  EXPECT_TRUE(got_it_all);
}

TEST_F(UvTransportTest, AcceptingPausesWhenDescriptorsRunOutAndResumesByItself) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan opens pipes of its own to check virtual calls, so it can't run without descriptors";
#endif
  std::vector<std::unique_ptr<Stream>> accepted;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    accepted.push_back(std::move(stream));
    Done();
  });
  RawClient client(listener->port());
  rlimit old;
  ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
  rlimit none = old;
  none.rlim_cur = 3;  // nothing new can be opened
  ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
  bool was_empty = false;
  auto restore = transport_->NewTimer([&] {
    was_empty = accepted.empty();
    setrlimit(RLIMIT_NOFILE, &old);
  });
  restore->Set(transport_->Now() + milliseconds(30));
  RunUntilDone();
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_TRUE(was_empty);
  EXPECT_EQ(1u, accepted.size());  // the waiting connection was kept, not closed
}

TEST_F(UvTransportTest, RunReturnsWithEverythingClosedWhateverIsStillHeld) {
  std::unique_ptr<Stream> server;
  Recorder server_side, client_side;
  auto listener = Listen([&](std::unique_ptr<Stream> stream) {
    server = std::move(stream);
    server->SetObserver(&server_side);
    Done();
  });
  auto client = transport_->Connect(Local(listener), &client_side);
  auto timer = transport_->NewTimer([] { ADD_FAILURE(); });
  timer->Set(transport_->Now() + seconds(1000));
  auto lookup = transport_->Resolve("localhost", 1, [](ResolveResult) {});
  RunUntilDone();
  client->Write("into the void");
  client->FinishWriting();
  client->Reset();
  timer->Set(transport_->Now());
  transport_.reset();  // before what it made: allowed
  EXPECT_EQ(0u, client->queued_bytes());
}

}  // namespace
}  // namespace runtime::net
