// Any bytes as a policy: what can be read is formatted without a refusal, and formatting twice is formatting once.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "compiler/format/format.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto format = [](std::string_view text) {
    compiler::diagnostics::Diagnostics diagnostics;
    std::string refusal;
    auto formatted = compiler::format::FormatPolicy(text, &diagnostics, &refusal);
    if (!refusal.empty() || (!formatted && !diagnostics.has_errors())) std::abort();
    return formatted;
  };
  const auto once = format({reinterpret_cast<const char*>(data), size});
  if (once && format(*once) != once) std::abort();
  return 0;
}
