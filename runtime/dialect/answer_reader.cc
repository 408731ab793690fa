#include "runtime/dialect/answer_reader.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "base/byte_scan.h"
#include "base/json_reader.h"
#include "runtime/dialect/scratch.h"
#include "runtime/dialect/dialect_codec.h"
#include "runtime/dialect/told_error.h"

namespace runtime::dialect {
namespace {

// `content_type` without parameters, in lower case; *spare is empty, and may hold it.
std::string_view MediaType(std::string_view content_type, std::string* spare) {
  static constexpr std::string_view kKnown[] = {"application/json", "text/event-stream", "application/x-ndjson"};
  content_type = content_type.substr(0, content_type.find(';'));
  for (const std::string_view known : kKnown) {
    if (content_type == known) return known;
  }
  std::string& type = *spare;
  for (const char c : content_type) {
    if (c != ' ' && c != '\t') type += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return type;
}

bool IsJson(std::string_view content_type) {
  std::string spare;
  return MediaType(content_type, &spare) == "application/json";
}

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kBlanks = " \t\r\n";

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](unsigned char x, unsigned char y) {
           return std::tolower(x) == std::tolower(y);
         });
}

// Names of events that say by themselves that what they carry is an error: error, stream-error, modelStreamErrorException (Bedrock) …
// A tool that failed (response.mcp_call.failed) is a part of an answer.
bool NamesError(std::string_view event) {
  const auto has = [event](std::string_view word) {
    return std::search(event.begin(), event.end(), word.begin(), word.end(), [](unsigned char c, unsigned char w) { return std::tolower(c) == w; }) !=
           event.end();
  };
  if (event.empty()) return false;
  if (has("error") || has("exception")) return true;
  for (const std::string_view name : {"response.failed", "response.cancelled", "fail", "failed", "failure", "abort", "aborted", "fatal"}) {
    if (EqualsIgnoreCase(event, name)) return true;
  }
  return false;
}

bool IsDone(std::string_view data) { return data.starts_with("[DONE]"); }

// The APIs whose stream [DONE] ends. Others are proxied by servers that add it.
bool EndsWithDone(Api api) { return api == Api::kOpenAiChat || api == Api::kOpenAiCompletions; }

// Whether a frame whose end is not here yet may tell of an end: cheap, and right where it says no.
bool MayTellAnEnd(Api api, std::string_view kept) {
  const auto has = [kept](std::string_view word) { return kept.find(word) != std::string_view::npos; };
  // … or is here, and another begins behind it without a blank line.
  const bool is_over = kept.ends_with('}') || kept.ends_with('\n') || kept.ends_with('\r') || has("}\n") || has("}\r");
  if (EndsWithDone(api)) return has("[DONE]") || (is_over && (has("finish_reason") || has("finishReason") || has("finish_details")));
  if (StreamShapeOf(api) == Shape::kNdjson) return kept.ends_with('}') && (has("true") || has("success"));
  return has("message_stop") || (is_over && has("stop_reason")) || has("response.completed") || has("response.incomplete") || has("response.done");
}

// An error that is no JSON, in place of a frame: `error: …` (Crane), `[ERROR] …`; or one that was written behind a frame that broke off,
// so that it is the last line of its data. *data becomes what tells it.
bool TellsErrorInWords(Api api, std::string_view* data) {
  std::string_view text = *data;
  if (const size_t line = text.rfind('\n'); line != std::string_view::npos) {
    const std::string_view last = text.substr(line + 1);
    const auto reading = last.starts_with('{') ? ReadObject(api, last) : std::nullopt;
    if (reading && reading->is_error) {
      *data = last;
      return true;
    }
  }
  for (const std::string_view word : {"error", "[error", "<error", "exception", "internal server error", "server error", "upstream error", "traceback",
                                      "<html", "<!doctype html", "upstream connect error", "{'error", "{\"error\""}) {
    if (text.size() < word.size() || !EqualsIgnoreCase(text.substr(0, word.size()), word)) continue;
    const char next = text.size() == word.size() ? ' ' : text[word.size()];
    if (std::isalnum(static_cast<unsigned char>(next)) == 0 || std::isalnum(static_cast<unsigned char>(word.back())) == 0) return true;
  }
  return false;
}

