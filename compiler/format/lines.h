// Lines of code and the comments behind them, before they are put below each other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace compiler::format {

struct Line {
  size_t level = 0;            // of blocks and brackets around it
  std::string code;            // "" for an empty line, or one with a comment alone
  std::string comment;         // "" for none
  bool empty_before = false;
  // Where ` =` of a setting stands in `code`, if the line begins one.
  std::optional<size_t> assign;
  bool keyed = false;          // name["key"] = value
  bool goes_on = false;        // the statement has more lines
};

// Aligns, indents and joins them.
std::string Layout(std::vector<Line> lines);

// Columns that a terminal gives to a text.
size_t WidthOf(std::string_view text);

}  // namespace compiler::format
