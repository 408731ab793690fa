// One mistake, one message: what is found a word or two behind an error is most likely said of the same mistake.
#pragma once

#include <string_view>

#include "compiler/diagnostics/diagnostic.h"

namespace compiler {

// Drops each finding that begins within three words of `text` behind an error, as parsers do that ask for three good words before they
// trust themselves again. What it says shows once the error is mended. A finding that surely knows what was meant stays.
void DropFollowUps(std::string_view text, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler
