// Any bytes as a policy: edits lie in the text, and fixing ends with no more errors than before.
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "compiler/fix.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2000) return 0;  // each fix checks again
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  compiler::FixOptions options;
  options.unsafe = true;
  options.compile.environment = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };
  compiler::diagnostics::Diagnostics found;
  compiler::CheckPolicy(text, options.compile, &found);
  for (const auto& item : found.items()) {
    if (!item.fix) continue;
    for (const auto& edit : item.fix->edits) {
      if (edit.range.begin > edit.range.end || edit.range.end > size) std::abort();
    }
  }
  if (compiler::FixPolicy(text, options).diagnostics.errors() > found.errors()) std::abort();
  return 0;
}
