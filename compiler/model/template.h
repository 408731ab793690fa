// Renders a Template over the facts of a request: cache keys and header values.
#pragma once

#include <string>

#include "compiler/abi/facts.h"
#include "compiler/model/settings.h"

namespace compiler::model {

// Appends the text to *out. What is absent adds nothing; a Duration is written in ms, a Bool as true or false, JSON as its
// source text. Pure; thread-safe.
void Render(const Template& text, const abi::Facts& facts, std::string* out);

}  // namespace compiler::model
