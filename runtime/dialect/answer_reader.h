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
  int told_status = 0;     // of an error: the status that its event says beside it (DashScope); 0: none
  bool is_proper_error = false;  // an error in the form that clients of the API look for: may go to them as it is
};

// How an answer ended, by its content.
enum class Completeness : uint8_t {
  kTruncated,   // it broke off, told an error, or nothing was said
  kUnfinished,  // its end mark came, but no reason why it ends: the server says that all is over, and not that it is whole
  kComplete,
};

// What is known of the exchange whose answer it is.
struct ReadingOptions {
  bool ends_with_connection = true;  // only then must brackets be followed, to see where an object ends
  bool wants_stream = false;         // path and body of the request ask for a stream: the first bytes decide, not the type
  int64_t choices = 1;               // that the request asks for
};

// What a body turned out to be.
enum class AnswerForm : uint8_t {
  kUndecided,  // nothing but blanks so far
  kFrames,     // a stream of the API
  kObject,     // one JSON object (or array)
  kOther,      // neither: no answer of an API
};

// Bounded memory: one frame ≤ kMaxFrameBytes; longer ones pass uninspected, and if the last one did, the framing of HTTP
// tells. Text that frames and readings borrow is valid until the next call on the same thread.
class AnswerReader {
 public:
  static constexpr size_t kMaxFrameBytes = FrameSplitter::kMaxFrameBytes;
  static constexpr size_t kMaxLookBytes = 64 << 10;  // before a body must have shown what it is

  // `api`: that the answer speaks. Frames are read only in a 2xx of an API that has them, where the type of the content is that of
  // a stream, or where one was asked for: servers send theirs as text/plain, application/json or without a type, and objects as a
  // stream, so what a body is, its first bytes tell. Anything else is one object (its framing tells; if it ends with the
  // connection, every bracket must be closed, which no cut object is) or passes as it comes.
  AnswerReader(Api api, int status, std::string_view content_type, const ReadingOptions& options);
  // The type decides at once, whatever the first bytes are.
  AnswerReader(Api api, int status, std::string_view content_type, bool ends_with_connection = true);

  // Known from the head for plain APIs; else as soon as the first bytes are here.
  AnswerForm form() const;
  bool expects_frames() const { return format_ == Format::kUndecided ? takes_frames_ : has_frames(); }
  bool has_frames() const { return splitter_.has_value(); }

  // The next whole frame; takes its bytes from *bytes. False: they are used up. Where there are no frames, what comes is
  // one.
  bool Next(std::string_view* bytes, Frame* frame);

  // The body is over: a last frame may lack its end, and gets it. False: there is none, or it is cut and worth nothing.
  // Bytes that never told what they are come out here.
  bool Finish(Frame* frame);

  // `framing_tells`: the framing of HTTP itself shows the end (length or chunks), not the closing of the connection.
  Completeness At(bool framing_tells) const;
  bool IsComplete(bool framing_tells) const { return At(framing_tells) != Completeness::kTruncated; }

  // Every choice that was begun or asked for has a reason for its end and nothing after it: however the connection ends, and if it
  // falls silent, the answer is whole. Content that follows takes it back, and from then on only an end mark or a clean end counts.
  bool is_finished() const { return !saw_error_ && !carried_error_ && !distrusts_reasons_ && AllFinished(); }
  bool saw_last() const { return !saw_error_ && saw_last_; }  // the end mark: nothing more belongs to the answer
  bool saw_error() const { return saw_error_; }
  bool said_something() const { return said_answer_ || said_thinking_; }
  bool said_answer() const { return said_answer_; }  // more than thinking
  int64_t last_sequence() const { return last_sequence_; }
  // The last that came, if it is an object that belongs to no answer: an error that its server told in words of its own. "" for none,
  // and once content or a reason followed it.
  const std::string& foreign() const { return foreign_; }
  bool complains() const;  // foreign() has such words

