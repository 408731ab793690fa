// Applies the fixes that findings carry, and proves each by checking again: what it was for is gone and no error has
// come, but for what the mistake hid.
//
// A fix is judged on the text that people wrote: what only comes to light by another fix is left for the next run, but for
// errors that one mistake hid from view. So a file that does not compile gets its errors mended and nothing else, and of one
// that compiles no warning is fixed whose finding has become another one by then.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/expand/imports.h"

namespace compiler {

struct FixOptions {
  bool unsafe = false;  // also fixes that need a choice, change what the policy does or remove a statement
  CompileOptions compile;
  ReadImport read_import = nullptr;  // null: nothing can be imported
};

// A finding whose fix was not written, and why.
struct RefusedFix {
  std::string finding;
  std::string because;
};

struct FixResult {
  std::string text;
  std::vector<std::string> applied;  // the messages of the findings that are gone
  std::vector<RefusedFix> refused;
  diagnostics::Diagnostics diagnostics;  // what is left, of `text`
};

// What it imports is read by FixOptions::read_import, and never changed.
FixResult FixPolicy(std::string_view text, const FixOptions& options);

}  // namespace compiler
