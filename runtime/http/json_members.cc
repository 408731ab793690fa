// A recursive reader; its depth is bounded by kMaxDepth. Bytes above 0x7f in strings are taken as they are.
#include "runtime/http/json_members.h"

#include <charconv>
#include <cstring>
#include <limits>

#include "runtime/http/message.h"
#include "runtime/http/text.h"

namespace runtime::http {
namespace {

using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using compiler::abi::Str;

// Whether one of eight bytes ends the plain run of a string: a quote, a backslash or a control character.
bool HasSpecial(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  constexpr uint64_t kHighs = 0x8080808080808080;
  const auto has_zero = [](uint64_t v) { return (v - kOnes) & ~v & kHighs; };
  const uint64_t controls = (word - kOnes * 0x20) & ~word & kHighs;
  return (has_zero(word ^ (kOnes * '"')) | has_zero(word ^ (kOnes * '\\')) | controls) != 0;
}

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | (code >> 6)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | (code >> 12)));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  } else {
    out->push_back(static_cast<char>(0xf0 | (code >> 18)));
    out->push_back(static_cast<char>(0x80 | ((code >> 12) & 0x3f)));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 0x3f)));
    out->push_back(static_cast<char>(0x80 | (code & 0x3f)));
  }
}

uint32_t Hex4(const char* digits) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value * 16 + static_cast<uint32_t>(HexValue(digits[i]));
  return value;
}

// `raw` was checked by String(): every escape is whole. A surrogate without its partner becomes U+FFFD.
void Unescape(std::string_view raw, std::string* out) {
  out->clear();
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out->push_back(raw[i]);
      continue;
    }
    switch (raw[++i]) {
      case 'b': out->push_back('\b'); break;
      case 'f': out->push_back('\f'); break;
      case 'n': out->push_back('\n'); break;
      case 'r': out->push_back('\r'); break;
      case 't': out->push_back('\t'); break;
      case 'u': {
        uint32_t code = Hex4(&raw[i + 1]);
        i += 4;
        if (code >= 0xd800 && code < 0xdc00 && raw.size() - i > 6 && raw[i + 1] == '\\' && raw[i + 2] == 'u') {
          const uint32_t low = Hex4(&raw[i + 3]);
          if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            i += 6;
          }
        }
        AppendUtf8(code >= 0xd800 && code < 0xe000 ? 0xfffd : code, out);
        break;
      }
      default: out->push_back(raw[i]); break;  // " \ /
    }
  }
}

}  // namespace

JsonMembers::JsonMembers(const std::vector<std::vector<std::string>>& paths)
    : nodes_(paths.empty() ? 0 : 1), values_(paths.size()), unescaped_(paths.size()) {
  for (size_t slot = 0; slot < paths.size(); ++slot) {
    size_t node = 0;
    for (const std::string& name : paths[slot]) {
      size_t next = 0;
      for (size_t child : nodes_[node].children) {
        if (nodes_[child].name == name) next = child;
      }
      if (next == 0) {
        next = nodes_.size();
        nodes_.push_back({name, -1, {}, false});
        nodes_[node].children.push_back(next);
      }
      node = next;
    }
    nodes_[node].slot = static_cast<int>(slot);
  }
}

void JsonMembers::Clear() {
  for (JsonValue& value : values_) value = JsonValue();
}

JsonMembers::Outcome JsonMembers::Read(std::string_view text) {
  Clear();
  if (nodes_.empty()) nodes_.resize(1);
  at_ = text.data();
  end_ = at_ + text.size();
  depth_ = 0;
  too_deep_ = duplicate_ = false;
  SkipBlanks();
  const bool is_value = Value(&nodes_[0]);
  const char* const value_end = at_;
  SkipBlanks();
  const bool is_json = is_value && at_ == end_;
  if (too_deep_ || !is_json) Clear();
  if (too_deep_) return Outcome::kTooDeep;
  if (!is_json) {
    const bool is_closed = is_value && (value_end[-1] == '}' || value_end[-1] == ']');
    return is_closed ? Outcome::kTrailing : Outcome::kNotJson;
  }
  return duplicate_ ? Outcome::kDuplicate : Outcome::kRead;
}

void JsonMembers::SkipBlanks() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

bool JsonMembers::Take(char c) {
  if (at_ == end_ || *at_ != c) return false;
  ++at_;
  return true;
}

bool JsonMembers::Literal(std::string_view word) {
  if (static_cast<size_t>(end_ - at_) < word.size() || std::memcmp(at_, word.data(), word.size()) != 0) return false;
  at_ += word.size();
  return true;
}

