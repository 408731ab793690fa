// PLANT_FAULT(name, statement) marks where a wrong turn would sit that tests must find; the lists are the planted_faults.def of
// the folders that have some. In what is shipped it expands to nothing. Where BREAKWATER_PLANTED_FAULTS is defined the statement
// runs if the environment variable BREAKWATER_PLANTED_FAULT is the name.
#pragma once

#ifdef BREAKWATER_PLANTED_FAULTS

#include <cstdlib>
#include <string_view>

namespace base {

inline std::string_view PlantedFault() {
  const char* name = std::getenv("BREAKWATER_PLANTED_FAULT");
  return name == nullptr ? std::string_view() : std::string_view(name);
}

}  // namespace base

#define PLANT_FAULT(name, statement)                 \
  do {                                               \
    if (::base::PlantedFault() == #name) { \
      statement;                                     \
    }                                                \
  } while (false)

#else

#define PLANT_FAULT(name, statement)

#endif
