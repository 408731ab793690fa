// How bytes become a message. llhttp tokenises; this file slices its input so that limits bite at an exact byte, however
// the bytes are cut, and pauses it at four places: after the head (to check it before its body is read), after each
// chunk, after the last chunk's line (trailers follow) and at the end of the message.
//
// The raw head is kept in `raw_`, and headers are remembered as offsets into it, so it may grow while it is read. Views are
// made when it is complete; from then on it stays as it is until Reset.
#include "runtime/http/message_parser.h"

#include <llhttp.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "runtime/http/head_check.h"
#include "runtime/http/plain_head.h"
#include "runtime/http/text.h"

namespace runtime::http {
namespace {

struct ErrorInfo {
  std::string_view name;
  int status;
  std::string_view doc;
};

constexpr ErrorInfo kErrors[] = {
    {"", 0, ""},
#define PARSE_ERROR(name, status, doc) {#name, status, doc},
#include "runtime/http/parse_errors.def"
#undef PARSE_ERROR
};

constexpr int kEmptyLinesBeforeRequest = 4;  // RFC 9112 2.2 asks for one
constexpr size_t kPlainChunkLine = 18;       // 16 hex digits, CR LF: what is longer counts as extension

constexpr size_t kKeptHeadBytes = 4 << 10;  // of an idle connection's parser

enum class State : uint8_t { kEmptyLines, kHead, kBody, kChunkLine, kTrailers, kDone, kFailed };

struct Line {  // offsets into the raw head
  size_t name_begin, name_size, value_begin, value_size;
};

}  // namespace

std::string_view Name(ParseError error) { return kErrors[static_cast<size_t>(error)].name; }
int StatusOf(ParseError error) { return kErrors[static_cast<size_t>(error)].status; }
std::string_view Explain(ParseError error) { return kErrors[static_cast<size_t>(error)].doc; }

class MessageParser::Impl {
 public:
  Impl(Role role, const ParserLimits& limits);

  FeedResult Feed(std::string_view bytes, std::vector<std::string_view>* body);
  bool FinishAtEnd();
  void Reset();
  std::optional<std::string_view> HeaderSoFar(std::string_view name) const;

  bool started() const { return started_; }
  bool head_complete() const { return head_complete_; }
  bool message_complete() const { return state_ == State::kDone; }

  RequestHead request;
  ResponseHead response;
  bool expect_no_body = false;

 private:
  static const llhttp_settings_t& Settings();
  static Impl& Of(llhttp_t* parser) { return *static_cast<Impl*>(parser->data); }

  size_t SkipEmptyLines(std::string_view bytes);
  size_t TakePlainHead(std::string_view bytes);
  size_t HeadAllowance(std::string_view bytes, ParseError* over);
  size_t LineAllowance(std::string_view bytes, ParseError* over);
  size_t ChunkLineAllowance(std::string_view bytes, ParseError* over);
  size_t TakePlainChunk(std::string_view bytes);
  size_t Execute(std::string_view slice);
  void Advance(std::string_view read);
  void CompleteHead();
  void EndHead(ParseError error);
  void InitLlhttp();
  bool EndsWithBareLf(std::string_view slice) const;
  void Fail(ParseError error);
  ParseError ErrorOf(llhttp_errno_t error) const;
  bool HasLine(std::string_view name) const;
  void OnName(const char* at, size_t size);
  void OnValue(const char* at, size_t size);
  size_t OffsetOf(const char* at) const { return raw_.size() + static_cast<size_t>(at - slice_begin_); }

  const Role role_;
  const ParserLimits limits_;
  llhttp_t parser_;
  bool llhttp_has_read_ = false;  // since it was initialised
  State state_ = State::kEmptyLines;
  ParseError error_ = ParseError::kNone;
  bool started_ = false;
  bool head_complete_ = false;

  // Empty lines before a request.
  int empty_lines_ = 0;
  bool after_cr_ = false;
  char first_byte_ = 0;

  // The head; the trailers count with the same variables.
  std::string raw_;
  std::string spare_target_;
  std::string known_host_;  // of an earlier request: a valid one, short
  std::vector<Line> lines_;
  bool in_value_ = false;
  size_t section_bytes_ = 0;  // of head or trailers
  size_t line_bytes_ = 0;     // of the line that is being read, without CR LF
  size_t line_number_ = 0;
  int target_part_ = 0;  // of the request line: 0 method, 1 target, 2 what follows
  size_t target_bytes_ = 0;

