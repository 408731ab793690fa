#include "compiler/analysis/analyse.h"

#include "compiler/analysis/context.h"

namespace compiler::analysis {

#define CHECK(code, Function) void Function(Context& context);
#include "compiler/analysis/checks.def"
#undef CHECK

void Analyse(const model::Policy& policy, const model::Origins& origins, const Options& options,
             diagnostics::Diagnostics* diagnostics) {
  Context context(policy, origins, diagnostics);
#define CHECK(code, Function) \
  if (options.without.count(code) == 0) Function(context);
#include "compiler/analysis/checks.def"
#undef CHECK
}

}  // namespace compiler::analysis
