// From what was written to what is meant, on the tree: imported files become part of the policy, and `retry` and `breaker` blocks
// with a name stand where an upstream names them. Behind it the checker sees one file that imports nothing and has no such names.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_buffer.h"

namespace compiler::expand {

// What a text imports, as written, without findings: so that somebody can read those files.
std::vector<std::string> ImportedPaths(std::string_view text);

// The path behind `tests_of =` of a file of tests; nothing of any other.
std::optional<std::string> TestedPolicy(std::string_view text);

// Reads the policy and what it imports. What is imported under `llm` is named `llm.busy` in the tree. Ranges point to where something
// was written, so those of a block that several upstreams name stand there several times.
ast::File ReadExpanded(const source::SourceBuffer& source, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::expand