  // The body.
  std::vector<std::string_view>* body_out_ = nullptr;
  const char* slice_begin_ = nullptr;
  uint64_t length_ = 0;  // Content-Length of an answer, as llhttp read it
  uint64_t body_bytes_ = 0;
  uint64_t plain_left_ = 0;  // of a body behind a plain head, which llhttp does not see
  size_t chunk_line_bytes_ = 0;
  size_t extension_bytes_ = 0;
  enum class Pause : uint8_t { kNone, kHead, kAfterChunk, kAfterLastChunk, kMessageEnd, kBodyTooLarge };
  Pause pause_ = Pause::kNone;
};

const llhttp_settings_t& MessageParser::Impl::Settings() {
  static const llhttp_settings_t settings = [] {
    llhttp_settings_t s;
    llhttp_settings_init(&s);
    s.on_header_field = [](llhttp_t* p, const char* at, size_t size) {
      Of(p).OnName(at, size);
      return 0;
    };
    s.on_header_value = [](llhttp_t* p, const char* at, size_t size) {
      Of(p).OnValue(at, size);
      return 0;
    };
    // llhttp refuses a second Content-Length, whatever it says; of answers an equal one is allowed (RFC 9112 6.3), and which is which
    // the check of the head tells. Each is read as if it were the first; CompleteHead puts the flag back.
    s.on_header_value_complete = [](llhttp_t* p) {
      if (Of(p).role_ == Role::kResponse && (p->flags & F_CONTENT_LENGTH) != 0) {
        p->flags = static_cast<uint16_t>(p->flags & ~F_CONTENT_LENGTH);
        Of(p).length_ = p->content_length;
        p->content_length = 0;
      }
      return 0;
    };
    s.on_headers_complete = [](llhttp_t* p) {
      Of(p).pause_ = Pause::kHead;
      return static_cast<int>(HPE_PAUSED);
    };
    s.on_body = [](llhttp_t* p, const char* at, size_t size) {
      Impl& self = Of(p);
      self.body_bytes_ += size;
      self.body_out_->emplace_back(at, size);
      return 0;
    };
    // llhttp lets DEL stand in a quoted value, where RFC 9110 5.6.4 has no place for it.
    s.on_chunk_extension_value = [](llhttp_t*, const char* at, size_t size) {
      return std::memchr(at, 0x7f, size) == nullptr ? 0 : static_cast<int>(HPE_INVALID_CHUNK_SIZE);
    };
    s.on_chunk_header = [](llhttp_t* p) {
      Impl& self = Of(p);
      if (p->content_length == 0) {
        self.pause_ = Pause::kAfterLastChunk;
        return static_cast<int>(HPE_PAUSED);
      }
      const uint64_t limit = self.limits_.body;
      if (limit != 0 && p->content_length > limit - std::min(limit, self.body_bytes_)) {
        self.pause_ = Pause::kBodyTooLarge;
        return static_cast<int>(HPE_PAUSED);
      }
      return 0;
    };
    s.on_chunk_complete = [](llhttp_t* p) {
      if (Of(p).state_ == State::kTrailers) return 0;  // the end of the message is next
      Of(p).pause_ = Pause::kAfterChunk;
      return static_cast<int>(HPE_PAUSED);
    };
    s.on_message_complete = [](llhttp_t* p) {
      Of(p).pause_ = Pause::kMessageEnd;
      return static_cast<int>(HPE_PAUSED);
    };
    return s;
  }();
  return settings;
}

MessageParser::Impl::Impl(Role role, const ParserLimits& limits) : role_(role), limits_(limits) {
  InitLlhttp();
  Reset();
}

void MessageParser::Impl::InitLlhttp() {
  llhttp_init(&parser_, role_ == Role::kRequest ? HTTP_REQUEST : HTTP_RESPONSE, &Settings());
  parser_.data = this;
  llhttp_has_read_ = false;
}

void MessageParser::Impl::Reset() {
  if (llhttp_has_read_) InitLlhttp();
  parser_.flags = 0;  // which the end of a plain head sets
  // Vectors keep their memory.
  const auto reset = [](auto* head) {
    auto lines = std::move(head->headers.lines());
    *head = {};
    lines.clear();
    head->headers.lines() = std::move(lines);
  };
  if (role_ == Role::kRequest) {
    reset(&request);
  } else {
    reset(&response);
  }
  expect_no_body = false;
  state_ = State::kEmptyLines;
  error_ = ParseError::kNone;
  started_ = head_complete_ = after_cr_ = in_value_ = false;
  empty_lines_ = 0;
  if (raw_.capacity() > kKeptHeadBytes) std::string().swap(raw_);
  raw_.clear();
  spare_target_.clear();
  lines_.clear();
  section_bytes_ = line_bytes_ = line_number_ = target_bytes_ = 0;
  target_part_ = 0;
  length_ = body_bytes_ = plain_left_ = 0;
  chunk_line_bytes_ = extension_bytes_ = 0;
  pause_ = Pause::kNone;
}

void MessageParser::Impl::OnName(const char* at, size_t size) {
  if (head_complete_) return;  // a trailer: dropped
  if (in_value_ || lines_.empty()) {
    lines_.push_back({OffsetOf(at), 0, 0, 0});
    in_value_ = false;
  }
  lines_.back().name_size += size;
}

void MessageParser::Impl::OnValue(const char* at, size_t size) {
  if (head_complete_) return;
  Line& line = lines_.back();
  if (!in_value_) {
    in_value_ = true;
    line.value_begin = OffsetOf(at);
  }
  line.value_size += size;
}

void MessageParser::Impl::Fail(ParseError error) {
  error_ = error;
  state_ = State::kFailed;
}

// Returns how many bytes to drop; fails on a lone CR or LF, and on too many.
size_t MessageParser::Impl::SkipEmptyLines(std::string_view bytes) {
  size_t n = 0;
  for (; n < bytes.size(); ++n) {
    const char c = bytes[n];
    if (after_cr_) {
      after_cr_ = false;
      if (c != '\n' || ++empty_lines_ > kEmptyLinesBeforeRequest) {
        Fail(ParseError::k_bad_start);
        return n;
      }
    } else if (c == '\r' && role_ == Role::kRequest) {
      after_cr_ = true;
    } else if (c == '\r' || c == '\n') {
      Fail(ParseError::k_bad_start);
      return n;
    } else {
      state_ = State::kHead;
      started_ = true;
      first_byte_ = c;
      return n;
    }
  }
  return n;
}

// Nearly all heads are here as a whole, smaller than any limit and with nothing unusual in them: such a one is read here, line by line,
// and llhttp sees none of it. Whatever is refused on this way, or not understood, llhttp reads from its first byte, so what is said of it
// is always the same. Returns the size of the head, 0 where it is llhttp's.
size_t MessageParser::Impl::TakePlainHead(std::string_view bytes) {
  if (section_bytes_ != 0) return 0;
  const char* const begin = bytes.data();
  const char* const end = begin + std::min({bytes.size(), limits_.header_bytes, limits_.header_line, limits_.uri});
  const char* at = EndOfValue(begin, end);
  if (end - at < 4 || at[0] != '\r' || at[1] != '\n') return 0;
  const std::string_view start_line(begin, static_cast<size_t>(at - begin));
  size_t method_size = 0;
  if (role_ == Role::kRequest) {
    method_size = MethodOfPlainLine(start_line);
    if (method_size == 0) return 0;
  } else if (!IsPlainStatusLine(start_line)) {
    return 0;
  }
  at += 2;
  std::vector<Header>& headers = (role_ == Role::kRequest ? request.headers : response.headers).lines();
  bool is_plain = true;
  for (;;) {
    if (end - at < 2) {
      is_plain = false;
      break;
    }
    if (at[0] == '\r') {
      is_plain = at[1] == '\n';
      at += 2;
      break;
    }
    const char* const name = at;
    const char* const name_end = EndOfName(at, end);
    const HeaderId id = IdOfHeader({name, static_cast<size_t>(name_end - name)});
    if (name_end == name || end - name_end < 3 || (id == HeaderId::kOther && !IsName(name, name_end)) ||
        headers.size() == limits_.header_count) {
      is_plain = false;
      break;
    }
    at = name_end + 1;
    while (at != end && IsBlank(*at)) ++at;
    const char* const value = at;
    at = EndOfValue(at, end);
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') {
      is_plain = false;
      break;
    }
    const char* value_end = at;
    while (value_end != value && IsBlank(value_end[-1])) --value_end;
    const bool is_plain_line = value - name_end == 2 && value[-1] == ' ' && value_end == at;
    headers.emplace_back(std::string_view(name, static_cast<size_t>(name_end - name)),
                         std::string_view(value, static_cast<size_t>(value_end - value)), id, is_plain_line);
    at += 2;
  }
  const auto size = static_cast<size_t>(at - begin);
  if (is_plain) {
    raw_.assign(begin, size);
    const auto kept = [this, begin](std::string_view text) {
      return std::string_view(raw_.data() + (text.data() - begin), text.size());
    };
    for (Header& line : headers) {
      line.name = kept(line.name);
      line.value = kept(line.value);
    }
    head_complete_ = true;
    EndHead(role_ == Role::kRequest ? CheckPlainRequestHead(kept(start_line), method_size, &request, &spare_target_, &known_host_)
                                    : CheckResponseHead(kept(start_line), expect_no_body, &response));
    is_plain = state_ != State::kFailed;
  }
  if (!is_plain) {
    const bool no_body = expect_no_body;
    const char first = first_byte_;
    Reset();
    expect_no_body = no_body;
    first_byte_ = first;
    started_ = true;
    state_ = State::kHead;
    return 0;
  }
  switch (role_ == Role::kRequest ? request.framing : response.framing) {
    case BodyFraming::kNone: state_ = State::kDone; break;
    case BodyFraming::kLength:
      plain_left_ = role_ == Role::kRequest ? request.content_length : response.content_length;
      if (plain_left_ == 0) state_ = State::kDone;
      break;
    case BodyFraming::kUntilClose: plain_left_ = std::numeric_limits<uint64_t>::max(); break;
    case BodyFraming::kChunked: {  // llhttp takes over behind a head that says so
      const std::string_view head = role_ == Role::kRequest ? "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                                                            : "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
      InitLlhttp();
      Execute(head);
      parser_.upgrade = 0;
      parser_.flags |= F_CHUNKED;
      pause_ = Pause::kNone;
      break;
    }
  }
  return size;
}

