// Heads and chunks to bytes. Everything is appended to *out; nothing is checked here: names and values come from parsed
// messages or from a checked policy.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace runtime::http {

void AppendRequestLine(std::string_view method, std::string_view target, std::string* out);  // always HTTP/1.1
void AppendStatusLine(int status, std::string* out);  // HTTP/1.1, the registered reason phrase (RFC 9110 15)
void AppendHeader(std::string_view name, std::string_view value, std::string* out);
void AppendHeader(std::string_view name, uint64_t value, std::string* out);
void AppendEndOfHead(std::string* out);

void AppendChunkHead(size_t size, std::string* out);         // "1f\r\n"
inline constexpr std::string_view kChunkEnd = "\r\n";        // after the data of a chunk
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view ReasonPhrase(int status);

// Puts a head together in memory of its own and appends it to *out when it is destroyed, or has grown large: a head is many small
// pieces, and a string asks itself about room for each of them.
class HeadWriter {
 public:
  explicit HeadWriter(std::string* out) : out_(out) {}
  ~HeadWriter() { Flush(); }
  HeadWriter(const HeadWriter&) = delete;
  HeadWriter& operator=(const HeadWriter&) = delete;

  void Put(std::string_view text) {
    if (text.size() > kRoom - size_) return PutLarge(text);
    Copy(text_ + size_, text.data(), text.size());
    size_ += text.size();
  }
  template <size_t kSize>
  void Put(const char (&literal)[kSize]) {
    if (kSize - 1 > kRoom - size_) return PutLarge({literal, kSize - 1});
    std::memcpy(text_ + size_, literal, kSize - 1);
    size_ += kSize - 1;
  }
  void Header(std::string_view name, std::string_view value) {
    if (name.size() + value.size() + 4 > kRoom - size_) return HeaderLarge(name, value);
    char* at = text_ + size_;
    Copy(at, name.data(), name.size());
    at += name.size();
    std::memcpy(at, ": ", 2);
    at += 2;
    Copy(at, value.data(), value.size());
    at += value.size();
    std::memcpy(at, "\r\n", 2);
    size_ = static_cast<size_t>(at + 2 - text_);
  }
  void Header(std::string_view name, uint64_t value);
  void StatusLine(int status);

 private:
  static constexpr size_t kRoom = 1024;
  // Most pieces are short.
  static void Copy(char* to, const char* from, size_t size) {
    uint64_t a = 0, b = 0;
    if (size > 16) {
      std::memcpy(to, from, size);
    } else if (size >= 8) {
      std::memcpy(&a, from, 8);
      std::memcpy(&b, from + size - 8, 8);
      std::memcpy(to, &a, 8);
      std::memcpy(to + size - 8, &b, 8);
    } else {
      for (size_t i = 0; i < size; ++i) to[i] = from[i];
    }
  }
  void Flush();
  void PutLarge(std::string_view text);
  void HeaderLarge(std::string_view name, std::string_view value);

  std::string* const out_;
  size_t size_ = 0;
  char text_[kRoom];
};

}  // namespace runtime::http
