// Heads and chunks to bytes. Everything is appended to *out; nothing is checked here: names and values come from parsed
// messages or from a checked policy.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "base/decimal.h"
#include "base/short_text.h"

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
    base::CopyText(text_ + size_, text);
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
    char* at = base::CopyText(text_ + size_, name);
    std::memcpy(at, ": ", 2);
    at = base::CopyText(at + 2, value);
    std::memcpy(at, "\r\n", 2);
    size_ = static_cast<size_t>(at + 2 - text_);
  }
  // "Name: " as it is to be written.
  template <size_t kSize>
  void Named(const char (&name)[kSize], std::string_view value) {
    constexpr size_t kName = kSize - 1;
    if (kName + value.size() + 2 > kRoom - size_) return HeaderLarge({name, kName - 2}, value);
    std::memcpy(text_ + size_, name, kName);
    char* const at = base::CopyText(text_ + size_ + kName, value);
    std::memcpy(at, "\r\n", 2);
    size_ = static_cast<size_t>(at + 2 - text_);
  }
  template <size_t kSize>
  void Named(const char (&name)[kSize], uint64_t value) {
    char digits[base::kDecimalRoom];
    Named(name, std::string_view(digits, static_cast<size_t>(base::PutDecimal(value, digits) - digits)));
  }
  void StatusLine(int status);

 private:
  static constexpr size_t kRoom = 1024;
  void Flush();
  void PutLarge(std::string_view text);
  void HeaderLarge(std::string_view name, std::string_view value);

  std::string* const out_;
  size_t size_ = 0;
  char text_[kRoom];
};

}  // namespace runtime::http