// How many bytes of the current line may be read, its LF included if it is there. The error is set if that is not all.
size_t MessageParser::Impl::LineAllowance(std::string_view bytes, ParseError* over) {
  const size_t lf = bytes.find('\n');
  const std::string_view line = bytes.substr(0, lf == std::string_view::npos ? bytes.size() : lf + 1);
  const bool is_head = state_ == State::kHead;
  if (is_head && role_ == Role::kRequest && line_number_ == 0) {
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == ' ' && target_part_ == 0) {
        target_part_ = 1;
      } else if (target_part_ == 1 && (line[i] == ' ' || line[i] == '\r')) {
        if (target_bytes_ > 0) target_part_ = 2;
      } else if (target_part_ == 1 && ++target_bytes_ > limits_.uri) {
        *over = ParseError::k_uri_too_long;
        return i;
      }
    }
    return line.size();
  }
  if (line_bytes_ > limits_.header_line) return 1;  // its CR was read: llhttp takes LF and nothing else
  const size_t headers_before = is_head ? line_number_ - 1 : line_number_;
  if (line_bytes_ == 0 && !(is_head && line_number_ == 0) && headers_before >= limits_.header_count &&
      line[0] != '\r') {
    *over = is_head ? ParseError::k_too_many_headers : ParseError::k_trailers_too_large;
    return 0;
  }
  const size_t content = line.size() - (line.ends_with('\n') ? 1 : 0);
  const size_t left = limits_.header_line - line_bytes_;
  if (content <= left) return line.size();
  if (line[left] == '\r') return left + 1;
  *over = is_head ? ParseError::k_header_too_long : ParseError::k_trailers_too_large;
  return left;
}

