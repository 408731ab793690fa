// The client of an end-to-end test: sends any bytes, reads answers piece by piece and knows how they ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tests/support/http_text.h"
#include "tests/support/socket.h"
#include "tests/support/wait.h"

namespace tests::support {

using Json = nlohmann::ordered_json;

struct Answer {
  enum class End {
    kOpen,      // not at its end yet
    kComplete,  // its framing says that it is whole: all of its length, the last chunk, or a FIN where that is the end
    kCut,       // the connection ended before
    kReset,     // likewise, by RST
    kTimeout,   // the test lost its patience
    kNone,      // the connection ended without a byte of an answer
  };

  int status = 0;
  MessageHead head;
  std::string body;
  End end = End::kOpen;
  BodyReader::Framing framing = BodyReader::Framing::kNone;
  Clock::duration took{};  // from the beginning of the last Send to the answer's last byte

  // A client that knows HTTP only takes it for whole.
  bool looks_complete() const { return end == End::kComplete; }
  // "" where there is none.
  std::string header(std::string_view lower_case_name) const { return head.Find(lower_case_name).value_or(""); }
  bool has_header(std::string_view lower_case_name) const { return head.Find(lower_case_name).has_value(); }
  // The body as JSON; a discarded value where it is none.
  Json json() const { return Json::parse(body, nullptr, false); }
  bool is_fallback() const { return has_header("x-breakwater-fallback"); }
};
const char* Name(Answer::End end);
void PrintTo(const Answer& answer, std::ostream* out);  // for failures

struct RequestText {
  std::string method = "POST";
  std::string target = "/api/chat";
  HeaderList headers = {};  // Host is added where it is missing
  std::string body = {};    // a Content-Length is added where there is a body and no framing
  int minor_version = 1;
};
std::string ToText(const RequestText& request);

// One connection. One thread at a time.
class RawClient {
 public:
  explicit RawClient(uint16_t port, int receive_buffer = 0) : socket_(Socket::Connect(port, receive_buffer)) {}

  bool connected() const { return socket_.valid(); }
  bool Send(std::string_view bytes);

  // Sends the request and reads the answer to its end.
  Answer Request(const RequestText& request, Clock::duration limit = kPatience);

  // Step by step: the head, then the body. `is_head_request`: the answer has no body.
  Answer ReadHead(Clock::duration limit = kPatience, bool is_head_request = false);
  // Reads on until the body holds `text`; false if it ended or the time was up before.
  bool ReadUntil(std::string_view text, Answer* answer, Clock::duration limit = kPatience);
  void ReadToEnd(Answer* answer, Clock::duration limit = kPatience);

  // Whether the peer ended the connection within `limit`. Bytes that come are dropped.
  bool WaitForClose(Clock::duration limit = kPatience);

  void FinishWriting() { socket_.FinishWriting(); }
  void Close() { socket_.Close(); }
  void Reset() { socket_.Reset(); }
  Socket& socket() { return socket_; }

 private:
  // Reads once and feeds the body. False when nothing more will come.
  bool Advance(Answer* answer, Clock::time_point give_up);

  Socket socket_;
  std::string buffer_;
  BodyReader reader_;
  Clock::time_point sent_{};
};

// A request on a connection of its own.
Answer Fetch(uint16_t port, const RequestText& request, Clock::duration limit = kPatience);
Answer Get(uint16_t port, const std::string& target, HeaderList headers = {});
Answer Post(uint16_t port, const std::string& target, const std::string& body, HeaderList headers = {});

}  // namespace tests::support
