// From policy text to a bundle.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "compiler/bundle/bundle.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/source/source_buffer.h"

namespace compiler {

struct BundleOptions {
  std::string cpu_level{abi::kDefaultCpuLevel};  // of abi::kCpuLevels; "": no code, predicates are interpreted where it runs
  bool deny_mock = false;
  std::string made_by;                           // this version
};

// Checks the policy, reads no variable of the environment, and makes machine code. Nothing if there are errors: they are in
// `diagnostics`.
std::optional<bundle::Content> CompileBundle(std::shared_ptr<const source::SourceBuffer> source, const BundleOptions& options,
                                             diagnostics::Diagnostics* diagnostics);

// The text that a bundle was made of, for who reads policies.
std::shared_ptr<const source::SourceBuffer> SourceOf(const bundle::Content& content);

}  // namespace compiler