size_t MessageParser::Impl::HeadAllowance(std::string_view bytes, ParseError* over) {
  const size_t left = limits_.header_bytes - std::min(limits_.header_bytes, section_bytes_);
  if (left == 0) {
    *over = state_ == State::kHead ? ParseError::k_head_too_large : ParseError::k_trailers_too_large;
    return 0;
  }
  return LineAllowance(bytes.substr(0, left), over);
}

size_t MessageParser::Impl::ChunkLineAllowance(std::string_view bytes, ParseError* over) {
  const size_t lf = bytes.find('\n');
  const size_t wanted = lf == std::string_view::npos ? bytes.size() : lf + 1;
  const size_t plain_left = kPlainChunkLine - std::min(kPlainChunkLine, chunk_line_bytes_);
  const size_t allowed = plain_left + (limits_.chunk_extensions - extension_bytes_);
  if (wanted > allowed) *over = ParseError::k_chunk_extensions_too_long;
  return std::min(wanted, allowed);
}

// A stream of tokens is thousands of small chunks, each whole in one read and without an extension. Between two chunks llhttp holds
// nothing of either, so one of this plain form is taken past it. Returns its size, or 0 where it is anything else: all that is
// unusual, and every error, is llhttp's. (RFC 9112 7.1)
size_t MessageParser::Impl::TakePlainChunk(std::string_view bytes) {
  constexpr size_t kMaxDigits = 6;  // 16 MiB: more than one read brings
  if (chunk_line_bytes_ != 0) return 0;
  uint64_t size = 0;
  size_t digits = 0;
  for (; digits < std::min(bytes.size(), kMaxDigits); ++digits) {
    const int value = HexValue(bytes[digits]);
    if (value < 0) break;
    size = size << 4 | static_cast<unsigned>(value);
  }
  if (size == 0) return 0;
  const size_t from = digits + 2;
  if (bytes.size() < from + size + 2) return 0;
  if (bytes[from - 2] != '\r' || bytes[from - 1] != '\n' || bytes[from + size] != '\r' || bytes[from + size + 1] != '\n') return 0;
  if (limits_.body != 0 && size > limits_.body - std::min(limits_.body, body_bytes_)) return 0;
  body_bytes_ += size;
  body_out_->push_back(bytes.substr(from, size));
  return from + size + 2;
}

