#include "base/json_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/byte_scan.h"
#include "base/text.h"

namespace base {
namespace {

constexpr int kBits = 64;  // of is_object_

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }
constexpr char AsciiLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

uint32_t Hex4(const char* digits) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value * 16 + static_cast<uint32_t>(HexValue(digits[i]));
  return value;
}

// The simple fold of a code point as far as it leads to ASCII; others stand for themselves.
char32_t Fold(char32_t c) {
  if (c < 0x80) return static_cast<char32_t>(AsciiLower(static_cast<char>(c)));
  if (c == 0x17F) return 's';
  if (c == 0x212A) return 'k';
  if (c == 0x130 || c == 0x131) return 'i';  // Java's equalsIgnoreCase
  return c;
}

}  // namespace

JsonReader::JsonReader(std::string_view text, int max_depth)
    : text_begin_(text.data()), at_(text.data()), text_end_(text.data() + text.size()), token_begin_(at_), token_end_(at_),
      max_depth_(max_depth) {
  if (text.starts_with("\xEF\xBB\xBF")) Fail(JsonProblem::kByteOrderMark);
  else if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) Fail(JsonProblem::kNotUtf8);
}

void JsonReader::SkipMoreBlanks() {
  while (at_ != text_end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

JsonReader::Token JsonReader::Next() {
  if (expect_ == Expect::kNothing) return problem_ == JsonProblem::kNone ? Token::kEnd : Token::kProblem;
  SkipBlanks();
  token_begin_ = token_end_ = at_;
  if (at_ == text_end_) {
    if (expect_ == Expect::kBehindValue && depth_ == 0) {
      expect_ = Expect::kNothing;
      return Token::kEnd;
    }
    return Fail(expect_ == Expect::kValue && depth_ == 0 ? JsonProblem::kEmpty : JsonProblem::kSyntax);
  }
  switch (expect_) {
    case Expect::kValue: return Value();
    case Expect::kFirstName: return *at_ == '}' ? Close(true) : Name();
    case Expect::kFirstItem: return *at_ == ']' ? Close(false) : Value();
    case Expect::kBehindValue: {
      if (depth_ == 0) return Fail(JsonProblem::kTrailing);
      const bool in_object = (is_object_ & 1) != 0;
      if (*at_ == ',') {
        ++at_;
        SkipBlanks();
        token_begin_ = token_end_ = at_;
        if (at_ == text_end_) return Fail(JsonProblem::kSyntax);
        return in_object ? Name() : Value();
      }
      if (*at_ == (in_object ? '}' : ']')) return Close(in_object);
      return Fail(JsonProblem::kSyntax);
    }
    case Expect::kNothing: break;
  }
  return Token::kProblem;
}

JsonReader::Token JsonReader::Value() {
  switch (*at_) {
    case '{': return Open(true);
    case '[': return Open(false);
    case '"': return String() ? Scalar(Token::kString) : Token::kProblem;
    case 't': return Word("true", Token::kTrue);
    case 'f': return Word("false", Token::kFalse);
    case 'n': return Word("null", Token::kNull);
    case '\0': return Fail(JsonProblem::kNotUtf8);  // UTF-16 or -32 without a mark
    default: return Number();
  }
}

JsonReader::Token JsonReader::Open(bool is_object) {
  if (depth_ == max_depth_) return Fail(JsonProblem::kTooDeep);
  if (depth_ > 0 && depth_ % kBits == 0) outer_.push_back(is_object_);
  ++depth_;
  is_object_ = (is_object_ << 1) | (is_object ? 1 : 0);
  token_end_ = ++at_;
  expect_ = is_object ? Expect::kFirstName : Expect::kFirstItem;
  return is_object ? Token::kObject : Token::kArray;
}

JsonReader::Token JsonReader::Close(bool is_object) {
  --depth_;
  is_object_ >>= 1;
  if (depth_ > 0 && depth_ % kBits == 0) {
    is_object_ = outer_.back();
    outer_.pop_back();
  }
  token_end_ = ++at_;
  expect_ = Expect::kBehindValue;
  return is_object ? Token::kObjectEnd : Token::kArrayEnd;
}

JsonReader::Token JsonReader::Name() {
  if (*at_ != '"') return Fail(JsonProblem::kSyntax);
  if (!String()) return Token::kProblem;
  SkipBlanks();
  if (at_ == text_end_ || *at_ != ':') return Fail(JsonProblem::kSyntax);
  ++at_;
  expect_ = Expect::kValue;
  return Token::kName;
}

JsonReader::Token JsonReader::Word(std::string_view word, Token token) {
  if (static_cast<size_t>(text_end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0) {
    return Fail(JsonProblem::kSyntax);
  }
  at_ += word.size();
  token_end_ = at_;
  return Scalar(token);
}

// RFC 8259 6: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
JsonReader::Token JsonReader::Number() {
  const auto take = [this](char c) {
    if (at_ == text_end_ || *at_ != c) return false;
    ++at_;
    return true;
  };
  const auto digits = [this] {
    const char* const from = at_;
    while (at_ != text_end_ && IsDigit(*at_)) ++at_;
    return at_ != from;
  };
  take('-');
  if (!take('0') && !digits()) return Fail(JsonProblem::kSyntax);
  if (take('.') && !digits()) return Fail(JsonProblem::kSyntax);
  if (take('e') || take('E')) {
    if (!take('+')) take('-');
    if (!digits()) return Fail(JsonProblem::kSyntax);
  }
  token_end_ = at_;
  return Scalar(Token::kNumber);
}

bool JsonReader::String() {
  has_escape_ = false;
  ++at_;
  for (;;) {
    at_ = SkipPlainJson(at_, text_end_);
    if (at_ == text_end_) return FailString(JsonProblem::kSyntax);
    const auto c = static_cast<unsigned char>(*at_);
    if (c == '"') {
      token_end_ = ++at_;
      return true;
    }
    if (c < 0x20) return FailString(JsonProblem::kSyntax);
    if (c == '\\') {
      if (!TakeEscape()) return FailString(JsonProblem::kSyntax);
    } else {  // mostly others like it follow
      while (at_ != text_end_ && static_cast<unsigned char>(*at_) >= 0x80) {
        if (!TakeSequence()) return FailString(JsonProblem::kNotUtf8);
      }
    }
  }
}

bool JsonReader::TakeEscape() {
  has_escape_ = true;
  if (text_end_ - at_ < 2) return false;
  const char kind = at_[1];
  if (kind == 'u') {
    if (text_end_ - at_ < 6) return false;
    for (int i = 2; i < 6; ++i) {
      if (HexValue(at_[i]) < 0) return false;
    }
    at_ += 6;
    return true;
  }
  at_ += 2;
  switch (kind) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return true;
    default: return false;
  }
}

// One sequence of RFC 3629 that is not ASCII.
bool JsonReader::TakeSequence() {
  const auto byte = [this](int i) { return static_cast<unsigned char>(at_[i]); };
  const auto left = text_end_ - at_;
  const auto is_tail = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead >= 0xE0 && lead <= 0xEF) {  // first: most of what is not ASCII
    if (left < 3 || !is_tail(1) || !is_tail(2)) return false;
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return false;
    at_ += 3;
    return true;
  }
  if (lead >= 0xC2 && lead <= 0xDF) {
    if (left < 2 || !is_tail(1)) return false;
    at_ += 2;
    return true;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (left < 4 || !is_tail(1) || !is_tail(2) || !is_tail(3)) return false;
    if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return false;
    at_ += 4;
    return true;
  }
  return false;
}

bool JsonReader::SkipRest(Token first) {
  if (first != Token::kObject && first != Token::kArray) return first != Token::kProblem;
  const int around = depth_ - 1;
  while (depth_ > around) {
    if (Next() == Token::kProblem) return false;
  }
  return true;
}

JsonProblem CheckJson(std::string_view text) {
  JsonReader reader(text);
  for (;;) {
    const JsonReader::Token token = reader.Next();
    if (token == JsonReader::Token::kEnd) return JsonProblem::kNone;
    if (token == JsonReader::Token::kProblem) return reader.problem();
  }
}

bool UnescapeJson(std::string_view inside, std::string* out) {
  bool is_whole = true;
  for (size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '\\') {  // all as far as the next one
      const size_t end = std::min(inside.find('\\', i), inside.size());
      out->append(inside.substr(i, end - i));
      i = end - 1;
      continue;
    }
    switch (inside[++i]) {
      case 'b': out->push_back('\b'); break;
      case 'f': out->push_back('\f'); break;
      case 'n': out->push_back('\n'); break;
      case 'r': out->push_back('\r'); break;
      case 't': out->push_back('\t'); break;
      case 'u': {
        uint32_t code = Hex4(&inside[i + 1]);
        i += 4;
        if (code >= 0xD800 && code < 0xDC00 && inside.size() - i > 6 && inside[i + 1] == '\\' && inside[i + 2] == 'u') {
          const uint32_t low = Hex4(&inside[i + 3]);
          if (low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            i += 6;
          }
        }
        const bool is_half = code >= 0xD800 && code < 0xE000;
        is_whole = is_whole && !is_half;
        AppendUtf8(is_half ? U'\uFFFD' : static_cast<char32_t>(code), out);
        break;
      }
      default: out->push_back(inside[i]); break;  // a quote, a backslash, a slash
    }
  }
  return is_whole;
}

bool FoldsTo(std::string_view name, std::string_view wanted) {
  name = name.substr(0, name.find('\0'));
  if (name.size() < wanted.size()) std::swap(name, wanted);  // folding is the same both ways; foreign letters are longer
  if (name.size() > 3 * wanted.size()) return false;
  size_t i = 0;
  size_t k = 0;
  while (i < name.size() && k < wanted.size()) {
    const auto a = static_cast<unsigned char>(name[i]);
    const auto b = static_cast<unsigned char>(wanted[k]);
    if (a < 0x80 && b < 0x80) {
      if (AsciiLower(name[i]) != AsciiLower(wanted[k])) return false;
      ++i;
      ++k;
      continue;
    }
    const auto x = NextCodePoint(name, &i);
    const auto y = NextCodePoint(wanted, &k);
    if (!x || !y || Fold(*x) != Fold(*y)) return false;
  }
  return i == name.size() && k == wanted.size();
}

std::string FoldedName(std::string_view name) {
  std::string folded;
  for (size_t i = 0; i < name.size();) {
    const auto c = NextCodePoint(name, &i);
    AppendUtf8(c ? Fold(*c) : U'\uFFFD', &folded);
  }
  return folded;
}

}  // namespace base
