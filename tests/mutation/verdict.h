// What the compiler makes of a mutant, and a table of many.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diagnostics/diagnostic.h"
#include "tests/mutation/mutants.h"

namespace tests::mutation {

struct Verdict {
  bool compiles = false;
  bool is_equal = false;         // it compiles, and to the model of the original
  size_t messages = 0;           // of a mutant that does not compile
  size_t well_placed = 0;        // those that begin on the mutated token, the one before it or the one behind it
  bool offers_original = false;  // the fix of a message makes the original text of it
  compiler::diagnostics::Diagnostics findings;

  bool one_message() const { return messages == 1; }
};

// The checked policy in its printed form; "" if it does not compile.
std::string ModelOf(std::string_view policy, compiler::diagnostics::Diagnostics* findings);

Verdict Judge(std::string_view original, const std::string& original_model, const Mutant& mutant);

// For people: the lines around the mutated token before and after, and the messages.
std::string Describe(std::string_view name, std::string_view original, const Mutant& mutant, const Verdict& verdict);

// Counts of one kind of change.
struct Counts {
  size_t mutants = 0;
  size_t equal = 0;
  size_t other_policy = 0;
  size_t one_message = 0;
  size_t several_messages = 0;
  size_t messages = 0;
  size_t well_placed = 0;
  size_t misspelt = 0;  // misspellings that do not compile
  size_t offered = 0;   // … and whose original is the offered fix

  void Add(Change change, const Verdict& verdict);
  Counts& operator+=(const Counts& other);

  // In percent; 100 of nothing.
  double OneMessageOrAnotherPolicy() const;
  double WellPlaced() const;
  double Offered() const;
};

class Table {
 public:
  void Add(Change change, const Verdict& verdict) { rows_[change].Add(change, verdict); }
  Counts Sum() const;
  std::string Print(std::string_view title) const;

 private:
  std::map<Change, Counts> rows_;
};

}  // namespace tests::mutation
