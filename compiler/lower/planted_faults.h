// PLANT_FAULT(name, statement) marks where a fault of planted_faults.def would sit. In the shipped library it expands
// to nothing. In the test library the statement runs if the environment variable BREAKWATER_PLANTED_FAULT is the
// name.
#pragma once

#ifdef BREAKWATER_PLANTED_FAULTS

#include <cstdlib>
#include <string_view>

namespace compiler::lower {

inline std::string_view PlantedFault() {
  const char* name = std::getenv("BREAKWATER_PLANTED_FAULT");
  return name == nullptr ? std::string_view() : std::string_view(name);
}

// Whether the variable is unset or names a fault: a misspelt one would prove nothing.
inline bool PlantedFaultIsKnown() {
#define PLANTED_FAULT(name, doc) \
  if (PlantedFault() == #name) return true;
#include "compiler/lower/planted_faults.def"
#undef PLANTED_FAULT
  return PlantedFault().empty();
}

}  // namespace compiler::lower

#define PLANT_FAULT(name, statement)                  \
  do {                                                \
    if (::compiler::lower::PlantedFault() == #name) { \
      statement;                                      \
    }                                                 \
  } while (false)

#else

#define PLANT_FAULT(name, statement)

#endif