// `node` is null where nothing is read: the value is checked only.
bool JsonMembers::Value(Node* node) {
  if (at_ == end_) return false;
  const char* begin = at_;
  JsonValue value;
  bool has_escape = false;
  std::string_view raw;
  switch (*at_) {
    case '{':
    case '[': {
      if (++depth_ > kMaxDepth) {
        too_deep_ = true;
        return false;
      }
      value.kind = *at_ == '{' ? JsonKind::kObject : JsonKind::kArray;
      if (!(*at_ == '{' ? Object(node) : Array())) return false;
      --depth_;
      value.text = Str::Of({begin, static_cast<size_t>(at_ - begin)});
      break;
    }
    case '"':
      if (!String(&raw, &has_escape)) return false;
      value.kind = JsonKind::kString;
      break;
    case 't':
    case 'f':
      value.kind = JsonKind::kBool;
      value.integer = *at_ == 't' ? 1 : 0;
      if (!Literal(value.integer == 1 ? "true" : "false")) return false;
      break;
    case 'n':
      value.kind = JsonKind::kNull;
      if (!Literal("null")) return false;
      break;
    default:
      if (!Number(&value)) return false;
  }
  if (node == nullptr || node->slot < 0) return true;
  const auto slot = static_cast<size_t>(node->slot);
  if (value.kind == JsonKind::kString) {
    if (has_escape) {
      Unescape(raw, &unescaped_[slot]);
      raw = unescaped_[slot];
    }
    value.text = Str::Of(raw);
  }
  values_[slot] = value;
  return true;
}

bool JsonMembers::Object(Node* node) {
  if (node != nullptr && node->children.empty()) node = nullptr;
  if (node != nullptr) {
    for (size_t child : node->children) nodes_[child].seen = false;
  }
  ++at_;
  SkipBlanks();
  if (Take('}')) return true;
  for (;;) {
    std::string_view key;
    bool has_escape = false;
    if (at_ == end_ || *at_ != '"' || !String(&key, &has_escape)) return false;
    SkipBlanks();
    if (!Take(':')) return false;
    SkipBlanks();
    if (node != nullptr && has_escape) {
      Unescape(key, &unescaped_key_);
      key = unescaped_key_;
    }
    if (!Value(node == nullptr ? nullptr : ChildOf(node, key))) return false;
    SkipBlanks();
    if (Take('}')) return true;
    if (!Take(',')) return false;
    SkipBlanks();
  }
}

JsonMembers::Node* JsonMembers::ChildOf(Node* node, std::string_view key) {
  Node* found = nullptr;
  for (size_t index : node->children) {
    Node& child = nodes_[index];
    if (!EqualsIgnoreCase(child.name, key)) continue;
    if (child.seen) duplicate_ = true;
    child.seen = true;
    if (child.name == key) found = &child;
  }
  return found;
}

bool JsonMembers::Array() {
  ++at_;
  SkipBlanks();
  if (Take(']')) return true;
  for (;;) {
    if (!Value(nullptr)) return false;
    SkipBlanks();
    if (Take(']')) return true;
    if (!Take(',')) return false;
    SkipBlanks();
  }
}

bool JsonMembers::String(std::string_view* raw, bool* has_escape) {
  const char* begin = ++at_;
  for (;;) {
    while (end_ - at_ >= 8) {
      uint64_t word;
      std::memcpy(&word, at_, sizeof(word));
      if (HasSpecial(word)) break;
      at_ += sizeof(word);
    }
    if (at_ == end_ || static_cast<unsigned char>(*at_) < 0x20) return false;
    if (*at_ == '"') {
      *raw = {begin, static_cast<size_t>(at_ - begin)};
      ++at_;
      return true;
    }
    if (*at_ == '\\') {
      *has_escape = true;
      if (++at_ == end_) return false;
      if (*at_ == 'u') {
        if (end_ - at_ < 5) return false;
        for (int i = 1; i <= 4; ++i) {
          if (HexValue(at_[i]) < 0) return false;
        }
        at_ += 4;
      } else if (*at_ == '\0' || std::strchr("\"\\/bfnrt", *at_) == nullptr) {
        return false;
      }
    }
    ++at_;
  }
}

bool JsonMembers::Number(JsonValue* value) {
  const char* begin = at_;
  const auto digits = [this] {
    const char* from = at_;
    while (at_ != end_ && IsDigit(*at_)) ++at_;
    return at_ != from;
  };
  Take('-');
  const bool leading_zero = at_ != end_ && *at_ == '0';
  const char* first_digit = at_;
  if (!digits() || (leading_zero && at_ - first_digit > 1)) return false;
  bool is_integer = true;
  if (Take('.')) {
    is_integer = false;
    if (!digits()) return false;
  }
  if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
    is_integer = false;
    ++at_;
    if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
    if (!digits()) return false;
  }
  if (is_integer && std::from_chars(begin, at_, value->integer).ec == std::errc()) {
    value->kind = JsonKind::kInteger;
    return true;
  }
  value->kind = JsonKind::kNumber;
  value->integer = 0;
  if (std::from_chars(begin, at_, value->number).ec == std::errc::result_out_of_range) {
    // Too small for a double is 0, too large is infinite.
    const std::string_view text(begin, static_cast<size_t>(at_ - begin));
    const size_t exponent = text.find_first_of("eE");
    const bool is_tiny = exponent != std::string_view::npos && exponent + 1 < text.size() && text[exponent + 1] == '-';
    value->number = is_tiny ? 0.0 : std::numeric_limits<double>::infinity();
    if (*begin == '-') value->number = -value->number;
  }
  return true;
}

}  // namespace runtime::http
