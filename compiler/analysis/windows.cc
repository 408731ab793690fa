#include "compiler/analysis/windows.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace compiler::analysis {
namespace {

using abi::WindowMeasureKind;
using model::Duration;

constexpr long double kInfinity = std::numeric_limits<long double>::infinity();

// The bounds of a count, made tighter by what the others say.
struct Bounds {
  long double low = 0;
  long double high = kInfinity;

  void AtLeast(long double value) { low = std::max(low, value); }
  void AtMost(long double value) { high = std::min(high, value); }
  bool is_possible() const { return low <= high; }
};

// Of one window. requests = failures + successes.
struct Counts {
  Bounds requests;
  Bounds failures;
  Bounds successes;
  Bounds failed_requests;
  Bounds ratio{0, 1};

  bool is_possible() const {
    return requests.is_possible() && failures.is_possible() && successes.is_possible() && failed_requests.is_possible() &&
           ratio.is_possible();
  }
  void Tighten();
};

void Counts::Tighten() {
  requests.AtLeast(failures.low + successes.low);
  requests.AtMost(failures.high + successes.high);
  failures.AtMost(requests.high - successes.low);
  successes.AtMost(requests.high - failures.low);
  if (successes.high < kInfinity) failures.AtLeast(requests.low - successes.high);
  if (failures.high < kInfinity) successes.AtLeast(requests.low - failures.high);
  // A client's request that failed is an attempt that did.
  failures.AtLeast(failed_requests.low);
  failed_requests.AtMost(failures.high);
  if (ratio.low > 0) {
    failures.AtLeast(std::max(1.0L, std::ceil(ratio.low * requests.low)));
    if (failures.high < kInfinity) requests.AtMost(std::floor(failures.high / ratio.low));
  }
  if (ratio.high < 1) {
    if (requests.low > 0) successes.AtLeast(std::ceil((1 - ratio.high) * requests.low));
    if (requests.high < kInfinity) failures.AtMost(std::floor(ratio.high * requests.high));
  }
}

}  // namespace

const model::WindowMeasure& MeasureOf(const Subject& subject, const model::BreakerSettings& settings) {
  return settings.measures[static_cast<size_t>(subject.slot)];
}

bool CanBe(const Cell& cell, const model::BreakerSettings& settings) {
  std::map<Duration, Counts> windows;
  for (const auto& [subject, domain] : cell.domains) {
    if (subject.kind != Subject::Kind::kWindow || domain.number.empty()) continue;
    const model::WindowMeasure& measure = MeasureOf(subject, settings);
    const long double low = domain.number.lowest();
    const long double high = domain.number.highest();
    Counts& counts = windows[measure.window];
    const auto take = [&](Bounds& bounds) { bounds.AtLeast(low), bounds.AtMost(high); };
    switch (measure.kind) {
      case WindowMeasureKind::kRequests: take(counts.requests); break;
      case WindowMeasureKind::kFailures: take(counts.failures); break;
      case WindowMeasureKind::kSuccesses: take(counts.successes); break;
      case WindowMeasureKind::kFailedRequests: take(counts.failed_requests); break;
      case WindowMeasureKind::kFailureRatio: {
        take(counts.ratio);
        const bool is_more_than_none = domain.number.ranges().front().low_open || low > 0;
        if (is_more_than_none) counts.failures.AtLeast(1);
        break;
      }
      case WindowMeasureKind::kSlowRatio:
      case WindowMeasureKind::kLatency:
        if (low > 0 || domain.number.ranges().front().low_open) counts.requests.AtLeast(1);
        break;
      case WindowMeasureKind::kConsecutiveFailures: break;
    }
  }
  for (int round = 0; round < 8; ++round) {
    Counts* shorter = nullptr;
    for (auto& [window, counts] : windows) {
      counts.Tighten();
      if (!counts.is_possible()) return false;
      if (window == Duration::zero()) continue;
      if (shorter != nullptr) {
        const auto order = [](Bounds& less, Bounds& more) { more.AtLeast(less.low), less.AtMost(more.high); };
        order(shorter->requests, counts.requests);
        order(shorter->failures, counts.failures);
        order(shorter->successes, counts.successes);
        order(shorter->failed_requests, counts.failed_requests);
      }
      shorter = &counts;
    }
  }
  return std::all_of(windows.begin(), windows.end(), [](const auto& one) { return one.second.is_possible(); });
}

std::vector<Cell> PossibleCells(const Region& region, const model::BreakerSettings& settings) {
  std::vector<Cell> cells;
  for (const Cell& cell : region.cells()) {
    if (CanBe(cell, settings)) cells.push_back(cell);
  }
  return cells;
}

Region WhileWell(const model::BreakerSettings& settings) {
  Region well = Region::Everything();
  for (size_t slot = 0; slot < settings.measures.size(); ++slot) {
    const WindowMeasureKind kind = settings.measures[slot].kind;
    const auto info = abi::WindowMeasures()[static_cast<size_t>(kind)];
    model::Expr window;
    window.kind = model::ExprKind::kWindow;
    window.type = info.type;
    window.slot = static_cast<int32_t>(slot);
    const Subject subject = *SubjectOf(window);
    Domain domain = Universe(subject);
    long double most = 0;
    if (kind == WindowMeasureKind::kRequests || kind == WindowMeasureKind::kSuccesses) continue;
    // Nobody calls that slow.
    constexpr Duration kQuick = std::chrono::milliseconds(100);
    if (kind == WindowMeasureKind::kSlowRatio && settings.measures[slot].over < kQuick) continue;
    if (kind == WindowMeasureKind::kLatency) most = static_cast<long double>(kQuick.count());
    domain.number = domain.number.And(NumberSet::Of(false, {0, most, false, false}));
    well = well.And(Region::Where(subject, std::move(domain)));
  }
  return well;
}

}  // namespace compiler::analysis
