// Entries in a list, newest use first; an index by key; flights beside them. Byte counts include the keys: a key may
// hold a whole request body.
#include "runtime/engine/cache.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/planted_fault.h"

namespace runtime::engine {

size_t CachedResponse::bytes() const {
  size_t bytes = body.size();
  for (const auto& [name, value] : headers) bytes += name.size() + value.size();
  for (const std::string& name : vary) bytes += name.size();
  return bytes;
}

struct Cache::State {
  struct Entry {
    std::string key;
    std::shared_ptr<const CachedResponse> response;
    int64_t bytes = 0;  // key and response
  };
  struct Follower {
    uint64_t id = 0;
    std::function<void()> wake;
  };
  struct Flight {
    std::vector<Follower> followers;
    std::optional<uint64_t> heir;  // was woken and is to take over
  };
  using Entries = std::list<Entry>;

  // The next follower becomes heir, or the flight is over. Returns whom to wake, without the lock.
  std::function<void()> Inherit(std::unordered_map<std::string, Flight>::iterator flight) {
    std::vector<Follower>& waiting = flight->second.followers;
    if (waiting.empty()) {
      flights.erase(flight);
      return nullptr;
    }
    flight->second.heir = waiting.front().id;
    auto wake = std::move(waiting.front().wake);
    waiting.erase(waiting.begin());
    return wake;
  }

  explicit State(const compiler::model::CacheSettings& s) : settings(s) {}

  void Remove(Entries::iterator entry) {
    bytes -= entry->bytes;
    index.erase(entry->key);
    entries.erase(entry);
  }

  compiler::model::CacheSettings settings;  // guarded by mutex
  mutable std::mutex mutex;
  Entries entries;                                                // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> index;  // by Entry::key
  std::unordered_map<std::string, Flight> flights;
  int64_t bytes = 0;
  Stats stats;
};

Cache::Cache(const compiler::model::CacheSettings& settings) : state_(std::make_unique<State>(settings)) {}
Cache::~Cache() = default;

void Cache::Reconfigure(const compiler::model::CacheSettings& settings) {
  State& s = *state_;
  std::lock_guard lock(s.mutex);
  s.settings = settings;
  while (s.bytes > s.settings.max_bytes) {
    s.Remove(std::prev(s.entries.end()));
    ++s.stats.evicted;
  }
}

std::shared_ptr<const CachedResponse> Cache::Find(std::string_view key, bool allow_stale, TimePoint now) {
  PLANT_FAULT(stale_is_fresh, allow_stale = true);
  State& s = *state_;
  std::lock_guard lock(s.mutex);
  const auto found = s.index.find(key);
  if (found == s.index.end()) {
    ++s.stats.misses;
    return nullptr;
  }
  const auto entry = found->second;
  const Duration age = now - entry->response->stored_at;
  const Duration ttl = std::min(s.settings.ttl, entry->response->fresh_for.value_or(s.settings.ttl));
  if (age >= ttl + s.settings.stale) {
    s.Remove(entry);
    ++s.stats.misses;
    return nullptr;
  }
  if (age >= ttl && !allow_stale) {
    ++s.stats.misses;
    return nullptr;
  }
  ++s.stats.hits;
  s.entries.splice(s.entries.begin(), s.entries, entry);
  return entry->response;
}

bool Cache::Store(std::string_view key, CachedResponse response, TimePoint now) {
  State& s = *state_;
  response.stored_at = now;
  const int64_t response_bytes = static_cast<int64_t>(response.bytes());
  const int64_t entry_bytes = response_bytes + static_cast<int64_t>(key.size());
  auto kept = std::make_shared<const CachedResponse>(std::move(response));

  std::lock_guard lock(s.mutex);
  if (response_bytes > s.settings.max_entry_bytes || entry_bytes > s.settings.max_bytes) return false;
  if (const auto old = s.index.find(key); old != s.index.end()) s.Remove(old->second);
  while (s.bytes + entry_bytes > s.settings.max_bytes || s.entries.size() >= kMaxEntries) {
    s.Remove(std::prev(s.entries.end()));
    ++s.stats.evicted;
  }
  s.entries.push_front({std::string(key), std::move(kept), entry_bytes});
  s.index.emplace(s.entries.front().key, s.entries.begin());
  s.bytes += entry_bytes;
  ++s.stats.stored;
  return true;
}

bool Cache::Lead(std::string_view key) {
  std::lock_guard lock(state_->mutex);
  return state_->flights.try_emplace(std::string(key)).second;
}

bool Cache::Follow(std::string_view key, uint64_t follower, std::function<void()> wake) {
  std::lock_guard lock(state_->mutex);
  const auto flight = state_->flights.find(std::string(key));
  if (flight == state_->flights.end()) return false;
  flight->second.followers.push_back({follower, std::move(wake)});
  return true;
}

void Cache::EndFlight(std::string_view key, bool stored) {
  std::vector<State::Follower> followers;
  std::function<void()> heir;
  {
    std::lock_guard lock(state_->mutex);
    const auto flight = state_->flights.find(std::string(key));
    if (flight == state_->flights.end()) return;
    if (stored) {
      followers = std::move(flight->second.followers);
      state_->flights.erase(flight);
    } else {
      heir = state_->Inherit(flight);
    }
  }
  // Without the lock: a wake-up may ask the cache.
  if (heir != nullptr) heir();
  for (State::Follower& follower : followers) follower.wake();
}

bool Cache::TakeOver(std::string_view key, bool begin) {
  std::lock_guard lock(state_->mutex);
  if (!begin && !state_->flights.contains(std::string(key))) return false;
  const auto [flight, is_new] = state_->flights.try_emplace(std::string(key));
  return is_new || std::exchange(flight->second.heir, std::nullopt).has_value();
}

void Cache::Unfollow(std::string_view key, uint64_t follower) {
  std::function<void()> heir;
  {
    std::lock_guard lock(state_->mutex);
    const auto flight = state_->flights.find(std::string(key));
    if (flight == state_->flights.end()) return;
    if (flight->second.heir == follower) {
      heir = state_->Inherit(flight);
    } else {
      std::erase_if(flight->second.followers, [&](const State::Follower& f) { return f.id == follower; });
    }
  }
  if (heir != nullptr) heir();
}

Cache::Stats Cache::stats() const {
  std::lock_guard lock(state_->mutex);
  Stats stats = state_->stats;
  stats.entries = state_->entries.size();
  stats.bytes = static_cast<uint64_t>(state_->bytes);
  return stats;
}

void Cache::Purge() {
  std::lock_guard lock(state_->mutex);
  state_->index.clear();
  state_->entries.clear();
  state_->bytes = 0;
}

}  // namespace runtime::engine
