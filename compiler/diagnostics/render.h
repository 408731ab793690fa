// Findings as text: place, message, the line with a caret under the token, help. Columns count code points; the caret is
// aligned by display width, so that it stands under Chinese text too.
#pragma once

#include <string>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_buffer.h"

namespace compiler::diagnostics {

struct RenderOptions {
  bool color = false;  // ANSI escapes
};

std::string Render(const source::SourceBuffer& source, const Diagnostic& diagnostic, const RenderOptions& options = {});

// All of them in source order, an empty line between two.
std::string RenderAll(const source::SourceBuffer& source, const Diagnostics& diagnostics,
                      const RenderOptions& options = {});

}  // namespace compiler::diagnostics
