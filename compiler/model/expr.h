// A typed predicate: what `check` makes, and what the interpreter and the lowering read. No text is left to parse.
//
// What is absent (runtime value of a type T?) equals only `none`: a comparison with an absent operand is false for
// ==, <, <=, > and >=, `in` and the string tests are false, and != is the negation of ==. Two absent values are not
// equal. `<` and its kin are only made over operands that are not optional, and never over Json.
//
// JSON: null counts as absent ("error": null says that there is no error). A member compares by value with Bool, Int,
// Number, String and with another member; numbers compare exactly, whichever of Int and Number holds them (1 == 1.0,
// and 2^53 + 1 is not the double next to it); a value of another type is unequal. Arrays and objects compare by
// source text.
//
// Networks in a set take text (a JSON string, too) that is an address in one of them. `matches` finds its pattern anywhere in
// the text; the pattern itself says with ^ and $ where.
//
// Other comparable pairs: both stored as integers (Bool, Int, Duration, Size, Status, Method, Error), Int or Number or
// Percent with one of these, text with text (ordered by bytes).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/abi/pattern.h"
#include "compiler/abi/type.h"
#include "base/cidr.h"

namespace compiler::model {

enum class ExprKind : uint8_t {
  kLiteral,      // literal
  kField,        // field
  kSlot,         // family, slot
  kWindow,       // slot: an index into BreakerSettings::measures
  kNot,          // operands[0]
  kAnd,          // operands: two or more, left to right, short-circuit
  kOr,           // likewise
  kCompare,      // compare; operands[0], operands[1] of comparable types
  kIsNone,       // operands[0], whose type is optional
  kIn,           // operands[0] in set or in networks
  kStringTest,   // string_test; operands[0] text, operands[1] the part to look for
  kMatches,      // pattern is found in operands[0]; slot: its index in Policy::patterns
  kCoalesce,     // operands[0] ?? operands[1]; a Json member of another type than the result's counts as absent: a
                 // Number takes every JSON number, an Int only one written without fraction and exponent
};

enum class CompareOp : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe };
enum class StringTest : uint8_t { kStartsWith, kEndsWith, kContains };

// A constant. integer: Bool, Int, Duration (ns), Size (bytes), Status, Method, Error; number: Number, Percent
// (fraction); text: String, Secret, and the source text of a Json array or object (a JSON scalar is a literal of its
// own type).
struct Literal {
  abi::BaseType type = abi::BaseType::kInvalid;
  int64_t integer = 0;
  double number = 0;
  std::string text;

  bool operator==(const Literal&) const = default;
};

// One member of a set after `in`: a literal, or for Status the range low.integer … high (5xx is 500 … 599).
struct SetMember {
  Literal low;
  int64_t high = 0;  // only for Status; equals low.integer for a single status

  bool operator==(const SetMember&) const = default;
};

struct Expr {
  ExprKind kind = ExprKind::kLiteral;
  abi::Type type;

  Literal literal;
  abi::FieldId field{};
  abi::FamilyId family{};
  int32_t slot = -1;
  CompareOp compare{};
  StringTest string_test{};
  std::vector<SetMember> set;
  std::vector<base::Cidr> networks;
  std::shared_ptr<const abi::Pattern> pattern;
  std::vector<Expr> operands;

  bool operator==(const Expr&) const = default;
};

}  // namespace compiler::model
