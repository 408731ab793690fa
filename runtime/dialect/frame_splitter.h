// Cuts the bytes of a stream into frames: lines of NDJSON, or events of SSE
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). Whatever pieces they come in, the frames are the same. Events of one
// whole JSON object that follow each other without a blank line are events of their own, and get that line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace runtime::dialect {

// Whether brackets and strings of a JSON text are closed where it ends.
bool IsClosedJson(std::string_view text);

class FrameSplitter {
 public:
  enum class Format : uint8_t { kLines, kEvents };

  // A longer frame is not kept together: its bytes are given out as they come.
  static constexpr size_t kMaxFrameBytes = 1 << 20;

  explicit FrameSplitter(Format format) : format_(format) {}

  struct Piece {
    std::string_view bytes;     // with what ends the frame; valid until the next call, or as long as the input
    bool is_fragment = false;   // of a frame that is too long
    bool ends_frame = true;     // false: more of the same frame follows
    size_t first_line = 0;      // of an event: its bytes without what ends it; 0: not known
  };
  // Takes bytes from the front of *bytes. False: they are used up, and what is kept waits for more.
  bool Next(std::string_view* bytes, Piece* piece);

  // What was kept, a frame that lacks its end: the input is over, or nobody waits for it. False: there is none. If its end comes after
  // all it is left out.
  bool Finish(Piece* piece);

  // Part of a frame waits for its end, or was given out without it.
  bool in_frame() const { return !kept_.empty() || is_passing_; }
  bool is_passing() const { return is_passing_; }
  std::string_view kept() const { return kept_; }  // of a frame that waits for its end

  // What is missing at the end of the last piece so that another frame can follow it; "" if nothing is.
  std::string_view FrameBreak() const;

 private:
  enum class At : uint8_t { kLineStart, kInLine, kAfterCr, kAfterBlankCr };

  // How many bytes of `bytes` belong to the frame under way; *ends: it ends there.
  size_t Scan(std::string_view bytes, bool* ends);

  Format format_;
  At at_ = At::kLineStart;
  bool is_passing_ = false;  // the frame under way is too long
  bool lacks_end_ = false;   // … was found to be over where the next one began: it gets the blank line that its server left out
  size_t first_line_ = 0;    // see Piece
  size_t of_next_ = 0;       // … bytes before that, which belong to the next one, too
  bool skips_end_ = false;   // of a frame that was given out without it
  std::string kept_;         // of the frame under way
  std::string given_;        // the frame that was given out last, if it came in pieces
};

}  // namespace runtime::dialect
