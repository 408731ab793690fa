#include "runtime/proxy/line_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace runtime::proxy {

LineLog::LineLog(int fd) : fd_(fd), thread_([this] { Run(); }) {}
LineLog::LineLog(TakeLine take) : fd_(-1), take_(std::move(take)) {}

LineLog::~LineLog() {
  if (fd_ < 0) return;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void LineLog::Write(std::string_view line) {
  if (fd_ < 0) {
    if (take_) take_(line);
    return;
  }
  bool was_empty = false;
  {
    std::lock_guard lock(mutex_);
    if (queued_.size() + line.size() + 1 > kMaxQueued) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    was_empty = queued_.empty();
    queued_.append(line);
    queued_.push_back('\n');
  }
  if (was_empty) wake_.notify_one();
}

void LineLog::Run() {
  std::string batch;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
      if (queued_.empty()) return;
      batch.swap(queued_);
    }
    size_t written = 0;
    while (written < batch.size()) {
      const ssize_t n = ::write(fd_, batch.data() + written, batch.size() - written);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {  // a full disk or a closed pipe must not stop the gateway
        const auto lost = std::count(batch.begin() + static_cast<std::ptrdiff_t>(written), batch.end(), '\n');
        dropped_.fetch_add(static_cast<uint64_t>(lost), std::memory_order_relaxed);
        break;
      }
      written += static_cast<size_t>(n);
    }
    batch.clear();
  }
}

namespace {

// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629).
size_t Utf8Length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto is_tail = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return is_tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!is_tail(1) || !is_tail(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!is_tail(1) || !is_tail(2) || !is_tail(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

void AppendJsonString(std::string_view value, std::string* out) {
  out->push_back('"');
  for (size_t i = 0; i < value.size();) {
    const char c = value[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      const size_t length = Utf8Length(value.substr(i));
      if (length == 0) {
        out->append("\xef\xbf\xbd");
        ++i;
      } else {
        out->append(value.substr(i, length));
        i += length;
      }
      continue;
    }
    switch (c) {
      case '"': out->append("\\\""); break;
      case '\\': out->append("\\\\"); break;
      case '\n': out->append("\\n"); break;
      case '\r': out->append("\\r"); break;
      case '\t': out->append("\\t"); break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
          char escaped[8];
          std::snprintf(escaped, sizeof escaped, "\\u%04x", static_cast<unsigned>(c));
          out->append(escaped);
        } else {
          out->push_back(c);
        }
    }
    ++i;
  }
  out->push_back('"');
}

void JsonLine::Key(std::string_view key) {
  if (text_.size() > 1) text_.push_back(',');
  text_.push_back('"');
  text_.append(key);
  text_.append("\":");
}

JsonLine& JsonLine::Add(std::string_view key, std::string_view value) {
  Key(key);
  AppendJsonString(value, &text_);
  return *this;
}

JsonLine& JsonLine::Add(std::string_view key, int64_t value) {
  Key(key);
  text_.append(std::to_string(value));
  return *this;
}

JsonLine& JsonLine::AddMillis(std::string_view key, int64_t nanoseconds) {
  Key(key);
  char number[40];
  std::snprintf(number, sizeof number, "%lld.%03lld", static_cast<long long>(nanoseconds / 1'000'000),
                static_cast<long long>(nanoseconds / 1'000 % 1'000));
  text_.append(number);
  return *this;
}

JsonLine& JsonLine::AddRaw(std::string_view key, std::string_view json) {
  Key(key);
  text_.append(json);
  return *this;
}

const std::string& JsonLine::Finish() {
  text_.push_back('}');
  return text_;
}

}  // namespace runtime::proxy
