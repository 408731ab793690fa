#include "compiler/parse/follow_ups.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <vector>

#include "compiler/diagnostics/codes.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/tokens.h"

namespace compiler {

using diagnostics::Diagnostic;
using diagnostics::Severity;

namespace {

constexpr size_t kWords = 2;

// Errors of shape: whoever reads on behind one may be out of step.
bool IsShape(const Diagnostic& finding) { return diagnostics::HasTrait(finding.code, diagnostics::kMisleads); }

// A word that nothing is known of, where a statement begins.
bool IsUnknownStatement(const Diagnostic& finding) {
  return finding.kind == diagnostics::Kind::kUnknownSetting || finding.kind == diagnostics::Kind::kUnknownBlock;
}

bool KnowsWhatWasMeant(const Diagnostic& finding) {
  return finding.replacement() != nullptr &&
         (finding.code == "PL0101" || finding.kind == diagnostics::Kind::kMisspeltWord);
}

// The number of the word at, or else behind, an offset.
size_t WordAt(const std::vector<parse::Token>& words, uint32_t offset) {
  const auto at = std::upper_bound(words.begin(), words.end(), offset,
                                   [](uint32_t o, const parse::Token& word) { return o < word.range.end; });
  return static_cast<size_t>(at - words.begin());
}

// Whether something new begins with the word: on a line of its own behind a block or an empty line.
bool BeginsAnew(std::string_view text, const std::vector<parse::Token>& words, size_t at) {
  if (at == 0 || at >= words.size()) return false;
  const parse::Token& word = words[at];
  if (word.kind != parse::TokenKind::kName && word.kind != parse::TokenKind::kKeyword) return false;
  const uint32_t end = words[at - 1].range.end;
  const std::string_view between = text.substr(end, word.range.begin - end);
  // A sentence of a test: each begins with its verb, on a line of its own.
  constexpr std::string_view kVerbs[] = {"given", "send", "wait", "reload", "expect"};
  const std::string_view written = text.substr(word.range.begin, word.range.end - word.range.begin);
  const bool is_sentence = between.find('\n') != std::string_view::npos && std::find(std::begin(kVerbs), std::end(kVerbs), written) != std::end(kVerbs);
  if (is_sentence) return true;
  const bool behind_block = text[end - 1] == '}' && between.find('\n') != std::string_view::npos;
  return behind_block || between.find("\n\n") != std::string_view::npos;
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
    // A finding about a whole statement is over with it.
    const bool is_word = cause != nullptr && WordAt(words, cause->range.begin) == last;
    const bool may_follow = is_near && ((IsShape(*cause) && is_word) || IsUnknownStatement(*finding));
    const bool is_new = BeginsAnew(text, words, begin) || (begin == last + 2 && BeginsAnew(text, words, begin - 1));
    if (may_follow && !is_new && !KnowsWhatWasMeant(*finding)) {
      dropped.insert(finding);
    } else if (finding->severity == Severity::kError) {
      cause = finding;
      last = finding->range.end > finding->range.begin ? WordAt(words, finding->range.end - 1) : begin;
      // In a comment, or behind everything: the word before it.
      if (last > 0 &&
          (last == words.size() || words[last].range.begin >= std::max(finding->range.end, finding->range.begin + 1)))
        --last;
    }
  }
  if (!dropped.empty()) diagnostics->Drop([&](const Diagnostic& item) { return dropped.count(&item) > 0; });
}

}  // namespace compiler
