#include "runtime/dialect/frame_splitter.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/buffers.h"
#include "base/byte_scan.h"

namespace runtime::dialect {

bool IsClosedJson(std::string_view text) {
  int64_t depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      else if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return depth == 0 && !in_string;
}

namespace {

// How many of these lines, the beginning of an event that another data line follows, are an event by themselves: its data is whole, and
// the server only leaves out the blank line behind it. What stands behind that data (`event: …`, `id: …`) is the next one's. 0: none is.
size_t WholeEvent(std::string_view lines) {
  constexpr std::string_view kData = "data:";
  size_t end = lines.size();
  for (;;) {
    const size_t last = lines.substr(0, end).find_last_not_of("\r\n");
    if (last == std::string_view::npos) return 0;
    const size_t before = lines.substr(0, last).find_last_of("\r\n");
    const size_t begin = before == std::string_view::npos ? 0 : before + 1;
    std::string_view line = lines.substr(begin, last + 1 - begin);
    if (!line.starts_with(kData)) {
      end = begin;
      continue;
    }
    line.remove_prefix(kData.size());
    if (line.starts_with(' ')) line.remove_prefix(1);
    const bool is_whole = line == "[DONE]" || (line.starts_with('{') && line.ends_with('}') && IsClosedJson(line));
    return is_whole ? end : 0;
  }
}

}  // namespace

size_t FrameSplitter::Scan(std::string_view bytes, bool* ends) {
  *ends = true;
  if (format_ == Format::kLines) {
    const size_t end = bytes.find('\n');
    if (end != std::string_view::npos) return end + 1;
    *ends = false;
    return bytes.size();
  }
  first_line_ = 0;
  size_t i = 0;
  while (i < bytes.size()) {
    const char c = bytes[i];
    switch (at_) {
      case At::kAfterBlankCr:  // the event is over; the LF of a CRLF still belongs to it
        at_ = At::kLineStart;
        return c == '\n' ? i + 1 : i;
      case At::kAfterCr:
        at_ = At::kLineStart;
        if (c == '\n') ++i;
        break;
      case At::kLineStart:
        if (c == 'd' && !is_passing_ && (i > 0 || !kept_.empty())) {
          const std::string_view here = bytes.substr(0, i);
          const size_t whole = kept_.empty() ? WholeEvent(here) : WholeEvent(kept_ + std::string(here));
          if (whole > 0) {
            lacks_end_ = true;
            of_next_ = kept_.size() + i - whole;
            return i;
          }
        }
        ++i;
        if (c == '\n') return i;
        at_ = c == '\r' ? At::kAfterBlankCr : At::kInLine;
        break;
      case At::kInLine: {
        const auto end = static_cast<size_t>(base::FindLineEnd(bytes.data() + i, bytes.data() + bytes.size()) - bytes.data());
        if (end == bytes.size()) {
          *ends = false;
          return bytes.size();
        }
        if (i == 1 && kept_.empty()) first_line_ = end;
        at_ = bytes[end] == '\r' ? At::kAfterCr : At::kLineStart;
        i = end + 1;
        break;
      }
    }
  }
  *ends = false;
  return i;
}

bool FrameSplitter::Next(std::string_view* bytes, Piece* piece) {
  base::ClearBuffer(&given_);
  if (skips_end_) {
    bytes->remove_prefix(std::min(bytes->find_first_not_of("\r\n"), bytes->size()));
    skips_end_ = bytes->empty();
  }
  while (!bytes->empty()) {
    bool ends = false;
    const size_t size = Scan(*bytes, &ends);
    const std::string_view part = bytes->substr(0, size);
    bytes->remove_prefix(size);
    if (!is_passing_ && kept_.size() + part.size() <= kMaxFrameBytes) {
      if (!ends) {
        kept_.append(part);
        return false;
      }
      if (kept_.empty() && !lacks_end_) {
        *piece = {part, false, true, first_line_};
      } else {
        kept_.append(part);
        std::string next;
        if (std::exchange(lacks_end_, false)) {
          next.assign(kept_, kept_.size() - of_next_);
          kept_.resize(kept_.size() - of_next_);
          kept_.push_back(kept_.ends_with('\r') ? '\r' : '\n');
        }
        std::swap(kept_, given_);
        if (next.empty()) kept_.clear();
        else kept_ = std::move(next);
        *piece = {given_, false, true};
      }
      return true;
    }
    lacks_end_ = false;
    if (!kept_.empty()) {  // it has just become too long
      kept_.append(part);
      given_ = std::exchange(kept_, std::string());
      *piece = {given_, true, ends};
    } else {
      *piece = {part, true, ends};
    }
    is_passing_ = !ends;
    return true;
  }
  return false;
}

bool FrameSplitter::Finish(Piece* piece) {
  if (kept_.empty()) return false;
  // A whole event, and the beginning of another whose server leaves out the blank line.
  const size_t whole = format_ == Format::kEvents ? WholeEvent(kept_) : 0;
  if (whole > 0 && whole < kept_.size()) {
    given_.assign(kept_, 0, whole);
    kept_.erase(0, whole);
    *piece = {given_, false, true};
    return true;
  }
  at_ = At::kLineStart;
  skips_end_ = true;
  given_ = std::exchange(kept_, std::string());
  *piece = {given_, false, true};
  return true;
}

std::string_view FrameSplitter::FrameBreak() const {
  if (!is_passing_) return "";
  if (format_ == Format::kLines) return "\n";
  return at_ == At::kInLine ? "\n\n" : "\n";
}

}  // namespace runtime::dialect
