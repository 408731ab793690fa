// What `breakwater check` costs: policies of 100 to 10,000 routes, parsed, typed and checked. CPU time, the best of several runs, and
// the most memory that the process had; and the power of the number of routes with which the time grows, which 1 stands for linear in.
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_buffer.h"

namespace {

constexpr int kTokensOfARoute = 35;

// In base 36, which is shorter.
std::string Number(int n) {
  std::string out;
  for (; n > 0 || out.empty(); n /= 36) out.insert(out.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[n % 36]);
  return out;
}

// Routes that differ, each with two sets, a fallback and a deadline, so short that 10,000 fit into the largest policy.
std::string PolicyOf(int routes) {
  std::string text =
      "edition 1\ngateway{listen=\"127.0.0.1:8080\"}\nupstream a{url=\"http://a\" attempt_timeout=9s}\nreply "
      "b{status=404}\n";
  for (int i = 0; i < routes; ++i) {
    const std::string number = Number(i);
    text += "route r" + number + "{when request.path in{\"/" + number +
            "\",\"/-\"}and request.method in{GET,PUT}to=a fallback=[b]deadline=9s}\n";
  }
  return text + "route z{reply=b}\n";
}

double CpuMilliseconds() { return 1000.0 * static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

long PeakMebibytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

double Measure(const std::string& policy, int runs) {
  double best = 1e9;
  for (int run = 0; run < runs; ++run) {
    compiler::diagnostics::Diagnostics diagnostics;
    const double begin = CpuMilliseconds();
    const auto checked = compiler::CheckPolicy(policy, {}, &diagnostics);
    best = std::min(best, CpuMilliseconds() - begin);
    if (!checked || !diagnostics.empty()) {
      const bool says = !diagnostics.empty();
      std::fprintf(stderr, "the policy is not clean: %s\n", says ? diagnostics.items()[0].message.c_str() : "");
      std::exit(1);
    }
  }
  return best;
}

// The slope of log(time) over log(routes) by least squares: 1 if the time grows as the routes do, 2 if some step looks at pairs.
double ExponentOf(const std::vector<std::pair<double, double>>& times) {
  double x = 0, y = 0, xx = 0, xy = 0;
  for (const auto& [routes, time] : times) {
    x += std::log(routes);
    y += std::log(time);
    xx += std::log(routes) * std::log(routes);
    xy += std::log(routes) * std::log(time);
  }
  const auto n = static_cast<double>(times.size());
  return (n * xy - x * y) / (n * xx - x * x);
}

}  // namespace

// With two arguments: routes and runs, for a profiler.
int main(int argc, char** argv) {
  if (argc == 3) {
    std::printf("%.1f ms\n", Measure(PolicyOf(std::atoi(argv[1])), std::atoi(argv[2])));
    return 0;
  }
  std::printf(
      "| routes of %d tokens | KiB | CPU, ms | µs each | µs each further one | most memory, MiB |\n"
      "|---|---|---|---|---|---|\n",
      kTokensOfARoute);
  std::vector<std::pair<double, double>> times;
  for (const int routes : {100, 300, 1000, 3000, 10000}) {
    const std::string policy = PolicyOf(routes);
    if (policy.size() > compiler::source::kMaxFileBytes) return 1;
    const double time = Measure(policy, std::max(5, 10000 / routes));
    const auto [before, time_before] = times.empty() ? std::pair(0.0, 0.0) : times.back();
    std::printf("| %d | %zu | %.1f | %.1f | %.1f | %ld |\n", routes, policy.size() / 1024, time, 1000 * time / routes,
                1000 * (time - time_before) / (routes - before), PeakMebibytes());
    std::fflush(stdout);
    times.emplace_back(routes, time);
  }
  std::printf("\nThe time grows with the routes to the power of %.2f.\n", ExponentOf(times));
}
