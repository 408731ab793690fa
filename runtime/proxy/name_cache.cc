#include "runtime/proxy/name_cache.h"

#include <algorithm>
#include <utility>

#include "runtime/proxy/limits.h"

namespace runtime::proxy {

const std::vector<net::Address>* NameCache::Find(const std::string& host, uint16_t port) {
  const auto found = entries_.find(Key(host, port));
  if (found == entries_.end()) return nullptr;
  Entry& entry = found->second;
  if (entry.addresses.empty() || entry.suspect) return nullptr;
  const base::TimePoint now = transport_.Now();
  if (now - entry.fetched_at > kNameStale) return nullptr;
  if (now >= entry.next_refresh) Refresh(host, port, entry);
  return &entry.addresses;
}

std::unique_ptr<NameCache::Wait> NameCache::WaitFor(const std::string& host, uint16_t port,
                                                    net::Transport::ResolveCallback done) {
  std::string key = Key(host, port);
  Entry& entry = entries_[key];
  const uint64_t id = next_wait_++;
  entry.waiting.emplace(id, std::move(done));
  Refresh(host, port, entry);
  return std::make_unique<Wait>(*this, std::move(key), id);
}

NameCache::Wait::~Wait() {
  const auto found = cache_.entries_.find(key_);
  if (found != cache_.entries_.end()) found->second.waiting.erase(id_);
}

void NameCache::Suspect(const std::string& host, uint16_t port) {
  const auto found = entries_.find(Key(host, port));
  if (found != entries_.end()) found->second.suspect = true;
}

void NameCache::Demote(const std::string& host, uint16_t port, const net::Address& address) {
  const auto found = entries_.find(Key(host, port));
  if (found == entries_.end()) return;
  auto& addresses = found->second.addresses;
  const auto at = std::find(addresses.begin(), addresses.end(), address);
  if (at != addresses.end()) std::rotate(at, at + 1, addresses.end());
  found->second.next_refresh = transport_.Now();
}

void NameCache::Refresh(const std::string& host, uint16_t port, Entry& entry) {
  if (entry.running != nullptr) return;
  entry.running = transport_.Resolve(host, port, [this, key = Key(host, port)](net::ResolveResult result) {
    OnResolved(key, std::move(result));
  });
}

void NameCache::OnResolved(const std::string& key, net::ResolveResult result) {
  Entry& entry = entries_[key];
  const auto finished = std::move(entry.running);  // lives until the callback is over
  const base::TimePoint now = transport_.Now();
  entry.suspect = false;
  if (!result.addresses.empty()) {
    // The same addresses keep the order that they have earned.
    if (!std::is_permutation(entry.addresses.begin(), entry.addresses.end(), result.addresses.begin(),
                             result.addresses.end())) {
      entry.addresses = std::move(result.addresses);
    }
    entry.fetched_at = now;
    entry.next_refresh = now + kNameFresh;
  } else {
    entry.next_refresh = now + kNameRetry;
    if (now - entry.fetched_at > kNameStale) entry.addresses.clear();
  }
  // A callback may start or cancel waits of this very entry, so take them one by one.
  while (!entry.waiting.empty()) {
    const auto first = entry.waiting.begin();
    const auto done = std::move(first->second);
    entry.waiting.erase(first);
    done({entry.addresses, result.error});
  }
}

}  // namespace runtime::proxy
