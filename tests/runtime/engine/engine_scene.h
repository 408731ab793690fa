// Engine objects of a policy that a test writes, and times since a start.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "compiler/compile.h"
#include "runtime/engine/engine_objects.h"

namespace runtime::engine {

inline TimePoint At(Duration since_start) { return TimePoint(std::chrono::hours(1)) + since_start; }

// Blocks without `edition` and `gateway`. Findings that are no errors are welcome: what they advise against is what tests are about.
inline std::shared_ptr<const compiler::CompiledPolicy> Policy(const std::string& blocks) {
  compiler::diagnostics::Diagnostics diagnostics;
  auto compiled = compiler::CompileInterpreted("edition 1\ngateway { listen = \"127.0.0.1:0\" }\n" + blocks, {}, &diagnostics);
  for (const auto& item : diagnostics.items()) {
    EXPECT_NE(item.severity, compiler::diagnostics::Severity::kError) << item.message;
  }
  return compiled;
}

inline std::string Upstream(const std::string& name, const std::string& more, const std::string& url = "http://a:1") {
  return "upstream " + name + " { url = \"" + url + "\"  " + more + " }\n";
}

}  // namespace runtime::engine