// Words where a frame should be that name a kind of error, and no piece of a frame or sign of life: if nothing follows, they say why.
bool AreWordsOfAnError(std::string_view data) {
  if (data.empty() || data.front() == '{' || data.front() == '[' || data.front() == '"' || data.find(' ') == std::string_view::npos) return false;
  std::string lower(data.substr(0, 200));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view life : {"alive", "ping", "heartbeat", "processing", "waiting", "queue", "loading"}) {
    if (lower.find(life) != std::string::npos) return false;
  }
  return ReadError(data).status != 0;
}

// JSON from here to the end, and no mark: an error that was written where an event should be (Gemini).
bool IsWholeJson(std::string_view text) {
  if (text.front() != '{' && (text.front() != '[' || IsDone(text))) return false;
  return IsClosedJson(text) && base::CheckJson(text) == base::JsonProblem::kNone;  // a field may stand behind it
}

// Whether a body that begins so, behind blanks, is one of server-sent events. Nothing: more of it is needed.
std::optional<bool> BeginsLikeEvents(std::string_view text) {
  if (text.starts_with(':')) return true;
  bool may_be = false;
  for (const std::string_view field : {"data", "event", "id", "retry", "error"}) {
    const size_t common = std::min(text.size(), field.size());
    if (text.substr(0, common) != field.substr(0, common)) continue;
    if (text.size() <= field.size()) may_be = true;
    else if (text[field.size()] == ':' || text[field.size()] == '\n' || text[field.size()] == '\r') return true;
  }
  return may_be ? std::nullopt : std::optional<bool>(false);
}

}  // namespace

std::optional<FrameReading> ReadObject(Api api, std::string_view json, std::string_view event) {
  static thread_local Scratch<simdjson::dom::parser> scratch;  // frames and held objects are small
  if (json.starts_with(kByteOrderMark)) json.remove_prefix(kByteOrderMark.size());
  const simdjson::padded_string_view text = scratch.Take(json);
  simdjson::dom::element root;
  if (scratch.parser.parse(text.data(), text.size(), false).get(root) != simdjson::SUCCESS) return std::nullopt;
  FrameReading reading;
  reading.is_data = true;
  simdjson::dom::object object;
  simdjson::dom::array array;
  if (root.get(object) == simdjson::SUCCESS) {
    CodecOf(api).read(api, object, event, &reading);
  } else if (root.get(array) == simdjson::SUCCESS && array.size() == 1 && array.at(0).get(object) == simdjson::SUCCESS) {
    // Gemini's compatible end wraps its errors so.
    CodecOf(api).read(api, object, event, &reading);
    const bool is_error = reading.is_error;
    reading = FrameReading();
    reading.is_data = true;
    reading.is_error = is_error;
    reading.is_foreign = !is_error;
  } else {  // JSON of a shape that no dialect has
    reading.is_foreign = true;
  }
  if (reading.is_foreign) reading.is_plain = false;
  return reading;
}

WholeReading ReadWhole(Api api, std::string_view body) {
  WholeReading whole;
  const auto reading = ReadObject(api, body);
  if (!reading) {
    whole.verdict = WholeVerdict::kNoAnswer;
    return whole;
  }
  whole.reading = *reading;
  const size_t first = body.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  const bool is_no_object = first == std::string_view::npos || body[first] != '{';
  const bool may_complain = reading->is_foreign || reading->is_hollow;
  if (reading->is_error) whole.verdict = WholeVerdict::kError;
  else if (is_no_object || (may_complain && !ReadError(body).message.empty())) whole.verdict = WholeVerdict::kNoAnswer;
  else if (reading->is_foreign) whole.verdict = WholeVerdict::kForeign;
  else if (reading->is_unfinished) whole.verdict = WholeVerdict::kUnfinished;
  else if (!reading->has_answer) whole.verdict = WholeVerdict::kEmpty;
  return whole;
}

