#include "compiler/source/source_buffer.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace compiler::source {

SourceBuffer::SourceBuffer(std::string name, std::string_view text) {
  files_.push_back({std::move(name), 0});
  Append(text);
  own_end_ = static_cast<uint32_t>(text_.size());
}

void SourceBuffer::Append(std::string_view text) {
  const size_t begin = text_.size();
  line_begins_.push_back(static_cast<uint32_t>(begin));
  text_.append(text);
  for (size_t i = begin; i < text_.size(); ++i) {
    if (text_[i] == '\n') line_begins_.push_back(static_cast<uint32_t>(i + 1));
  }
}

void SourceBuffer::AddImport(std::string path, std::string name, std::string_view text) {
  text_ += '\n';  // so that no offset belongs to two files
  files_.push_back({std::move(name), line_begins_.size()});
  const auto begin = static_cast<uint32_t>(text_.size());
  Append(text);
  imports_.push_back({std::move(path), "", SourceRange{begin, static_cast<uint32_t>(text_.size())}});
}

void SourceBuffer::AddUnreadable(std::string path, std::string why) {
  imports_.push_back({std::move(path), std::move(why), std::nullopt});
}

const SourceBuffer::Import* SourceBuffer::FindImport(std::string_view path) const {
  const auto found = std::find_if(imports_.begin(), imports_.end(), [&](const Import& i) { return i.path == path; });
  return found == imports_.end() ? nullptr : &*found;
}

std::optional<SourceRange> SourceBuffer::ImportOf(uint32_t offset) const {
  if (offset < own_end_ || imports_.empty()) return std::nullopt;
  const auto holds = [&](const Import& import) {
    return import.part && import.part->begin <= offset && offset <= import.part->end;
  };
  const auto found = std::find_if(imports_.begin(), imports_.end(), holds);
  if (found == imports_.end()) return std::nullopt;
  const std::string written = "\"" + found->path + "\"";
  const size_t at = Text(own()).find(written);
  if (at == std::string_view::npos) return std::nullopt;
  return SourceRange{static_cast<uint32_t>(at), static_cast<uint32_t>(at + written.size())};
}

std::string_view SourceBuffer::Text(SourceRange range) const {
  const size_t begin = std::min<size_t>(range.begin, text_.size());
  const size_t end = std::clamp<size_t>(range.end, begin, text_.size());
  return std::string_view(text_).substr(begin, end - begin);
}

size_t SourceBuffer::LineIndex(uint32_t offset) const {
  const auto next = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset);
  return static_cast<size_t>(next - line_begins_.begin()) - 1;
}

const SourceBuffer::File& SourceBuffer::FileOf(size_t line_index) const {
  const auto next = std::upper_bound(files_.begin(), files_.end(), line_index,
                                     [](size_t index, const File& file) { return index < file.first_line; });
  return *(next - 1);
}

const std::string& SourceBuffer::NameAt(uint32_t offset) const { return FileOf(LineIndex(offset)).name; }

Position SourceBuffer::PositionOf(uint32_t offset) const {
  const size_t index = LineIndex(offset);
  Position position;
  position.line = static_cast<uint32_t>(index - FileOf(index).first_line + 1);
  const size_t end = std::min<size_t>(offset, text_.size());
  for (size_t i = line_begins_[index]; i < end; ++position.column) base::NextCodePoint(text_, &i);
  return position;
}

std::string_view SourceBuffer::LineAt(uint32_t offset) const {
  const size_t index = LineIndex(offset);
  const size_t begin = line_begins_[index];
  size_t end = index + 1 < line_begins_.size() ? line_begins_[index + 1] - 1 : text_.size();
  if (end > begin && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(begin, end - begin);
}

}  // namespace compiler::source
