// How many tests `breakwater test` runs in a second: those of the policies that are named, compiled once and run again and again on one
// core. CPU time. Fails if a test does.
//   policy_tests_bench FILE…
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

#include "compiler/compile.h"
#include "runtime/tester/test_runner.h"

namespace {

double CpuSeconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

}  // namespace

int main(int argc, char** argv) {
  constexpr double kSecondsEach = 1;
  std::printf("| policy | tests | compile, ms | tests a second |\n|---|---|---|---|\n");
  double all_tests = 0;
  double all_seconds = 0;
  for (int i = 1; i < argc; ++i) {
    std::ifstream in(argv[i], std::ios::binary);
    std::ostringstream read;
    read << in.rdbuf();
    const std::string text = read.str();
    compiler::diagnostics::Diagnostics diagnostics;
    const double begin = CpuSeconds();
    auto written = compiler::CheckWritten(text, {}, &diagnostics);
    if (!written) {
      std::fprintf(stderr, "%s: %s\n", argv[i], diagnostics.empty() ? "" : diagnostics.items()[0].message.c_str());
      return 1;
    }
    if (written->tests.empty()) continue;
    auto compiled = compiler::CompileChecked(std::move(written->policy), written->hash, &diagnostics);
    if (compiled == nullptr) {
      std::fprintf(stderr, "%s: not compiled\n", argv[i]);
      return 1;
    }
    const runtime::tester::TestRunner runner(std::move(compiled));
    const double compiled_at = CpuSeconds();
    size_t ran = 0;
    double seconds = 0;
    for (; seconds < kSecondsEach; seconds = CpuSeconds() - compiled_at) {
      for (const auto& test : written->tests) {
        ++ran;
        if (runner.Run(test, text).passed()) continue;
        std::fprintf(stderr, "%s: %s fails\n", argv[i], test.name.c_str());
        return 1;
      }
    }
    std::printf("| %s | %zu | %.0f | %.0f |\n", argv[i], written->tests.size(), 1000 * (compiled_at - begin),
                static_cast<double>(ran) / seconds);
    std::fflush(stdout);
    all_tests += static_cast<double>(ran);
    all_seconds += seconds;
  }
  if (all_seconds == 0) return 1;
  std::printf("| all | | | %.0f |\n", all_tests / all_seconds);
}
