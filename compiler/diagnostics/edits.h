// Applies the edits of fixes to a text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostics/diagnostic.h"

namespace compiler::diagnostics {

// Whether edits of both may be applied at once: they touch no common place, nor insert at the same one.
bool AreIndependent(const Fix& a, const Fix& b);

// `edits`: in any order, not overlapping, within the text. What is removed leaves no empty line and no double space behind.
std::string ApplyEdits(std::string_view text, std::vector<Edit> edits);

}  // namespace compiler::diagnostics
