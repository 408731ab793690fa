#include "compiler/fix.h"

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

constexpr int kMaxRounds = 20;
// A fix may bring to light what its mistake hid, or be a wrong guess. Where choices may be made, what comes to light is fixed, too, so
// many times in a row.
constexpr int kMaxHidden = 2;

std::string NameOf(const Diagnostic& diagnostic) {
  return std::string(diagnostic.code) + ": " + diagnostic.message;
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
      for (const Diagnostic* other : chosen)
        independent = independent && AreIndependent(*diagnostic->fix, *other->fix);
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

  // Keeps the text with these fixes if their findings are gone and there is no error that was not there before.
  bool Try(const std::vector<const Diagnostic*>& chosen) {
    std::vector<Edit> edits;
    std::vector<std::string> names;
    for (const Diagnostic* diagnostic : chosen) {
      edits.insert(edits.end(), diagnostic->fix->edits.begin(), diagnostic->fix->edits.end());
      names.push_back(NameOf(*diagnostic));
    }
    std::string text = diagnostics::ApplyEdits(result_.text, std::move(edits));
    Diagnostics after = Check(text);
    if (!IsProgress(names, after)) {
      if (!options_.unsafe || hidden_ == kMaxHidden) return false;
      FixResult further = Fixer(text, options_, hidden_ + 1).Run();
      if (further.applied.empty() || !IsProgress(names, further.diagnostics)) return false;
      text = std::move(further.text);
      after = std::move(further.diagnostics);
      names.insert(names.end(), further.applied.begin(), further.applied.end());
    }
    result_.text = std::move(text);
    result_.diagnostics = std::move(after);
    result_.applied.insert(result_.applied.end(), names.begin(), names.end());
    return true;
  }

  // Whether the findings of these names are gone and no error is there that was not before.
  bool IsProgress(const std::vector<std::string>& names, const Diagnostics& after) const {
    std::map<std::string, int> allowed;
    for (const Diagnostic& diagnostic : result_.diagnostics.items()) ++allowed[NameOf(diagnostic)];
    for (const std::string& name : names) --allowed[name];
    for (const Diagnostic& diagnostic : after.items()) {
      const std::string name = NameOf(diagnostic);
      const bool counts = diagnostic.severity == Severity::kError || allowed.count(name) > 0;
      if (counts && --allowed[name] < 0) return false;
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
