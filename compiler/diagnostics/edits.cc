#include "compiler/diagnostics/edits.h"

#include <algorithm>

namespace compiler::diagnostics {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

// A removal that leaves nothing on its lines takes the lines; one that ends before a blank takes the blanks before it.
SourceRange Extend(std::string_view text, SourceRange range) {
  uint32_t begin = range.begin;
  uint32_t end = range.end;
  while (begin > 0 && IsBlank(text[begin - 1])) --begin;
  while (end < text.size() && (IsBlank(text[end]) || text[end] == '\r')) ++end;
  const bool begins_line = begin == 0 || text[begin - 1] == '\n';
  const bool ends_line = end == text.size() || text[end] == '\n';
  if (begins_line && ends_line) {
    if (end < text.size()) ++end;
    // Of two empty lines that meet, one goes.
    const bool empty_before = begin == 0 || (begin > 1 && text[begin - 2] == '\n');
    if (empty_before && end < text.size() && text[end] == '\n') ++end;
    return {begin, end};
  }
  if (begins_line) return range;
  const bool blank_behind = range.end == text.size() || IsBlank(text[range.end]) || text[range.end] == '\n';
  return {blank_behind ? begin : range.begin, range.end};
}

}  // namespace

bool AreIndependent(const Fix& a, const Fix& b) {
  for (const Edit& one : a.edits) {
    for (const Edit& other : b.edits) {
      if (one.range.begin <= other.range.end && other.range.begin <= one.range.end) return false;
    }
  }
  return true;
}

std::string ApplyEdits(std::string_view text, std::vector<Edit> edits) {
  std::stable_sort(edits.begin(), edits.end(),
                   [](const Edit& a, const Edit& b) { return a.range.begin < b.range.begin; });
  const size_t line_end = text.find('\n');
  const bool has_cr = line_end != std::string_view::npos && line_end > 0 && text[line_end - 1] == '\r';
  std::string out;
  uint32_t done = 0;
  for (size_t i = 0; i < edits.size(); ++i) {
    SourceRange range = edits[i].range;
    if (edits[i].text.empty()) range = Extend(text, range);
    range.begin = std::max(range.begin, done);
    if (i + 1 < edits.size()) range.end = std::min(range.end, std::max(edits[i].range.end, edits[i + 1].range.begin));
    range.end = std::max(range.end, range.begin);
    out += text.substr(done, range.begin - done);
    for (const char c : edits[i].text) {
      if (c == '\n' && has_cr) out += '\r';
      out += c;
    }
    done = range.end;
  }
  out += text.substr(done);
  return out;
}

}  // namespace compiler::diagnostics
