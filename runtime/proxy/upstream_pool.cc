#include "runtime/proxy/upstream_pool.h"

#include <algorithm>

#include "runtime/proxy/limits.h"

namespace runtime::proxy {
namespace {

// An upstream's cookies may be long; the whole head is bounded.
constexpr http::ParserLimits kResponseLimits{.header_line = http::ParserLimits().header_bytes, .body = 0};

}  // namespace

UpstreamConnection::UpstreamConnection(std::unique_ptr<net::Stream> opened)
    : stream(std::move(opened)), parser(http::Role::kResponse, kResponseLimits) {}

void UpstreamConnection::OnData(std::string_view) { pool->Remove(this); }
void UpstreamConnection::OnEnd() { pool->Remove(this); }
void UpstreamConnection::OnError(net::NetError) { pool->Remove(this); }

std::unique_ptr<UpstreamConnection> UpstreamPool::Take() {
  const base::TimePoint now = transport_.Now();
  while (!idle_.empty()) {
    std::unique_ptr<UpstreamConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (now - connection->idle_since > kIdleUpstream) {
      idle_.clear();  // the rest is older still
      return nullptr;
    }
    connection->pool = nullptr;
    connection->is_reused = true;
    connection->parser.Reset();
    return connection;
  }
  return nullptr;
}

void UpstreamPool::Put(std::unique_ptr<UpstreamConnection> connection) {
  connection->pool = this;
  connection->idle_since = transport_.Now();
  connection->stream->SetObserver(connection.get());
  while (!idle_.empty() && (idle_.size() >= kMaxIdleUpstreamConnections ||
                            connection->idle_since - idle_.front()->idle_since > kIdleUpstream)) {
    idle_.erase(idle_.begin());
  }
  idle_.push_back(std::move(connection));
}

void UpstreamPool::Remove(UpstreamConnection* connection) {
  const auto found = std::find_if(idle_.begin(), idle_.end(), [&](const auto& item) { return item.get() == connection; });
  if (found != idle_.end()) idle_.erase(found);
}

}  // namespace runtime::proxy
