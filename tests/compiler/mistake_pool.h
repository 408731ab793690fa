// Mistakes that people make (mistakes.txt), each in blocks of its own, with the token where the message must point: ⟦ and ⟧ stand
// around it. $ is replaced by a number, so that several of them fit into one file.
#pragma once

#include <string>
#include <vector>

namespace tests {

struct Mistake {
  std::string name;
  std::string good = {};  // the same without the mistake
  std::string bad = {};
  std::string code;
  bool is_gateway = false;  // stands in the file's one gateway block
};

// Throws where the file is not as it should be.
const std::vector<Mistake>& MistakePool();

}  // namespace tests
