#include "compiler/diagnostics/diagnostic.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "compiler/diagnostics/kinds.h"

namespace compiler::diagnostics {
namespace {

constexpr KindInfo kKinds[] = {
#define DIAGNOSTIC(name, code, severity, message, help) {Kind::name, #name, code, Severity::severity, message, help},
#include "compiler/diagnostics/diagnostic_kinds.def"
#undef DIAGNOSTIC
};

// {0} … {9} become arguments; every other brace stays as it is.
std::string Fill(std::string_view text, std::span<const std::string_view> arguments) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{' && i + 2 < text.size() && text[i + 2] == '}' && text[i + 1] >= '0' && text[i + 1] <= '9') {
      const size_t index = static_cast<size_t>(text[i + 1] - '0');
      if (index < arguments.size()) out += arguments[index];
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::span<const KindInfo> Kinds() { return kKinds; }

std::string_view Name(Severity severity) {
  switch (severity) {
    case Severity::kError: return "error";
    case Severity::kWarning: return "warning";
    case Severity::kNote: return "note";
  }
  return "";
}

std::string DidYouMean(std::string_view meant) { return "did you mean `" + std::string(meant) + "`?"; }

Diagnostic& Diagnostic::At(SourceRange note_range, std::string text) {
  notes.push_back({note_range, std::move(text)});
  return *this;
}

Diagnostic& Diagnostic::Change(SourceRange place, std::string text) {
  if (!fix) fix.emplace();
  fix->edits.push_back({place, std::move(text)});
  return *this;
}

Diagnostic& Diagnostic::Unsafe() {
  if (fix) fix->sure = fix->safe = false;
  return *this;
}

Diagnostic& Diagnostic::Conceal(SourceRange text) {
  concealed.push_back(text);
  return *this;
}

const std::string* Diagnostic::replacement() const {
  if (!fix || !fix->sure) return nullptr;
  for (const Edit& edit : fix->edits) {
    if (edit.range == range && !edit.text.empty()) return &edit.text;
  }
  return nullptr;
}

Diagnostic& Diagnostics::Emit(Kind kind, SourceRange range, std::span<const std::string_view> arguments) {
  const KindInfo& info = InfoOf(kind);
  Diagnostic diagnostic;
  diagnostic.kind = kind;
  diagnostic.severity = info.severity;
  diagnostic.code = info.code;
  diagnostic.range = range;
  diagnostic.message = Fill(info.message, arguments);
  diagnostic.help = Fill(info.help, arguments);
  if (info.severity == Severity::kError) ++errors_;
  items_.push_back(std::move(diagnostic));
  return items_.back();
}

size_t Diagnostics::Allow(std::string_view code, SourceRange scope) {
  const auto is_in_scope = [&](SourceRange range) { return scope.begin <= range.begin && range.end <= scope.end; };
  return std::erase_if(items_, [&](const Diagnostic& item) {
    if (item.code != code || item.severity == Severity::kError) return false;
    return is_in_scope(item.range) ||
           std::any_of(item.notes.begin(), item.notes.end(), [&](const Note& note) { return is_in_scope(note.range); });
  });
}

void Diagnostics::DropRepeats() {
  std::set<std::tuple<std::string_view, SourceRange, std::string_view>> seen;
  std::vector<bool> is_repeat;
  for (const Diagnostic& item : items_) is_repeat.push_back(!seen.emplace(item.code, item.range, item.message).second);
  size_t index = 0;
  seen.clear();  // it borrows from what goes now
  std::erase_if(items_, [&](const Diagnostic& item) {
    const bool goes = is_repeat[index++];
    if (goes && item.severity == Severity::kError) --errors_;
    return goes;
  });
}

void Diagnostics::DropFixesOutside(SourceRange own) {
  for (Diagnostic& item : items_) {
    if (!item.fix) continue;
    const bool is_outside = std::any_of(item.fix->edits.begin(), item.fix->edits.end(),
                                        [&](const Edit& edit) { return edit.range.end > own.end; });
    if (is_outside) item.fix.reset();
  }
}

void Diagnostics::SettleFixes(std::string_view text, const std::vector<SourceRange>& statements) {
  // A statement that is written elsewhere is moved, not removed.
  const auto is_written = [](const Fix& fix, std::string_view statement) {
    return std::any_of(fix.edits.begin(), fix.edits.end(),
                       [&](const Edit& edit) { return edit.text.find(statement) != std::string::npos; });
  };
  for (Diagnostic& item : items_) {
    if (!item.fix) continue;
    bool removes = false;
    for (const Edit& edit : item.fix->edits) {
      if (!edit.text.empty() || edit.range.begin == edit.range.end) continue;
      auto statement = std::lower_bound(statements.begin(), statements.end(), edit.range.begin,
                                        [](SourceRange s, uint32_t begin) { return s.begin < begin; });
      for (; !removes && statement != statements.end() && statement->begin < edit.range.end; ++statement) {
        const bool is_within = statement->begin < statement->end && statement->end <= edit.range.end;
        removes = is_within && !is_written(*item.fix, text.substr(statement->begin, statement->end - statement->begin));
      }
    }
    item.fix->safe = item.fix->sure && item.severity == Severity::kError && !removes;
  }
}

void Diagnostics::Drop(const std::function<bool(const Diagnostic&)>& drop) {
  std::erase_if(items_, drop);
  errors_ = static_cast<size_t>(std::count_if(items_.begin(), items_.end(), [](const Diagnostic& item) {
    return item.severity == Severity::kError;
  }));
}

std::vector<const Diagnostic*> Diagnostics::InSourceOrder() const {
  std::vector<const Diagnostic*> sorted;
  sorted.reserve(items_.size());
  for (const Diagnostic& item : items_) sorted.push_back(&item);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const Diagnostic* a, const Diagnostic* b) { return a->range.begin < b->range.begin; });
  return sorted;
}

}  // namespace compiler::diagnostics
