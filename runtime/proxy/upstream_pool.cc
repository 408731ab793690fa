#include "runtime/proxy/upstream_pool.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/buffers.h"
#include "runtime/http/text.h"
#include "runtime/proxy/limits.h"

namespace runtime::proxy {
namespace {

// An upstream's cookies may be long; the whole head is bounded.
constexpr http::ParserLimits kResponseLimits{.header_line = http::ParserLimits().header_bytes, .body = 0};

// Before the upstream closes an idle connection it is left alone: the request would meet the FIN on its way.
constexpr base::Duration kMargin = std::chrono::seconds(1);

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

UpstreamConnection::UpstreamConnection(std::unique_ptr<net::Stream> opened)
    : stream(std::move(opened)), parser(http::Role::kResponse, kResponseLimits) {}

void UpstreamConnection::Reopen(std::unique_ptr<net::Stream> opened) {
  stream = std::move(opened);
  parser.Reset();
  base::ClearBuffer(&pieces);
  is_reused = false;
  answers = 0;
}

void UpstreamConnection::OnData(std::string_view) { pool->Remove(this); }
void UpstreamConnection::OnEnd() { pool->Remove(this); }
void UpstreamConnection::OnError(net::NetError) { pool->Remove(this); }

KeepAliveHints ReadKeepAlive(const http::Headers& headers) {
  KeepAliveHints hints;
  std::string_view rest = headers.Find(http::HeaderId::k_keep_alive).value_or("");
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view item = Trimmed(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = Trimmed(item.substr(0, equals));
    std::string_view text = Trimmed(item.substr(equals + 1));
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size() || number < 0) continue;
    constexpr int64_t kDay = 24 * 3600;
    if (http::EqualsIgnoreCase(name, "timeout")) hints.timeout = std::chrono::seconds(std::min(number, kDay));
    if (http::EqualsIgnoreCase(name, "max")) hints.max = number;
  }
  return hints;
}

std::unique_ptr<UpstreamConnection> UpstreamPool::Take() {
  const base::TimePoint now = transport_.Now();
  while (!idle_.empty()) {
    std::unique_ptr<UpstreamConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    if (now >= connection->usable_until || connection->stream->Look() != net::Unread::kNothing) continue;
    connection->pool = nullptr;
    connection->is_reused = true;
    connection->parser.Reset();
    return connection;
  }
  return nullptr;
}

void UpstreamPool::Put(std::unique_ptr<UpstreamConnection> connection, const KeepAliveHints& hints) {
  ++connection->answers;
  base::Duration idle = settings_.idle;
  if (hints.timeout) idle = std::min(idle, *hints.timeout - std::min(kMargin, *hints.timeout / 2));
  const bool is_used_up = hints.max && connection->answers >= *hints.max;
  if (settings_.size == 0 || is_used_up || idle <= base::Duration::zero()) return;
  const base::TimePoint now = transport_.Now();
  while (!idle_.empty() && (idle_.size() >= static_cast<size_t>(settings_.size) || now >= idle_.front()->usable_until)) {
    idle_.erase(idle_.begin());
  }
  connection->pool = this;
  connection->usable_until = now + idle;
  connection->stream->SetObserver(connection.get());
  idle_.push_back(std::move(connection));
}

bool UpstreamPool::MayTellOfTls() {
  const base::TimePoint now = transport_.Now();
  if (told_of_tls_ && now - *told_of_tls_ < kTlsEventPause) return false;
  told_of_tls_ = now;
  return true;
}

void UpstreamPool::Remove(UpstreamConnection* connection) {
  const auto found = std::find_if(idle_.begin(), idle_.end(), [&](const auto& item) { return item.get() == connection; });
  if (found != idle_.end()) idle_.erase(found);
}

}  // namespace runtime::proxy
