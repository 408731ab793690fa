// Notes where the blocks and lets of a file stand, for those who read the policy later.
#pragma once

#include "compiler/ast/ast.h"
#include "compiler/model/origins.h"

namespace compiler::check {

// `text`: what was parsed; the origins borrow from it.
model::BlockOrigin OriginOf(const ast::Block& block, source::SourceRange whole, std::string_view text);
model::LetOrigin OriginOf(const ast::Let& let);

}  // namespace compiler::check
