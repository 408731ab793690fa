// The one layout of a policy. White space carries no meaning and comments are kept, so formatting never changes what a file says;
// every result is read again and compared before it is handed out.
//
//   - two spaces for each block; one statement on a line; a block that was written on one line stays on it if it fits
//   - `=` of neighbouring settings stand below each other (with a key or without), and so do comments behind neighbouring lines,
//     from column 41 on
//   - a file whose lines end with CR LF keeps them
//   - an empty line stays one; blocks at the top are set apart by one
//   - lists and JSON that were written on several lines have one item on each; other line breaks stay where they are
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "compiler/diagnostics/diagnostic.h"

namespace compiler::format {

// The formatted text. Nothing if the policy cannot be read (findings say why), or if the result would not say the same as the
// text (`*refusal` says why; that is a fault of ours). `diagnostics` is empty at the call.
std::optional<std::string> FormatPolicy(std::string_view text, diagnostics::Diagnostics* diagnostics, std::string* refusal);

// What differs between two policies but for white space: "" if they have the same words, comments and tree. `before` can be read.
std::string Difference(std::string_view before, std::string_view after);

}  // namespace compiler::format
