// Requests that the gateway refuses by itself (refusals.def). Whoever finds the reason tells the ExchangeMachine, which ends the
// exchange with it.
#pragma once

#include <string_view>

namespace runtime::engine {

struct Refusal {
  std::string_view reason;  // static, as `text`
  int status = 400;
  bool counts = true;       // in bad_request_total
  std::string_view text;
};

namespace refusals {
#define REFUSAL(reason, status, counts, text) inline constexpr Refusal reason{#reason, status, (counts) != 0, text};
#include "runtime/engine/refusals.def"
#undef REFUSAL
}  // namespace refusals

inline constexpr Refusal kRefusals[] = {
#define REFUSAL(reason, status, counts, text) refusals::reason,
#include "runtime/engine/refusals.def"
#undef REFUSAL
};

}  // namespace runtime::engine
