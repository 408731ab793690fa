// Addresses of upstreams, looked up off the loop and refreshed: a container that comes back under another address is found
// again, because a look-up is never older than kNameFresh before a new one starts, and a failed connection starts one at
// once. Last good addresses serve for up to kNameStale while the name service is away. One for each worker.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/transport.h"

namespace runtime::proxy {

class NameCache {
 public:
  explicit NameCache(net::Transport& transport) : transport_(transport) {}

  // Addresses that may be used at once; null if they have to be waited for. Starts a refresh when they are getting old. The
  // pointer is valid until the loop's next turn.
  const std::vector<net::Address>* Find(const std::string& host, uint16_t port);

  // A wait for addresses. Destroying it cancels.
  class Wait {
   public:
    Wait(NameCache& cache, std::string key, uint64_t id) : cache_(cache), key_(std::move(key)), id_(id) {}
    ~Wait();
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    NameCache& cache_;
    const std::string key_;
    const uint64_t id_;
  };
  // `done` gets the addresses, or none with the reason; never from inside this call.
  std::unique_ptr<Wait> WaitFor(const std::string& host, uint16_t port, net::Transport::ResolveCallback done);

  // A connection to one of its addresses failed: ask again before the next use.
  void Suspect(const std::string& host, uint16_t port);

  // An address did not answer in time: the others come before it, and the name is asked for again.
  void Demote(const std::string& host, uint16_t port, const net::Address& address);

 private:
  struct Entry {
    std::vector<net::Address> addresses;
    base::TimePoint fetched_at;
    base::TimePoint next_refresh;
    bool suspect = false;
    std::unique_ptr<net::Resolution> running;
    std::map<uint64_t, net::Transport::ResolveCallback> waiting;
  };
  static std::string Key(const std::string& host, uint16_t port) { return host + " " + std::to_string(port); }
  void Refresh(const std::string& host, uint16_t port, Entry& entry);
  void OnResolved(const std::string& key, net::ResolveResult result);

  net::Transport& transport_;
  std::map<std::string, Entry> entries_;
  uint64_t next_wait_ = 1;
};

}  // namespace runtime::proxy
