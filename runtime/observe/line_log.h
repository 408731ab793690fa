// Lines of text to a file descriptor, written by a thread of its own so that a slow reader of the log never stalls a loop.
// Bounded: when the reader falls behind by more than kMaxQueued bytes, whole lines are dropped and counted.
//
// Events, which are few, come by Write. A worker that writes a line for each request has a LogLane: chunks of its own memory,
// handed to the writer when full or when the worker says so. The writer sleeps until several chunks are full or the worker says so: a
// wake-up costs as much as many lines do, and what is written in large pieces costs a file system less.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "runtime/observe/json_line.h"
#include "runtime/observe/log_socket.h"

namespace runtime::observe {

// Memory for lines, each with its newline.
struct LogChunk {
  explicit LogChunk(size_t bytes) : capacity(bytes), text(new char[bytes]) {}
  const size_t capacity;
  const std::unique_ptr<char[]> text;
  size_t size = 0;
  size_t lines = 0;
  LogChunk* next = nullptr;
};

// A stack that any thread may push to and one thread takes whole, so that there is no ABA.
class ChunkStack {
 public:
  ~ChunkStack();
  void Push(std::unique_ptr<LogChunk> chunk);
  LogChunk* TakeAll();  // the last pushed first; the caller's, linked by `next`

 private:
  std::atomic<LogChunk*> top_{nullptr};
};

// What a lane and the writer share.
struct LaneShare {
  ChunkStack full;
  ChunkStack free;
  std::atomic<bool> is_over{false};
};

class LineLog {
 public:
  static constexpr size_t kMaxQueued = 8 << 20;

  // Does not own `fd`. `is_for_people`: what is written line by line is to be read at once (a terminal), not by programs.
  explicit LineLog(int fd, bool is_for_people = false);
  // A datagram for each line.
  explicit LineLog(std::unique_ptr<LogSocket> socket, bool is_for_people = false);
  // No thread and no file: each line is handed to `take` at once, on the thread that writes it. Null: lines come to nothing.
  using TakeLine = std::function<void(std::string_view line)>;
  explicit LineLog(TakeLine take, bool is_for_people = false);
  // Writes what is queued, as far as somebody reads it within kPatience; its lanes must be gone.
  ~LineLog();
  static constexpr std::chrono::seconds kPatience{2};
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  void Write(std::string_view line);        // without the newline; thread-safe. An event below the least level is left out.
  void WriteAlways(std::string_view line);  // likewise, whatever its level
  // "info" (at the start), "warn" or "error"; false: there is no such level. Thread-safe.
  bool SetLeastLevel(std::string_view name);
  std::string_view least_level_name() const;
  bool may_drop() const { return fd_ >= 0; }
  bool is_for_people() const { return is_for_people_; }
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  friend class LogLane;

  void Wake();
  bool Queue(size_t bytes, size_t lines);  // false: too much is queued, and the lines are counted as dropped
  void Run();
  bool MayWriteAgain(int error);
  bool WriteEvents();
  bool WriteChunks();
  size_t Send(std::string_view lines);  // to the socket; returns how many were lost

  const int own_fd_ = -1;  // non-blocking; -1: none
  const int fd_;                              // of a socket the first one: to know that there is a writer
  const std::unique_ptr<LogSocket> socket_;  // instead of fd_
  const bool is_for_people_ = false;
  const TakeLine take_;
  std::mutex mutex_;   // of the next three
  uint64_t news_ = 0;  // that the writer is to look
  std::string events_;
  std::vector<std::shared_ptr<LaneShare>> lanes_;
  // Sleeps at once: std::atomic::wait would yield the CPU to the worker, and take it away again, several times first.
  std::condition_variable waker_;
  std::string batch_;  // this and the next two: of the writer; they keep their memory
  std::vector<std::shared_ptr<LaneShare>> seen_lanes_;
  std::vector<std::unique_ptr<LogChunk>> chunks_;
  std::atomic<size_t> queued_{0};
  std::atomic<int64_t> give_up_at_ns_{0};  // steady clock
  std::atomic<bool> stopping_{false};
  std::atomic<uint64_t> dropped_{0};
  std::atomic<size_t> least_level_{0};
  std::thread thread_;
};

// One thread's way into a log that has a line for each request. Not thread-safe.
class LogLane {
 public:
  static constexpr size_t kChunkBytes = 64 << 10;
  static constexpr size_t kWakeBytes = 4 * kChunkBytes;  // in full chunks, for which the writer wakes
  static constexpr size_t kMaxSpare = 6;                 // chunks kept for later; more are given back

  explicit LogLane(LineLog& log);
  ~LogLane();  // hands over what is there
  LogLane(const LogLane&) = delete;
  LogLane& operator=(const LogLane&) = delete;

  // The place where the line goes on, with room for `bytes`. A place that was given before is void.
  char* Room(size_t bytes) {
    if (static_cast<size_t>(end_ - at_) < bytes) Grow(bytes);
    return at_;
  }
  char* end() { return end_; }         // of the room, which may be larger than what was asked for
  void MoveTo(char* at) { at_ = at; }  // within the room
  // The first byte of the line. Valid until the next Room.
  char* line() { return line_; }
  void EndLine();

  // Lines are not handed over, or the writer need not know yet.
  bool is_waiting() const { return chunk_->lines > 0 || untold_bytes_ > 0; }
  void HandOver();  // between two lines

 private:
  void Grow(size_t bytes);
  void Submit(std::unique_ptr<LogChunk> chunk);
  std::unique_ptr<LogChunk> NewChunk();
  void Use(std::unique_ptr<LogChunk> chunk);

  LineLog& log_;
  const std::shared_ptr<LaneShare> share_;
  std::unique_ptr<LogChunk> chunk_;
  std::vector<std::unique_ptr<LogChunk>> spare_;
  size_t untold_bytes_ = 0;  // handed over since the writer was woken
  char* line_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace runtime::observe
