#include "runtime/observe/json_line.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/decimal.h"
#include "base/short_text.h"

namespace runtime::observe {
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

// The high bit of each byte of `word` that can't stand in a JSON string as it is, or is not ASCII. A borrow may mark a byte
// above one that is marked rightly; the word as a whole is told right.
constexpr uint64_t kOnes = 0x0101010101010101;
constexpr uint64_t kHighs = 0x8080808080808080;
uint64_t Awkward(uint64_t word) {
  const auto equals = [](uint64_t x) { return (x - kOnes) & ~x; };  // bytes that are 0
  const uint64_t control = (word - kOnes * 0x20) & ~word;
  return (word | control | equals(word ^ (kOnes * '"')) | equals(word ^ (kOnes * '\\')) | equals(word ^ (kOnes * 0x7f))) &
         kHighs;
}

// Copies eight bytes at a time as long as none of them needs care; returns how many.
size_t CopyPlain(std::string_view value, char* at) {
  size_t i = 0;
  for (uint64_t word; i + 8 <= value.size(); i += 8) {
    std::memcpy(&word, value.data() + i, 8);
    if (Awkward(word) != 0) return i;
    std::memcpy(at + i, &word, 8);
  }
  return i;
}

// Whether nothing in it needs care.
bool IsPlain(std::string_view value) {
  const char* const begin = value.data();
  const size_t size = value.size();
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (Awkward(base::WordAt<uint64_t>(begin + i)) != 0) return false;
    }
    return Awkward(base::WordAt<uint64_t>(begin + size - 8)) == 0;
  }
  if (size >= 4) return Awkward(base::ShortWord(begin, size)) == 0;
  constexpr uint64_t kLetters = kOnes * 'a';  // where it has no byte
  return size == 0 || Awkward(base::ShortWord(begin, size) | (kLetters << 24)) == 0;
}

char* PutEscape(unsigned char c, char* at) {
  *at++ = '\\';
  switch (c) {
    case '"': *at++ = '"'; return at;
    case '\\': *at++ = '\\'; return at;
    case '\n': *at++ = 'n'; return at;
    case '\r': *at++ = 'r'; return at;
    case '\t': *at++ = 't'; return at;
    default: break;
  }
  constexpr char kDigits[] = "0123456789abcdef";
  for (const char digit : {'u', '0', '0', kDigits[c >> 4], kDigits[c & 0xf]}) *at++ = digit;
  return at;
}

}  // namespace

char* PutJsonString(std::string_view value, char* at) {
  *at++ = '"';
  if (IsPlain(value)) {  // as nearly all
    at = base::CopyText(at, value);
    *at++ = '"';
    return at;
  }
  size_t i = 0;
  while (i < value.size()) {
    const size_t plain = CopyPlain(value.substr(i), at);
    at += plain;
    i += plain;
    // What is left of the string, or the eight bytes with one that needs care.
    for (const size_t end = std::min(i + 8, value.size()); i < end;) {
      const unsigned char c = static_cast<unsigned char>(value[i]);
      if (c >= 0x80) {
        const size_t length = Utf8Length(value.substr(i));
        std::memcpy(at, length == 0 ? "\xef\xbf\xbd" : value.data() + i, length == 0 ? 3 : length);
        at += length == 0 ? 3 : length;
        i += length == 0 ? 1 : length;
        continue;
      }
      if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f) {
        at = PutEscape(c, at);
      } else {
        *at++ = static_cast<char>(c);
      }
      ++i;
    }
  }
  *at++ = '"';
  return at;
}

char* PutInteger(int64_t value, char* at) {
  if (value >= 0) return base::PutDecimal(static_cast<uint64_t>(value), at);
  return std::to_chars(at, at + kNumberRoom, value).ptr;
}

char* PutMillis(int64_t nanoseconds, char* at) {
  const int64_t microseconds = nanoseconds / 1'000;
  const int64_t milliseconds = microseconds / 1'000;
  at = base::PutDecimal(static_cast<uint64_t>(milliseconds), at);
  *at = '.';
  return base::PutThreeDigits(static_cast<uint64_t>(microseconds - milliseconds * 1'000), at + 1);
}

void AppendJsonString(std::string_view value, std::string* out) {
  const size_t before = out->size();
  out->resize(before + JsonStringRoom(value.size()));
  char* const begin = out->data() + before;
  out->resize(before + static_cast<size_t>(PutJsonString(value, begin) - begin));
}

namespace {

// The memory of a line that is over. What is still written when its thread ends does without.
struct SpareLine {
  ~SpareLine();
  std::string text;
};
constinit thread_local bool spare_is_gone = false;
SpareLine::~SpareLine() { spare_is_gone = true; }
std::string* Spare() {
  static thread_local SpareLine spare;
  return spare_is_gone ? nullptr : &spare.text;
}

}  // namespace

JsonLine::JsonLine() {
  if (std::string* const spare = Spare()) text_.swap(*spare);
  text_.assign(1, '{');
}

JsonLine::~JsonLine() {
  constexpr size_t kMostKept = 4 << 10;
  std::string* const spare = Spare();
  if (spare != nullptr && text_.capacity() <= kMostKept && text_.capacity() > spare->capacity()) text_.swap(*spare);
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
  char number[kNumberRoom];
  text_.append(number, PutInteger(value, number));
  return *this;
}

JsonLine& JsonLine::AddMillis(std::string_view key, int64_t nanoseconds) {
  Key(key);
  char number[kNumberRoom];
  text_.append(number, PutMillis(nanoseconds, number));
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

}  // namespace runtime::observe
