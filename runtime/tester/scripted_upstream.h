// An upstream that does what the `given` sentences of a test say, one for each connection, in their order. Every answer closes its
// connection, so an attempt is a connection.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/model/settings.h"
#include "compiler/model/tests.h"
#include "runtime/tester/observed.h"
#include "runtime/net/sim/sim_transport.h"

namespace runtime::tester {

class ScriptedUpstream {
 public:
  // All must outlive it. `settings`: of the policy that its test begins with; `servers`: where it is under that one and under those that
  // come later.
  ScriptedUpstream(sim::SimNetwork* network, const compiler::model::UpstreamSettings& settings,
                   const std::vector<net::Address>& servers);
  ~ScriptedUpstream();

  // What comes behind what was given before; the rest of an answer that was given always, and asked for since, ends here.
  void Give(const compiler::model::Given& given);
  // A request begins: what is given from now on is not what was there before.
  void BeginSend();

  // A connection comes. `is_check`: of a health check, which is answered with what would come next and uses nothing up.
  // Null: nothing is given any more.
  const compiler::model::Given* OnConnect(bool is_check);

  // The last request that it got whole; null: none. Those of health checks don't count.
  const SentRequest* last() const { return last_ ? &*last_ : nullptr; }
  // What was given and never came to be asked for, in the order of the test.
  const std::vector<const compiler::model::Given*>& unused() const { return unused_; }

 private:
  class Connection;
  struct Line {
    const compiler::model::Given* given;
    int left;
    bool was_sent;  // a `send` came behind it
  };

  void OnAccept(std::unique_ptr<net::Stream> stream);

  const compiler::model::UpstreamSettings& settings_;
  sim::SimTransport transport_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::deque<Line> lines_;
  std::vector<const compiler::model::Given*> unused_;
  std::optional<SentRequest> last_;
  bool next_is_check_ = false;
  const compiler::model::Given* next_ = nullptr;  // of the connection that is accepted now
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace runtime::tester