// Keeps the counters of the current section true after `read` was accepted.
void MessageParser::Impl::Advance(std::string_view read) {
  if (read.empty()) return;
  switch (state_) {
    case State::kHead:
    case State::kTrailers:
      if (state_ == State::kHead) raw_.append(read);
      section_bytes_ += read.size();
      line_bytes_ += read.size();
      if (read.back() == '\n') {
        line_bytes_ = 0;
        ++line_number_;
      }
      break;
    case State::kChunkLine: {
      const size_t plain_left = kPlainChunkLine - std::min(kPlainChunkLine, chunk_line_bytes_);
      extension_bytes_ += read.size() - std::min(read.size(), plain_left);
      chunk_line_bytes_ += read.size();
      if (read.back() == '\n') {
        chunk_line_bytes_ = 0;
        state_ = State::kBody;
      }
      break;
    }
    default: break;
  }
}

// Feeds llhttp and returns what it took. On an error the state is kFailed.
size_t MessageParser::Impl::Execute(std::string_view slice) {
  slice_begin_ = slice.data();
  pause_ = Pause::kNone;
  llhttp_has_read_ = true;
  const llhttp_errno_t result = llhttp_execute(&parser_, slice.data(), slice.size());
  if (result == HPE_OK) return slice.size();
  const char* position = llhttp_get_error_pos(&parser_);
  const size_t read = position == nullptr ? slice.size() : static_cast<size_t>(position - slice.data());
  if (result == HPE_PAUSED && pause_ != Pause::kNone) {
    llhttp_resume(&parser_);
    return read;
  }
  Fail(result == HPE_INVALID_VERSION && EndsWithBareLf(slice) ? ParseError::k_bad_line_ending : ErrorOf(result));
  return read;
}

// Of a request line of three words with a version that is one: its end is what is wrong. llhttp may have stopped before it in a line that
// only ends so.
bool MessageParser::Impl::EndsWithBareLf(std::string_view slice) const {
  if (role_ != Role::kRequest || state_ != State::kHead || line_number_ != 0) return false;
  std::string line = raw_ + std::string(slice);
  const size_t begin = line.find_first_not_of("\r\n");  // empty lines in front are passed over (RFC 9112 2.2)
  const size_t lf = begin == std::string::npos ? begin : line.find('\n', begin);
  if (lf == std::string::npos) return false;
  line = line.substr(begin, lf - begin);
  return (line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0")) && std::count(line.begin(), line.end(), ' ') == 2;
}

bool MessageParser::Impl::HasLine(std::string_view name) const {
  const std::string_view raw = raw_;
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
    return line.name_begin <= raw.size() && EqualsIgnoreCase(raw.substr(line.name_begin, line.name_size), name);
  });
}

