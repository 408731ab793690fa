// Connections to one upstream, of one worker: an attempt has one to itself, in between they wait here.
#pragma once

#include <memory>
#include <vector>

#include "runtime/http/message_parser.h"
#include "runtime/net/transport.h"

namespace runtime::proxy {

class UpstreamPool;

// One upstream socket. Knows nothing of requests: a lease gives it to one attempt at a time.
struct UpstreamConnection final : net::StreamObserver {
  explicit UpstreamConnection(std::unique_ptr<net::Stream> opened);

  // While it waits in the pool: whatever the upstream says now ends it.
  void OnData(std::string_view) override;
  void OnEnd() override;
  void OnError(net::NetError) override;

  std::unique_ptr<net::Stream> stream;
  http::MessageParser parser;
  bool is_reused = false;
  base::TimePoint idle_since;
  UpstreamPool* pool = nullptr;  // set while it waits
};

class UpstreamPool {
 public:
  explicit UpstreamPool(net::Transport& transport) : transport_(transport) {}

  // The most recently used idle connection, its parser ready for an answer; null if there is none.
  std::unique_ptr<UpstreamConnection> Take();

  // Gives it back. Too many or too old ones are closed.
  void Put(std::unique_ptr<UpstreamConnection> connection);

  // Closes all idle connections: the upstream was restarted, or the worker drains.
  void Clear() { idle_.clear(); }
  size_t idle() const { return idle_.size(); }

 private:
  friend struct UpstreamConnection;
  void Remove(UpstreamConnection* connection);

  net::Transport& transport_;
  std::vector<std::unique_ptr<UpstreamConnection>> idle_;  // oldest first
};

}  // namespace runtime::proxy