AnswerReader::AnswerReader(Api api, int status, std::string_view content_type, const ReadingOptions& options)
    : api_(api), asked_(std::clamp<int64_t>(options.choices, 1, Choices::kMost)), follows_brackets_(options.ends_with_connection) {
  std::string spare;
  const std::string_view type = MediaType(content_type, &spare);
  const Shape stream = StreamShapeOf(api);
  const bool is_answer = api != Api::kPlain && status >= 200 && status < 300;
  if (is_answer && stream != Shape::kJson) {
    is_stream_type_ = type == (stream == Shape::kSse ? "text/event-stream" : "application/x-ndjson");
    takes_frames_ = options.wants_stream || type == "application/x-ndjson" || type == "text/event-stream" || type == "application/jsonl";
    format_ = Format::kUndecided;
  } else if (type == "application/json") {
    format_ = Format::kJson;
  }
}

AnswerReader::AnswerReader(Api api, int status, std::string_view content_type, bool ends_with_connection)
    : AnswerReader(api, status, content_type, ReadingOptions{ends_with_connection, false, 1}) {
  if (format_ != Format::kUndecided) return;
  if (is_stream_type_) Begin(StreamShapeOf(api) == Shape::kSse ? Format::kEvents : Format::kLines);
  else format_ = IsJson(content_type) ? Format::kJson : Format::kPassing;
}

AnswerForm AnswerReader::form() const {
  switch (format_) {
    case Format::kUndecided: return AnswerForm::kUndecided;
    case Format::kJson: return AnswerForm::kObject;
    case Format::kLines:
    case Format::kEvents: return AnswerForm::kFrames;
    case Format::kPassing:
    case Format::kOther: return AnswerForm::kOther;
  }
  return AnswerForm::kOther;
}

void AnswerReader::Begin(Format format) {
  format_ = format;
  if (format == Format::kLines) splitter_.emplace(FrameSplitter::Format::kLines);
  if (format == Format::kEvents) splitter_.emplace(FrameSplitter::Format::kEvents);
}

// What the body is, by what was seen of it. False: more of it is needed.
bool AnswerReader::Decide(std::string_view seen, bool is_end) {
  std::string_view text = seen;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  else if (!is_end && kByteOrderMark.starts_with(text)) return false;
  const size_t from = text.find_first_not_of(kBlanks);
  if (from == std::string_view::npos) {  // an empty body, so far; a server may send blanks for minutes (DeepSeek)
    if (!is_end && seen.size() <= kMaxLookBytes) return false;
    Begin(Format::kOther);
    return true;
  }
  text.remove_prefix(from);
  const bool is_full = is_end || seen.size() > kMaxLookBytes;
  if (text == "[" && !is_full) return false;  // a list, or a mark that lacks its field
  if (text.front() == '{' || (text.front() == '[' && !text.starts_with("[D"))) {
    if (!takes_frames_ || StreamShapeOf(api_) != Shape::kNdjson) {
      Begin(Format::kJson);
    } else {  // a line, or an object that is written over several
      const size_t line = text.find('\n');
      const bool tells_end = text.ends_with('}') && MayTellAnEnd(api_, text) && IsClosedJson(text);  // only its line's end is missing
      if (line == std::string_view::npos && !is_full && !tells_end) return false;
      bool is_line = line == std::string_view::npos || IsClosedJson(text.substr(0, line));
      if (!is_line) {  // a line that is broken, and others behind it
        const size_t next = text.find_first_not_of("\r\n", line);
        if (next == std::string_view::npos && !is_full) return false;
        is_line = next != std::string_view::npos && text[next] == '{';
      }
      Begin(is_line ? Format::kLines : Format::kJson);
    }
    return true;
  }
  const auto events = BeginsLikeEvents(text);
  const bool is_events = takes_frames_ && StreamShapeOf(api_) == Shape::kSse;
  if (is_stream_type_) {  // a line that nobody can read, and others behind it
    Begin(is_events ? Format::kEvents : Format::kLines);
  } else if (!events && !is_full) {
    return false;
  } else {
    Begin(is_events && events.value_or(true) ? Format::kEvents : Format::kOther);
  }
  return true;
}

