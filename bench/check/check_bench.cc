// What `breakwater check` costs: policies of 100 to 10,000 routes, parsed, typed and checked. CPU time, the best of several runs, and
// the most memory that the process had; what grows faster than the number of routes shows in the last column.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

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

}  // namespace

int main() {
  std::printf("| routes of %d tokens | KiB | CPU, ms | most memory, MiB | µs each |\n|---|---|---|---|---|\n",
              kTokensOfARoute);
  for (const int routes : {100, 200, 1000, 2000, 5000, 10000}) {
    const std::string policy = PolicyOf(routes);
    if (policy.size() > compiler::source::kMaxFileBytes) return 1;
    const double time = Measure(policy, routes < 5000 ? 10 : 3);
    std::printf("| %d | %zu | %.1f | %ld | %.1f |\n", routes, policy.size() / 1024, time, PeakMebibytes(),
                1000 * time / routes);
    std::fflush(stdout);
  }
}
