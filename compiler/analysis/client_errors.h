// Statuses that say what the client did wrong, in conditions where they don't belong: the same request fails again, and the
// server is well.
#pragma once

#include <cstdint>
#include <functional>
#include <set>

#include "compiler/analysis/abstract.h"
#include "compiler/analysis/context.h"

namespace compiler::analysis {

struct ClientErrorRule {
  Kind kind;
  std::function<Known(int status)> at;  // the facts under which the condition is asked
  bool keeps_429 = false;               // 4xx becomes 429, which is no mistake here
};

// Tells of each word of the line that stands for such a status, once in all lines of a block (`seen`: where words begin), and
// offers to take it out. `lines`: how many the block has.
void TellClientErrors(Context& context, const Context::Line& line, size_t lines, const ClientErrorRule& rule,
                      std::set<uint32_t>* seen);

}  // namespace compiler::analysis
