// A value of a request that routes are told apart by: its method, a text, or the value of a slot. Read as text from Facts.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/model/expr.h"

namespace compiler::routes {

struct Subject {
  enum class Kind : uint8_t { kMethod, kText, kOptionalText, kTextSlot, kJsonSlot };

  Kind kind{};
  size_t offset = 0;  // in Facts: of the value, or of the pointer to the slots
  int32_t slot = 0;

  auto operator<=>(const Subject&) const = default;
};

// The subject that an expression reads; nullopt if it is no such value.
std::optional<Subject> SubjectOf(const model::Expr& expr);

// What it is in this request: a method by its name ("" for one that the language does not name), a JSON member only if it is
// a string. nullopt when absent. Borrowed from the facts.
std::optional<std::string_view> TextOf(const Subject& subject, const abi::Facts& facts);

}  // namespace compiler::routes
