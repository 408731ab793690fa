// The value of an expression while it is interpreted: shared by interpret.cc and template.cc, of no interest elsewhere.
#pragma once

#include <cstdint>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/model/expr.h"

namespace compiler::model {

// integer, number, text and json are set as the base type asks (see Literal). Text is borrowed from the expression or
// the facts. Absent: nothing but present == false means anything.
struct Value {
  abi::BaseType base = abi::BaseType::kNone;
  bool present = false;
  int64_t integer = 0;
  double number = 0;
  std::string_view text;
  abi::JsonValue json;
};

Value Evaluate(const Expr& expr, const abi::Facts& facts);

}  // namespace compiler::model
