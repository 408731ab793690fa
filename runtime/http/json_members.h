// Private to this folder. Reads chosen members out of a JSON text (RFC 8259) in one pass, without building a tree.
//
// Why not a library: the whole text has to be checked, a member that is read must not stand twice, the source text of
// arrays and objects is wanted, and a number too large for 64 bits must not make the rest unreadable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/facts.h"

namespace runtime::http {

// One thread; may be reused. Values borrow from the text and from the reader: both must outlive their use.
class JsonMembers {
 public:
  static constexpr int kMaxDepth = 64;  // of arrays and objects around a value

  explicit JsonMembers(const std::vector<std::vector<std::string>>& paths);

  enum class Outcome : uint8_t {
    kRead,
    kNotJson,    // all values are absent
    kTrailing,   // an array or object, and then something else: some servers read only the first (Go's json.Decoder)
    kDuplicate,  // a member that is read stands twice in its object; names that differ in case only count, because some
                 // servers (Go's encoding/json) don't tell them apart
    kTooDeep,
  };
  Outcome Read(std::string_view text);
  void Clear();

  // One for each path, in its order.
  const std::vector<compiler::abi::JsonValue>& values() const { return values_; }

 private:
  struct Node {  // of the tree of paths
    std::string name;
    int slot = -1;
    std::vector<size_t> children;
    bool seen = false;
  };

  bool Value(Node* node);
  bool Object(Node* node);
  bool Array();
  bool String(std::string_view* raw, bool* has_escape);
  bool Number(compiler::abi::JsonValue* value);
  bool Literal(std::string_view word);
  void SkipBlanks();
  bool Take(char c);
  Node* ChildOf(Node* node, std::string_view key);

  std::vector<Node> nodes_;  // 0 is the root
  std::vector<compiler::abi::JsonValue> values_;
  std::vector<std::string> unescaped_;  // one for each path
  std::string unescaped_key_;

  const char* at_ = nullptr;
  const char* end_ = nullptr;
  int depth_ = 0;
  bool too_deep_ = false;
  bool duplicate_ = false;
};

}  // namespace runtime::http
