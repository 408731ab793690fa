#include "compiler/abi/predicate_image.h"

namespace compiler::abi {

bool RunsHere([[maybe_unused]] std::string_view level) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  bool has = true;
  for (const std::string_view known : kCpuLevels) {
    if (known == "x86-64-v2") {
      has = has && __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
    } else if (known == "x86-64-v3") {
      has = has && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
            __builtin_cpu_supports("fma");
    } else if (known == "x86-64-v4") {
      has = has && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
            __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    }
    if (known == level) return has;
  }
#endif
  return false;
}

std::string_view CpuLevelHere() {
  std::string_view highest;
  for (const std::string_view level : kCpuLevels) {
    if (RunsHere(level)) highest = level;
  }
  return highest;
}

}  // namespace compiler::abi
