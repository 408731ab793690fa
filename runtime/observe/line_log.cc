#include "runtime/observe/line_log.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace runtime::observe {
namespace {

constexpr size_t kMaxPieces = 64;  // of one writev

}  // namespace

// ---- Chunks ----------------------------------------------------------------------------------------------------------

ChunkStack::~ChunkStack() {
  for (LogChunk* chunk = TakeAll(); chunk != nullptr;) delete std::exchange(chunk, chunk->next);
}

void ChunkStack::Push(std::unique_ptr<LogChunk> chunk) {
  LogChunk* const raw = chunk.release();
  raw->next = top_.load(std::memory_order_relaxed);
  while (!top_.compare_exchange_weak(raw->next, raw, std::memory_order_release, std::memory_order_relaxed)) {
  }
}

LogChunk* ChunkStack::TakeAll() { return top_.exchange(nullptr, std::memory_order_acquire); }

// ---- The log ---------------------------------------------------------------------------------------------------------

namespace {

// A file description of our own for a pipe or a terminal, on which writing doesn't wait: what others do with theirs stays as it is.
// -1 for anything else.
int OpenWithoutWaiting(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || (!S_ISFIFO(status.st_mode) && !S_ISCHR(status.st_mode))) return -1;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

}  // namespace

LineLog::LineLog(int fd, bool is_for_people)
    : own_fd_(OpenWithoutWaiting(fd)), fd_(own_fd_ >= 0 ? own_fd_ : fd), is_for_people_(is_for_people), thread_([this] { Run(); }) {}
LineLog::LineLog(std::unique_ptr<LogSocket> socket, bool is_for_people)
    : fd_(socket->fd()), socket_(std::move(socket)), is_for_people_(is_for_people), thread_([this] { Run(); }) {}
LineLog::LineLog(TakeLine take, bool is_for_people) : fd_(-1), is_for_people_(is_for_people), take_(std::move(take)) {}

LineLog::~LineLog() {
  if (fd_ < 0) return;
  give_up_at_ns_.store((std::chrono::steady_clock::now() + kPatience).time_since_epoch().count(), std::memory_order_release);
  stopping_.store(true, std::memory_order_release);
  Wake();
  thread_.join();
  if (own_fd_ >= 0) close(own_fd_);
}

// Whether a write that failed with `error` is to be made again. Waits for a reader, but not once it is time to stop.
bool LineLog::MayWriteAgain(int error) {
  if (error == EINTR) return true;
  if (error != EAGAIN) return false;  // a full disk or a closed pipe must not stop the gateway
  for (;;) {
    if (stopping_.load(std::memory_order_acquire) &&
        std::chrono::steady_clock::now().time_since_epoch().count() >= give_up_at_ns_.load(std::memory_order_acquire)) {
      return false;
    }
    pollfd writable{socket_ != nullptr ? socket_->fd() : fd_, POLLOUT, 0};
    constexpr int kLookMs = 50;
    if (poll(&writable, 1, kLookMs) > 0) return true;
  }
}

void LineLog::Wake() {
  {
    std::lock_guard lock(mutex_);
    ++news_;
  }
  waker_.notify_one();
}

bool LineLog::Queue(size_t bytes, size_t lines) {
  if (queued_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= kMaxQueued) return true;
  queued_.fetch_sub(bytes, std::memory_order_relaxed);
  dropped_.fetch_add(lines, std::memory_order_relaxed);
  return false;
}

namespace {

constexpr std::string_view kLevels[] = {"info", "warn", "error"};

// Events begin with their time and their level. Who writes neither is not left out.
size_t LevelOf(std::string_view line) {
  constexpr std::string_view kName = "\"level\":\"";
  constexpr size_t kHead = 80;
  const size_t at = line.substr(0, kHead).find(kName);
  if (at == std::string_view::npos) return std::size(kLevels);
  const std::string_view rest = line.substr(at + kName.size());
  for (size_t i = 0; i < std::size(kLevels); ++i) {
    if (rest.starts_with(kLevels[i])) return i;
  }
  return std::size(kLevels);
}

}  // namespace

bool LineLog::SetLeastLevel(std::string_view name) {
  const auto* const found = std::find(std::begin(kLevels), std::end(kLevels), name);
  if (found == std::end(kLevels)) return false;
  least_level_.store(static_cast<size_t>(found - std::begin(kLevels)));
  return true;
}

