// Writes a file so that at any moment either the old or the new text is there.
#pragma once

#include <string>
#include <string_view>

namespace cli {

// Follows symbolic links and keeps the permissions of the file. False, and the reason, if it cannot be written; the file is as it
// was then.
bool WriteFileAtomically(const std::string& path, std::string_view text, std::string* why);

}  // namespace cli
