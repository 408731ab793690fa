// Mistakes that people make, each in blocks of its own, with the token where the message must point: ⟦ and ⟧ stand around it.
// $ is replaced by a number, so that several of them fit into one file.
#pragma once

#include <string_view>
#include <vector>

namespace tests {

struct Mistake {
  std::string_view name;
  std::string_view good;  // the same without the mistake
  std::string_view bad;
  std::string_view code;
  bool is_gateway = false;  // stands in the file's one gateway block
};

const std::vector<Mistake>& MistakePool();

}  // namespace tests