bool AnswerReader::Next(std::string_view* bytes, Frame* frame) {
  if (bytes->empty() && look_.empty()) return false;
  if (frame->bytes.data() != nullptr) *frame = Frame();  // it was used
  if (format_ == Format::kUndecided) {
    if (!look_.empty() || !Decide(*bytes, false)) {  // mostly the first bytes tell, and nothing is kept
      look_.append(*bytes);
      *bytes = {};
      if (!Decide(look_, false)) return false;
    }
  }
  if (look_read_ < look_.size()) {
    std::string_view rest = std::string_view(look_).substr(look_read_);
    const bool is_frame = NextOf(&rest, frame);
    look_read_ = look_.size() - rest.size();
    if (is_frame) return true;
  }
  return NextOf(bytes, frame);
}

bool AnswerReader::NextOf(std::string_view* bytes, Frame* frame) {
  if (bytes->empty()) return false;
  if (!splitter_) {
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
  if (format_ == Format::kUndecided) Decide(look_, true);
  if (look_read_ < look_.size()) {
    std::string_view none;
    if (Next(&none, frame)) return true;
  }
  FrameSplitter::Piece piece;
  if (!splitter_ || !splitter_->Finish(&piece)) return false;
  last_.assign(piece.bytes);
  while (!last_.empty() && (last_.back() == '\n' || last_.back() == '\r')) last_.pop_back();
  last_.append(format_ == Format::kLines ? "\n" : "\n\n");
  Read({last_, false, true}, frame);
  return frame->reading.is_data;
}

bool AnswerReader::IsProperError(const FrameReading& reading, const Event& event) const {
  // Beside a choice it is one more chunk to some clients (Vercel's), and the choice ends well.
  if (event.data.find("\"choices\"") != std::string_view::npos) return false;
  const std::string_view name = CodecOf(api_).error_event;
  return reading.says_error && event.is_in_data_field && (name.empty() || format_ == Format::kLines || event.name == name);
}

void AnswerReader::Read(const FrameSplitter::Piece& piece, Frame* frame) {
  frame->bytes = piece.bytes;
  if (piece.is_fragment) {
    frame->reading.is_data = frame->reading.is_unread = frame->reading.has_answer = true;
    frame->reading.is_plain = false;
    last_is_unread_ = said_answer_ = true;
    return;
  }
  Event event = EventOf(piece.bytes, piece.first_line);
  is_first_frame_ = false;
  if (Carry(&event)) return;
  frame->data = event.data;
  if (event.is_error) {  // its name, its field or its status says so, whatever the data is
    const auto reading = ReadObject(api_, event.data, event.name);
    frame->told_status = event.status;
    frame->is_proper_error = reading && IsProperError(*reading, event);
    frame->reading.is_data = frame->reading.is_error = true;
    Observe(frame->reading);
    return;
  }
  if (event.data.empty()) return;
  if (!event.is_in_data_field) {  // a client that reads events doesn't see it; an error it may be all the same
    const auto reading = ReadObject(api_, event.data);
    if (reading && (reading->is_error || reading->is_foreign)) {
      frame->reading = *reading;
      frame->reading.says_error = false;
      Observe(frame->reading);
      if (reading->is_foreign) NoteForeign(event.data);
    }
    return;
  }
  if (format_ == Format::kEvents && IsDone(event.data)) {
    frame->data = {};
    frame->reading.is_data = true;
    frame->reading.is_last = EndsWithDone(api_);
    Observe(frame->reading);
    return;
  }
  if (!pattern_.Match(frame->data, &frame->reading)) {
    const auto reading = ReadObject(api_, frame->data, event.name);
    if (!reading && TellsErrorInWords(api_, &frame->data)) {
      frame->reading.is_data = frame->reading.is_error = true;
      Observe(frame->reading);
      return;
    }
    if (!reading) {  // passed on, and says nothing that anybody could go on from
      frame->reading.is_opaque = true;
      frame->reading.is_plain = false;
      if (AreWordsOfAnError(frame->data)) NoteForeign(frame->data);
      return;
    }
    frame->reading = *reading;
    frame->is_proper_error = IsProperError(*reading, event);
    pattern_.Learn(frame->data, *reading);
  }
  Observe(frame->reading);
  if (frame->reading.is_foreign || frame->reading.is_hollow) NoteForeign(frame->data);
}

AnswerReader::Event AnswerReader::EventOf(std::string_view bytes, size_t first_line) {
  Event event;
  if (is_first_frame_ && bytes.starts_with(kByteOrderMark)) {
    bytes.remove_prefix(kByteOrderMark.size());
    first_line = 0;
  }
  if (format_ == Format::kLines) {
    const size_t from = bytes.find_first_not_of(kBlanks);
    if (from != std::string_view::npos) event.data = bytes.substr(from, bytes.find_last_not_of(kBlanks) - from + 1);
  } else {
    ReadEvent(bytes, first_line, &event);
  }
  return event;
}

// True: the event is nothing but a name, which is that of the next one if it has none itself.
bool AnswerReader::Carry(Event* event) {
  if (format_ != Format::kEvents) return false;
  if (event->data.empty() && event->is_in_data_field && !event->name.empty() && event->status == 0) {
    carried_name_ = event->name;
    carried_error_ = event->is_error;
    return true;
  }
  if (carried_name_.empty() || event->data.empty()) return false;
  if (event->name.empty()) {
    name_ = carried_name_;
    event->name = name_;
    event->is_error |= carried_error_;
  }
  carried_name_.clear();
  carried_error_ = false;
  return false;
}

AnswerReader::Pending AnswerReader::Peek() {
  if (!splitter_ || splitter_->is_passing() || splitter_->kept().empty()) return Pending::kNothing;
  const std::string_view kept = splitter_->kept();
  const Pending taken_back = is_finished() ? Pending::kTakesBack : Pending::kNothing;
  if (!is_finished() && !MayTellAnEnd(api_, kept)) return Pending::kNothing;  // this is looked at for each piece of a frame
  const Event event = EventOf(kept);
  if (event.is_error) return taken_back;
  if (event.data.empty() || !event.is_in_data_field) return Pending::kNothing;
  if (format_ == Format::kEvents && IsDone(event.data)) return EndsWithDone(api_) ? Pending::kLast : Pending::kNothing;
  const auto reading = ReadObject(api_, event.data, event.name);
  if (!reading) return Pending::kNothing;
  if (reading->is_error) return taken_back;
  if (reading->is_last) return Pending::kLast;
  if (is_finished()) return reading->choices_said.any() ? taken_back : Pending::kNothing;
  return reading->choices_finished.any() ? Pending::kFinishes : Pending::kNothing;
}

void AnswerReader::NoteForeign(std::string_view data) { foreign_ = data.substr(0, kMaxLookBytes); }

bool AnswerReader::complains() const { return !foreign_.empty() && !ReadError(foreign_).message.empty(); }

// The data lines of an event joined as the WHATWG specification says, its name, and what some servers write instead of either: a field
// `error` (llama.cpp up to 2025), a comment with the status (DashScope), bare JSON.
void AnswerReader::ReadEvent(std::string_view frame, size_t first_line, Event* event) {
  // Nearly all are one line of data and a blank one.
  if (first_line != 0 && frame.size() == first_line + 2 && frame[first_line] == '\n' && frame[first_line + 1] == '\n' && frame.starts_with("data:")) {
    event->data = frame.substr(5, first_line - 5);
    if (event->data.starts_with(' ')) event->data.remove_prefix(1);
    return;
  }
  std::string_view bare;
  bool is_joined = false;
  while (!frame.empty()) {
    if (bare.empty() && event->data.data() == nullptr && IsWholeJson(frame)) {  // over as many lines as it has
      bare = frame;
      break;
    }
    const char* const line_end = base::FindLineEnd(frame.data(), frame.data() + frame.size());
    std::string_view line = frame.substr(0, static_cast<size_t>(line_end - frame.data()));
    frame.remove_prefix(line.size());
    if (!frame.empty()) frame.remove_prefix(frame.starts_with("\r\n") ? 2 : 1);
    if (!line.starts_with("data:")) {
      const auto field = [&line](std::string_view name) {
        if (!line.starts_with(name)) return false;
        line.remove_prefix(name.size());
        if (line.starts_with(' ')) line.remove_prefix(1);
        return true;
      };
      // A comment of its own, or behind the event's name.
      constexpr std::string_view kStatus = ":HTTP_STATUS/";
      if (const size_t at = line.find(kStatus); at != std::string_view::npos) {
        int status = 0;
        for (const char c : line.substr(at + kStatus.size())) {
          if (c < '0' || c > '9' || status > 599) break;
          status = status * 10 + (c - '0');
        }
        if (status >= 400 && status <= 599) {
          event->status = status;
          event->is_error = true;
        }
        line = line.substr(0, at);
      }
      if (field("event:")) {
        event->name = line;
        event->is_error |= NamesError(line);
      } else if (field("error:")) {
        event->is_error = true;
        bare = line;
      } else if (line.starts_with('{') && bare.empty()) {
        bare = line;
      }
      continue;
    }
    line.remove_prefix(5);
    if (line.starts_with(' ')) line.remove_prefix(1);
    if (event->data.data() == nullptr) {
      event->data = line;
    } else {
      if (!is_joined) data_.assign(event->data);
      is_joined = true;
      data_.append("\n").append(line);
    }
  }
  if (is_joined) event->data = data_;
  if (event->data.empty() && !bare.empty()) {
    event->data = bare;
    event->is_in_data_field = false;
  }
}

void AnswerReader::Observe(const FrameReading& reading) {
  last_is_unread_ = false;
  saw_error_ |= reading.is_error;
  saw_last_ |= reading.is_last;
  said_answer_ |= reading.has_answer;
  said_thinking_ |= reading.has_thinking;
  if (reading.sequence != kNoCount) last_sequence_ = reading.sequence;
  if (reading.has_content() || reading.choices_finished.any()) foreign_.clear();
  begun_.Add(reading.choices_begun);
  if (finished_.any() && reading.choices_said.any()) {
    const Choices before = finished_;
    finished_.Remove(reading.choices_said);
    distrusts_reasons_ |= before != finished_;
  }
  finished_.Add(reading.choices_finished);
  saw_reason_ |= reading.choices_finished.any();
}

Completeness AnswerReader::At(bool framing_tells) const {
  switch (format_) {
    // RFC 9112 8: without a length or chunks, a body whose connection closes without an error is complete.
    case Format::kPassing: return Completeness::kComplete;
    case Format::kOther: return is_stream_type_ ? Completeness::kTruncated : Completeness::kComplete;  // a stream with nothing in it
    case Format::kUndecided: return Completeness::kTruncated;
    case Format::kJson:
      return framing_tells || (has_closed_ && depth_ == 0 && !in_string_) ? Completeness::kComplete : Completeness::kTruncated;
    case Format::kLines:
    case Format::kEvents: break;
  }
  if (saw_error_ || carried_error_) return Completeness::kTruncated;
  if (last_is_unread_) return framing_tells && !splitter_->is_passing() ? Completeness::kComplete : Completeness::kTruncated;
  if (saw_last_) {
    if (!said_something() && !saw_reason_) return Completeness::kTruncated;  // [DONE] and nothing else
    if (AllFinished() || distrusts_reasons_) return Completeness::kComplete;
    return complains() ? Completeness::kTruncated : Completeness::kUnfinished;  // what its server said last is why it ends
  }
  if (is_finished()) return Completeness::kComplete;
  return distrusts_reasons_ && framing_tells ? Completeness::kComplete : Completeness::kTruncated;
}

std::string_view AnswerReader::MissingEnd() const {
  if (format_ != Format::kEvents || saw_last_ || !is_finished()) return "";
  return CodecOf(api_).end;
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
