#include "compiler/diagnostics/render.h"

#include <algorithm>

#include "base/text.h"

namespace compiler::diagnostics {
namespace {

constexpr int kTabColumns = 4;
// A longer line is shown in part, around the token.
constexpr int kMaxColumns = 160;

// Characters that would move the cursor or turn the text around are shown by a replacement character.
bool IsHarmful(char32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) ||
         c == 0x200E || c == 0x200F || c == 0x061C;
}

struct Excerpt {
  std::string text;
  int caret_column = 0;  // display columns before the caret
  int caret_width = 1;
};

// `concealed` text is shown as stars.
Excerpt MakeExcerpt(const source::SourceBuffer& source, SourceRange range, const std::vector<SourceRange>& concealed) {
  const std::string_view line = source.LineAt(range.begin);
  const uint32_t begin = source.LineBegin(range.begin);
  const size_t from = std::min<size_t>(range.begin - begin, line.size());
  const size_t to = std::min<size_t>(std::max(range.end, range.begin) - begin, line.size());

  struct Cell {
    std::string text;
    int width;
    size_t offset;
  };
  // Of a line that is much longer than what is shown, the cells around the token.
  constexpr size_t kAround = 600;
  size_t near = from > kAround ? from - kAround : 0;
  while (near > 0 && near < line.size() && (static_cast<unsigned char>(line[near]) & 0xC0) == 0x80) ++near;
  const size_t far = std::min(line.size(), std::min(to, from + kAround) + kAround);
  std::vector<Cell> cells;
  for (size_t i = near; i < far;) {
    const size_t start = i;
    const std::optional<char32_t> c = base::NextCodePoint(line, &i);
    const bool is_concealed = std::any_of(concealed.begin(), concealed.end(), [&](SourceRange hidden) {
      return hidden.begin <= begin + start && begin + start < hidden.end;
    });
    if (is_concealed) cells.push_back({"*", 1, start});
    else if (c && *c == '\t') cells.push_back({std::string(kTabColumns, ' '), kTabColumns, start});
    else if (!c || IsHarmful(*c)) cells.push_back({"\xEF\xBF\xBD", 1, start});
    else cells.push_back({std::string(line.substr(start, i - start)), base::DisplayWidth(*c), start});
  }
  Excerpt excerpt;
  int before = 0;
  int inside = 0;
  for (const Cell& cell : cells) {
    if (cell.offset < from) before += cell.width;
    else if (cell.offset < to) inside += cell.width;
  }
  // Cut a long line so that the token stays in view.
  const int first = before > kMaxColumns / 2 && before + inside > kMaxColumns ? before - kMaxColumns / 4 : 0;
  int column = 0;
  bool is_cut = false;  // behind what is shown
  if (first > 0) {
    excerpt.text += "…";
    ++before;
  }
  for (const Cell& cell : cells) {
    if (column >= first && column < first + kMaxColumns) excerpt.text += cell.text;
    else if (column < first && cell.offset < from) before -= cell.width;
    else if (column >= first + kMaxColumns) is_cut = true;
    column += cell.width;
  }
  if (is_cut) excerpt.text += "…";
  excerpt.caret_column = std::max(0, before);
  excerpt.caret_width = std::clamp(inside, 1, kMaxColumns);
  return excerpt;
}

class Writer {
 public:
  Writer(const source::SourceBuffer& source, const RenderOptions& options) : source_(source), options_(options) {}

  void Write(const Diagnostic& d) {
    const char* color = d.severity == Severity::kError     ? "\x1b[1;31m"
                        : d.severity == Severity::kWarning ? "\x1b[1;33m"
                                                           : "\x1b[1;36m";
    Place(d.range);
    Paint(color, std::string(Name(d.severity)) + "[" + std::string(d.code) + "]");
    Paint("\x1b[1m", ": " + d.message);
    out_ += "\n";
    const std::string* replacement = d.replacement();
    // Blanks around it are the place's, not what is to be written.
    const size_t word = replacement != nullptr ? replacement->find_first_not_of(' ') : std::string::npos;
    const std::string label = word != std::string::npos ? "write `" + replacement->substr(word) + "`" : "";
    Frame(d, d.range, color, label, /*with_gap=*/true);
    if (!d.help.empty()) {
      out_ += std::string(Gutter(d.range), ' ') + " = ";
      Paint("\x1b[1m", "help");
      out_ += ": " + d.help + "\n";
    }
    if (const auto import = source_.ImportOf(d.range.begin)) {
      Place(*import);
      Paint("\x1b[1;36m", "note");
      out_ += ": `" + source_.name() + "` imports it here\n";
      Frame(d, *import, "\x1b[1;36m", "", /*with_gap=*/false);
    }
    for (const Note& note : d.notes) {
      Place(note.range);
      Paint("\x1b[1;36m", "note");
      out_ += ": " + note.text + "\n";
      Frame(d, note.range, "\x1b[1;36m", "", /*with_gap=*/false);
    }
  }

  std::string Take() { return std::move(out_); }

 private:
  void Paint(std::string_view color, std::string_view text) {
    if (options_.color) out_ += color;
    out_ += text;
    if (options_.color) out_ += "\x1b[0m";
  }

  void Place(SourceRange range) {
    const source::Position at = source_.PositionOf(range.begin);
    out_ += source_.NameAt(range.begin) + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) + ": ";
  }

  size_t Gutter(SourceRange range) const { return std::to_string(source_.PositionOf(range.begin).line).size() + 1; }

  void Frame(const Diagnostic& d, SourceRange range, std::string_view color, const std::string& label, bool with_gap) {
    const std::string number = std::to_string(source_.PositionOf(range.begin).line);
    const std::string blank(number.size() + 1, ' ');
    const Excerpt excerpt = MakeExcerpt(source_, range, d.concealed);
    if (with_gap) out_ += blank + "|\n";
    out_ += number + " | " + excerpt.text + "\n" + blank + "| " +
            std::string(static_cast<size_t>(excerpt.caret_column), ' ');
    Paint(color, std::string(static_cast<size_t>(excerpt.caret_width), '^') + (label.empty() ? "" : " " + label));
    out_ += "\n";
  }

  const source::SourceBuffer& source_;
  const RenderOptions& options_;
  std::string out_;
};

}  // namespace

std::string Render(const source::SourceBuffer& source, const Diagnostic& diagnostic, const RenderOptions& options) {
  Writer writer(source, options);
  writer.Write(diagnostic);
  return writer.Take();
}

std::string RenderAll(const source::SourceBuffer& source, const Diagnostics& diagnostics,
                      const RenderOptions& options) {
  std::string out;
  for (const Diagnostic* diagnostic : diagnostics.InSourceOrder()) {
    if (!out.empty()) out += "\n";
    out += Render(source, *diagnostic, options);
  }
  return out;
}

}  // namespace compiler::diagnostics