// Depends only on bytes up to the error's line, so that it is the same however the input was cut.
ParseError MessageParser::Impl::ErrorOf(llhttp_errno_t error) const {
  if (state_ == State::kTrailers) return ParseError::k_bad_trailer;
  if (state_ != State::kHead) return ParseError::k_bad_chunk;
  const bool in_start_line = line_number_ == 0;
  switch (error) {
    case HPE_INVALID_METHOD: return IsTokenChar(first_byte_) ? ParseError::k_unknown_method : ParseError::k_bad_start;
    case HPE_PAUSED_H2_UPGRADE: return ParseError::k_http2_preface;
    case HPE_INVALID_URL: return ParseError::k_bad_target;
    case HPE_INVALID_VERSION: return ParseError::k_unsupported_version;
    case HPE_INVALID_CONSTANT:
      return role_ == Role::kResponse ? ParseError::k_bad_status_line : ParseError::k_bad_request_line;
    case HPE_INVALID_STATUS: return ParseError::k_bad_status_line;
    case HPE_CR_EXPECTED:
    case HPE_LF_EXPECTED:
    case HPE_STRICT: return ParseError::k_bad_line_ending;
    case HPE_INVALID_HEADER_TOKEN:
    case HPE_UNEXPECTED_SPACE: return in_start_line ? ParseError::k_bad_line_ending : ParseError::k_bad_header;
    case HPE_INVALID_CONTENT_LENGTH:
    case HPE_UNEXPECTED_CONTENT_LENGTH:
      return HasLine("transfer-encoding") ? ParseError::k_length_and_encoding : ParseError::k_bad_content_length;
    case HPE_INVALID_TRANSFER_ENCODING:
      return HasLine("content-length") ? ParseError::k_length_and_encoding : ParseError::k_bad_transfer_encoding;
    default: return ParseError::k_malformed;
  }
}

void MessageParser::Impl::CompleteHead() {
  head_complete_ = true;
  const std::string_view raw = raw_;
  const std::string_view start_line = raw.substr(0, raw.find("\r\n"));
  std::vector<Header>& headers = (role_ == Role::kRequest ? request.headers : response.headers).lines();
  for (const Line& line : lines_) {
    headers.push_back(
        {raw.substr(line.name_begin, line.name_size), Trim(raw.substr(line.value_begin, line.value_size))});
  }
  EndHead(role_ == Role::kRequest ? CheckRequestHead(start_line, &request, &spare_target_)
                                  : CheckResponseHead(start_line, expect_no_body, &response));
}

// `error`: what the check of the head found.
void MessageParser::Impl::EndHead(ParseError error) {
  if (error != ParseError::kNone) {
    Fail(error);
    return;
  }
  const BodyFraming framing = role_ == Role::kRequest ? request.framing : response.framing;
  if (framing == BodyFraming::kLength && limits_.body != 0 &&
      (role_ == Role::kRequest ? request.content_length : response.content_length) > limits_.body) {
    Fail(ParseError::k_body_too_large);
    return;
  }
  // From here on llhttp frames by what the checks found: it must not read a body where the head announces none, nor take
  // "chunked<TAB>" for another coding, nor leave HTTP for an Upgrade.
  parser_.upgrade = 0;
  if (framing == BodyFraming::kNone) parser_.flags |= F_SKIPBODY;
  if (role_ == Role::kResponse && framing == BodyFraming::kLength) {
    parser_.flags |= F_CONTENT_LENGTH;
    parser_.content_length = length_;
  }
  if (framing == BodyFraming::kChunked) parser_.flags |= F_CHUNKED;
  state_ = framing == BodyFraming::kChunked ? State::kChunkLine : State::kBody;
  section_bytes_ = line_bytes_ = line_number_ = 0;
}

