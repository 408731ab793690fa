// Pieces of policies as text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace compiler::migrate {

// Go's durations ("15s", "1m30s", "500ms", "1.5h") to what the language writes: "15s", "90s". Nothing if it is none.
std::optional<std::string> DurationText(std::string_view text);
int64_t Milliseconds(std::string_view duration);  // of what DurationText gave

// A string with its quotes. A ${ … } stays an interpolation if `keep_interpolations`, else it stands for itself.
std::string StringText(std::string_view text, bool keep_interpolations);

// One line, for comments.
std::string OneLine(std::string_view text);

// Names of blocks: what cannot stand in a name becomes `_`, capitals small letters, and a name that is taken gets a number.
class Names {
 public:
  std::string Give(std::string_view wanted);

 private:
  std::map<std::string, int> taken_;
};

}  // namespace compiler::migrate
