// Lines of text to a file descriptor, written by a thread of its own so that a slow reader of the log never stalls a loop.
// Bounded: when the reader falls behind by more than kMaxQueued bytes, whole lines are dropped and counted.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace runtime::proxy {

class LineLog {
 public:
  static constexpr size_t kMaxQueued = 8 << 20;

  // Does not own `fd`.
  explicit LineLog(int fd);
  // No thread and no file: each line is handed to `take` at once, on the thread that writes it. Null: lines come to nothing.
  using TakeLine = std::function<void(std::string_view line)>;
  explicit LineLog(TakeLine take);
  ~LineLog();  // writes what is queued
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  void Write(std::string_view line);  // without the newline; thread-safe
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void Run();

  const int fd_;
  const TakeLine take_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string queued_;
  bool stopping_ = false;
  std::atomic<uint64_t> dropped_{0};
  std::thread thread_;
};

// Builds one JSON object as text. Keys are plain ASCII; values are escaped.
class JsonLine {
 public:
  JsonLine& Add(std::string_view key, std::string_view value);
  JsonLine& Add(std::string_view key, const char* value) { return Add(key, std::string_view(value)); }
  JsonLine& Add(std::string_view key, int64_t value);
  JsonLine& AddMillis(std::string_view key, int64_t nanoseconds);  // as a number with three decimals
  JsonLine& AddRaw(std::string_view key, std::string_view json);
  const std::string& Finish();  // adds the closing brace

 private:
  void Key(std::string_view key);
  std::string text_ = "{";
};

// Appends `value` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view value, std::string* out);

}  // namespace runtime::proxy
