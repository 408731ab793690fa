#include "compiler/format/lines.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace compiler::format {
namespace {

constexpr size_t kIndent = 2;
constexpr size_t kCommentColumn = 40;  // columns before it

// Settings on neighbouring lines of one block have their `=` below each other; those with a key, which are wide, among themselves. A
// statement of several lines ends a run.
void AlignAssigns(std::vector<Line>* lines) {
  for (size_t begin = 0; begin < lines->size();) {
    size_t end = begin;
    size_t widest[2] = {0, 0};
    while (end < lines->size()) {
      const Line& line = (*lines)[end];
      const bool joins = line.assign && (end == begin || (!line.empty_before && line.level == (*lines)[begin].level));
      if (!joins) break;
      widest[line.keyed] = std::max(widest[line.keyed], WidthOf(std::string_view(line.code).substr(0, *line.assign)));
      ++end;
      if (line.goes_on) break;
    }
    for (size_t i = begin; i < end; ++i) {
      Line& line = (*lines)[i];
      const size_t width = WidthOf(std::string_view(line.code).substr(0, *line.assign));
      line.code.insert(*line.assign, widest[line.keyed] - width, ' ');
    }
    begin = std::max(end, begin + 1);
  }
}

}  // namespace

size_t WidthOf(std::string_view text) {
  size_t width = 0;
  for (size_t i = 0; i < text.size();) {
    const std::optional<char32_t> c = base::NextCodePoint(text, &i);
    width += c ? static_cast<size_t>(base::DisplayWidth(*c)) : 1;
  }
  return width;
}

std::string Layout(std::vector<Line> lines) {
  AlignAssigns(&lines);
  std::string out;
  for (size_t begin = 0; begin < lines.size();) {
    // Neighbouring lines with a comment behind them.
    size_t end = begin;
    size_t column = kCommentColumn;
    while (end < lines.size() && !lines[end].code.empty() && !lines[end].comment.empty() &&
           (end == begin || !lines[end].empty_before)) {
      column = std::max(column, lines[end].level * kIndent + WidthOf(lines[end].code) + 2);
      ++end;
    }
    for (size_t i = begin; i < std::max(end, begin + 1); ++i) {
      const Line& line = lines[i];
      if (line.empty_before && !out.empty()) out += "\n";
      const std::string code = std::string(line.level * kIndent, ' ') + line.code;
      out += code;
      if (!line.code.empty() && !line.comment.empty()) out += std::string(column - WidthOf(code), ' ');
      out += line.comment + "\n";
    }
    begin = std::max(end, begin + 1);
  }
  return out;
}

}  // namespace compiler::format
