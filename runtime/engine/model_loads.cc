#include "runtime/engine/model_loads.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace runtime::engine {

ModelLoads::ModelLoads(std::optional<Duration> cold_load, std::optional<Duration> keep_warm, size_t most_loading)
    : cold_load_(cold_load), keep_warm_(keep_warm), most_loading_(most_loading) {}

void ModelLoads::Reconfigure(std::optional<Duration> cold_load, std::optional<Duration> keep_warm, size_t most_loading) {
  std::lock_guard lock(mutex_);
  most_loading_ = most_loading;
  cold_load_ = cold_load;
  keep_warm_ = keep_warm;
}

std::optional<Duration> ModelLoads::cold_load() const {
  std::lock_guard lock(mutex_);
  return cold_load_;
}

bool ModelLoads::IsWarm(const Model& model, TimePoint now) const {
  if (!model.content_at) return false;
  const Duration kept = keep_warm_ ? std::max(kKept, *keep_warm_ + kKeptBeyond) : kKept;
  return now < *model.content_at + kept;
}

// Null: it can't be, because there are too many, or its name is too long.
ModelLoads::Model* ModelLoads::Remember(std::string_view name, TimePoint now) {
  if (name.empty() || name.size() > kMaxModelName) return nullptr;
  const auto found = models_.find(name);
  if (found != models_.end()) {
    found->second.asked_at = now;
    return &found->second;
  }
  if (models_.size() >= kMaxModels) {
    auto oldest = models_.end();
    for (auto it = models_.begin(); it != models_.end(); ++it) {
      if (it->second.is_loading) continue;
      const auto rank = [](const Model& model) { return std::pair(model.is_real, model.asked_at); };
      if (oldest == models_.end() || rank(it->second) < rank(oldest->second)) oldest = it;
    }
    if (oldest == models_.end()) return nullptr;
    models_.erase(oldest);
  }
  return &models_.emplace(std::string(name), Model{false, std::nullopt, now, false}).first->second;
}

ModelLoads::Entry ModelLoads::Ask(std::string_view name, TimePoint now) {
  std::lock_guard lock(mutex_);
  Model* const model = Remember(name, now);
  if (model == nullptr) return {Answer::kWarm, 0};
  if (!cold_load_ || IsWarm(*model, now)) return {Answer::kWarm, 0};
  if (!model->is_loading && loading_ >= most_loading_) return {Answer::kWarm, 0};
  const bool begins = !std::exchange(model->is_loading, true);
  if (begins) ++loading_;
  waiters_.emplace(++last_waiter_, Waiting{std::string(name), News::kLoading, nullptr});
  return {begins ? Answer::kBegin : Answer::kWaits, last_waiter_};
}

bool ModelLoads::WouldWait(std::string_view name, TimePoint now) const {
  if (!cold_load_ || name.empty() || name.size() > kMaxModelName) return false;
  std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found != models_.end() && IsWarm(found->second, now)) return false;
  return (found != models_.end() && found->second.is_loading) || loading_ < most_loading_;
}

bool ModelLoads::OnNews(Waiter waiter, std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  const auto found = waiters_.find(waiter);
  if (found == waiters_.end() || found->second.news != News::kLoading) return false;
  found->second.wake = std::move(wake);
  return true;
}

ModelLoads::News ModelLoads::Look(Waiter waiter) const {
  std::lock_guard lock(mutex_);
  const auto found = waiters_.find(waiter);
  return found == waiters_.end() ? News::kOver : found->second.news;
}

void ModelLoads::Leave(Waiter waiter) {
  std::lock_guard lock(mutex_);
  waiters_.erase(waiter);
}

void ModelLoads::End(std::string_view name, News news, Outcome outcome, TimePoint now) {
  std::vector<std::function<void()>> wakes;
  {
    std::lock_guard lock(mutex_);
    const auto found = models_.find(name);
    if (found != models_.end()) {
      if (std::exchange(found->second.is_loading, false)) --loading_;
      if (outcome != Outcome::kFailed) found->second.content_at = now;
      else found->second.content_at.reset();
      if (outcome == Outcome::kLoaded) NoteReal(found->first, found->second);
    }
    for (auto& [id, waiting] : waiters_) {
      if (waiting.news != News::kLoading || waiting.model != name) continue;
      waiting.news = news;
      if (waiting.wake != nullptr) wakes.push_back(std::exchange(waiting.wake, nullptr));
    }
  }
  for (const auto& wake : wakes) wake();
}

std::vector<std::string> ModelLoads::Warm(TimePoint now) const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, model] : models_) {
    if (IsWarm(model, now)) names.push_back(name);
  }
  return names;
}

void ModelLoads::ObserveLoaded(std::string_view name, TimePoint now) {
  std::lock_guard lock(mutex_);
  if (Model* const model = Remember(name, now)) {
    model->content_at = now;
    model->is_real = true;
  }
}

void ModelLoads::ObserveContent(std::string_view name, TimePoint now) {
  std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found == models_.end()) return;
  found->second.content_at = now;
  NoteReal(found->first, found->second);
}

void ModelLoads::NoteReal(const std::string& name, Model& model) {
  model.is_real = true;
  if (last_ != name) last_ = name;
}

void ModelLoads::ObserveSilence(std::string_view name) {
  std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found != models_.end()) found->second.content_at.reset();
}

std::optional<std::string> ModelLoads::Due(TimePoint now, TimePoint* next) {
  *next = TimePoint::max();
  if (!keep_warm_) return std::nullopt;
  std::lock_guard lock(mutex_);
  *next = now + *keep_warm_;
  const auto found = models_.find(last_);
  if (found == models_.end() || found->second.is_loading || !IsWarm(found->second, now)) return std::nullopt;
  const TimePoint due = *found->second.content_at + *keep_warm_;
  if (now < due) {
    *next = due;
    return std::nullopt;
  }
  found->second.is_loading = true;
  ++loading_;
  return last_;
}

void ModelLoads::Keep(KeptUpstream* kept) const {
  std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    kept->models.push_back({name, model.content_at, model.asked_at, model.is_real});
  }
  kept->last_model = last_;
}

void ModelLoads::Restore(const KeptUpstream& kept, TimePoint now) {
  std::lock_guard lock(mutex_);
  for (const KeptModel& model : kept.models) {
    Model known{false, model.content_at, std::min(model.asked_at, now), model.is_real};
    if (known.content_at) known.content_at = std::min(*known.content_at, now);
    models_.emplace(model.name, known);
  }
  last_ = kept.last_model;
}

}  // namespace runtime::engine
