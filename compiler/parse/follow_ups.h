// One mistake, one message: what is found a word or two behind an error is most likely said of the same mistake.
#pragma once

#include <string_view>

#include "compiler/diagnostics/diagnostic.h"

namespace compiler {

// Drops what is found on the first or second word of `text` behind an error of shape, and unknown statements behind any
// error. What they say shows once the error is mended.
// A misspelling whose right spelling is known stays, and so does what is said of the next block.
void DropFollowUps(std::string_view text, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler
