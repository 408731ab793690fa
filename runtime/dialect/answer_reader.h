// Reads an answer as it passes: cuts it into frames, says what each of them is, and at the end whether the answer is
// complete – by its content, however HTTP ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/dialect/dialect.h"
#include "runtime/dialect/frame_pattern.h"
#include "runtime/dialect/frame_splitter.h"
#include "runtime/dialect/reading.h"

namespace runtime::dialect {

struct Frame {
  std::string_view bytes;  // as received, with its end: what goes to the client
  std::string_view data;   // the JSON text in it; "" if there is none, or if it is too long to be looked at
  FrameReading reading;
};

// Bounded memory: one frame ≤ kMaxFrameBytes; longer ones pass uninspected, and if the last one did, the framing of HTTP
// tells. Text that frames and readings borrow is valid until the next call on the same thread.
class AnswerReader {
 public:
  static constexpr size_t kMaxFrameBytes = FrameSplitter::kMaxFrameBytes;

  // `api`: that the answer speaks. It applies only where the content type is its own, and only to a 2xx: NDJSON and SSE
  // have frames, application/json is one object (its framing tells; if it ends with the connection, every bracket must be
  // closed, which no cut object is), anything else passes as it comes.
  // `ends_with_connection`: only then must the brackets be followed.
  AnswerReader(Api api, int status, std::string_view content_type, bool ends_with_connection = true);

  bool has_frames() const { return splitter_.has_value(); }

  // The next whole frame; takes its bytes from *bytes. False: they are used up. Where there are no frames, what comes is
  // one.
  bool Next(std::string_view* bytes, Frame* frame);

  // The body is over: a last frame may lack its end, and gets it. False: there is none, or it is cut and worth nothing.
  bool Finish(Frame* frame);

  // Whether the answer so far may be taken for complete. `framing_tells`: the framing of HTTP itself shows the end (length
  // or chunks), not the closing of the connection.
  bool IsComplete(bool framing_tells) const;
  bool has_terminal() const { return !saw_error_ && has_terminal_; }  // a mark of the dialect says that it is complete
  bool saw_last() const { return !saw_error_ && saw_last_; }          // … and nothing more belongs to it

  // What the gateway adds to a complete answer for clients that insist on it: [DONE] after a finish_reason; mostly "".
  std::string_view MissingEnd() const;
  // What ends a frame that went out unfinished, so that a frame of the gateway's own can follow; mostly "".
  std::string_view FrameBreak() const;

 private:
  enum class Format : uint8_t { kPassing, kJson, kLines, kEvents };

  void Read(const FrameSplitter::Piece& piece, Frame* frame);
  std::string_view DataOf(std::string_view frame);
  void Note(const FrameReading& reading);

  Api api_;
  Format format_ = Format::kPassing;
  std::optional<FrameSplitter> splitter_;
  FramePattern pattern_;
  std::string data_;  // of an event with several data lines
  std::string last_;  // the last frame, with the end that it lacked

  uint64_t choices_begun_ = 0;
  uint64_t choices_finished_ = 0;
  bool has_terminal_ = false;
  bool saw_last_ = false;
  bool saw_error_ = false;
  bool last_is_unread_ = false;

  // JSON: brackets and strings, to see where it ends.
  void ScanBrackets(std::string_view bytes);
  bool follows_brackets_;
  int64_t depth_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
  bool has_closed_ = false;
};

// What a whole answer says, one JSON object. Nothing if it is none. Text is borrowed as above.
std::optional<FrameReading> ReadObject(Api api, std::string_view json);

}  // namespace runtime::dialect
