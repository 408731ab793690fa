// The owner of machine code, as the runtime sees it: something to keep, and to drop.
#pragma once

namespace compiler {

// Owns the machine code behind a PredicateTable; the code is unmapped by the destructor, so nobody may be inside it
// then. May be destroyed by any thread.
class PredicateCode {
 public:
  virtual ~PredicateCode() = default;
};

}  // namespace compiler
