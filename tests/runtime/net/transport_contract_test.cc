// The contract of net::Transport (transport.h), told once and held by both: the simulated network, and libuv's loop on real sockets
// over loopback. What only one of them has – the kernel's limits, windows and latencies of the network – is in its own test.
//
// Nothing sleeps. A story is steps, each of which does something and then waits until something is true: on the simulated network
// virtual time passes meanwhile, and on the real one the loop runs, with a watchdog that ends it if that never comes.
#include <gtest/gtest.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/net/sim/sim_transport.h"
#include "runtime/net/uv_transport.h"

namespace runtime::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Records what happened; each callback may be given something to do.
struct Recorder : StreamObserver {
  std::string data;
  int pieces = 0, connected = 0, ends = 0, errors = 0, drained = 0;
  NetError error = NetError::kOther;
  std::function<void()> on_connected, on_data, on_end, on_error, on_drained;

  void OnConnected() override { Tell(&connected, on_connected); }
  void OnData(std::string_view bytes) override {
    EXPECT_FALSE(bytes.empty());
    data.append(bytes);
    Tell(&pieces, on_data);
  }
  void OnEnd() override { Tell(&ends, on_end); }
  void OnError(NetError e) override {
    error = e;
    Tell(&errors, on_error);
  }
  void OnWriteDrained() override { Tell(&drained, on_drained); }
  int events() const { return connected + pieces + ends + errors + drained; }

 private:
  static void Tell(int* count, const std::function<void()>& callback) {
    ++*count;
    const auto kept = callback;  // it may destroy what it stands in
    if (kept) kept();
  }
};

struct Step {
  std::function<void()> act;
  std::function<bool()> until;
};

// Where the stories take place. `client` and `server` may be one.
class World {
 public:
  virtual ~World() = default;
  virtual Transport& client() = 0;
  virtual Transport& server() = 0;
  virtual std::string host() const = 0;       // of the server
  virtual std::string client_ip() const = 0;  // as the server sees it
  virtual void Tell(std::deque<Step> steps) = 0;
};

class SimulatedWorld final : public World {
 public:
  Transport& client() override { return client_; }
  Transport& server() override { return server_; }
  std::string host() const override { return "10.0.0.2"; }
  std::string client_ip() const override { return "10.0.0.1"; }
  void Tell(std::deque<Step> steps) override {
    size_t number = 0;
    for (const Step& step : steps) {
      if (step.act) step.act();
      ASSERT_TRUE(network_.RunUntil(step.until, seconds(30))) << "step " << number << " waits in vain";
      ++number;
    }
  }

 private:
  sim::SimNetwork network_{42};
  sim::SimTransport client_{&network_, "10.0.0.1"};
  sim::SimTransport server_{&network_, "10.0.0.2"};
};

class RealWorld final : public World {
 public:
  Transport& client() override { return *transport_; }
  Transport& server() override { return *transport_; }
  std::string host() const override { return "127.0.0.1"; }
  std::string client_ip() const override { return "127.0.0.1"; }
  void Tell(std::deque<Step> steps) override {
    const TimePoint give_up = transport_->Now() + seconds(30);
    size_t number = 0;
    bool has_begun = false;
    std::unique_ptr<Timer> look;
    look = transport_->NewTimer([&] {
      while (number < steps.size()) {
        if (!std::exchange(has_begun, true) && steps[number].act) steps[number].act();
        if (!steps[number].until()) break;
        ++number;
        has_begun = false;
      }
      if (number == steps.size()) return transport_->Stop();
      if (transport_->Now() < give_up) return look->Set(transport_->Now() + milliseconds(1));
      ADD_FAILURE() << "step " << number << " waits in vain";
      transport_->Stop();
    });
    look->Set(transport_->Now());
    transport_->Run();
  }

 private:
  std::unique_ptr<UvTransport> transport_ = std::make_unique<UvTransport>();
};

struct WorldKind {
  const char* name;
  std::unique_ptr<World> (*make)();
};
void PrintTo(const WorldKind& kind, std::ostream* out) { *out << kind.name; }

class TransportContract : public testing::TestWithParam<WorldKind> {
 protected:
  std::unique_ptr<Listener> Listen(Transport::AcceptCallback on_accept) {
    auto listener = world_->server().Listen(world_->host(), 0, PortUse::kAlone, std::move(on_accept));
    EXPECT_TRUE(listener.ok()) << (listener.ok() ? "" : listener.error());
    return listener.ok() ? std::move(*listener) : nullptr;
  }
  Address At(const std::unique_ptr<Listener>& listener) const { return {world_->host(), listener->port()}; }

