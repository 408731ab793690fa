// The client of a test: sends one request on a connection of its own, and keeps the answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/tests.h"
#include "runtime/tester/sim_world.h"

namespace runtime::tester {

struct ClientAnswer {
  int status = 0;  // 0: none came
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;       // as far as it came
  bool is_whole = false;  // as HTTP frames it
  bool left = false;      // the client closed before the end
  base::TimePoint sent_at;
  base::TimePoint ended_at;
  std::optional<base::TimePoint> first_token_at;  // the first content; of a scripted stream `t1`, of anything else its first byte
};

// One client, from its request to the end of its answer.
class TestClient {
 public:
  // Sends at once. Both must outlive it.
  TestClient(sim::SimWorld& world, const compiler::model::Send& send);
  ~TestClient();
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool is_over() const;
  // The answer as far as it came, once it is over or the client has waited long enough.
  ClientAnswer Take();

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

// How long a client waits, in virtual time.
inline constexpr base::Duration kMostWaited = std::chrono::hours(24);

}  // namespace runtime::tester
