// The verbs of a test: `given`, `send`, `wait` and `expect` begin a sentence between the braces of a test, and are names everywhere
// else (`wait` is a setting of a retry). So the lexer calls them names, and this makes words of them where they are.
#pragma once

#include <memory>
#include <vector>

#include "antlr4-runtime.h"

namespace compiler::parse {

// `tokens`: all of them on the default channel.
void MarkTestVerbs(const std::vector<std::unique_ptr<antlr4::Token>>& tokens);

}  // namespace compiler::parse