  // What waits for its end, read as if it had it: a server may fall silent in front of a line's end.
  enum class Pending : uint8_t {
    kNothing,    // nothing, or what nobody can read yet
    kLast,       // the end mark: Finish gives it out
    kFinishes,   // a reason for an end: likewise
    kTakesBack,  // is_finished() and something follows: it is not
  };
  Pending Peek();

  // What the gateway adds to a finished answer for clients that insist on it: [DONE] after a finish_reason; mostly "". Never under
  // an answer that is not finished: the mark of success is the server's.
  std::string_view MissingEnd() const;
  // What ends a frame that went out unfinished, so that a frame of the gateway's own can follow; mostly "".
  std::string_view FrameBreak() const;

 private:
  enum class Format : uint8_t { kUndecided, kPassing, kJson, kLines, kEvents, kOther };

  // One event of SSE: its data, and what stands beside it.
  struct Event {
    std::string_view data;
    std::string_view name;
    int status = 0;
    bool is_error = false;
    bool is_in_data_field = true;
  };

  bool Decide(std::string_view seen, bool is_end);
  bool NextOf(std::string_view* bytes, Frame* frame);
  bool IsProperError(const FrameReading& reading, const Event& event) const;
  void Begin(Format format);
  void Read(const FrameSplitter::Piece& piece, Frame* frame);
  Event EventOf(std::string_view bytes, size_t first_line = 0);  // of its bytes, where that is known
  bool Carry(Event* event);
  void NoteForeign(std::string_view data);
  void ReadEvent(std::string_view frame, size_t first_line, Event* event);
  void Observe(const FrameReading& reading);
  // As many as were asked for, whatever their numbers: some servers begin with 1.
  bool AllFinished() const { return finished_.any() && !begun_.HasMoreThan(finished_) && finished_.count() >= asked_; }

  Api api_;
  Format format_ = Format::kPassing;
  bool takes_frames_ = false;    // where the first bytes look so
  bool is_stream_type_ = false;  // … and the type says so
  std::optional<FrameSplitter> splitter_;
  FramePattern pattern_;
  std::string look_;  // while undecided; afterwards until it is read
  size_t look_read_ = 0;
  std::string data_;  // of an event with several data lines
  std::string last_;  // the last frame, with the end that it lacked
  bool is_first_frame_ = true;

  int64_t asked_;  // choices
  Choices begun_;
  Choices finished_;
  bool saw_reason_ = false;
  bool said_answer_ = false;
  bool said_thinking_ = false;
  bool distrusts_reasons_ = false;
  bool saw_last_ = false;
  bool saw_error_ = false;
  bool last_is_unread_ = false;
  int64_t last_sequence_ = kNoCount;
  std::string name_;              // of the event that is read, where it stood by itself
  std::string carried_name_;      // of an event without data: some servers put a blank line behind it
  bool carried_error_ = false;
  std::string foreign_;

  // JSON: brackets and strings, to see where it ends.
  void ScanBrackets(std::string_view bytes);
  bool follows_brackets_;
  int64_t depth_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
  bool has_closed_ = false;
};

// What one JSON object says, a whole answer or a frame. Nothing if it is no JSON. Text is borrowed as above. `event`: the name of the
// event that it came in.
std::optional<FrameReading> ReadObject(Api api, std::string_view json, std::string_view event = {});

// What a whole answer of an API, the body of a 2xx that came to its end, amounts to.
enum class WholeVerdict : uint8_t {
  kAnswer,
  kEmpty,       // valid, and says nothing, or nothing but thinking
  kError,       // tells an error, or that it broke off
  kUnfinished,  // says itself that more would have to come
  kNoAnswer,    // empty, no JSON, no object, or an object of something else that says what went wrong
  kForeign,     // an object without any member of the API, and without such words
};
struct WholeReading {
  WholeVerdict verdict = WholeVerdict::kAnswer;
  FrameReading reading;
};
WholeReading ReadWhole(Api api, std::string_view body);

}  // namespace runtime::dialect
