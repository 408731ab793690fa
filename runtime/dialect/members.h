// Reads the few members of a JSON text that tell dialects apart, without building a tree or looking into the other values. Not for
// values that a policy reads (http/json_members).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace runtime::dialect {

struct Members {
  bool is_object = false;
  std::optional<bool> stream;  // stream
  std::string model;           // model, if it is a string
  int64_t n = 1;               // n: choices that are asked for; 1 … 128, 1 where it is none
  int64_t prompts = 1;         // prompt: how many stand in it, 1 … 128, where it is an array of texts or of lists
  bool has_done = false;       // done, whatever its type
  bool has_error = false;      // error, unless null
};

// Nothing if `text` is not exactly one JSON value (RFC 8259). Of equal names the last one counts, as in Go's decoder (Ollama).
std::optional<Members> ReadMembers(std::string_view text);

}  // namespace runtime::dialect
