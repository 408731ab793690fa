// A request, two servers that answer with what a test wrote down, and what came of it.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/proxy/exchange.h"
#include "tests/runtime/proxy/request_path.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {

using namespace std::chrono_literals;  // NOLINT: times in tests

inline bool Holds(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

inline std::string Post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n" +
         std::string(more) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline std::string GetOf(std::string_view path, std::string_view more = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: g\r\n" + std::string(more) + "\r\n";
}
inline const std::string kObjectAsked = R"({"model":"m","stream":false,"messages":[]})";
inline const std::string kStreamAsked = R"({"model":"m","stream":true,"messages":[]})";

// An answer with a length.
inline std::string Whole(int status, std::string_view type, std::string_view body, std::string_view more = "") {
  return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + std::string(type) + "\r\n" +
         std::string(more) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}
inline std::string StreamHead(std::string_view type, std::string_view more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: " + std::string(type) + "\r\n" + std::string(more) +
         "Transfer-Encoding: chunked\r\n\r\n";
}
inline std::string Chunk(std::string_view data) {
  char size[32];
  std::snprintf(size, sizeof(size), "%zx\r\n", data.size());
  return size + std::string(data) + "\r\n";
}
inline const std::string kLastChunk = "0\r\n\r\n";
inline const std::string kLines = "application/x-ndjson";
inline const std::string kSaid = "{\"message\":{\"content\":\"Hi\"}}\n";
inline const std::string kSaidAll = "{\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\"}\n";
inline const std::string kChatAnswer = R"({"choices":[{"message":{"content":"Hi"},"finish_reason":"stop"}]})";

// A server at 10.0.0.N:80 that answers its first request with the first of the texts, and so on, the last one for ever. "": silence. What
// follows \x01 comes a tenth of a second later; \x02 closes, \x03 resets.
class Answerer {
 public:
  Answerer(SimNetwork* network, int n, std::vector<std::string> answers)
      : answers_(std::move(answers)),
        network_(*network),
        server(network, "10.0.0." + std::to_string(n), 80, [this](SimPeer& peer) { Serve(peer); }) {}

 private:
  void Serve(SimPeer& peer) {
    for (;;) {
      const size_t head = peer.received.find("\r\n\r\n");
      if (head == std::string::npos) return;
      const size_t at = peer.received.find("Content-Length: ");
      const size_t length = at > head ? 0 : std::stoul(peer.received.substr(at + 16));
      if (peer.received.size() < head + 4 + length) return;
      requests.push_back(peer.received.substr(0, head + 4 + length));
      peer.received.erase(0, head + 4 + length);
      Send(peer, answers_[std::min(requests.size(), answers_.size()) - 1]);
    }
  }
  void Send(SimPeer& peer, std::string_view answer) {
    while (!answer.empty()) {
      const size_t end = std::min(answer.find_first_of("\x01\x02\x03"), answer.size());
      if (end > 0) peer.Send(answer.substr(0, end));
      const char then = end < answer.size() ? answer[end] : ' ';
      answer.remove_prefix(std::min(end + 1, answer.size()));
      if (then == '\x02') peer.stream->FinishWriting();
      if (then == '\x03') return peer.stream->Reset();
      if (then != '\x01') continue;
      network_.At(network_.now() + 100ms, [this, &peer, rest = std::string(answer)] { Send(peer, rest); });
      return;
    }
  }

  const std::vector<std::string> answers_;
  SimNetwork& network_;

 public:
  std::vector<std::string> requests;
  SimServer server;
};

// Asks on a connection of its own, and waits a while for an end of the answer; the connection stays.
inline std::unique_ptr<SimPeer> AskAndWait(SimGateway& gateway, const std::string& request, Duration at_most = 1min) {
  auto client = gateway.NewClient();
  client->Send(request);
  const size_t lines = gateway.access.size();
  gateway.network.RunUntil([&] { return client->ended || gateway.access.size() > lines; }, at_most);
  gateway.network.RunFor(5ms);
  return client;
}

// Without its connection: what the connection is told, and what is left where nobody brings an exchange to its end.
struct Alone {
  Alone(SimGateway& gateway, const http::RequestHead& request, std::string_view path = "/x")
      : head(request),
        exchange(gateway.worker->context(), host, {head, path, "r-1", "192.0.2.1", gateway.network.now()}) {}
  FakeHost host;
  const http::RequestHead head;
  runtime::proxy::Exchange exchange;
};

}  // namespace tests
