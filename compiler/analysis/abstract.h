// What a predicate comes to when little is known of the facts: never true, always true, or one or the other. It never says
// kNever or kAlways wrongly; how often it says kMaybe is a matter of precision. Known is what a table of facts says; region.h reasons.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/model/expr.h"
#include "compiler/model/settings.h"

namespace compiler::analysis {

enum class Truth : uint8_t { kNever, kMaybe, kAlways };

// A value as far as it is known. Text and JSON are not followed.
struct Abstract {
  bool may_be_absent = false;
  bool may_be_present = true;
  bool is_number = false;  // low and high say something
  long double low = 0;
  long double high = 0;
};

// What is known of the facts; at first what their types say.
class Known {
 public:
  Known();

  Known& Set(abi::FieldId field, int64_t low, int64_t high);  // present, and in this range
  Known& SetAbsent(abi::FieldId field);
  // The measure of a breaker's slot, between `low` and `high`; shares as fractions, times in nanoseconds.
  Known& SetWindow(size_t slot, long double low, long double high);

  Abstract Field(abi::FieldId field) const { return fields_[static_cast<size_t>(field)]; }
  Abstract Window(int32_t slot) const;
  size_t windows() const { return windows_.size(); }  // slots of which something is known lie below

 private:
  static constexpr size_t kFields = 0
#define FACT_FIELD(language_name, member, Base, optional, phase, doc) +1
#include "compiler/abi/fact_fields.def"
#undef FACT_FIELD
      ;
  std::array<Abstract, kFields> fields_;
  std::vector<Abstract> windows_;
};

Truth Evaluate(const model::Expr& expr, const Known& known);

}  // namespace compiler::analysis
