// The kinds of findings by name: for who emits them.
#pragma once

#include "compiler/diagnostics/diagnostic.h"

namespace compiler::diagnostics {

enum class Kind : uint16_t {
#define DIAGNOSTIC(name, code, severity, message, help) name,
#include "compiler/diagnostics/diagnostic_kinds.def"
#undef DIAGNOSTIC
};

}  // namespace compiler::diagnostics
