// The gateway under test: the real executable with a policy of the test's, its log lines and access log read as JSON.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/child_process.h"
#include "tests/support/raw_client.h"
#include "tests/support/wait.h"

namespace tests::support {

struct GatewayOptions {
  std::vector<std::string> arguments = {"--workers", "2"};
  ChildProcess::Environment environment;
  std::string executable = BREAKWATER_EXECUTABLE;
  bool waits_for_ready = true;
};

class GatewayProcess {
 public:
  // Starts it and waits until it is ready; throws with what it printed if it does not become so. In `policy`, port 0
  // lets the system choose.
  explicit GatewayProcess(const std::string& policy, GatewayOptions options = {});

  // A sanitizer's report among its lines fails the test: the process itself may go on after one.
  ~GatewayProcess();

  uint16_t port() const;        // of the first address for traffic
  uint16_t admin_port() const;  // of the admin address; that for traffic where they share one

  // Log lines (standard error) and lines of the access log (standard output) so far. Lines that are not JSON are
  // strings.
  std::vector<Json> events() const;
  std::vector<Json> accesses() const;

  // The first line that `matches`, waiting for it. Throws, with all lines, if none comes.
  Json WaitForEvent(const std::function<bool(const Json&)>& matches, Clock::duration limit = kPatience) const;
  Json WaitForEvent(const std::string& message, Clock::duration limit = kPatience) const;
  Json WaitForAccess(const std::function<bool(const Json&)>& matches, Clock::duration limit = kPatience) const;
  Json WaitForAccess(const std::string& request_id, Clock::duration limit = kPatience) const;
  int CountEvents(const std::string& message, int at_least = 0) const;  // waits for so many: another thread writes them

  // GET on the admin address.
  Json Health(const std::string& breaker) const;
  // The value of a metric's line, as "name{labels}"; nothing if there is no such line.
  std::optional<double> Metric(const std::string& series) const;

  ChildProcess& process() { return *process_; }
  const TempDir& folder() const { return folder_; }

 private:
  std::vector<Json> Parse(const std::vector<std::string>& lines) const;
  std::string Everything() const;

  TempDir folder_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace tests::support
