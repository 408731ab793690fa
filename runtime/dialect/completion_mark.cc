// Looks for the terminal mark of a dialect in the bytes of an answer, whatever pieces they come in. Runs for every
// frame of every stream, so a frame is parsed only if a cheap search says that it could matter.
#include <cctype>

#include "runtime/dialect/dialect.h"
#include "runtime/dialect/members.h"

namespace runtime::dialect {
namespace {

enum class Format { kFramed, kJson, kNdjson, kSse };

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// `content_type` without parameters, in lower case.
std::string MediaType(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  std::string type;
  for (const char c : content_type) {
    if (c != ' ' && c != '\t') type += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return type;
}

Format FormatOf(const ClientDialect& client, int status, std::string_view content_type) {
  const std::string type = MediaType(content_type);
  const bool is_ollama = client.api == Api::kOllamaChat || client.api == Api::kOllamaGenerate;
  const bool is_openai = client.api == Api::kOpenAiChat || client.api == Api::kOpenAiCompletions;
  const bool is_success = status >= 200 && status < 300;
  if (is_success && is_ollama && type == "application/x-ndjson") return Format::kNdjson;
  if (is_success && is_openai && type == "text/event-stream") return Format::kSse;
  return type == "application/json" ? Format::kJson : Format::kFramed;
}

// Whether a JSON text has come to its end. Only brackets and strings are followed: a proper beginning of an object or
// array always has one left open. A bare number could have gone on, so it never counts.
class BracketScan {
 public:
  void Feed(std::string_view bytes) {
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
  bool at_end() const { return has_closed_ && depth_ == 0 && !in_string_; }

 private:
  int64_t depth_ = 0;
  bool in_string_ = false;
  bool is_escaped_ = false;
  bool has_closed_ = false;
};

// Text that grows up to kMaxFrameBytes; beyond them it is only known to be too long.
class BoundedText {
 public:
  void Append(std::string_view bytes) {
    is_started_ = true;
    if (is_too_long_) return;
    if (text_.size() + bytes.size() > CompletionMark::kMaxFrameBytes) {
      is_too_long_ = true;
      text_ = std::string();
      return;
    }
    text_.append(bytes);
  }
  void Clear() {
    text_.clear();
    is_too_long_ = false;
    is_started_ = false;
  }
  std::string_view text() const { return text_; }
  bool is_started() const { return is_started_; }
  bool is_too_long() const { return is_too_long_; }

 private:
  std::string text_;
  bool is_too_long_ = false;
  bool is_started_ = false;
};

// Whether some "finish_reason" is followed by anything but null: the cheap look before the parser's.
bool MayFinish(std::string_view frame) {
  constexpr std::string_view kName = "\"finish_reason\"";
  for (size_t at = frame.find(kName); at != std::string_view::npos; at = frame.find(kName, at)) {
    at += kName.size();
    const size_t value = frame.find_first_not_of(" \t:", at);
    if (value != std::string_view::npos && frame.substr(value, 4) != "null") return true;
  }
  return false;
}

// What the frames so far have said.
struct Verdict {
  bool has_frame = false;
  bool has_mark = false;
  bool has_done_event = false;  // SSE: [DONE]
  bool has_error = false;
  bool last_is_unseen = false;  // the last frame was too long to be looked at

  void SeeLine(std::string_view line) {
    last_is_unseen = false;
    has_frame |= line.find_first_not_of(" \t\r") != std::string_view::npos;
    const bool may_end = Contains(line, "\"done\"") && Contains(line, "true");
    if (!may_end && !Contains(line, "\"error\"")) return;
    const auto members = ReadMembers(line);
    if (!members.has_value()) return;  // a malformed frame is passed on and says nothing
    has_mark |= members->done.value_or(false);
    has_error |= members->has_error;
  }

  void SeeEvent(std::string_view data) {
    last_is_unseen = false;
    has_frame = true;
    if (data.starts_with("[DONE]")) {
      has_mark = has_done_event = true;
      return;
    }
    if (!MayFinish(data) && !Contains(data, "\"error\"")) return;
    const auto members = ReadMembers(data);
    if (!members.has_value()) return;
    has_mark |= members->has_finish;
    has_error |= members->has_error;
  }
};

// Lines of an event stream, as the WHATWG specification reads them: they end with LF, CR or CRLF, an empty one ends
// the event.
class EventReader {
 public:
  void Feed(std::string_view bytes, Verdict* verdict) {
    while (!bytes.empty()) {
      if (skip_lf_ && bytes.front() == '\n') bytes.remove_prefix(1);
      skip_lf_ = false;
      const size_t end = bytes.find_first_of("\r\n");
      line_.Append(bytes.substr(0, end));
      if (end == std::string_view::npos) return;
      skip_lf_ = bytes[end] == '\r';
      bytes.remove_prefix(end + 1);
      EndLine(verdict);
    }
  }

  // The last event may lack its empty line, or even the end of its last line.
  void Finish(Verdict* verdict) {
    if (!line_.text().empty() || line_.is_too_long()) EndLine(verdict);
    EndEvent(verdict);
  }

  std::string_view frame_break() const {
    if (!line_.text().empty() || line_.is_too_long()) return "\n\n";
    return in_event_ ? "\n" : "";
  }

 private:
  void EndLine(Verdict* verdict) {
    std::string_view line = line_.text();
    if (line_.is_too_long()) {
      is_unseen_ = in_event_ = true;
    } else if (line.empty()) {
      EndEvent(verdict);
    } else {
      in_event_ = true;
      if (line.starts_with("data:")) {
        line.remove_prefix(5);
        if (line.starts_with(' ')) line.remove_prefix(1);
        if (data_.is_started()) data_.Append("\n");
        data_.Append(line);
      }
    }
    line_.Clear();
  }

  void EndEvent(Verdict* verdict) {
    if (is_unseen_ || data_.is_too_long()) {
      verdict->last_is_unseen = verdict->has_frame = true;
    } else if (data_.is_started()) {
      verdict->SeeEvent(data_.text());
    }
    data_.Clear();
    is_unseen_ = in_event_ = false;
  }

  BoundedText line_;
  BoundedText data_;
  bool in_event_ = false;   // some line of an event was read
  bool is_unseen_ = false;  // a line of it was too long
  bool skip_lf_ = false;    // the last line ended with CR
};

class LineReader {
 public:
  void Feed(std::string_view bytes, Verdict* verdict) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      if (end == std::string_view::npos) return line_.Append(bytes);
      if (line_.is_started()) {
        line_.Append(bytes.substr(0, end));
        Finish(verdict);
      } else {
        verdict->SeeLine(bytes.substr(0, end));  // a line that came whole is not copied
      }
      bytes.remove_prefix(end + 1);
    }
  }

  void Finish(Verdict* verdict) {
    if (line_.is_too_long()) {
      verdict->last_is_unseen = verdict->has_frame = true;
    } else if (line_.is_started()) {
      verdict->SeeLine(line_.text());
    }
    line_.Clear();
  }

  std::string_view frame_break() const { return line_.is_started() ? "\n" : ""; }

 private:
  BoundedText line_;
};

}  // namespace

struct CompletionMark::State {
  Format format = Format::kFramed;
  Verdict verdict;
  LineReader lines;
  EventReader events;
  BracketScan brackets;

