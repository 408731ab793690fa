// Numbers and text as bytes, the same on every machine. Reading never goes beyond the end: what fails once fails for good, and
// gives zeros from there on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace base {

class ByteWriter {
 public:
  void Unsigned(uint64_t value) {  // LEB128
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
  }
  void Signed(int64_t value) {  // zigzag
    Unsigned((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
  }
  void Fixed64(uint64_t value) {
    for (int i = 0; i < 8; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void Text(std::string_view text) {
    Unsigned(text.size());
    out_.append(text);
  }
  std::string Take() { return std::move(out_); }

 private:
  std::string out_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  uint64_t Unsigned() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) break;
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      const uint64_t part = byte & 0x7f;
      if (shift == 63 && part > 1) break;
      value |= part << shift;
      if (byte < 0x80) {
        if (byte == 0 && shift > 0) break;  // one way to write a number
        return value;
      }
    }
    Fail();
    return 0;
  }
  int64_t Signed() {
    const uint64_t value = Unsigned();
    return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
  }
  uint64_t Fixed64() {
    if (bytes_.size() < 8) {
      Fail();
      return 0;
    }
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i)
      value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes_[static_cast<size_t>(i)])) << (8 * i);
    bytes_.remove_prefix(8);
    return value;
  }
  std::string_view Text() {
    const uint64_t size = Unsigned();
    if (size > bytes_.size()) {
      Fail();
      return {};
    }
    const std::string_view text = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return text;
  }

  size_t left() const { return bytes_.size(); }
  bool failed() const { return failed_; }
  void Fail() {
    failed_ = true;
    bytes_ = {};
  }

 private:
  std::string_view bytes_;
  bool failed_ = false;
};

}  // namespace base
