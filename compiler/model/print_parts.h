// Parts of what print.h prints: for its two files.
#pragma once

#include <string>
#include <string_view>

#include "compiler/model/expr.h"
#include "compiler/model/settings.h"

namespace compiler::model {

std::string Quote(std::string_view text);  // with its quotes and escapes
std::string PrintNumber(double value);
// Its parts joined by " + "; the constant ones of a secret are not shown.
std::string PrintTemplate(const Template& text);

}  // namespace compiler::model