  // The verdict if the body ended here.
  Verdict AtEnd() const {
    Verdict result = verdict;
    if (format == Format::kNdjson) LineReader(lines).Finish(&result);
    if (format == Format::kSse) EventReader(events).Finish(&result);
    return result;
  }
};

CompletionMark::CompletionMark(const ClientDialect& client, int status, std::string_view content_type)
    : state_(std::make_unique<State>()) {
  state_->format = FormatOf(client, status, content_type);
}
CompletionMark::~CompletionMark() = default;
CompletionMark::CompletionMark(CompletionMark&&) noexcept = default;

void CompletionMark::Feed(std::string_view bytes) {
  switch (state_->format) {
    case Format::kFramed: state_->verdict.has_frame = true; break;
    case Format::kJson:
      state_->verdict.has_frame = true;
      state_->brackets.Feed(bytes);
      break;
    case Format::kNdjson: state_->lines.Feed(bytes, &state_->verdict); break;
    case Format::kSse: state_->events.Feed(bytes, &state_->verdict); break;
  }
}

bool CompletionMark::IsComplete(bool framing_tells) const {
  switch (state_->format) {
    // RFC 9112 8: without a length or chunks, a body whose connection closes without an error is complete.
    case Format::kFramed: return true;
    case Format::kJson: return framing_tells || state_->brackets.at_end();
    case Format::kNdjson:
    case Format::kSse: {
      const Verdict verdict = state_->AtEnd();
      if (verdict.has_error) return false;
      return verdict.has_mark || (verdict.last_is_unseen && framing_tells);
    }
  }
  return false;
}

bool CompletionMark::saw_frame() const { return state_->verdict.has_frame; }

bool CompletionMark::saw_error() const { return state_->verdict.has_error; }

std::string_view CompletionMark::FrameBreak() const {
  switch (state_->format) {
    case Format::kFramed:
    case Format::kJson: return "";
    case Format::kNdjson: return state_->lines.frame_break();
    case Format::kSse: return state_->events.frame_break();
  }
  return "";
}

std::string CompletionMark::MissingEnd() const {
  if (state_->format != Format::kSse) return "";
  const Verdict verdict = state_->AtEnd();
  if (!verdict.has_mark || verdict.has_done_event || verdict.has_error) return "";
  return std::string(FrameBreak()) + "data: [DONE]\n\n";
}

}  // namespace runtime::dialect