MessageParser::FeedResult MessageParser::Impl::Feed(std::string_view bytes, std::vector<std::string_view>* body) {
  body_out_ = body;
  size_t consumed = 0;
  if (state_ == State::kEmptyLines) consumed = SkipEmptyLines(bytes);
  while (state_ != State::kDone && state_ != State::kFailed && state_ != State::kEmptyLines &&
         consumed < bytes.size()) {
    const std::string_view rest = bytes.substr(consumed);
    ParseError over = ParseError::kNone;
    size_t allowed = rest.size();
    if (plain_left_ > 0) {
      const std::string_view piece = rest.substr(0, static_cast<size_t>(std::min<uint64_t>(plain_left_, rest.size())));
      body->push_back(piece);
      body_bytes_ += piece.size();
      consumed += piece.size();
      plain_left_ -= piece.size();
      if (plain_left_ == 0) state_ = State::kDone;
      continue;
    }
    if (state_ == State::kHead) {
      if (const size_t taken = TakePlainHead(rest); taken > 0) {
        consumed += taken;
        continue;
      }
    }
    if (state_ == State::kHead || state_ == State::kTrailers) allowed = HeadAllowance(rest, &over);
    if (state_ == State::kChunkLine) {
      if (const size_t taken = TakePlainChunk(rest); taken > 0) {
        consumed += taken;
        continue;
      }
      allowed = ChunkLineAllowance(rest, &over);
    }
    if (over != ParseError::kNone && allowed == 0) {
      Fail(over);
      break;
    }
    const size_t read = Execute(rest.substr(0, allowed));
    if (state_ == State::kFailed) {
      consumed += read;
      break;
    }
    Advance(rest.substr(0, read));
    consumed += read;
    // Each pause is followed by one that needs no more bytes (a head without a body is a whole message), so go on until
    // llhttp waits for input.
    while (pause_ != Pause::kNone && state_ != State::kFailed) {
      bool go_on = true;
      switch (pause_) {
        case Pause::kHead: CompleteHead(); break;
        case Pause::kAfterChunk: state_ = State::kChunkLine; break;
        case Pause::kAfterLastChunk:
          state_ = State::kTrailers;
          section_bytes_ = line_bytes_ = line_number_ = 0;
          break;
        case Pause::kBodyTooLarge: Fail(ParseError::k_body_too_large); break;
        case Pause::kMessageEnd:
          state_ = State::kDone;
          go_on = false;
          break;
        case Pause::kNone: break;
      }
      if (!go_on || state_ == State::kFailed) break;
      Execute(bytes.substr(consumed, 0));
    }
  }
  return {consumed, error_};
}

std::optional<std::string_view> MessageParser::Impl::HeaderSoFar(std::string_view name) const {
  const std::string_view raw = raw_;
  if (head_complete_) {
    const auto value = (role_ == Role::kRequest ? request.headers : response.headers).Find(name);
    return value && !value->empty() ? value : std::nullopt;
  }
  for (size_t i = 0; i < lines_.size(); ++i) {
    const Line& line = lines_[i];
    const bool is_whole = line.value_size > 0 && raw.find('\n', line.value_begin + line.value_size) != std::string_view::npos;
    if (is_whole && EqualsIgnoreCase(raw.substr(line.name_begin, line.name_size), name)) {
      return Trim(raw.substr(line.value_begin, line.value_size));
    }
  }
  return std::nullopt;
}

bool MessageParser::Impl::FinishAtEnd() {
  if (state_ == State::kDone) return true;
  if (!head_complete_ || state_ != State::kBody || role_ != Role::kResponse ||
      response.framing != BodyFraming::kUntilClose) {
    return false;
  }
  state_ = State::kDone;
  return true;
}

MessageParser::MessageParser(Role role, const ParserLimits& limits) : impl_(std::make_unique<Impl>(role, limits)) {}
MessageParser::~MessageParser() = default;

MessageParser::FeedResult MessageParser::Feed(std::string_view bytes, std::vector<std::string_view>* body) {
  return impl_->Feed(bytes, body);
}
bool MessageParser::FinishAtEnd() { return impl_->FinishAtEnd(); }
std::optional<std::string_view> MessageParser::HeaderSoFar(std::string_view name) const { return impl_->HeaderSoFar(name); }
bool MessageParser::started() const { return impl_->started(); }
bool MessageParser::head_complete() const { return impl_->head_complete(); }
bool MessageParser::message_complete() const { return impl_->message_complete(); }
const RequestHead& MessageParser::request() const { return impl_->request; }
const ResponseHead& MessageParser::response() const { return impl_->response; }
void MessageParser::ExpectNoBody() { impl_->expect_no_body = true; }
void MessageParser::Reset() { impl_->Reset(); }

}  // namespace runtime::http
