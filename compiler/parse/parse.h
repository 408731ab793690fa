// Text to tree. The one door to ANTLR: no ANTLR type leaves this folder, and neither does an exception.
//
// Every statement that cannot be read gives one finding, on the token where the mistake is; parsing goes on at the next
// statement. What was reported is marked broken in the tree.
#pragma once

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_buffer.h"

namespace compiler::parse {

inline constexpr int kMaxNesting = 256;  // brackets, `not` and blocks inside each other
inline constexpr int kMaxOperatorsPerExpression = 1000;

// Always returns a tree; it may be broken. Text larger than source::kMaxFileBytes, not UTF-8 or too deep gives an empty one.
ast::File ParseFile(const source::SourceBuffer& source, diagnostics::Diagnostics* diagnostics);

// The same of a file that it imports. The text of the tree is that of all.
ast::File ParsePart(const source::SourceBuffer& source, source::SourceRange part, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::parse
