// See service_time.h.
#include "examples/flaky_ollama/service_time.h"

#include <algorithm>

#include "examples/flaky_ollama/fault.h"

namespace examples::flaky_ollama {
namespace {

using base::Duration;

Duration Scaled(Duration time, double factor) {
  return Duration(static_cast<int64_t>(static_cast<double>(time.count()) * factor));
}

}  // namespace

Duration ServiceTime(const Settings& settings, int64_t in_flight) {
  const auto parallel = static_cast<double>(settings.parallel);
  const double overload = std::max(0.0, (static_cast<double>(in_flight) - parallel) / parallel);
  const double ms = settings.service_ms + (settings.overload_service_ms - settings.service_ms) * overload;
  return Duration(static_cast<int64_t>(std::max(0.0, ms) * settings.time_scale * 1e6));
}

double SpeedFactor(const Settings& settings, uint64_t number) {
  const double draw = RandomFor(settings.seed, number, /*salt=*/2).Fraction();
  return 1.0 + settings.jitter * (2.0 * draw - 1.0);
}

Duration PromptTime(const Settings& settings, int64_t in_flight, double factor) {
  return Scaled(ServiceTime(settings, in_flight), factor * settings.prompt_share);
}

Duration TokenTime(const Settings& settings, int64_t in_flight, double factor, int64_t tokens) {
  // The first token comes with the end of the prompt; the closing mark takes the place of one more.
  return Scaled(ServiceTime(settings, in_flight),
                factor * (1.0 - settings.prompt_share) / static_cast<double>(std::max<int64_t>(tokens, 1)));
}

}  // namespace examples::flaky_ollama