std::string_view LineLog::least_level_name() const { return kLevels[least_level_.load()]; }

void LineLog::Write(std::string_view line) {
  const size_t least = least_level_.load(std::memory_order_relaxed);
  if (least == 0 || LevelOf(line) >= least) WriteAlways(line);
}

void LineLog::WriteAlways(std::string_view line) {
  if (fd_ < 0) {
    if (take_) take_(line);
    return;
  }
  if (!Queue(line.size() + 1, 1)) return;
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    was_empty = events_.empty();
    events_.append(line);
    events_.push_back('\n');
  }
  if (was_empty) Wake();
}

void LineLog::Run() {
  for (;;) {
    uint64_t seen = 0;
    {
      std::lock_guard lock(mutex_);
      seen = news_;
    }
    const bool is_last = stopping_.load(std::memory_order_acquire);
    const bool events = WriteEvents();
    if (WriteChunks() || events) continue;
    if (is_last) return;
    std::unique_lock lock(mutex_);
    waker_.wait(lock, [&] { return news_ != seen; });
  }
}

size_t LineLog::Send(std::string_view lines) {
  return socket_->Send(lines, [this](int error) { return MayWriteAgain(error); });
}

bool LineLog::WriteEvents() {
  {
    std::lock_guard lock(mutex_);
    batch_.swap(events_);
  }
  if (batch_.empty()) return false;
  if (socket_ != nullptr) {
    dropped_.fetch_add(Send(batch_), std::memory_order_relaxed);
    queued_.fetch_sub(batch_.size(), std::memory_order_relaxed);
    batch_.clear();
    return true;
  }
  size_t written = 0;
  while (written < batch_.size()) {
    const ssize_t n = ::write(fd_, batch_.data() + written, batch_.size() - written);
    if (n < 0 && MayWriteAgain(errno)) continue;
    if (n <= 0) {
      const auto lost = std::count(batch_.begin() + static_cast<std::ptrdiff_t>(written), batch_.end(), '\n');
      dropped_.fetch_add(static_cast<uint64_t>(lost), std::memory_order_relaxed);
      break;
    }
    written += static_cast<size_t>(n);
  }
  queued_.fetch_sub(batch_.size(), std::memory_order_relaxed);
  batch_.clear();
  return true;
}

namespace {

// Writes the chunks in their order; returns how many lines got lost, a torn one among them.
template <typename MayWriteAgain>
size_t WriteAll(int fd, const std::vector<std::unique_ptr<LogChunk>>& chunks, MayWriteAgain may_write_again) {
  size_t first = 0;   // chunk that is not wholly written
  size_t offset = 0;  // … and how much of it is
  while (first < chunks.size()) {
    iovec pieces[kMaxPieces];
    const size_t count = std::min(chunks.size() - first, kMaxPieces);
    for (size_t i = 0; i < count; ++i) {
      const LogChunk& chunk = *chunks[first + i];
      const size_t skip = i == 0 ? offset : 0;
      pieces[i] = {chunk.text.get() + skip, chunk.size - skip};
    }
    const ssize_t n = ::writev(fd, pieces, static_cast<int>(count));
    if (n < 0 && may_write_again(errno)) continue;
    if (n <= 0) {
      size_t lost = 0;
      for (size_t i = first; i < chunks.size(); ++i) {
        const LogChunk& chunk = *chunks[i];
        lost += static_cast<size_t>(std::count(chunk.text.get() + (i == first ? offset : 0), chunk.text.get() + chunk.size, '\n'));
      }
      return lost;
    }
    offset += static_cast<size_t>(n);
    while (first < chunks.size() && offset >= chunks[first]->size) offset -= chunks[first++]->size;
  }
  return 0;
}

}  // namespace

