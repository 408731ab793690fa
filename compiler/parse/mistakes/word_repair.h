// Misspelt words of the language: `hwen status == 500`, `edtion 1`, `client.tls adn …`. A name that stands where the
// grammar has no room for one, and that is near to a word that would fit there, becomes that word, with one finding. What
// parses is never touched: each rule asks for neighbours that no correct file has.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

// Makes `token` the word `meant`, and tells it.
void Respell(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics, antlr4::Token* token,
             std::string_view meant, size_t type);

// `tokens`: all of them on the default channel, EOF last.
void RepairWords(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                 const std::vector<std::unique_ptr<antlr4::Token>>& tokens);

}  // namespace compiler::parse
