#include "runtime/dialect/frame_splitter.h"

#include <cstring>
#include <utility>

#include "base/buffers.h"

namespace runtime::dialect {

size_t FrameSplitter::Scan(std::string_view bytes, bool* ends) {
  *ends = true;
  if (format_ == Format::kLines) {
    const size_t end = bytes.find('\n');
    if (end != std::string_view::npos) return end + 1;
    *ends = false;
    return bytes.size();
  }
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
        ++i;
        if (c == '\n') return i;
        at_ = c == '\r' ? At::kAfterBlankCr : At::kInLine;
        break;
      case At::kInLine: {
        const std::string_view rest = bytes.substr(i);
        const size_t lf = rest.find('\n');
        const size_t cr = rest.substr(0, lf).find('\r');
        const size_t end = cr != std::string_view::npos ? cr : lf;
        if (end == std::string_view::npos) {
          *ends = false;
          return bytes.size();
        }
        at_ = rest[end] == '\r' ? At::kAfterCr : At::kLineStart;
        i += end + 1;
        break;
      }
    }
  }
  *ends = false;
  return i;
}

bool FrameSplitter::Next(std::string_view* bytes, Piece* piece) {
  base::ClearBuffer(&given_);
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
      if (kept_.empty()) {
        *piece = {part, false, true};
      } else {
        kept_.append(part);
        std::swap(kept_, given_);
        kept_.clear();
        *piece = {given_, false, true};
      }
      return true;
    }
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
  at_ = At::kLineStart;
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
