// Two neighbours that have changed places: `repeat_safe = retry` above `true {`, `route { rest reply = nope }`, `request.in path {`.
// They change back, with one finding. What parses is never touched: each rule asks for neighbours that no correct file has.
#pragma once

#include <memory>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

// `tokens`: all of them on the default channel, EOF last; the verbs of tests are marked. `guessed`: where what is read is not what is
// written, so that nothing else is said of it.
void RepairSwaps(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                 const std::vector<std::unique_ptr<antlr4::Token>>& tokens, std::vector<size_t>* guessed);

}  // namespace compiler::parse
