// From the tree and the words of a policy to its lines.
#pragma once

#include <string_view>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/format/lines.h"
#include "compiler/parse/tokens.h"

namespace compiler::format {

// `file` and `tokens` are of `text`, and nothing in them is broken.
std::vector<Line> PrintLines(std::string_view text, const ast::File& file, const std::vector<parse::Token>& tokens);

}  // namespace compiler::format
