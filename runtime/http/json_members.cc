// Recursion follows the paths that are read; what nobody reads is passed over without it.
#include "runtime/http/json_members.h"

#include <charconv>
#include <limits>

#include "runtime/http/message.h"
#include "runtime/http/planted_faults.h"
#include "runtime/http/text.h"

namespace runtime::http {

using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using compiler::abi::Str;
using base::JsonProblem;
using Token = base::JsonReader::Token;

JsonMembers::JsonMembers(const Paths& paths, const Paths& watched)
    : nodes_(1), values_(paths.size()), unescaped_(paths.size()) {
  for (size_t slot = 0; slot < paths.size(); ++slot) nodes_[NodeOf(paths[slot])].slot = static_cast<int>(slot);
  for (const auto& path : watched) NodeOf(path);
}

size_t JsonMembers::NodeOf(const std::vector<std::string>& path) {
  size_t node = 0;
  for (const std::string& name : path) {
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
  return node;
}

void JsonMembers::Reset() {
  constexpr size_t kKept = 1 << 10;
  if (values_.empty() && unescaped_key_.capacity() <= kKept) return;
  Clear();
  for (std::string& text : unescaped_) {
    if (text.capacity() > kKept) std::string().swap(text);
  }
  if (unescaped_key_.capacity() > kKept) std::string().swap(unescaped_key_);
}

void JsonMembers::Clear() {
  for (JsonValue& value : values_) value = JsonValue();
}

JsonMembers::Outcome JsonMembers::Read(std::string_view text) {
  Clear();
  duplicate_ = folded_ = false;
  Reader reader(text);
  const Token first = reader.Next();
  const bool is_whole = Value(reader, first, &nodes_[0]) && reader.Next() == Token::kEnd;
  problem_ = reader.problem();
  if (!is_whole) {
    Clear();
    return Outcome::kNotJson;
  }
  if (first != Token::kObject) return Outcome::kNotAnObject;
  PLANT_FAULT(first_member_wins, duplicate_ = false);
  PLANT_FAULT(members_in_other_letters, folded_ = false);
  return duplicate_ ? Outcome::kDuplicate : folded_ ? Outcome::kFolded : Outcome::kRead;
}

bool JsonMembers::Value(Reader& reader, Token token, Node* node) {
  if (token == Token::kProblem) return false;
  if (node == nullptr) return reader.SkipRest(token);
  JsonValue value;
  const char* const begin = reader.text().data();
  switch (token) {
    case Token::kObject:
      value.kind = JsonKind::kObject;
      if (!Members(reader, node)) return false;
      break;
    case Token::kArray:
      value.kind = JsonKind::kArray;
      if (!reader.SkipRest(token)) return false;
      break;
    case Token::kString:
      value.kind = JsonKind::kString;
      value.text = Str::Of(reader.inside());
      break;
    case Token::kNumber: TakeNumber(reader.text(), &value); break;
    case Token::kTrue:
    case Token::kFalse:
      value.kind = JsonKind::kBool;
      value.integer = token == Token::kTrue ? 1 : 0;
      break;
    default: value.kind = JsonKind::kNull; break;
  }
  if (node->slot < 0) return true;
  if (value.kind == JsonKind::kObject || value.kind == JsonKind::kArray) {
    value.text = Str::Of({begin, static_cast<size_t>(reader.text().data() + reader.text().size() - begin)});
  }
  if (value.kind == JsonKind::kString && reader.has_escape()) {
    std::string& plain = unescaped_[static_cast<size_t>(node->slot)];
    plain.clear();
    base::UnescapeJson(reader.inside(), &plain);
    value.text = Str::Of(plain);
  }
  values_[static_cast<size_t>(node->slot)] = value;
  return true;
}

bool JsonMembers::Members(Reader& reader, Node* node) {
  for (const size_t child : node->children) nodes_[child].seen = false;
  for (;;) {
    const Token token = reader.Next();
    if (token == Token::kObjectEnd) return true;
    if (token != Token::kName) return false;
    std::string_view key = reader.inside();
    if (reader.has_escape()) {
      unescaped_key_.clear();
      base::UnescapeJson(key, &unescaped_key_);
      key = unescaped_key_;
    }
    Node* const child = ChildOf(node, key);
    if (!Value(reader, reader.Next(), child)) return false;
  }
}

JsonMembers::Node* JsonMembers::ChildOf(Node* node, std::string_view key) {
  Node* found = nullptr;
  for (const size_t index : node->children) {
    Node& child = nodes_[index];
    if (child.name == key) {
      duplicate_ = duplicate_ || child.seen;
      found = &child;
      PLANT_FAULT(first_member_wins, if (child.seen) found = nullptr);
      child.seen = true;
    } else if (base::FoldsTo(key, child.name)) {
      folded_ = true;
    }
  }
  return found;
}

void JsonMembers::TakeNumber(std::string_view text, JsonValue* value) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  value->text = Str::Of(text);
  if (text.find_first_of(".eE") == std::string_view::npos && std::from_chars(begin, end, value->integer).ec == std::errc()) {
    value->kind = JsonKind::kInteger;
    return;
  }
  value->kind = JsonKind::kNumber;
  value->integer = 0;
  if (std::from_chars(begin, end, value->number).ec != std::errc::result_out_of_range) return;
  // Too small for a double is 0, too large is infinite.
  const size_t exponent = text.find_first_of("eE");
  const bool is_tiny = exponent != std::string_view::npos && exponent + 1 < text.size() && text[exponent + 1] == '-';
  value->number = is_tiny ? 0.0 : std::numeric_limits<double>::infinity();
  if (*begin == '-') value->number = -value->number;
}

}  // namespace runtime::http
