#include "runtime/proxy/error_messages.h"

#include <utility>

namespace runtime::proxy {

engine::Refusal RefusalOf(http::ReadProblem problem) { return {http::Name(problem), 400, true, http::Explain(problem)}; }

std::string_view MessageFor(std::string_view reason) {
  static constexpr std::pair<std::string_view, std::string_view> kMessages[] = {
      {"breaker_open", "The model server is failing; requests to it are paused for a moment. Try again later."},
      {"queue_full", "The model server is busy and its queue is full. Try again later."},
      {"queue_timeout", "The model server is busy; the turn of this request would come too late. Try again later."},
      {"deadline", "The request could not be answered within its deadline."},
      {"connect_failure", "The model server can't be reached."},
      {"refused", "The model server refuses connections."},
      {"dns_failure", "The name of the model server has no address."},
      {"connect_timeout", "The model server did not accept the connection in time."},
      {"tls_failure", "The TLS handshake with the model server failed."},
      {"reset", "The model server closed the connection before it answered."},
      {"first_token_timeout", "The model server did not begin its answer in time."},
      {"idle_timeout", "The answer of the model server stood still for too long."},
      {"attempt_timeout", "The model server did not finish its answer in time."},
      {"client_timeout", "The request was not received, or its answer not read, within its deadline."},
      {"exhausted", "The gateway has no connection left to ask the model server with. Try again later."},
      {"stopping", "The gateway is being stopped. Try again."},
      {"truncated", "The model server cut its answer off."},
      {"bad_response", "The model server answered with something that is no valid answer."},
      {"stream_error", "The model server reported an error in the middle of its answer."},
  };
  for (const auto& [code, message] : kMessages) {
    if (code == reason) return message;
  }
  for (const engine::Refusal& refusal : engine::kRefusals) {
    if (refusal.reason == reason) return refusal.text;
  }
  return "The request could not be answered.";
}

}  // namespace runtime::proxy
