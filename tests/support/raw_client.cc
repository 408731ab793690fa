// The client side of end-to-end tests.
#include "tests/support/raw_client.h"

#include <ostream>

namespace tests::support {

const char* Name(Answer::End end) {
  switch (end) {
    case Answer::End::kOpen: return "open";
    case Answer::End::kComplete: return "complete";
    case Answer::End::kCut: return "cut";
    case Answer::End::kReset: return "reset";
    case Answer::End::kTimeout: return "timeout";
    case Answer::End::kNone: return "no answer";
  }
  return "";
}

void PrintTo(const Answer& answer, std::ostream* out) {
  *out << "[" << Name(answer.end) << "] " << answer.head.start_line << "\n";
  for (const auto& [name, value] : answer.head.headers) *out << name << ": " << value << "\n";
  *out << answer.body.substr(0, 2000);
}

std::string ToText(const RequestText& request) {
  std::string text =
      request.method + " " + request.target + " HTTP/1." + std::to_string(request.minor_version) + "\r\n";
  bool has_host = false;
  bool has_framing = false;
  for (const auto& [name, value] : request.headers) {
    has_host |= name == "Host";
    has_framing |= name == "Content-Length" || name == "Transfer-Encoding";
    text += name + ": " + value + "\r\n";
  }
  if (!has_host) text += "Host: gateway.test\r\n";
  if (!has_framing && !request.body.empty()) text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return text + "\r\n" + request.body;
}

bool RawClient::Send(std::string_view bytes) {
  sent_ = Clock::now();  // before: the gateway may have answered when the call returns
  return socket_.valid() && socket_.Send(bytes);
}

Answer RawClient::Request(const RequestText& request, Clock::duration limit) {
  const Clock::time_point start = Clock::now();
  // An answer may come (and the connection end) before all of the request is read: what came is looked at all the same.
  Send(ToText(request));
  Answer answer = ReadHead(limit, request.method == "HEAD");
  if (answer.end == Answer::End::kOpen) ReadToEnd(&answer, limit - (Clock::now() - start));
  return answer;
}

Answer RawClient::ReadHead(Clock::duration limit, bool is_head_request) {
  const Clock::time_point give_up = Clock::now() + limit;
  Answer answer;
  if (!socket_.valid()) {
    answer.end = Answer::End::kNone;
    return answer;
  }
  while (true) {
    while (auto head = TakeHead(&buffer_)) {
      answer.head = *head;
      answer.status = head->start_line.size() > 12 ? std::atoi(head->start_line.c_str() + 9) : 0;
      if (answer.status >= 100 && answer.status < 200) continue;  // 100 Continue
      reader_ = BodyReader::ForResponse(answer.head, answer.status, is_head_request);
      answer.framing = reader_.framing();
      reader_.Take(&buffer_, &answer.body);
      if (reader_.at_end()) {
        answer.end = Answer::End::kComplete;
        answer.took = Clock::now() - sent_;
      }
      return answer;
    }
    switch (socket_.Read(&buffer_, give_up - Clock::now())) {
      case ReadResult::kData: break;
      case ReadResult::kEnd: answer.end = buffer_.empty() ? Answer::End::kNone : Answer::End::kCut; return answer;
      case ReadResult::kReset: answer.end = Answer::End::kReset; return answer;
      case ReadResult::kTimeout: answer.end = Answer::End::kTimeout; return answer;
    }
  }
}

bool RawClient::Advance(Answer* answer, Clock::time_point give_up) {
  if (answer->end != Answer::End::kOpen) return false;
  const ReadResult result = socket_.Read(&buffer_, give_up - Clock::now());
  reader_.Take(&buffer_, &answer->body);
  const bool ends_with_connection = reader_.framing() == BodyReader::Framing::kUntilClose;
  if (reader_.at_end()) {
    answer->end = Answer::End::kComplete;
  } else if (result == ReadResult::kEnd) {
    answer->end = ends_with_connection ? Answer::End::kComplete : Answer::End::kCut;
  } else if (result == ReadResult::kReset) {
    answer->end = Answer::End::kReset;
  } else if (result == ReadResult::kTimeout) {
    answer->end = Answer::End::kTimeout;
  }
  if (answer->end != Answer::End::kOpen) answer->took = Clock::now() - sent_;
  return answer->end == Answer::End::kOpen;
}

bool RawClient::ReadUntil(std::string_view text, Answer* answer, Clock::duration limit) {
  const Clock::time_point give_up = Clock::now() + limit;
  while (answer->body.find(text) == std::string::npos) {
    if (!Advance(answer, give_up)) return answer->body.find(text) != std::string::npos;
  }
  return true;
}

void RawClient::ReadToEnd(Answer* answer, Clock::duration limit) {
  const Clock::time_point give_up = Clock::now() + limit;
  while (Advance(answer, give_up)) {
  }
}

bool RawClient::WaitForClose(Clock::duration limit) {
  const Clock::time_point give_up = Clock::now() + limit;
  while (true) {
    switch (socket_.Read(&buffer_, give_up - Clock::now())) {
      case ReadResult::kData: buffer_.clear(); break;
      case ReadResult::kEnd:
      case ReadResult::kReset: return true;
      case ReadResult::kTimeout: return false;
    }
  }
}

Answer Fetch(uint16_t port, const RequestText& request, Clock::duration limit) {
  RawClient client(port);
  return client.Request(request, limit);
}

Answer Get(uint16_t port, const std::string& target, HeaderList headers) {
  return Fetch(port, {.method = "GET", .target = target, .headers = std::move(headers), .body = ""});
}

Answer Post(uint16_t port, const std::string& target, const std::string& body, HeaderList headers) {
  return Fetch(port, {.method = "POST", .target = target, .headers = std::move(headers), .body = body});
}

}  // namespace tests::support
