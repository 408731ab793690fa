// Notes where the lines stand that decide, while the text is still there.
#pragma once

#include "compiler/compile.h"
#include "compiler/model/places.h"

namespace compiler {

model::Places PlacesOf(const WrittenPolicy& written);

}  // namespace compiler
