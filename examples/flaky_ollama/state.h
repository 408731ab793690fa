// What a running flaky_ollama remembers: settings, planned faults, counters and the last requests, and the control endpoint
// that shows and changes them. No sockets.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "examples/flaky_ollama/fault.h"
#include "examples/flaky_ollama/settings.h"
#include "base/time.h"

namespace examples::flaky_ollama {

struct Reply {
  int status = 200;
  std::string content_type = "application/json; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// A request as it came in, for tests that ask what a proxy made of theirs.
struct RequestRecord {
  uint64_t number = 0;  // of a request for an answer; 0 for all others
  int64_t at_ms = 0;    // when it was read whole, since the start of the server
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;     // its first kRecordedBody bytes
  std::string outcome;  // a fault's name, "aborted", "down"; empty while it is under way
};

class State {
 public:
  static constexpr size_t kRecords = 256;
  static constexpr size_t kRecordedBody = 4096;

  explicit State(const Settings& initial) : settings(initial) {}

  Settings settings;
  FaultSchedule schedule;

  // Counters. At every moment: requests = in_flight + all outcomes + aborted + cut_by_down.
  uint64_t connections = 0;
  uint64_t requests = 0;  // for an answer: chat, generate, OpenAI's chat; also the number of the latest one
  int64_t in_flight = 0;
  int64_t most_in_flight = 0;
  uint64_t aborted = 0;  // the client left before its answer was complete
  uint64_t cut_by_down = 0;
  uint64_t downs = 0;
  uint64_t tokens = 0;  // generated
  std::array<uint64_t, kFaultKinds> outcomes{};
  std::map<std::string, uint64_t, std::less<>> by_path;

  // Of requests other than to /control.
  void CountPath(std::string_view path);
  // Keeps the last kRecords.
  void Record(RequestRecord record);
  void SetOutcome(uint64_t number, std::string_view outcome);

  // Everything back to the start, settings excepted: the next request is number 1 again. Refused while requests are under
  // way, since their ends would be counted without their beginnings.
  bool Reset();

  nlohmann::ordered_json ToJson() const;
  nlohmann::ordered_json RecordsToJson() const;

 private:
  std::deque<RequestRecord> records_;
};

struct ControlReply {
  Reply reply;
  std::optional<base::Duration> down_for;  // what only the server can do
};

// Requests to /control and below.
ControlReply Control(std::string_view method, std::string_view path, std::string_view body, State* state);

}  // namespace examples::flaky_ollama
