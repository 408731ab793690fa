// Connections to one upstream, of one worker: an attempt has one to itself, in between they wait here.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/recycled.h"
#include "compiler/model/settings.h"
#include "runtime/http/message_parser.h"
#include "runtime/net/transport.h"

namespace runtime::proxy {

class UpstreamPool;

// One upstream socket. Knows nothing of requests: a lease gives it to one attempt at a time.
struct UpstreamConnection final : net::StreamObserver, base::Recycled<UpstreamConnection> {
  explicit UpstreamConnection(std::unique_ptr<net::Stream> opened);
  // Whose stream is gone: as if made anew, in the memory that it has.
  void Reopen(std::unique_ptr<net::Stream> opened);

  // While it waits in the pool: whatever the upstream says now ends it.
  void OnData(std::string_view) override;
  void OnEnd() override;
  void OnError(net::NetError) override;

  std::unique_ptr<net::Stream> stream;
  http::MessageParser parser;
  std::vector<std::string_view> pieces;  // of the body that was read last; keeps its memory
  bool is_reused = false;
  int answers = 0;                // that came to their end on it
  base::TimePoint usable_until;   // set while it waits
  UpstreamPool* pool = nullptr;   // set while it waits
};

// What the upstream says of its connections (Keep-Alive: timeout=5, max=100): hints, the connection itself has the last word.
struct KeepAliveHints {
  std::optional<base::Duration> timeout;  // how long it keeps an idle one
  std::optional<int64_t> max;             // how many requests it takes on it, or still takes
};
KeepAliveHints ReadKeepAlive(const http::Headers& headers);

class UpstreamPool {
 public:
  UpstreamPool(net::Transport& transport, const compiler::model::PoolSettings& settings)
      : transport_(transport), settings_(settings) {}

  // The most recently used idle connection, its parser ready for an answer; null if there is none. Each is looked at first: one
  // that the upstream ended, or on which it said something that nobody asked for, is closed.
  std::unique_ptr<UpstreamConnection> Take();

  // Gives it back behind an answer. Too many or too old ones are closed, and those that the upstream wants to see no more.
  void Put(std::unique_ptr<UpstreamConnection> connection, const KeepAliveHints& hints = {});

  void Reconfigure(const compiler::model::PoolSettings& settings) { settings_ = settings; }

  // Closes all idle connections: the upstream was restarted, or the worker drains.
  void Clear() { idle_.clear(); }
  size_t idle() const { return idle_.size(); }

  // Whether another event about TLS may be written: at most one a second.
  bool MayTellOfTls();

 private:
  friend struct UpstreamConnection;
  void Remove(UpstreamConnection* connection);

  net::Transport& transport_;
  compiler::model::PoolSettings settings_;
  std::vector<std::unique_ptr<UpstreamConnection>> idle_;  // in the order of their use
  std::optional<base::TimePoint> told_of_tls_;
};

}  // namespace runtime::proxy
