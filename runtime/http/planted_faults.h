// PLANT_FAULT(name, statement) marks where a fault of planted_faults.def, or of tests/judged, would sit. In the gateway it expands to nothing.
// In the test program that is built with them the statement runs if BREAKWATER_PLANTED_FAULT is the name.
#pragma once

#ifdef BREAKWATER_PLANTED_FAULTS

#include <cstdlib>
#include <string_view>

namespace runtime::http {

inline std::string_view PlantedFault() {
  const char* name = std::getenv("BREAKWATER_PLANTED_FAULT");  // NOLINT(concurrency-mt-unsafe): nobody sets one
  return name == nullptr ? std::string_view() : std::string_view(name);
}

}  // namespace runtime::http

#define PLANT_FAULT(name, statement)                  \
  do {                                                \
    if (::runtime::http::PlantedFault() == #name) {   \
      statement;                                      \
    }                                                 \
  } while (false)

#else

#define PLANT_FAULT(name, statement)

#endif
