// Reads the few members of a JSON text that tell dialects apart, without building a tree or looking into the other values: requests
// of megabytes pass here on the loop. Not for values that a policy reads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace runtime::dialect {

struct Members {
  bool is_object = false;
  std::optional<bool> stream;  // stream
  std::string model;           // model, if it is a string
  bool has_done = false;       // done, whatever its type
  bool has_error = false;      // error, unless null
};

// Nothing if `text` is not one JSON value as far as its brackets, strings and names show it: what else is wrong within a value that
// nobody reads is for the server to find. Of equal names the last one counts, as in Go's decoder (Ollama).
std::optional<Members> ReadMembers(std::string_view text);

}  // namespace runtime::dialect
