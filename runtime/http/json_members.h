// Private to this folder. Reads chosen members out of a JSON text (base/json_reader.h) in one pass, without building a tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/facts.h"
#include "base/json_reader.h"

namespace runtime::http {

// One thread; may be reused. Values borrow from the text and from the reader: both must outlive their use.
class JsonMembers {
 public:
  using Paths = std::vector<std::vector<std::string>>;

  // `watched`: names without a value here, which others read: they too must stand once, and in one spelling.
  explicit JsonMembers(const Paths& paths, const Paths& watched = {});

  enum class Outcome : uint8_t {
    kRead,
    kNotJson,        // and so all values are absent: problem() says why
    kNotAnObject,    // another JSON value: it has no members
    kDuplicate,      // a member that is read stands twice in its object; values are those of the last
    kFolded,         // a name is one that is read but in other letters: some servers (Go's encoding/json) see no difference
  };
  Outcome Read(std::string_view text);
  void Clear();
  void Reset();  // likewise, and gives back what a large text took

  base::JsonProblem problem() const { return problem_; }

  // One for each path, in its order.
  const std::vector<compiler::abi::JsonValue>& values() const { return values_; }

 private:
  struct Node {  // of the tree of paths
    std::string name;
    int slot = -1;
    std::vector<size_t> children;
    bool seen = false;
  };
  using Reader = base::JsonReader;

  size_t NodeOf(const std::vector<std::string>& path);
  bool Value(Reader& reader, Reader::Token token, Node* node);
  bool Members(Reader& reader, Node* node);
  void TakeNumber(std::string_view text, compiler::abi::JsonValue* value);
  Node* ChildOf(Node* node, std::string_view key);

  std::vector<Node> nodes_;  // 0 is the root
  std::vector<compiler::abi::JsonValue> values_;
  std::vector<std::string> unescaped_;  // one for each path
  std::string unescaped_key_;
  base::JsonProblem problem_ = base::JsonProblem::kNone;
  bool duplicate_ = false;
  bool folded_ = false;
};

}  // namespace runtime::http
