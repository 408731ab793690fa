// A program that begins an answer and never ends it: the upstream of the tests that kill one in mid-stream. It prints
// its port, then "begun" for each answer whose beginning is sent. The path of a request says how the answer is
// framed:
//   …?chunked  …?length  …?close (HTTP/1.0, ends with its connection)
// and the request's own path which content it has (/api/chat NDJSON, /v1/chat/completions SSE, else plain text).
#include <cstdio>
#include <string>

#include "tests/support/http_text.h"
#include "tests/support/socket.h"

namespace {

using tests::support::Chunk;
using tests::support::MessageHead;
using tests::support::ReadResult;
using tests::support::Socket;

bool Contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

std::string Beginning(const std::string& start_line) {
  std::string type = "text/plain";
  std::string body = "the beginning of a text\n";
  if (Contains(start_line, "/api/chat")) {
    type = "application/x-ndjson";
    body = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"beginning\"},\"done\":false}\n";
  } else if (Contains(start_line, "/v1/chat/completions")) {
    type = "text/event-stream";
    body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"beginning\"},\"finish_reason\":null}]}\n\n";
  } else if (Contains(start_line, "/json")) {
    type = "application/json";
    // Larger than what a gateway may hold back.
    body = "{\"beginning\":\"" + std::string(200'000, 'x');
  }
  const bool is_http_1_0 = Contains(start_line, "?close");
  std::string head = std::string(is_http_1_0 ? "HTTP/1.0" : "HTTP/1.1") + " 200 OK\r\nContent-Type: " + type + "\r\n";
  if (Contains(start_line, "?chunked")) return head + "Transfer-Encoding: chunked\r\n\r\n" + Chunk(body);
  if (Contains(start_line, "?length"))
    return head + "Content-Length: " + std::to_string(body.size() + 1000) + "\r\n\r\n" + body;
  return head + "\r\n" + body;
}

}  // namespace

int main() {
  Socket listener = Socket::Bind(0);
  if (!listener.valid() || !listener.Listen()) return 1;
  std::printf("%d\n", listener.local_port());
  std::fflush(stdout);
  while (true) {
    Socket connection = listener.Accept();
    std::string buffer;
    std::optional<MessageHead> head;
    while (!(head = tests::support::TakeHead(&buffer)).has_value()) {
      if (connection.Read(&buffer) != ReadResult::kData) break;
    }
    if (!head.has_value()) continue;
    std::string body;
    auto reader = tests::support::BodyReader::ForRequest(*head);
    reader.Take(&buffer, &body);
    while (!reader.at_end() && connection.Read(&buffer) == ReadResult::kData) reader.Take(&buffer, &body);
    connection.Send(Beginning(head->start_line));
    std::printf("begun\n");
    std::fflush(stdout);
    std::string rest;
    while (connection.Read(&rest, std::chrono::hours(1)) == ReadResult::kData) {
    }
  }
}
