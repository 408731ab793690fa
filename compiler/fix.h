// Applies the fixes that findings carry, and proves each by checking again: what it was for is gone and no error has
// come, but for what the mistake hid.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/imports.h"

namespace compiler {

struct FixOptions {
  bool unsafe = false;  // also fixes that need a choice
  CompileOptions compile;
  ReadImport read_import = nullptr;  // null: nothing can be imported
};

struct FixResult {
  std::string text;
  std::vector<std::string> applied;      // the messages of the findings that are gone
  std::vector<std::string> refused;      // messages of findings whose fix would have brought a new error
  diagnostics::Diagnostics diagnostics;  // what is left, of `text`
};

// What it imports is read by FixOptions::read_import, and never changed.
FixResult FixPolicy(std::string_view text, const FixOptions& options);

}  // namespace compiler
