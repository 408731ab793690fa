#include "compiler/source/source_buffer.h"

#include <algorithm>
#include <utility>

#include "compiler/base/text.h"

namespace compiler::source {

SourceBuffer::SourceBuffer(std::string name, std::string_view text) : name_(std::move(name)), text_(text) {
  line_begins_.push_back(0);
  for (size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_begins_.push_back(static_cast<uint32_t>(i + 1));
  }
}

std::string_view SourceBuffer::Text(SourceRange range) const {
  const size_t begin = std::min<size_t>(range.begin, text_.size());
  const size_t end = std::clamp<size_t>(range.end, begin, text_.size());
  return std::string_view(text_).substr(begin, end - begin);
}

Position SourceBuffer::PositionOf(uint32_t offset) const {
  const auto next = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset);
  Position position;
  position.line = static_cast<uint32_t>(next - line_begins_.begin());
  const size_t end = std::min<size_t>(offset, text_.size());
  for (size_t i = line_begins_[position.line - 1]; i < end; ++position.column) base::NextCodePoint(text_, &i);
  return position;
}

std::string_view SourceBuffer::Line(uint32_t line) const {
  const size_t begin = line_begins_[line - 1];
  size_t end = line < line_begins_.size() ? line_begins_[line] - 1 : text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

}  // namespace compiler::source