bool LineLog::WriteChunks() {
  {
    std::lock_guard lock(mutex_);
    seen_lanes_ = lanes_;
  }
  bool any = false;
  auto& chunks = chunks_;
  for (const auto& lane : seen_lanes_) {
    const bool is_over = lane->is_over.load(std::memory_order_acquire);
    chunks.clear();
    size_t bytes = 0;
    for (LogChunk* chunk = lane->full.TakeAll(); chunk != nullptr; chunk = chunk->next) {
      chunks.emplace_back(chunk);
      bytes += chunk->size;
    }
    std::reverse(chunks.begin(), chunks.end());
    if (!chunks.empty()) {
      any = true;
      size_t lost = 0;
      if (socket_ == nullptr) {
        lost = WriteAll(fd_, chunks, [this](int error) { return MayWriteAgain(error); });
      } else {
        for (const auto& chunk : chunks) lost += Send({chunk->text.get(), chunk->size});
      }
      dropped_.fetch_add(lost, std::memory_order_relaxed);
      queued_.fetch_sub(bytes, std::memory_order_relaxed);
    }
    if (is_over) {
      std::lock_guard lock(mutex_);
      std::erase(lanes_, lane);
      continue;
    }
    for (auto& chunk : chunks) {
      if (chunk->capacity == LogLane::kChunkBytes) lane->free.Push(std::move(chunk));
    }
    chunks.clear();
  }
  return any;
}

// ---- A lane ----------------------------------------------------------------------------------------------------------

LogLane::LogLane(LineLog& log) : log_(log), share_(std::make_shared<LaneShare>()) {
  if (log_.fd_ >= 0) {
    std::lock_guard lock(log_.mutex_);
    log_.lanes_.push_back(share_);
  }
  Use(NewChunk());
}

LogLane::~LogLane() {
  HandOver();
  share_->is_over.store(true, std::memory_order_release);
  if (log_.fd_ >= 0) log_.Wake();
}

void LogLane::EndLine() {
  if (log_.fd_ < 0) {
    if (log_.take_) log_.take_({line_, static_cast<size_t>(at_ - line_)});
    at_ = line_;
    return;
  }
  char* const end = Room(1);
  *end = '\n';
  at_ = line_ = end + 1;
  ++chunk_->lines;
  chunk_->size = static_cast<size_t>(at_ - chunk_->text.get());
}

void LogLane::HandOver() {
  BW_CHECK(at_ == line_, "a line is being written");
  if (chunk_->lines > 0) {
    auto full = std::exchange(chunk_, nullptr);
    Use(NewChunk());
    Submit(std::move(full));
  }
  if (std::exchange(untold_bytes_, 0) > 0) log_.Wake();
}

void LogLane::Submit(std::unique_ptr<LogChunk> chunk) {
  if (!log_.Queue(chunk->size, chunk->lines)) {
    chunk->size = chunk->lines = 0;
    if (chunk->capacity == kChunkBytes && spare_.size() < kMaxSpare) spare_.push_back(std::move(chunk));
    return;
  }
  untold_bytes_ += chunk->size;
  share_->full.Push(std::move(chunk));
  if (untold_bytes_ < kWakeBytes) return;
  untold_bytes_ = 0;
  log_.Wake();
}

// The line that is being written moves to a chunk where it fits; the lines before it go to the writer.
void LogLane::Grow(size_t bytes) {
  const size_t begun = static_cast<size_t>(at_ - line_);
  const size_t needed = begun + bytes;
  auto larger = needed <= kChunkBytes && is_waiting() ? NewChunk() : std::make_unique<LogChunk>(std::max(2 * needed, kChunkBytes));
  std::memcpy(larger->text.get(), line_, begun);
  auto before = std::exchange(chunk_, nullptr);
  Use(std::move(larger));
  at_ += begun;
  if (before->lines > 0) {
    Submit(std::move(before));
  } else if (before->capacity == kChunkBytes && spare_.size() < kMaxSpare) {
    spare_.push_back(std::move(before));
  }
}

std::unique_ptr<LogChunk> LogLane::NewChunk() {
  if (spare_.empty()) {
    for (LogChunk* chunk = share_->free.TakeAll(); chunk != nullptr;) {
      std::unique_ptr<LogChunk> owned(std::exchange(chunk, chunk->next));
      if (spare_.size() < kMaxSpare) spare_.push_back(std::move(owned));
    }
  }
  if (spare_.empty()) return std::make_unique<LogChunk>(kChunkBytes);
  auto chunk = std::move(spare_.back());
  spare_.pop_back();
  chunk->size = chunk->lines = 0;
  return chunk;
}

void LogLane::Use(std::unique_ptr<LogChunk> chunk) {
  chunk_ = std::move(chunk);
  line_ = at_ = chunk_->text.get();
  end_ = line_ + chunk_->capacity;
}

}  // namespace runtime::observe
