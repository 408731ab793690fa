// How the measures of a breaker hang together: five failures are at least five requests, and a longer window holds what a shorter one
// does. A cell of a condition says of each by itself what it may be; this says whether they can be so at one time.
#pragma once

#include "compiler/analysis/region.h"
#include "compiler/model/settings.h"

namespace compiler::analysis {

// The measure that a subject of a window condition is.
const model::WindowMeasure& MeasureOf(const Subject& subject, const model::BreakerSettings& settings);

// False only if nothing can ever bring the measures to values of the cell.
bool CanBe(const Cell& cell, const model::BreakerSettings& settings);

// Cells of the condition that can be.
std::vector<Cell> PossibleCells(const Region& region, const model::BreakerSettings& settings);

// Every value that the measures can have while no attempt fails and none is slow.
Region WhileWell(const model::BreakerSettings& settings);

}  // namespace compiler::analysis
