// What the bodies of all requests may take together (gateway.limits.memory): one budget over all workers. One client address may hold a
// quarter of it. Where more is asked for than there is, the oldest unfinished upload of whoever holds most gives way.
//
// Thread-safe. Nothing is counted of a request up to kUncounted bytes, so that small ones cost nothing; beyond, in steps.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

namespace runtime::proxy {

class MemoryBudget {
 public:
  static constexpr size_t kUncounted = 16 << 10;
  static constexpr size_t kStep = 64 << 10;
  static constexpr int64_t kShareOfOne = 4;  // an address may hold a fourth

  explicit MemoryBudget(int64_t limit);
  ~MemoryBudget();
  MemoryBudget(const MemoryBudget&) = delete;
  MemoryBudget& operator=(const MemoryBudget&) = delete;

  struct Holder;
  // What one request holds; gives it back when destroyed. Used by one thread, which is not that of `give_way`.
  class Holding {
   public:
    Holding() = default;
    ~Holding() { Release(); }
    Holding(const Holding&) = delete;
    Holding& operator=(const Holding&) = delete;

    // `give_way` is called once, from any thread, when the request is to be refused: it must only hand the news over to its own loop,
    // and may come although the request has just ended. `budget` must outlive the holding.
    void Begin(MemoryBudget* budget, std::string address, std::function<void()> give_way);
    bool has_begun() const { return budget_ != nullptr; }
    // So many bytes are held now. False: there is no room. An unfinished upload gives way then, and what it asked for is not counted;
    // what others hold is there, and counts all the same.
    bool Set(size_t bytes);
    void FinishUpload();  // it gives way no more
    void Release();

   private:
    MemoryBudget* budget_ = nullptr;
    Holder* holder_ = nullptr;
    size_t counted_ = 0;
  };

  int64_t limit() const { return limit_; }
  void SetLimit(int64_t limit) { limit_ = limit; }  // of what is asked for from now on
  int64_t held() const;

 private:
  Holder* Add(std::string address, std::function<void()> give_way);
  void Remove(Holder* holder);
  enum class Room : uint8_t { kThere, kExceeded, kNone };  // kNone: not counted
  Room Grow(Holder* holder, int64_t by);
  Holder* Victim(const Holder& asks);

  std::atomic<int64_t> limit_;
  mutable std::mutex mutex_;
  // What has been asked to give way is held until its loop has heard; nobody else need give way for that room.
  struct Sum {
    int64_t held = 0;
    int64_t leaving = 0;  // of it
    int64_t staying() const { return held - leaving; }
  };
  Sum all_;
  std::list<Holder> holders_;  // oldest first
  std::unordered_map<std::string, Sum> by_address_;
};

// A quarter of the memory that this process may use: of its cgroup or one around it, where they have a limit, else of the machine.
int64_t DefaultMemoryLimit();

// That limit: the least of those of the cgroups that `own` names (proc(5)), below `root`. For v1, v2 and both beside each other.
std::optional<int64_t> MemoryOfCgroup(const std::filesystem::path& own = "/proc/self/cgroup",
                                      const std::filesystem::path& root = "/sys/fs/cgroup");

}  // namespace runtime::proxy
