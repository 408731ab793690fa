// What the body of a request says about sending it twice (repeat_safe = auto). What its path says is compiler/model/model_paths.h's.
#pragma once

#include <string_view>

#include "compiler/model/model_paths.h"

namespace runtime::dialect {

// Whether an answer is all that the request leaves behind, by the kind of its end point. A body that cannot be read says no where
// its members matter. Reads the whole body: ask only where something failed.
bool MayRepeat(compiler::model::Repeats repeats, std::string_view body);

}  // namespace runtime::dialect
