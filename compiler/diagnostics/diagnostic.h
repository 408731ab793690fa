// What the compiler found in a policy: the phases emit, render.h prints. What they say stands in diagnostic_kinds.def.
// Not thread-safe; one Diagnostics belongs to one compilation.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/source/source_range.h"

namespace compiler::diagnostics {

using source::SourceRange;

enum class Severity : uint8_t {
  kError,    // cannot be what was meant: the policy does not run
  kWarning,  // will hurt
  kNote,     // a fact worth knowing
};

// One for each row of diagnostic_kinds.def; kinds.h has their names. Who only shows findings needs none of them, and is not built
// again when a sentence changes.
enum class Kind : uint16_t;

struct KindInfo {
  Kind kind;
  std::string_view name;  // the enumerator's, with its k
  std::string_view code;  // "PL0101"
  Severity severity;
  std::string_view message;  // with {0} …
  std::string_view help;
};

// In the order of the table; a kind is its index.
std::span<const KindInfo> Kinds();
inline const KindInfo& InfoOf(Kind kind) { return Kinds()[static_cast<size_t>(kind)]; }
std::string_view Name(Severity severity);

// The help of a word that nothing knows, where one that is known is near: "did you mean `meant`?".
std::string DidYouMean(std::string_view meant);

struct Note {
  SourceRange range;
  std::string text;
};

// A change of the text: what to write instead of `range`. An empty range inserts, an empty text removes.
struct Edit {
  SourceRange range;
  std::string text;
};

// What removes a finding. Its edits do not overlap.
struct Fix {
  std::vector<Edit> edits;
  bool sure = true;  // what was meant; otherwise one of several ways, which a human must choose
  // Surely what was meant, of an error, and no statement goes: it cannot change what a policy does that compiles. Set by SettleFixes.
  bool safe = true;
};

struct Diagnostic {
  Kind kind{};
  Severity severity = Severity::kError;
  std::string_view code;
  SourceRange range;
  std::string message;
  std::string help;         // "" for none
  std::vector<Note> notes;  // other places that matter
  std::vector<SourceRange> concealed;  // text that is not shown around this finding: a credential
  std::optional<Fix> fix;

  // What surely stands in place of `range`; null if that is not known.
  const std::string* replacement() const;

  // For chaining behind Emit. Replace changes `range` itself, Change another place as well; Unsafe marks what they wrote.
  Diagnostic& At(SourceRange note_range, std::string text);
  Diagnostic& Replace(std::string text) { return Change(range, std::move(text)); }
  Diagnostic& Change(SourceRange place, std::string text);
  Diagnostic& Unsafe();
  Diagnostic& Conceal(SourceRange text);
};

class Diagnostics {
 public:
  // Adds one finding; the reference is good until the next Emit. Arguments fill {0} … of message and help.
  Diagnostic& Emit(Kind kind, SourceRange range, std::span<const std::string_view> arguments);
  Diagnostic& Emit(Kind kind, SourceRange range, std::initializer_list<std::string_view> arguments = {}) {
    return Emit(kind, range, std::span<const std::string_view>(arguments.begin(), arguments.size()));
  }

  // Takes out what says the same of the same place as one before it.
  void DropRepeats();
  // Takes away fixes that would change something else than `own`.
  void DropFixesOutside(SourceRange own);
  // Says of each fix whether it is safe. `statements`: where each statement of the text stands, inner ones
  // included, in their order.
  void SettleFixes(std::string_view text, const std::vector<SourceRange>& statements);

  bool has_errors() const { return errors_ > 0; }
  bool empty() const { return items_.empty(); }
  size_t size() const { return items_.size(); }
  size_t errors() const { return errors_; }

  // Takes out the warnings and notes of a code that stand within `scope`, or name a place there; returns how many.
  size_t Allow(std::string_view code, SourceRange scope);

  // Takes out the findings for which `drop` is true.
  void Drop(const std::function<bool(const Diagnostic&)>& drop);

  // In the order of their places in the text; those of one place in the order of Emit.
  std::vector<const Diagnostic*> InSourceOrder() const;
  const std::vector<Diagnostic>& items() const { return items_; }

 private:
  std::vector<Diagnostic> items_;
  size_t errors_ = 0;
};

}  // namespace compiler::diagnostics
