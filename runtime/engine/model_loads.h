// Whether the models of an upstream are in its memory, as far as one can know from outside, and who waits until they are
// (`cold_load`, `keep_warm`). One for each upstream with either, shared by all workers; a mutex around each call. No clock:
// `now` comes in.
//
// A server such as Ollama loads a model when it is asked for, and gives that up when the one who asked leaves. So nobody who
// may leave asks for a model that may be cold: a request of the gateway's own does (the load), and the others wait for its
// end, or go elsewhere. A load says nothing about the upstream's health; but one that outlasts cold_load is a failure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "runtime/engine/kept_state.h"

namespace runtime::engine {

using base::Duration;
using base::TimePoint;

class ModelLoads {
 public:
  static constexpr size_t kMaxModels = 64;  // clients choose their names; of more than these no one is waited for
  static constexpr size_t kMaxLoading = 4;  // … nor does the gateway ask for more than so many at a time, unless it is told to
  static constexpr size_t kMaxModelName = 256;  // bytes; a longer one is not waited for
  // How long a server keeps a model that nobody asks for: Ollama's default (OLLAMA_KEEP_ALIVE). With keep_warm a minute more
  // than that, since the server is then set up to keep it as long.
  static constexpr Duration kKept = std::chrono::minutes(5);
  static constexpr Duration kKeptBeyond = std::chrono::minutes(1);

  // At least one of them. Without cold_load nobody waits.
  ModelLoads(std::optional<Duration> cold_load, std::optional<Duration> keep_warm, size_t most_loading = kMaxLoading);
  ModelLoads(const ModelLoads&) = delete;
  ModelLoads& operator=(const ModelLoads&) = delete;

  // Other times from now on; what is known and who waits stays.
  void Reconfigure(std::optional<Duration> cold_load, std::optional<Duration> keep_warm, size_t most_loading);

  using Waiter = uint64_t;
  enum class Answer : uint8_t {
    kWarm,   // it was there a moment ago, or nobody can know, or too many are being loaded: ask, in the queue like anybody
    kBegin,  // it may not be there. The caller begins the load, and waits for it
    kWaits,  // it is being loaded: the caller waits, too
  };
  struct Entry {
    Answer answer{};
    Waiter waiter = 0;  // kBegin, kWaits: to be given back with Leave
  };
  Entry Ask(std::string_view model, TimePoint now);
  bool WouldWait(std::string_view model, TimePoint now) const;

  // `wake` is called once, when the load is over; from any thread, and it must only hand the news over to the waiter's own loop.
  // False, and no call: it is over.
  bool OnNews(Waiter waiter, std::function<void()> wake);
  enum class News : uint8_t {
    kLoading,
    kOver,     // the server has answered, or can't be reached: whoever asks now hears for himself
    kTooLong,  // not within cold_load
  };
  News Look(Waiter waiter) const;
  void Leave(Waiter waiter);

  // The load is over: every waiter of this model is woken.
  enum class Outcome : uint8_t {
    kLoaded,   // the server said that the model is there
    kUnknown,  // it knows no such model, or no such request: there is nothing to wait for
    kFailed,   // nobody knows
  };
  void End(std::string_view model, News news, Outcome outcome, TimePoint now);

  // The models that are there, as far as one knows.
  std::vector<std::string> Warm(TimePoint now) const;
  // Somebody has loaded it before anybody asked.
  void ObserveLoaded(std::string_view model, TimePoint now);

  // What answers tell by the way. Content: the model is there. Silence where there should have been content, or no connection:
  // nobody knows any more.
  void ObserveContent(std::string_view model, TimePoint now);
  void ObserveSilence(std::string_view model);

  // keep_warm: the model that has answered last, if it is warm, not being loaded and nobody has asked for it for keep_warm. It is
  // being loaded from here on (call End). Nothing: look again at `next`.
  std::optional<std::string> Due(TimePoint now, TimePoint* next);

  std::optional<Duration> cold_load() const;

  // For kept_state.h: the models, and the one that has answered last. Loads that are under way are not kept.
  void Keep(KeptUpstream* kept) const;
  void Restore(const KeptUpstream& kept, TimePoint now);

 private:
  struct Model {
    bool is_loading = false;
    std::optional<TimePoint> content_at;  // when it was there; nothing: nobody knows
    TimePoint asked_at;                   // for what goes first when there are too many
    bool is_real = false;                 // it has answered: names that clients invent don't push it out
  };
  struct Waiting {
    std::string model;
    News news = News::kLoading;
    std::function<void()> wake;  // may be empty
  };

  // All of these need mutex_.
  bool IsWarm(const Model& model, TimePoint now) const;
  Model* Remember(std::string_view name, TimePoint now);
  void NoteReal(const std::string& name, Model& model);

  mutable std::mutex mutex_;
  std::optional<Duration> cold_load_;  // guarded by mutex_, as all below
  std::optional<Duration> keep_warm_;
  std::map<std::string, Model, std::less<>> models_;
  std::string last_;  // the model that has answered last
  size_t loading_ = 0;
  size_t most_loading_;
  std::map<Waiter, Waiting> waiters_;
  Waiter last_waiter_ = 0;
};

}  // namespace runtime::engine
