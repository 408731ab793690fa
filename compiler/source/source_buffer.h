// The text of one policy, that of what it imports behind it, and where its lines begin. Finds file, line and column of an offset,
// and the text of a line.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/source_range.h"

namespace compiler::source {

// Larger files are refused before anything is parsed.
inline constexpr size_t kMaxFileBytes = 16 << 20;
inline constexpr size_t kMaxImports = 32;

struct Position {
  uint32_t line = 1;    // in its file, from 1
  uint32_t column = 1;  // from 1, in code points
};

class SourceBuffer {
 public:
  // `name` is what messages call the file. Copies the text.
  SourceBuffer(std::string name, std::string_view text);

  // A file that this one imports by `path`, as it is written there. Not once text() was asked for: it moves.
  void AddImport(std::string path, std::string name, std::string_view text);
  void AddUnreadable(std::string path, std::string why);

  struct Import {
    std::string path;
    std::string why;                 // it can't be read; "": it can
    std::optional<SourceRange> part;  // its text
  };
  // Null: it was never looked for.
  const Import* FindImport(std::string_view path) const;
  // The policy's own text, without what it imports.
  SourceRange own() const { return {0, own_end_}; }

  // Where the policy names the imported file that holds `offset`: its path, with the quotes. nullopt for the policy's own text.
  std::optional<SourceRange> ImportOf(uint32_t offset) const;

  const std::string& name() const { return files_.front().name; }
  const std::string& NameAt(uint32_t offset) const;  // of the file there
  std::string_view text() const { return text_; }
  std::string_view Text(SourceRange range) const;
  Position PositionOf(uint32_t offset) const;

  // The line of an offset without its end (LF or CR LF), and where it begins.
  std::string_view LineAt(uint32_t offset) const;
  uint32_t LineBegin(uint32_t offset) const { return line_begins_[LineIndex(offset)]; }

 private:
  struct File {
    std::string name;
    size_t first_line = 0;  // its index in line_begins_
  };
  size_t LineIndex(uint32_t offset) const;
  const File& FileOf(size_t line_index) const;
  void Append(std::string_view text);

  std::vector<File> files_;
  std::vector<Import> imports_;
  uint32_t own_end_ = 0;
  std::string text_;
  std::vector<uint32_t> line_begins_;
};

}  // namespace compiler::source
