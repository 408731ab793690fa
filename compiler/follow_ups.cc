#include "compiler/follow_ups.h"

#include <algorithm>
#include <set>
#include <vector>

#include "compiler/parse/tokens.h"

namespace compiler {

using diagnostics::Diagnostic;
using diagnostics::Severity;

namespace {

constexpr size_t kWords = 3;

// The number of the word at, or else behind, an offset.
size_t WordAt(const std::vector<parse::Token>& words, uint32_t offset) {
  const auto at = std::upper_bound(words.begin(), words.end(), offset,
                                   [](uint32_t o, const parse::Token& word) { return o < word.range.end; });
  return static_cast<size_t>(at - words.begin());
}

}  // namespace

void DropFollowUps(std::string_view text, diagnostics::Diagnostics* diagnostics) {
  if (!diagnostics->has_errors() || diagnostics->size() < 2) return;
  std::vector<parse::Token> words = parse::ReadTokens(text);
  std::erase_if(words, [](const parse::Token& word) { return word.kind == parse::TokenKind::kComment; });
  std::set<const Diagnostic*> dropped;
  const Diagnostic* cause = nullptr;
  size_t last = 0;  // word of the cause
  for (const Diagnostic* finding : diagnostics->InSourceOrder()) {
    const size_t begin = WordAt(words, finding->range.begin);
    const bool is_near = cause != nullptr && finding->range.begin >= cause->range.end && begin <= last + kWords;
    if (is_near && finding->replacement() == nullptr) {
      dropped.insert(finding);
    } else if (finding->severity == Severity::kError) {
      cause = finding;
      last = finding->range.end > finding->range.begin ? WordAt(words, finding->range.end - 1) : begin;
    }
  }
  if (!dropped.empty()) diagnostics->Drop([&](const Diagnostic& item) { return dropped.count(&item) > 0; });
}

}  // namespace compiler
