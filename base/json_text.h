// JSON as text (RFC 8259): values put into strings, one form for texts that mean the same, and merge patches that leave the
// bytes of what they do not touch. No tree outlives a call.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/json_reader.h"

namespace base {

// Appends what stands between the quotes of a JSON string that is `text`. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonEscaped(std::string_view text, std::string* out);

// The same text for texts that mean the same: no blanks, members in the order of their names, no needless escapes. Numbers
// stay as written, so 1 and 1.0 differ: two meanings never become one. Members of the outermost object that `without` names are
// left out. nullopt: not JSON, too deep, or an object names a member twice. One pass, and a sort of the names of each object.
std::optional<std::string> CanonicalJson(std::string_view text, std::span<const std::string_view> without);

enum class MergeOutcome : uint8_t {
  kMerged,
  kNotAnObject,  // no JSON, or another value
  kTooDeep,
  kDuplicate,  // a name that the patch changes, or one of its own, stands twice: servers differ in which of them counts
  kFolded,     // a name is one of the patch's in other letters, and some servers (Go's) take it for that one
};

// RFC 7396: `patch`, an object, on the object `target`. Bytes that it does not touch stay. Time grows with the length of both.
MergeOutcome MergePatch(std::string_view target, std::string_view patch, std::string* out);

}  // namespace base
