// Mends what other languages and formats taught before brackets are looked at, so that the statement is read as it was meant and
// nothing else is said of it: `retry = {`, `when = x`, `when (x) { … }`, `to = (a, b)`, YAML's lists, `failures > 5 in 60s`,
// nginx' `proxy_pass http://big;`. Each has one finding, with what to write. What needs no other reading of the tokens is
// explained by ErrorStrategy instead.
#pragma once

#include <memory>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

// `tokens`: all of the file on the default channel, EOF last. `guessed`: as RepairTokens takes it; of statements that cannot be
// read whatever is mended.
void RepairHabits(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                  std::vector<std::unique_ptr<antlr4::Token>>* tokens, std::vector<size_t>* guessed);

}  // namespace compiler::parse
