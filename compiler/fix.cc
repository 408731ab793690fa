#include "compiler/fix.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/diagnostics/codes.h"
#include "compiler/diagnostics/edits.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler {
namespace {

using diagnostics::Diagnostic;
using diagnostics::Diagnostics;
using diagnostics::Edit;
using diagnostics::Fix;
using diagnostics::Severity;
using source::SourceRange;

constexpr int kMaxRounds = 20;
// A fix may bring to light what its mistake hid, or be a wrong guess. Where choices may be made, what comes to light is fixed, too, so
// many times in a row.
constexpr int kMaxHidden = 2;

std::string NameOf(const Diagnostic& diagnostic) { return std::string(diagnostic.code) + ": " + diagnostic.message; }

// Whether the line of a finding says all that it hangs on. What names, types and whole blocks are about hangs on other lines, and so
// do brackets.
bool IsOfItsOwnPlace(const Diagnostic& diagnostic) {
  return diagnostics::HasTrait(diagnostic.code, diagnostics::kLocal);
}

// The name of a finding and the words of its line: the same wherever that line comes to stand.
using Place = std::pair<std::string, std::string_view>;
using Places = std::map<Place, int>;

Place PlaceOf(const Diagnostic& diagnostic, std::string_view text) {
  const size_t at = std::min<size_t>(diagnostic.range.begin, text.size());
  const size_t before = at == 0 ? std::string_view::npos : text.rfind('\n', at - 1);
  const size_t begin = before == std::string_view::npos ? 0 : before + 1;
  return {NameOf(diagnostic), text.substr(begin, text.find('\n', at) - begin)};
}

Places PlacesOf(const Diagnostics& found, std::string_view text) {
  Places places;
  for (const Diagnostic& diagnostic : found.items()) ++places[PlaceOf(diagnostic, text)];
  return places;
}

// The text with nothing in the lines that these touch.
std::string WithoutLinesOf(const std::vector<SourceRange>& ranges, std::string text) {
  for (const SourceRange range : ranges) {  // blanks keep the places of the others
    const size_t before = range.begin == 0 ? std::string::npos : text.rfind('\n', range.begin - 1);
    const size_t begin = before == std::string::npos ? 0 : before + 1;
    const size_t end = std::min(text.find('\n', range.end), text.size());
    for (size_t i = begin; i < end; ++i) {
      if (text[i] != '\n') text[i] = ' ';
    }
  }
  return text;
}

class Fixer {
 public:
  Fixer(std::string_view text, const FixOptions& options, int hidden = 0) : options_(options), hidden_(hidden) {
    result_.text = text;
    result_.diagnostics = Check(result_.text);
  }

  FixResult Run() {
    if (result_.diagnostics.has_errors()) {
      for (int round = 0; round < kMaxRounds; ++round) {
        if (!All() && !OneByOne()) break;
      }
    } else {
      FixWarnings();
    }
    return std::move(result_);
  }

 private:
  Diagnostics Check(std::string_view text) const {
    Diagnostics found;
    CheckWritten(ReadSource("policy", text, options_.read_import), options_.compile, &found);
    return found;
  }

  // Of a text with errors: what its warnings are was never seen by anybody.
  bool IsWanted(const Diagnostic& diagnostic) const {
    const bool may_be_written = diagnostic.fix && (diagnostic.fix->safe || options_.unsafe);
    return may_be_written && diagnostic.severity == Severity::kError && refused_.count(NameOf(diagnostic)) == 0;
  }

  // All fixes that do not touch each other, in the order of the text.
  bool All() {
    std::vector<const Diagnostic*> chosen;
    for (const Diagnostic* diagnostic : result_.diagnostics.InSourceOrder()) {
      if (!IsWanted(*diagnostic)) continue;
      bool independent = true;
      for (const Diagnostic* other : chosen) independent = independent && AreIndependent(*diagnostic->fix, *other->fix);
      if (independent) chosen.push_back(diagnostic);
    }
    return !chosen.empty() && Try(chosen).empty();
  }

  // The first fix that stands the test on its own; those that do not are not tried again.
  bool OneByOne() {
    for (const Diagnostic* diagnostic : result_.diagnostics.InSourceOrder()) {
      if (!IsWanted(*diagnostic)) continue;
      const std::string name = NameOf(*diagnostic);
      std::string because = Try({diagnostic});
      if (because.empty()) return true;
      refused_.insert(name);
      result_.refused.push_back({name, std::move(because)});
    }
    return false;
  }

  // One after the other, each only while its finding is the one that was written about: the same words and the same fix.
  void FixWarnings() {
    struct Wanted {
      std::string name;
      std::vector<std::string> texts;  // of its edits
    };
    const auto texts_of = [](const Fix& fix) {
      std::vector<std::string> texts;
      for (const Edit& edit : fix.edits) texts.push_back(edit.text);
      return texts;
    };
    std::vector<Wanted> wanted;
    for (const Diagnostic* diagnostic : result_.diagnostics.InSourceOrder()) {
      if (diagnostic->fix && (diagnostic->fix->safe || options_.unsafe))
        wanted.push_back({NameOf(*diagnostic), texts_of(*diagnostic->fix)});
    }
    for (const Wanted& one : wanted) {
      const std::vector<const Diagnostic*> now = result_.diagnostics.InSourceOrder();
      const auto same = std::find_if(now.begin(), now.end(), [&](const Diagnostic* diagnostic) {
        return diagnostic->fix && NameOf(*diagnostic) == one.name && texts_of(*diagnostic->fix) == one.texts;
      });
      if (same == now.end()) continue;  // gone, or another one by now
      if (std::string because = Try({*same}); !because.empty()) result_.refused.push_back({one.name, std::move(because)});
    }
  }

