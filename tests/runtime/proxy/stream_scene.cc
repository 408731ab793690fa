#include "tests/runtime/proxy/stream_scene.h"

#include <cstdlib>

#include <nlohmann/json.hpp>

namespace tests {
namespace {

using Json = nlohmann::json;

// Without the framing of chunks. *whole: the last chunk came.
std::string Dechunk(std::string_view bytes, bool* whole) {
  std::string body;
  for (;;) {
    const size_t line = bytes.find("\r\n");
    if (line == std::string_view::npos) return body;
    const size_t size = std::strtoul(std::string(bytes.substr(0, line)).c_str(), nullptr, 16);
    bytes.remove_prefix(line + 2);
    if (size == 0) {
      *whole = bytes.starts_with("\r\n");
      return body;
    }
    body += bytes.substr(0, size);
    if (bytes.size() < size + 2) return body;
    bytes.remove_prefix(size + 2);
  }
}

std::string TextAt(const Json& json, const char* pointer) {
  const Json::json_pointer at(pointer);
  return json.contains(at) && json[at].is_string() ? json[at].get<std::string>() : "";
}

void ReadFrame(const std::string& data, Received* received) {
  if (data == "[DONE]") {
    received->saw_end |= !received->saw_error;
    ++received->ends;
    return;
  }
  const Json json = Json::parse(data, nullptr, false);
  if (json.is_discarded()) {
    ADD_FAILURE() << "a client can't read this frame: " << data;
    return;
  }
  if (json.contains("error")) received->saw_error = true;
  received->text += TextAt(json, "/message/content") + TextAt(json, "/choices/0/delta/content") + TextAt(json, "/delta/text");
  received->thinking += TextAt(json, "/message/thinking") + TextAt(json, "/choices/0/delta/reasoning_content") +
                        TextAt(json, "/delta/thinking");
  if (json.value("done", false) || json.value("type", "") == "message_stop") {
    received->saw_end |= !received->saw_error;
    ++received->ends;
  }
}

}  // namespace

std::string DrawBody(const SpokenDialect& dialect, base::Random& random, bool thinks) {
  std::string body = dialect.begin;
  if (thinks) body += dialect.thinking("Let me see.");
  for (std::string_view rest = kWords; !rest.empty();) {
    const std::string_view part = rest.substr(0, 1 + random.Below(12));
    rest.remove_prefix(part.size());
    body += dialect.text(std::string(part));
    if (random.Below(20) == 0 && dialect.content_type == "text/event-stream") body += ": ping\n\n";
  }
  return body + dialect.end;
}

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

Received ReadAsClient(const SpokenDialect& dialect, std::string_view bytes, bool was_reset) {
  Received received;
  const size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return received;
  received.head = bytes.substr(0, end + 2);
  received.status = std::atoi(received.head.substr(9, 3).c_str());
  bytes.remove_prefix(end + 4);
  const size_t length = received.head.find("Content-Length: ");
  if (received.head.find("Transfer-Encoding: chunked") != std::string::npos) {
    received.body = Dechunk(bytes, &received.http_ended);
  } else if (length != std::string::npos) {
    received.body = bytes;
    received.http_ended = received.body.size() == std::strtoul(received.head.c_str() + length + 16, nullptr, 10);
  } else {
    received.body = bytes;
    received.http_ended = !was_reset;
  }
  if (received.head.find(dialect.content_type) == std::string::npos) return received;
  const bool is_sse = dialect.content_type == "text/event-stream";
  const std::string separator = is_sse ? "\n\n" : "\n";
  size_t at = 0;
  for (size_t next; (next = received.body.find(separator, at)) != std::string::npos; at = next + separator.size()) {
    std::string frame = received.body.substr(at, next - at);
    if (is_sse) {
      const size_t data = frame.find("data: ");
      if (data == std::string::npos) continue;
      frame.erase(0, data + 6);
    }
    if (!frame.empty()) ReadFrame(frame, &received);
  }
  EXPECT_EQ(received.body.substr(at), "") << "half a frame was passed on";
  return received;
}

std::function<void(SimPeer&)> Serving(const ServerPlan* plan, std::vector<std::string>* requests) {
  return [plan, requests](SimPeer& peer) {
    const size_t head_end = peer.received.find("\r\n\r\n");
    if (head_end == std::string::npos) return;
    const size_t length = peer.received.find("Content-Length: ");
    const size_t body_size = std::strtoul(peer.received.c_str() + length + 16, nullptr, 10);
    if (peer.received.size() < head_end + 4 + body_size) return;
    if (requests != nullptr) requests->push_back(peer.received.substr(0, head_end + 4 + body_size));
    peer.received.erase(0, head_end + 4 + body_size);

    using Fault = ServerPlan::Fault;
    peer.Send("HTTP/1.1 " + std::to_string(plan->status) + " X\r\nContent-Type: " + plan->content_type + "\r\n" +
              (plan->chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Connection: close\r\n\r\n"));
    std::string_view body = plan->body;
    if (plan->fault != Fault::kNone) body = body.substr(0, plan->fault_at);
    base::Random random(plan->piece_seed);
    while (!body.empty()) {
      const size_t most = plan->piece_seed == 0 ? body.size() : 1 + random.Below(200);
      const std::string_view piece = body.substr(0, most);
      body.remove_prefix(piece.size());
      char size[32];
      std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
      peer.Send(plan->chunked ? size + std::string(piece) + "\r\n" : std::string(piece));
    }
    switch (plan->fault) {
      case Fault::kStall: return;
      case Fault::kReset: peer.stream->Reset(); return;
      case Fault::kFin: peer.stream->FinishWriting(); return;
      case Fault::kNone:
      case Fault::kCleanEnd:
        if (plan->chunked && plan->last_chunk) {
          peer.Send("0\r\n\r\n");
        } else {
          peer.stream->FinishWriting();
        }
        return;
    }
  };
}

std::string StreamRequest(const SpokenDialect& dialect, const std::string& body) {
  return "POST " + dialect.path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

Received Ask(SimGateway& gateway, const SpokenDialect& dialect, const std::string& request) {
  auto client = gateway.NewClient();
  client->Send(request);
  EXPECT_TRUE(gateway.network.RunUntil([&] { return client->ended; }));
  return ReadAsClient(dialect, client->received, client->was_reset);
}

}  // namespace tests
