// What tests see of an ExchangeMachine from inside, to break it or to name its state.
#pragma once

#include "runtime/engine/exchange_state.h"

namespace runtime::engine {

struct ExchangeMachinePeer {
  using State = ExchangeMachine::State;
  using Phase = State::Phase;
  static State& Of(ExchangeMachine& machine) { return *machine.state_; }
  static std::string_view NameOf(Phase phase) { return State::PhaseName(phase); }
  static std::string_view NameOf(const Event& event) { return State::NameOf(event); }
};

}  // namespace runtime::engine
