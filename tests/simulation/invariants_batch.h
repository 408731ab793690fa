// What one event led to, as the parts of Invariants hand it on. Private to them.
#pragma once

#include <optional>

#include "tests/simulation/invariants.h"

namespace tests::simulation {

struct Invariants::Batch {
  const ExchangeView& view;
  ShadowExchange& exchange;
  const runtime::engine::Event& event;
  const runtime::engine::Commands& commands;
  TimePoint now;
  std::optional<TimePoint> deadline;
};

}  // namespace tests::simulation
