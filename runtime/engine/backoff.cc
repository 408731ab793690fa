#include "runtime/engine/backoff.h"

#include <algorithm>
#include <cmath>

namespace runtime::engine {

base::Duration BackoffWait(const compiler::model::BackoffSettings& settings, int retry, base::Random& random) {
  const double cap = static_cast<double>(settings.cap.count());
  const double grown = static_cast<double>(settings.from.count()) * std::pow(settings.factor, retry - 1);
  double wait = std::isfinite(grown) ? std::min(cap, grown) : cap;  // beyond a double is beyond the cap
  if (settings.jitter > 0) wait *= 1 - std::min(settings.jitter, 1.0) * random.Fraction();
  return base::Duration(std::llround(std::max(wait, 0.0)));
}

}  // namespace runtime::engine