  // The story, to be told by Tell.
  void Step(std::function<void()> act, std::function<bool()> until) {
    steps_.push_back({std::move(act), std::move(until)});
  }
  // Time passes, in which nothing may happen.
  void Wait(milliseconds time) {
    auto passed = std::make_shared<std::unique_ptr<Timer>>();
    auto is_over = std::make_shared<bool>(false);
    Step(
        [=, this] {
          *passed = world_->client().NewTimer([is_over] { *is_over = true; });
          (*passed)->Set(world_->client().Now() + time);
        },
        [is_over] { return *is_over; });
  }
  void Tell() { world_->Tell(std::move(steps_)); }

  // A kernel tells of a reset only to who writes once more: who has seen the end reads no more.
  bool WritesUntilItFails() {
    if (client_side_.errors == 0) client_->Write("x");
    return client_side_.errors == 1;
  }

  // Connects client_ and server_, as the first step.
  void Establish() {
    Step(
        [this] {
          listener_ = Listen([this](std::unique_ptr<Stream> stream) {
            server_ = std::move(stream);
            server_->SetObserver(&server_side_);
          });
          client_ = world_->client().Connect(At(listener_), &client_side_);
          EXPECT_EQ(0, client_side_.events()) << "from inside the call";
        },
        [this] { return client_side_.connected == 1 && server_ != nullptr; });
  }

  std::unique_ptr<World> world_ = GetParam().make();
  std::deque<net::Step> steps_;
  Recorder client_side_, server_side_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Stream> client_, server_;
};

// ---- Bytes -----------------------------------------------------------------------------------------------------------

TEST_P(TransportContract, CarriesBytesBothWaysAndEachSideEndsByItself) {
  Establish();
  Step(
      [&] {
        EXPECT_EQ(world_->client_ip(), server_->peer().ip);
        EXPECT_EQ(At(listener_), client_->peer());
        client_->Write("hello");
        EXPECT_EQ(0, server_side_.pieces) << "from inside the call";
      },
      [&] { return server_side_.data == "hello"; });
  Step(
      [&] {
        server_->Write("you");
        server_->FinishWriting();
      },
      [&] { return client_side_.ends == 1; });
  Step(
      [&] {
        EXPECT_EQ("you", client_side_.data);
        EXPECT_TRUE(client_->saw_end());
        client_->Write("more");  // after the peer's FIN
      },
      [&] { return server_side_.data == "hellomore"; });
  Tell();
  EXPECT_EQ(0, client_side_.errors + server_side_.errors);
}

TEST_P(TransportContract, WritesPiecesInTheirOrder) {
  std::string whole;
  Establish();
  Step(
      [&] {
        std::vector<std::string> texts;
        for (size_t i = 0; i < 200; ++i)
          texts.push_back(i % 7 == 0 ? "" : std::string(i, static_cast<char>('a' + i % 26)));
        for (const std::string& text : texts) whole += text;
        const std::vector<std::string_view> pieces(texts.begin(), texts.end());
        client_->Write(pieces);
        client_->FinishWriting();
      },
      [&] { return server_side_.ends == 1; });
  Tell();
  EXPECT_EQ(whole, server_side_.data);
}

TEST_P(TransportContract, QueuesWhatAReaderThatPausesDoesNotTakeAndSaysWhenItIsWritten) {
  const std::string text(16 << 20, 'x');
  Establish();
  Step(
      [&] {
        server_->PauseReading();
        client_->Write(text);
        EXPECT_GT(client_->queued_bytes(), 0u);
      },
      [] { return true; });
  Wait(milliseconds(20));
  Step(
      [&] {
        EXPECT_EQ(0, server_side_.pieces);
        EXPECT_GT(client_->queued_bytes(), 0u);
        EXPECT_EQ(0, client_side_.drained);
        server_->ResumeReading();
      },
      [&] { return server_side_.data.size() == text.size() && client_side_.drained > 0; });
  Step(
      [&] {
        EXPECT_EQ(0u, client_->queued_bytes());
        EXPECT_EQ(1, client_side_.drained);
      },
      [] { return true; });
  Tell();
  EXPECT_TRUE(server_side_.data == text);
}

TEST_P(TransportContract, APausedReaderIsToldNothingAndEverythingInItsOrderLater) {
  Establish();
  Step(
      [&] {
        client_->PauseReading();
        server_->Write("data");
        server_->FinishWriting();
      },
      [] { return true; });
  Wait(milliseconds(20));
  Step(
      [&] {
        EXPECT_EQ(1, client_side_.events()) << "that it is connected";
        client_side_.on_end = [&] { EXPECT_EQ("data", client_side_.data); };
        client_->ResumeReading();
      },
      [&] { return client_side_.ends == 1; });
  Tell();
}

