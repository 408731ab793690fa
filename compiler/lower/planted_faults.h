// PLANT_FAULT for the lowering, and whether the fault that was asked for is one of planted_faults.def.
#pragma once

#include "base/planted_fault.h"

#ifdef BREAKWATER_PLANTED_FAULTS

namespace compiler::lower {

using base::PlantedFault;

// Whether the variable is unset or names a fault: a misspelt one would prove nothing.
inline bool PlantedFaultIsKnown() {
#define PLANTED_FAULT(name, doc) \
  if (PlantedFault() == #name) return true;
#include "compiler/lower/planted_faults.def"
#undef PLANTED_FAULT
  return PlantedFault().empty();
}

}  // namespace compiler::lower

#endif
