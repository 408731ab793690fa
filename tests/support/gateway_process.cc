// Starting the gateway and reading what it says.
#include "tests/support/gateway_process.h"

#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

namespace tests::support {
namespace {

Json ParseLine(const std::string& line) {
  Json json = Json::parse(line, nullptr, false);
  return json.is_discarded() ? Json(line) : json;
}

// The first of `lines` that matches. *seen counts the lines that were looked at, so that waiting never reads one twice.
std::optional<Json> FindLine(const std::vector<std::string>& lines, const std::function<bool(const Json&)>& matches,
                             size_t* seen) {
  for (const std::string& line : lines) {
    ++*seen;
    const Json json = ParseLine(line);
    if (json.is_object() && matches(json)) return json;
  }
  return std::nullopt;
}

bool HasMessage(const Json& event, const std::string& message) { return event.value("message", "") == message; }

uint16_t PortOf(const Json& listening) {
  const std::string address = listening.value("address", "");
  return static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
}

}  // namespace

GatewayProcess::GatewayProcess(const std::string& policy, GatewayOptions options) {
  std::vector<std::string> command = {options.executable, "run", folder_.Write("test.policy", policy)};
  command.insert(command.end(), options.arguments.begin(), options.arguments.end());
  process_ = std::make_unique<ChildProcess>(command, options.environment);
  if (!options.waits_for_ready) return;
  size_t seen = 0;
  const bool is_ready = WaitUntil([&] {
    return FindLine(
               process_->err(seen), [](const Json& event) { return HasMessage(event, "ready"); }, &seen)
               .has_value() ||
           !process_->is_running();
  });
  if (!is_ready || !process_->is_running())
    throw std::runtime_error("the gateway did not become ready\n" + Everything());
}

GatewayProcess::~GatewayProcess() {
  for (const std::string& line : process_->err()) {
    const bool is_report =
        line.find("Sanitizer: ") != std::string::npos || line.find("runtime error: ") != std::string::npos;
    if (!is_report) continue;
    ADD_FAILURE() << "a sanitizer spoke up in the gateway\n" << Everything();
    break;
  }
}

uint16_t GatewayProcess::port() const {
  return PortOf(
      WaitForEvent([](const Json& e) { return HasMessage(e, "listening") && e.value("role", "") != "admin"; }));
}

uint16_t GatewayProcess::admin_port() const {
  for (const Json& event : events()) {
    if (event.is_object() && HasMessage(event, "listening") && event.value("role", "") == "admin") return PortOf(event);
  }
  return port();
}

std::vector<Json> GatewayProcess::Parse(const std::vector<std::string>& lines) const {
  std::vector<Json> parsed;
  for (const std::string& line : lines) parsed.push_back(ParseLine(line));
  return parsed;
}
std::vector<Json> GatewayProcess::events() const { return Parse(process_->err()); }
std::vector<Json> GatewayProcess::accesses() const { return Parse(process_->out()); }

std::string GatewayProcess::Everything() const {
  std::string text;
  for (const std::string& line : process_->err()) text += "err: " + line + "\n";
  for (const std::string& line : process_->out()) text += "out: " + line + "\n";
  return text;
}

Json GatewayProcess::WaitForEvent(const std::function<bool(const Json&)>& matches, Clock::duration limit) const {
  std::optional<Json> found;
  size_t seen = 0;
  WaitUntil([&] { return (found = FindLine(process_->err(seen), matches, &seen)).has_value(); }, limit);
  if (!found.has_value()) throw std::runtime_error("no such event\n" + Everything());
  return *found;
}

Json GatewayProcess::WaitForEvent(const std::string& message, Clock::duration limit) const {
  return WaitForEvent([&](const Json& event) { return HasMessage(event, message); }, limit);
}

Json GatewayProcess::WaitForAccess(const std::function<bool(const Json&)>& matches, Clock::duration limit) const {
  std::optional<Json> found;
  size_t seen = 0;
  WaitUntil([&] { return (found = FindLine(process_->out(seen), matches, &seen)).has_value(); }, limit);
  if (!found.has_value()) throw std::runtime_error("no such line in the access log\n" + Everything());
  return *found;
}

Json GatewayProcess::WaitForAccess(const std::string& request_id, Clock::duration limit) const {
  return WaitForAccess([&](const Json& access) { return access.value("request_id", "") == request_id; }, limit);
}

int GatewayProcess::CountEvents(const std::string& message, int at_least) const {
  int count = 0;
  const auto look = [&] {
    count = 0;
    for (const Json& event : events()) count += event.is_object() && HasMessage(event, message) ? 1 : 0;
    return count >= at_least;
  };
  WaitUntil(look);
  return count;
}

Json GatewayProcess::Health(const std::string& breaker) const {
  return Get(admin_port(), "/health/circuit-breaker/" + breaker).json();
}

std::optional<double> GatewayProcess::Metric(const std::string& series) const {
  std::istringstream lines(Get(admin_port(), "/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(series + " ")) return std::stod(line.substr(series.size() + 1));
  }
  return std::nullopt;
}

}  // namespace tests::support
