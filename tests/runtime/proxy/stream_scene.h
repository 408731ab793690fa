// Streams through the real proxy on a simulated network: what a model server says, what goes wrong at which byte, and what a
// client of the dialect takes it for.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests {

using namespace std::chrono_literals;  // NOLINT: times in tests

// How servers and clients of a dialect write: just enough of it.
struct SpokenDialect {
  std::string path;
  std::string content_type;
  std::string begin;                                  // role or lifecycle frames
  std::string (*text)(const std::string& text);       // a frame of content
  std::string (*thinking)(const std::string& text);
  std::string end;                                    // finish, usage, terminal
  std::string error;
};
inline std::string Quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}
inline const SpokenDialect kOllama = {
    "/api/chat",
    "application/x-ndjson",
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":false}\n",
    [](const std::string& t) {
      return "{\"model\":\"m\",\"created_at\":\"2026-01-01T00:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":" +
             Quoted(t) + "},\"done\":false}\n";
    },
    [](const std::string& t) {
      return "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\",\"thinking\":" + Quoted(t) +
             "},\"done\":false}\n";
    },
    "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true,"
    "\"prompt_eval_count\":7,\"eval_count\":3}\n",
    "{\"error\":\"out of memory\"}\n"};
inline const SpokenDialect kOpenAi = {
    "/v1/chat/completions",
    "text/event-stream",
    "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
    "\"finish_reason\":null}]}\n\n",
    [](const std::string& t) {
      return "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":" + Quoted(t) +
             "},\"finish_reason\":null}]}\n\n";
    },
    [](const std::string& t) {
      return "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":" +
             Quoted(t) + "},\"finish_reason\":null}]}\n\n";
    },
    "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}\n\n"
    "data: [DONE]\n\n",
    "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}\n\n"};
inline const SpokenDialect kAnthropic = {
    "/v1/messages",
    "text/event-stream",
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"type\":\"message\","
    "\"role\":\"assistant\",\"model\":\"m\",\"content\":[],"
    "\"stop_reason\":null,\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{"
    "\"type\":\"text\",\"text\":\"\"}}\n\n",
    [](const std::string& t) {
      return "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
             "\"type\":\"text_delta\",\"text\":" +
             Quoted(t) + "}}\n\n";
    },
    [](const std::string& t) {
      return "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
             "\"type\":\"thinking_delta\",\"thinking\":" +
             Quoted(t) + "}}\n\n";
    },
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
    "\"output_tokens\":3}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n"};

// The text of the answers.
inline constexpr std::string_view kWords = "Waves roll in, and \"calm\" water\nlies behind the wall: 42 \\o/ done true [DONE]";

// A whole answer that says it, in frames of random sizes and with comments between them.
std::string DrawBody(const SpokenDialect& dialect, base::Random& random, bool thinks);

// The number in an environment variable.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);

// What a client makes of what it got.
struct Received {
  int status = 0;
  std::string head;
  std::string body;         // without chunk framing
  bool http_ended = false;  // the message is whole as HTTP frames it
  std::string text;         // what the frames say
  std::string thinking;
  bool saw_error = false;  // an error frame
  bool saw_end = false;    // done, [DONE], message_stop; before any error
  int ends = 0;

  // Whether the client gives the answer to its user as complete. Streams only.
  bool is_taken_for_complete(const SpokenDialect& dialect) const {
    if (status != 200 || saw_error) return false;
    if (saw_end) return true;
    return &dialect == &kOpenAi && http_ended;  // its SDK takes a clean end for one, [DONE] or not
  }
};
Received ReadAsClient(const SpokenDialect& dialect, std::string_view bytes, bool was_reset);

// The answer of a server, and what goes wrong with it.
struct ServerPlan {
  int status = 200;
  std::string content_type;
  std::string body;
  enum class Fault : uint8_t { kNone, kFin, kReset, kStall, kCleanEnd } fault = Fault::kNone;
  size_t fault_at = 0;       // bytes of the body that come before it
  bool chunked = true;       // false: the end of the connection is the end of the body
  bool last_chunk = true;    // of a whole body; false: the connection just ends
  uint64_t piece_seed = 0;   // how the body is cut into writes; 0: one
};
// Answers each request on the connections of a SimServer with *plan.
std::function<void(SimPeer&)> Serving(const ServerPlan* plan, std::vector<std::string>* requests = nullptr);

std::string StreamRequest(const SpokenDialect& dialect, const std::string& body = "{\"model\":\"m\",\"stream\":true,"
                                                                                  "\"messages\":[]}");

// Sends it on a connection of its own and waits, in virtual time, for the end.
Received Ask(SimGateway& gateway, const SpokenDialect& dialect, const std::string& request);

}  // namespace tests
