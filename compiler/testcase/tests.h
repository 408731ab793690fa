// The `test` blocks of a file: whether their sentences say something, about names that exist. Reads the tree alone: what they
// test is the policy, which knows nothing of them.
#pragma once

#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/model/tests.h"

namespace compiler::testcase {

// So often may one sentence be carried out (`3 times`), and so many tokens may a stream have.
inline constexpr int64_t kMaxTestTimes = 10'000;
inline constexpr int64_t kMaxTestTokens = 10'000;

// `common { … }` at the top of a file: of its tests, and no part of the policy.
bool IsCommon(const ast::Block& block);

// In the order of the file; those with findings are left out.
std::vector<model::TestCase> CheckTests(const ast::File& file, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::testcase
