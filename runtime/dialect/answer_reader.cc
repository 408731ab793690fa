#include "runtime/dialect/answer_reader.h"

#include <algorithm>
#include <cctype>
#include <cstring>

#include "runtime/dialect/scratch.h"
#include "runtime/dialect/speech.h"

namespace runtime::dialect {
namespace {

// `content_type` without parameters, in lower case.
std::string MediaType(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  std::string type;
  for (const char c : content_type) {
    if (c != ' ' && c != '\t') type += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return type;
}

}  // namespace

std::optional<FrameReading> ReadObject(Api api, std::string_view json) {
  static thread_local Scratch<simdjson::dom::parser> scratch;  // frames and held objects are small
  const simdjson::padded_string_view text = scratch.Take(json);
  simdjson::dom::element root;
  if (scratch.parser.parse(text.data(), text.size(), false).get(root) != simdjson::SUCCESS) return std::nullopt;
  FrameReading reading;
  reading.is_data = true;
  simdjson::dom::object object;
  if (root.get(object) == simdjson::SUCCESS) {
    SpeechOf(api).read(api, object, &reading);
  } else {  // JSON of a shape that the dialect doesn't have
    reading.has_answer = true;
    reading.is_plain = false;
  }
  return reading;
}

AnswerReader::AnswerReader(Api api, int status, std::string_view content_type, bool ends_with_connection)
    : api_(api), follows_brackets_(ends_with_connection) {
  const std::string type = MediaType(content_type);
  const Shape stream = StreamShapeOf(api);
  const bool may_stream = api != Api::kPlain && status >= 200 && status < 300;
  if (may_stream && stream == Shape::kNdjson && type == "application/x-ndjson") {
    format_ = Format::kLines;
    splitter_.emplace(FrameSplitter::Format::kLines);
  } else if (may_stream && stream == Shape::kSse && type == "text/event-stream") {
    format_ = Format::kEvents;
    splitter_.emplace(FrameSplitter::Format::kEvents);
  } else if (type == "application/json") {
    format_ = Format::kJson;
  }
}

bool AnswerReader::Next(std::string_view* bytes, Frame* frame) {
  *frame = Frame();
  if (!splitter_) {
    if (bytes->empty()) return false;
    frame->bytes = *bytes;
    frame->reading.is_data = frame->reading.has_answer = true;
    if (format_ == Format::kJson && follows_brackets_) ScanBrackets(*bytes);
    *bytes = {};
    return true;
  }
  FrameSplitter::Piece piece;
  if (!splitter_->Next(bytes, &piece)) return false;
  Read(piece, frame);
  return true;
}

bool AnswerReader::Finish(Frame* frame) {
  *frame = Frame();
  FrameSplitter::Piece piece;
  if (!splitter_ || !splitter_->Finish(&piece)) return false;
  last_.assign(piece.bytes);
  while (!last_.empty() && (last_.back() == '\n' || last_.back() == '\r')) last_.pop_back();
  last_.append(format_ == Format::kLines ? "\n" : "\n\n");
  Read({last_, false, true}, frame);
  return frame->reading.is_data;
}

void AnswerReader::Read(const FrameSplitter::Piece& piece, Frame* frame) {
  frame->bytes = piece.bytes;
  if (piece.is_fragment) {
    frame->reading.is_data = frame->reading.is_unread = frame->reading.has_answer = true;
    frame->reading.is_plain = false;
    last_is_unread_ = true;
    return;
  }
  frame->data = DataOf(piece.bytes);
  if (frame->data.empty()) return;
  if (format_ == Format::kEvents && frame->data.starts_with("[DONE]")) {
    frame->data = {};
    frame->reading.is_data = frame->reading.is_terminal = frame->reading.is_last = true;
    Note(frame->reading);
    return;
  }
  if (!pattern_.Match(frame->data, &frame->reading)) {
    const auto reading = ReadObject(api_, frame->data);
    if (!reading) return;  // a malformed frame is passed on and says nothing
    frame->reading = *reading;
    pattern_.Learn(frame->data, *reading);
  }
  Note(frame->reading);
}

// The JSON text of a line, or the data lines of an event joined as the WHATWG specification says.
std::string_view AnswerReader::DataOf(std::string_view frame) {
  if (format_ == Format::kLines) {
    const size_t from = frame.find_first_not_of(" \t\r\n");
    if (from == std::string_view::npos) return {};
    return frame.substr(from, frame.find_last_not_of(" \t\r\n") - from + 1);
  }
  std::string_view data;
  bool is_joined = false;
  while (!frame.empty()) {
    // Not find_first_of: of two characters it looks at each byte by itself, and this is done for each token.
    const size_t lf = frame.find('\n');
    const size_t end = std::min(frame.substr(0, lf).find('\r'), lf);
    std::string_view line = frame.substr(0, end);
    if (end == std::string_view::npos) {
      frame = {};
    } else {
      frame.remove_prefix(end + (frame.substr(end).starts_with("\r\n") ? 2 : 1));
    }
    if (!line.starts_with("data:")) continue;
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (data.data() == nullptr) {
      data = line;
    } else {
      if (!is_joined) data_.assign(data);
      is_joined = true;
      data_.append("\n").append(line);
    }
  }
  return is_joined ? std::string_view(data_) : data;
}

void AnswerReader::Note(const FrameReading& reading) {
  last_is_unread_ = false;
  choices_begun_ |= reading.choices_begun;
  choices_finished_ |= reading.choices_finished;
  saw_error_ |= reading.is_error;
  saw_last_ |= reading.is_last;
  if (reading.is_terminal) has_terminal_ = true;
  // Of several choices each must be finished, unless the server says itself that all is over.
  if (!saw_last_ && (choices_begun_ & ~choices_finished_) != 0) has_terminal_ = false;
  if (!saw_last_ && choices_begun_ != 0 && (choices_begun_ & ~choices_finished_) == 0) has_terminal_ = true;
}

bool AnswerReader::IsComplete(bool framing_tells) const {
  switch (format_) {
    // RFC 9112 8: without a length or chunks, a body whose connection closes without an error is complete.
    case Format::kPassing: return true;
    case Format::kJson: return framing_tells || (has_closed_ && depth_ == 0 && !in_string_);
    case Format::kLines:
    case Format::kEvents:
      return !saw_error_ && (has_terminal_ || (last_is_unread_ && framing_tells && !splitter_->is_passing()));
  }
  return false;
}

std::string_view AnswerReader::MissingEnd() const {
  if (format_ != Format::kEvents || !has_terminal() || saw_last_) return "";
  return SpeechOf(api_).end;
}

std::string_view AnswerReader::FrameBreak() const { return splitter_ ? splitter_->FrameBreak() : ""; }

// Only brackets and strings are followed: a proper beginning of an object or array always has one left open. A bare number
// could have gone on, so it never counts.
void AnswerReader::ScanBrackets(std::string_view bytes) {
  for (const char c : bytes) {
    if (in_string_) {
      if (is_escaped_) {
        is_escaped_ = false;
      } else if (c == '\\') {
        is_escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      --depth_;
      has_closed_ = true;
    } else if (c == '"') {
      in_string_ = true;
    }
  }
}

}  // namespace runtime::dialect
