// The verbs of a test: `given`, `send`, `wait`, `reload` and `expect` begin a sentence between the braces of a test, and are names everywhere
// else (`wait` is a setting of a retry). So the lexer calls them names, and this makes words of them where they are. Where one of
// them, or `test` itself, is misspelt, it is mended, with one finding.
#pragma once

#include <memory>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

// `tokens`: all of them on the default channel.
void MarkTestVerbs(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                   const std::vector<std::unique_ptr<antlr4::Token>>& tokens);

}  // namespace compiler::parse
