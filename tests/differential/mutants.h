// Requests with something wrong in them: the cases of tests/runtime/http/request_cases.h and classic attacks, bytes and
// tokens of which are changed at random.
#pragma once

#include <string>

#include "base/random.h"

namespace tests::differential {

// One connection's worth of bytes.
std::string Mutant(base::Random* random);

}  // namespace tests::differential