// ---- Failures --------------------------------------------------------------------------------------------------------

TEST_P(TransportContract, AConnectionIsRefusedWhereNobodyListens) {
  Step(
      [&] {
        const uint16_t port = Listen([](std::unique_ptr<Stream>) {})->port();  // free again
        client_ = world_->client().Connect({world_->host(), port}, &client_side_);
        EXPECT_EQ(0, client_side_.events()) << "from inside the call";
      },
      [&] { return client_side_.errors == 1; });
  Tell();
  EXPECT_EQ(NetError::kRefused, client_side_.error);
  EXPECT_EQ(0, client_side_.connected);
}

TEST_P(TransportContract, AResetReachesThePeerBehindWhatWasReadAndTheResetterHearsNothing) {
  Establish();
  Step([&] { server_->Write("half an answer"); }, [&] { return client_side_.data == "half an answer"; });
  Step(
      [&] {
        server_->Reset();
        EXPECT_TRUE(server_->is_dead());
        server_->Write("ignored");  // dead, but harmless
        server_->FinishWriting();
      },
      [&] { return client_side_.errors == 1; });
  Tell();
  EXPECT_EQ(NetError::kReset, client_side_.error);
  EXPECT_EQ("half an answer", client_side_.data);
  EXPECT_EQ(0, client_side_.ends);
  EXPECT_EQ(0, server_side_.events());
}

TEST_P(TransportContract, DestroyingAStreamIsAnEndAndThenAReset) {
  Establish();
  Step([&] { server_.reset(); }, [&] { return client_side_.ends == 1; });
  Step([&] { EXPECT_EQ(0, client_side_.errors); }, [&] { return WritesUntilItFails(); });
  Tell();
  EXPECT_EQ(NetError::kReset, client_side_.error);
}

TEST_P(TransportContract, DestroyingAStreamWithUnreadBytesIsAResetAtOnce) {
  Establish();
  Step(
      [&] {
        server_->PauseReading();
        client_->Write("unread");
      },
      [&] { return server_->Look() == Unread::kBytes; });
  Step([&] { server_.reset(); }, [&] { return client_side_.errors == 1; });
  Tell();
  EXPECT_EQ(NetError::kReset, client_side_.error);
  EXPECT_EQ(0, client_side_.ends);
}

TEST_P(TransportContract, ALookSeesWhatTheLoopDidNotTellAndTakesNothing) {
  Establish();
  Step(
      [&] {
        EXPECT_EQ(Unread::kNothing, client_->Look());
        client_->PauseReading();
        server_->Write("data");
      },
      [&] { return client_->Look() == Unread::kBytes; });
  Step([&] { client_->ResumeReading(); }, [&] { return client_side_.data == "data"; });
  Step(
      [&] {
        EXPECT_EQ(Unread::kNothing, client_->Look());
        client_->PauseReading();
        server_->FinishWriting();
      },
      [&] { return client_->Look() == Unread::kEnd; });
  Tell();
}

// ---- Graceful closing ------------------------------------------------------------------------------------------------

