// `breakwater explain FILE`: what each route can come to at worst, with the arithmetic, and each effective value with where it came
// from.
#pragma once

#include <string>

#include "compiler/compile.h"

namespace cli {

std::string ExplainBounds(const compiler::WrittenPolicy& written);
std::string ExplainValues(const compiler::WrittenPolicy& written);

}  // namespace cli
