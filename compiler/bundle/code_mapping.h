// Predicates of a bundle in memory, ready to be called: from the file's bytes, without a linker and without a file on a disk.
#pragma once

#include <memory>
#include <string>

#include "compiler/abi/predicate.h"
#include "compiler/abi/predicate_image.h"
#include "compiler/jit/predicate_code.h"
#include "compiler/model/policy.h"

namespace compiler::bundle {

// Maps the code, never writable and executable at one time. `table` is filled; its code lives as long as what is returned. Null,
// and why, if the image is no good, needs another CPU, or the system maps no code. It borrows nothing but policy.patterns, which
// it shares.
std::unique_ptr<PredicateCode> MapCode(const abi::PredicateImage& image, const model::Policy& policy,
                                       abi::PredicateTable* table, std::string* why);

}  // namespace compiler::bundle
