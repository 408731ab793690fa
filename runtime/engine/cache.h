// Answers kept by key: bounded in bytes, least recently used go first, exact counts. One for each cache block, shared
// by all workers; a mutex around each call. No clock: `now` comes in.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/model/settings.h"
#include "base/time.h"

namespace runtime::engine {

using base::Duration;
using base::TimePoint;

struct CachedResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;  // end-to-end, without framing and Date
  std::string body;
  TimePoint stored_at;
  bool is_shared = false;  // the driver can give it to every client of its API (StoreAnswer)
  // Request headers, by lower-case name, that the answer depends on (Vary, RFC 9111 4.1).
  std::vector<std::string> vary = {};
  std::optional<Duration> fresh_for = {};  // no longer, whatever `ttl` says: its server's word
  bool is_directory = false;  // no answer: under this key stands what `vary` is, the answers stand under VariantKey

  size_t bytes() const;  // body and headers: what max_entry limits. max_bytes counts the key, too
};

class Cache {
 public:
  static constexpr size_t kMaxEntries = 65'536;  // however small they are: each has a cost beside its bytes

  explicit Cache(const compiler::model::CacheSettings& settings);
  ~Cache();
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Other times and sizes from now on; entries beyond a smaller max_bytes go.
  void Reconfigure(const compiler::model::CacheSettings& settings);

  // Fresh (age < ttl), or with `allow_stale` up to ttl + stale.
  std::shared_ptr<const CachedResponse> Find(std::string_view key, bool allow_stale, TimePoint now);

  // Keeps it unless it is larger than max_entry or max_bytes; an older one with this key goes. Sets stored_at. Returns
  // whether it was kept.
  bool Store(std::string_view key, CachedResponse response, TimePoint now);

  // One request in flight per key. Lead: whether the caller is the first and so leads; it must call EndFlight once it
  // has stored an answer or come to nothing. Follow: whether somebody leads; `wake` is then called once, from
  // EndFlight's thread, when the leader is done. It must only hand the news over to the follower's own loop.
  bool Lead(std::string_view key);
  bool Follow(std::string_view key, uint64_t follower, std::function<void()> wake);
  // `stored`: the followers find an answer, all are woken. Otherwise only the first of them is: it leads next, by TakeOver.
  void EndFlight(std::string_view key, bool stored = true);
  // For who was woken: whether it leads from here. `begin`: also where nobody was to take over and nobody leads.
  bool TakeOver(std::string_view key, bool begin = true);
  // Also of one that was woken and will not take over: the next is. No new wake-up begins after it; one that EndFlight has begun on another thread may still be under way.
  void Unfollow(std::string_view key, uint64_t follower);

  struct Stats {
    uint64_t entries = 0;
    uint64_t bytes = 0;
    uint64_t hits = 0;
    uint64_t misses = 0;
    uint64_t stored = 0;
    uint64_t evicted = 0;
  };
  Stats stats() const;
  void Purge();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace runtime::engine
