// helpers.def as declarations and as a table: what machine code may call. Nobody else needs these functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/abi/pattern.h"
#include "base/cidr.h"

extern "C" {
#define HELPER(name, parameters) int32_t name parameters noexcept;
#include "compiler/abi/helpers.def"
#undef HELPER
}

namespace compiler::abi {

struct HelperInfo {
  std::string_view name;  // the symbol
  void (*address)();      // of the function, whose true type helpers.def gives
};

// In the order of helpers.def.
std::span<const HelperInfo> Helpers();

}  // namespace compiler::abi
