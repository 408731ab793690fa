// The insides of literals: escapes and ${ … } of strings, and what RFC 8259 asks of the tokens in json { … }.
#pragma once

#include <string_view>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"

namespace compiler::parse {

// `range`: the string with its quotes. False, with findings, if an escape or an interpolation is wrong.
bool ReadString(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics,
                std::vector<ast::StringPart>* parts);

// A string, number or word inside JSON. Emits a finding and returns false if RFC 8259 does not allow it. Adds each ${ … } of the
// string to *interpolations; null: there may be none.
bool CheckJsonString(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics,
                     std::vector<source::SourceRange>* interpolations);
bool CheckJsonNumber(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics);
bool CheckJsonWord(std::string_view policy, source::SourceRange range, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::parse
