// A condition as the set of facts for which it holds: a few cells, in each of which every subject has a domain of its own. All that the
// checks say of conditions is asked of such sets: never (it is empty), always (its outside is), implies, overlaps, and who is in it.
//
// `let` names and shared blocks are gone by now, and `not`, `and`, `or`, sets, ranges, `none` and `??` are read here, so that a check
// speaks of what a condition means and not of how it is written. What is not understood (two facts compared with each other) is kept as
// it stands, and contradicts only its own negation. A region is never smaller than the truth: where it is empty, nothing is there.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "compiler/analysis/abstract.h"
#include "compiler/analysis/domain.h"
#include "compiler/model/expr.h"

namespace compiler::analysis {

// A value that a condition reads.
struct Subject {
  enum class Kind : uint8_t { kField, kSlot, kWindow };
  Kind kind{};
  int32_t id = 0;  // of the field or the family
  int32_t slot = 0;

  auto operator<=>(const Subject&) const = default;

  static Subject Of(abi::FieldId field) { return {Kind::kField, static_cast<int32_t>(field), 0}; }
  static Subject Of(abi::FamilyId family, int32_t slot) { return {Kind::kSlot, static_cast<int32_t>(family), slot}; }
  bool Is(abi::FieldId field) const { return kind == Kind::kField && id == static_cast<int32_t>(field); }
  bool IsOf(abi::FamilyId family) const { return kind == Kind::kSlot && id == static_cast<int32_t>(family); }
};

// Nothing if the expression is no value of its own.
std::optional<Subject> SubjectOf(const model::Expr& expr);

// All that a subject can be.
Domain Universe(const Subject& subject);

struct Cell {
  std::map<Subject, Domain> domains;                        // a subject that is not there may be anything
  std::vector<std::pair<const model::Expr*, bool>> unread;  // conditions that are not understood, and whether they hold

  // What the subject may be here.
  Domain Of(const Subject& subject) const;
  bool Reads(abi::FamilyId family) const;
};

class Region {
 public:
  static Region Everything() { return Region({Cell()}); }
  static Region Nothing() { return Region({}); }
  // Where the condition holds, and where it does not. The expression must outlive the region.
  static Region Of(const model::Expr& condition) { return Read(condition, false); }
  static Region Outside(const model::Expr& condition) { return Read(condition, true); }
  static Region Of(const Known& known);
  // Everything with this one subject in this domain.
  static Region Where(const Subject& subject, Domain domain);

  Region And(const Region& other) const;
  Region Or(const Region& other) const;

  bool empty() const { return cells_.empty(); }
  // False where so much was said that parts were left out.
  bool is_exact() const { return is_exact_; }
  const std::vector<Cell>& cells() const { return cells_; }

 private:
  explicit Region(std::vector<Cell> cells) : cells_(std::move(cells)) {}
  static Region Read(const model::Expr& condition, bool negated);

  std::vector<Cell> cells_;
  bool is_exact_ = true;
};

// Whether the condition holds for none, or for all, of `among`.
bool Never(const model::Expr& condition, const Region& among = Region::Everything());
bool Always(const model::Expr& condition, const Region& among = Region::Everything());

// ---- texts that a request can have
// A path as it is when conditions are asked: normalised, without a query. A part of one: of its beginning, or of anywhere in it.
bool IsPossiblePath(std::string_view path);
bool IsPossiblePathStart(std::string_view start);
bool IsPossiblePathEnd(std::string_view end);
bool IsPossibleInPath(std::string_view part);
// A host: in lower case, without a port.
bool IsPossibleHost(std::string_view host);
bool IsPossibleHostStart(std::string_view start);
bool IsPossibleHostEnd(std::string_view end);
bool IsPossibleInHost(std::string_view part);

// One request of a cell, for a message: "POST /api/chat". The method only where it is not left open.
std::string ExampleOf(const Cell& cell);

}  // namespace compiler::analysis
