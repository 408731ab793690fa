// Times as Ollama writes them, in the seconds that OpenAI counts.
#pragma once

#include <cstdint>
#include <string_view>

namespace runtime::dialect {

// Seconds since 1970 of "2026-01-28T10:20:00Z", fractions dropped, an offset (+02:00) honoured; 0 if it is not a time.
int64_t UnixSeconds(std::string_view rfc3339);

}  // namespace runtime::dialect
