// Reads the few members of a JSON text that tell dialects apart and answers complete, without building a tree: one
// pass of a SAX parser. Not for values that a policy reads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace runtime::dialect {

struct Members {
  bool is_object = false;
  std::optional<bool> stream;  // stream
  std::string model;           // model, if it is a string
  std::optional<bool> done;    // done
  bool has_done = false;       // whatever its type
  bool has_error = false;      // error, unless null
  bool has_finish = false;     // choices[…].finish_reason, unless null in all of them
};

// Nothing if `text` is not one JSON value. Of equal names the last one counts, as in Go's decoder (Ollama).
std::optional<Members> ReadMembers(std::string_view text);

}  // namespace runtime::dialect
