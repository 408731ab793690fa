#include "compiler/fix.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "compiler/diagnostics/edits.h"

namespace compiler {
namespace {

using diagnostics::Diagnostic;
using diagnostics::Diagnostics;
using diagnostics::Edit;
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
  const std::string_view code = diagnostic.code;
  const bool is_bracket = code == "PL0126" || code == "PL0127";
  return code == "PL0103" || (code >= "PL0110" && code <= "PL0129" && !is_bracket);
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
    for (int round = 0; round < kMaxRounds; ++round) {
      if (!All() && !OneByOne()) break;
    }
    return std::move(result_);
  }

 private:
  Diagnostics Check(std::string_view text) const {
    Diagnostics found;
    CheckWritten(ReadSource("policy", text, options_.read_import), options_.compile, &found);
    return found;
  }

  bool IsWanted(const Diagnostic& diagnostic) const {
    return diagnostic.fix && (diagnostic.fix->safe || options_.unsafe) && refused_.count(NameOf(diagnostic)) == 0;
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
    return !chosen.empty() && Try(chosen);
  }

  // The first fix that stands the test on its own; those that do not are not tried again.
  bool OneByOne() {
    for (const Diagnostic* diagnostic : result_.diagnostics.InSourceOrder()) {
      if (!IsWanted(*diagnostic)) continue;
      const std::string name = NameOf(*diagnostic);
      if (Try({diagnostic})) return true;
      refused_.insert(name);
      result_.refused.push_back(name);
    }
    return false;
  }

  // Keeps the text with these fixes if their findings are gone and there is no error that was not there before, or only what they hid.
  bool Try(const std::vector<const Diagnostic*>& chosen) {
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
      if (!options_.unsafe || hidden_ == kMaxHidden) return false;
      FixResult further = Fixer(text, options_, hidden_ + 1).Run();
      if (further.applied.empty() || !Added(names, further.diagnostics).empty()) return false;
      text = std::move(further.text);
      after = std::move(further.diagnostics);
      names.insert(names.end(), further.applied.begin(), further.applied.end());
    }
    result_.text = std::move(text);
    result_.diagnostics = std::move(after);
    result_.applied.insert(result_.applied.end(), names.begin(), names.end());
    return true;
  }

  // The errors that were not there before, and findings of these names that are not gone.
  std::vector<const Diagnostic*> Added(const std::vector<std::string>& names, const Diagnostics& after) const {
    std::map<std::string, int> allowed;
    for (const Diagnostic& diagnostic : result_.diagnostics.items()) ++allowed[NameOf(diagnostic)];
    for (const std::string& name : names) --allowed[name];
    std::vector<const Diagnostic*> added;
    for (const Diagnostic& diagnostic : after.items()) {
      const std::string name = NameOf(diagnostic);
      const bool counts = diagnostic.severity == Severity::kError || allowed.count(name) > 0;
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
