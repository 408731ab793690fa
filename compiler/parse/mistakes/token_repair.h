// Mends the token stream before the parser sees it, so that one mistake stays one mistake:
// - brackets: what is never closed gets a closer, what closes nothing is taken out. Indentation is looked at only when
//   brackets do not balance; it never decides what a correct file means.
// - a line that ends where an operand must follow gets a MISSING token, so that the next statement is not swallowed.
// Also checks the limits that keep a recursive parser from running out of stack.
#pragma once

#include <memory>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

// `tokens`: all of them on the default channel, EOF last. False if a limit is broken: do not parse. `guessed`: start
// indexes of brackets inside of statements that got a closer; where it belongs is a guess, so the statement is broken.
bool RepairTokens(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                  std::vector<std::unique_ptr<antlr4::Token>>* tokens, std::vector<size_t>* guessed);

}  // namespace compiler::parse
