// The text of one policy and where its lines begin. Finds line and column of an offset, and the text of a line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/source_range.h"

namespace compiler::source {

// Larger files are refused before anything is parsed.
inline constexpr size_t kMaxFileBytes = 1 << 20;

struct Position {
  uint32_t line = 1;    // from 1
  uint32_t column = 1;  // from 1, in code points
};

class SourceBuffer {
 public:
  // `name` is what messages call the file. Copies the text.
  SourceBuffer(std::string name, std::string_view text);

  const std::string& name() const { return name_; }
  std::string_view text() const { return text_; }
  std::string_view Text(SourceRange range) const;
  Position PositionOf(uint32_t offset) const;

  // A line without its end (LF or CR LF). `line` from 1.
  std::string_view Line(uint32_t line) const;
  uint32_t LineBegin(uint32_t line) const { return line_begins_[line - 1]; }

 private:
  std::string name_;
  std::string text_;
  std::vector<uint32_t> line_begins_;
};

}  // namespace compiler::source