  // Keeps the text with these fixes if their findings are gone and there is no error that was not there before, or only what they hid;
  // and, where there was none, no other warning either. Otherwise says why not.
  std::string Try(const std::vector<const Diagnostic*>& chosen) {
    std::vector<Edit> edits;
    std::vector<std::string> names;
    for (const Diagnostic* diagnostic : chosen) {
      edits.insert(edits.end(), diagnostic->fix->edits.begin(), diagnostic->fix->edits.end());
      names.push_back(NameOf(*diagnostic));
    }
    std::string text = diagnostics::ApplyEdits(result_.text, edits);
    Diagnostics after = Check(text);
    const std::vector<const Diagnostic*> added = Added(names, after);
    if (!added.empty() && !WereHidden(added, chosen, text, after)) {
      std::string because = WhyNot(*added.front(), names);
      if (!options_.unsafe || hidden_ == kMaxHidden || !result_.diagnostics.has_errors()) return because;
      FixResult further = Fixer(text, options_, hidden_ + 1).Run();
      if (further.applied.empty() || !Added(names, further.diagnostics).empty()) return because;
      text = std::move(further.text);
      after = std::move(further.diagnostics);
      names.insert(names.end(), further.applied.begin(), further.applied.end());
    }
    result_.text = std::move(text);
    result_.diagnostics = std::move(after);
    result_.applied.insert(result_.applied.end(), names.begin(), names.end());
    return {};
  }

  static std::string WhyNot(const Diagnostic& added, const std::vector<std::string>& names) {
    if (std::find(names.begin(), names.end(), NameOf(added)) != names.end()) return "its finding would still be there";
    const bool is_error = added.severity == Severity::kError;
    return std::string(is_error ? "then there is another error: " : "then there is another warning: ") + added.message;
  }

  // What an unsafe fix leaves without a use; its own finding says so to whoever reads on.
  static bool IsLeftOver(diagnostics::Kind kind) {
    using enum diagnostics::Kind;
    return kind == kAllowsNothing || kind == kUnusedLet || kind == kUnused || kind == kUnusedShared ||
           kind == kUnusedImport;
  }

  // The errors that were not there before, and findings of these names that are not gone; where there was no error, warnings, too.
  std::vector<const Diagnostic*> Added(const std::vector<std::string>& names, const Diagnostics& after) const {
    std::map<std::string, int> allowed;
    for (const Diagnostic& diagnostic : result_.diagnostics.items()) ++allowed[NameOf(diagnostic)];
    for (const std::string& name : names) --allowed[name];
    // Of warnings one more of its code: the same with other numbers is none.
    std::map<std::string_view, int> more;
    for (const Diagnostic& diagnostic : after.items()) ++more[diagnostic.code];
    for (const Diagnostic& diagnostic : result_.diagnostics.items()) --more[diagnostic.code];
    std::vector<const Diagnostic*> added;
    for (const Diagnostic& diagnostic : after.items()) {
      const std::string name = NameOf(diagnostic);
      const bool is_new_warning =
          diagnostic.severity == Severity::kWarning && !result_.diagnostics.has_errors() && more[diagnostic.code] > 0 &&
          !IsLeftOver(diagnostic.kind);
      const bool counts = diagnostic.severity == Severity::kError || is_new_warning || allowed.count(name) > 0;
      if (counts && --allowed[name] < 0) added.push_back(&diagnostic);
    }
    return added;
  }

  // Whether what was added has nothing to do with the fixes: it is there, too, when the lines that they are about are empty. Even then
  // there may not be more errors than before.
  bool WereHidden(const std::vector<const Diagnostic*>& added, const std::vector<const Diagnostic*>& chosen,
                  const std::string& text, const Diagnostics& after) const {
    if (after.errors() > result_.diagnostics.errors()) return false;
    std::set<std::string> names;
    for (const Diagnostic* diagnostic : added) {
      if (!IsOfItsOwnPlace(*diagnostic)) return false;
      names.insert(NameOf(*diagnostic));
    }
    std::vector<SourceRange> ranges;
    Places before = PlacesOf(result_.diagnostics, result_.text);
    for (const Diagnostic* diagnostic : chosen) {
      --before[PlaceOf(*diagnostic, result_.text)];
      ranges.push_back(diagnostic->range);
      for (const Edit& edit : diagnostic->fix->edits) ranges.push_back(edit.range);
    }
    const std::string emptied = WithoutLinesOf(ranges, result_.text);
    const Places alone = PlacesOf(Check(emptied), emptied);
    // All of these names, since which one of several was added cannot be told.
    for (const auto& [place, count] : PlacesOf(after, text)) {
      const auto count_in = [&](const Places& places) {
        const auto found = places.find(place);
        return found == places.end() ? 0 : found->second;
      };
      if (names.count(place.first) > 0 && count > std::max(count_in(before), count_in(alone))) return false;
    }
    return true;
  }

  const FixOptions& options_;
  const int hidden_;  // how many fixes this one stands behind
  FixResult result_;
  std::set<std::string> refused_;
};

}  // namespace

FixResult FixPolicy(std::string_view text, const FixOptions& options) { return Fixer(text, options).Run(); }

}  // namespace compiler