TEST_P(TransportContract, AGracefulCloseDeliversTheWholeAnswerThoughThePeerStillSends) {
  const std::string answer(2 << 20, 'a');
  Establish();
  Step(
      [&] {
        server_->PauseReading();  // unread bytes of the peer: a plain close would be a reset
        client_->Write(std::string(100'000, 'b'));
      },
      [&] { return server_->Look() == Unread::kBytes; });
  Step(
      [&] {
        server_->Write(answer);
        world_->server().CloseGracefully(std::move(server_), seconds(10));
        EXPECT_EQ(1u, world_->server().closing_gracefully());
        client_->Write(std::string(100'000, 'b'));
      },
      [&] { return client_side_.ends == 1; });
  Step(
      [&] {
        EXPECT_TRUE(client_side_.data == answer);
        client_->FinishWriting();
      },
      [&] { return world_->server().closing_gracefully() == 0; });
  Tell();
  EXPECT_EQ(0, client_side_.errors);
}

TEST_P(TransportContract, AGracefulCloseGivesUpOnAPeerThatNeverEnds) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> holds = held;
  Establish();
  Step(
      [&] {
        server_->Write("answer");
        world_->server().CloseGracefully(std::move(server_), milliseconds(20), std::move(held));
      },
      [&] { return client_side_.ends == 1; });
  Step(nullptr, [&] { return world_->server().closing_gracefully() == 0; });
  Step(nullptr, [&] { return WritesUntilItFails(); });
  Tell();
  EXPECT_EQ("answer", client_side_.data);
  EXPECT_EQ(NetError::kReset, client_side_.error);
  EXPECT_TRUE(holds.expired()) << "what it held is let go of";
}

// ---- Owners ----------------------------------------------------------------------------------------------------------

TEST_P(TransportContract, OwnersMayDestroyAStreamInEachOfItsCallbacks) {
  enum Which { kConnected, kData, kEnd, kError, kDrained, kCount };
  for (int which = 0; which < kCount; ++which) {
    SCOPED_TRACE(which);
    world_ = GetParam().make();
    client_side_ = {};
    const std::string big(8 << 20, 'x');
    const auto destroy = [&] { client_.reset(); };
    if (which == kConnected) client_side_.on_connected = destroy;
    if (which == kData) client_side_.on_data = destroy;
    if (which == kEnd) client_side_.on_end = destroy;
    if (which == kError) client_side_.on_error = destroy;
    if (which == kDrained) client_side_.on_drained = destroy;
    Step(
        [&] {
          listener_ = Listen([&](std::unique_ptr<Stream> stream) {
            server_ = std::move(stream);
            server_->SetObserver(&server_side_);
            if (which == kData) server_->Write("data");
            if (which == kEnd) server_->FinishWriting();
            if (which == kError) server_->Reset();
          });
          client_ = world_->client().Connect(At(listener_), &client_side_);
          if (which == kDrained) client_->Write(big);
        },
        [&] { return client_ == nullptr; });
    Tell();
    server_.reset();
    listener_.reset();
    steps_.clear();
  }
}

TEST_P(TransportContract, OwnersMayDestroyTimersListenersAndResolutionsInTheirCallbacks) {
  std::unique_ptr<Timer> timer;
  std::unique_ptr<Resolution> numeric, name;
  Step(
      [&] {
        timer = world_->client().NewTimer([&] { timer.reset(); });
        timer->Set(world_->client().Now());
        numeric = world_->client().Resolve("127.0.0.1", 1, [&](ResolveResult) { numeric.reset(); });
        name = world_->client().Resolve("localhost", 1, [&](ResolveResult) { name.reset(); });
        listener_ = Listen([&](std::unique_ptr<Stream> stream) {
          server_ = std::move(stream);
          listener_.reset();
        });
        client_ = world_->client().Connect(At(listener_), &client_side_);
      },
      [&] { return timer == nullptr && numeric == nullptr && name == nullptr && listener_ == nullptr; });
  Tell();
}

TEST_P(TransportContract, NothingIsCalledAfterDestruction) {
  Step(
      [&] {
        Transport& here = world_->client();
        listener_ =
            Listen([](std::unique_ptr<Stream>) { ADD_FAILURE() << "accepted by a listener that was destroyed"; });
        client_ = here.Connect(At(listener_), &client_side_);
        auto timer = here.NewTimer([] { ADD_FAILURE() << "a destroyed timer fired"; });
        timer->Set(here.Now());
        auto cancelled = here.NewTimer([] { ADD_FAILURE() << "a cancelled timer fired"; });
        cancelled->Set(here.Now());
        cancelled->Cancel();
        auto look_up =
            here.Resolve("localhost", 1, [](ResolveResult) { ADD_FAILURE() << "a destroyed look-up answered"; });
        auto numeric = here.Resolve("::1", 1, [](ResolveResult) { ADD_FAILURE() << "a destroyed look-up answered"; });
        client_.reset();
        listener_.reset();
      },
      [] { return true; });
  Wait(milliseconds(20));
  Tell();
  EXPECT_EQ(0, client_side_.events());
}

TEST_P(TransportContract, WhatIsDeletedLaterLivesUntilTheEndOfTheTurn) {
  struct Counted : Deletable {
    explicit Counted(int* count) : count_(count) {}
    ~Counted() override { ++*count_; }
    int* count_;
  };
  int destroyed = 0;
  std::unique_ptr<Timer> timer;
  Step(
      [&] {
        timer = world_->client().NewTimer([&] {
          world_->client().DeleteLater(std::make_unique<Counted>(&destroyed));
          EXPECT_EQ(0, destroyed);
        });
        timer->Set(world_->client().Now());
      },
      [&] { return destroyed == 1; });
  Tell();
}

// ---- Time, tasks, ports, names ---------------------------------------------------------------------------------------

TEST_P(TransportContract, TimersFireInTheOrderOfTheirTimesAndNeverEarly) {
  std::vector<int> order;
  std::vector<std::unique_ptr<Timer>> timers;
  int moved = 0;
  std::unique_ptr<Timer> late;
  Step(
      [&] {
        Transport& here = world_->client();
        const TimePoint start = here.Now();
        const int waits_us[] = {20'500, 2'500, 7'999, 0};
        for (int i = 0; i < 4; ++i) {
          const TimePoint when = start + std::chrono::microseconds(waits_us[i]);
          timers.push_back(here.NewTimer([&, i, when] {
            EXPECT_GE(world_->client().Now(), when);
            order.push_back(i);
          }));
          timers.back()->Set(when);
        }
        late = here.NewTimer([&, start] {
          EXPECT_GE(world_->client().Now(), start + milliseconds(30)) << "the later time takes the place of the first";
          ++moved;
        });
        late->Set(start + milliseconds(1));
        late->Set(start + milliseconds(30));
      },
      [&] { return moved == 1; });
  Step([&] { late->Set(world_->client().Now() - seconds(1)); }, [&] { return moved == 2; });
  Tell();
  EXPECT_EQ((std::vector<int>{3, 1, 2, 0}), order);
}

TEST_P(TransportContract, PostedTasksRunLaterAndInTheirOrder) {
  std::string ran;
  Step(
      [&] {
        for (const char c : {'a', 'b', 'c'}) world_->client().Post([&ran, c] { ran += c; });
        EXPECT_EQ("", ran);
      },
      [&] { return ran == "abc"; });
  Tell();
}

TEST_P(TransportContract, APortIsOneListenersUnlessItIsSharedAndFreeWhenHeIsGone) {
  std::vector<std::unique_ptr<Listener>> shared;
  Step(
      [&] {
        const auto ignore = [](std::unique_ptr<Stream>) {};
        listener_ = Listen(ignore);
        const uint16_t port = listener_->port();
        auto second = world_->server().Listen(world_->host(), port, PortUse::kAlone, ignore);
        ASSERT_FALSE(second.ok());
        EXPECT_NE(std::string::npos, second.error().find("the port is taken")) << second.error();
        listener_.reset();
        auto third = world_->server().Listen(world_->host(), port, PortUse::kFirst, ignore);
        ASSERT_TRUE(third.ok()) << third.error();
        shared.push_back(std::move(*third));
        auto fourth = world_->server().Listen(world_->host(), port, PortUse::kMore, ignore);
        EXPECT_TRUE(fourth.ok());
      },
      [] { return true; });
  Tell();
}

TEST_P(TransportContract, NumbersAreNoNamesAndNamesAreLookedUpLater) {
  std::vector<ResolveResult> results;
  std::vector<std::unique_ptr<Resolution>> look_ups;
  const auto resolve = [&](const std::string& host) {
    Step(
        [&, host] {
          const size_t before = results.size();
          look_ups.push_back(
              world_->client().Resolve(host, 80, [&](ResolveResult result) { results.push_back(std::move(result)); }));
          EXPECT_EQ(before, results.size()) << "from inside the call";
        },
        [&] { return results.size() == look_ups.size(); });
  };
  resolve("192.0.2.7");
  resolve("localhost");
  resolve(std::string(300, 'a'));
  Tell();
  ASSERT_EQ(3u, results.size());
  EXPECT_EQ((std::vector<Address>{{"192.0.2.7", 80}}), results[0].addresses);
  ASSERT_FALSE(results[1].addresses.empty());
  for (const Address& address : results[1].addresses) {
    EXPECT_TRUE(address.ip == "127.0.0.1" || address.ip == "::1") << address.ip;
    EXPECT_EQ(80, address.port);
  }
  EXPECT_TRUE(results[2].addresses.empty());
  EXPECT_TRUE(results[2].error == NetError::kNameNotFound || results[2].error == NetError::kNameFailure);
}

TEST_P(TransportContract, RunEndsWithStop) {
  bool posted = false;
  world_->client().Post([&] {
    posted = true;
    world_->client().Stop();
  });
  world_->client().Run();
  EXPECT_TRUE(posted);
}

INSTANTIATE_TEST_SUITE_P(
    Transports, TransportContract,
    testing::Values(WorldKind{"Simulated", [] { return std::unique_ptr<World>(std::make_unique<SimulatedWorld>()); }},
                    WorldKind{"Real", [] { return std::unique_ptr<World>(std::make_unique<RealWorld>()); }}),
    [](const testing::TestParamInfo<WorldKind>& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace runtime::net
