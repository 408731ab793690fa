// What every command exits with. Of several, the worst counts.
#pragma once

namespace cli {

inline constexpr int kClean = 0;
inline constexpr int kFindings = 1;
inline constexpr int kUnreadable = 2;  // a file cannot be read or parsed, or the command line is wrong
inline constexpr int kInternal = 3;    // a fault of ours

}  // namespace cli
