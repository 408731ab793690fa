// One line for each command of an ExchangeMachine, so that a test can write down what it expects to see.
#pragma once

#include <string>

#include "compiler/model/policy.h"
#include "runtime/engine/exchange_events.h"

namespace tests {

// "start ollama 1", "record_ended ollama 1 status_500 failure 20ms", "send_reply static_response fallback refused" …
std::string Describe(const runtime::engine::Command& command, const compiler::model::Policy& policy);

std::string DescribeDuration(std::chrono::nanoseconds d);  // in ms, as short as it is exact: "500ms", "0.5ms"

}  // namespace tests
