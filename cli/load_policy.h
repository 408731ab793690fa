// A policy that is to run, from a file that holds its text or is a bundle of it.
#pragma once

#include <iosfwd>
#include <memory>
#include <string>

#include "cli/inputs.h"
#include "compiler/compiled_policy.h"
#include "compiler/source/source_buffer.h"

namespace cli {

struct LoadOptions {
  std::string file;        // "-": standard input
  bool deny_mock = false;
  bool json_lines = false; // findings and reasons are lines of JSON, as the log's are
  std::string trust;       // path of a public key: only a bundle that it signed is taken; "": anything is
};

// Says that this executable knows compiler::kCodeCommand, so that code can be made by another process of it: main does.
void AllowCompilingApart();

struct LoadedPolicy {
  std::shared_ptr<const compiler::CompiledPolicy> compiled;  // null: it can't run, and the reader of `errors` was told why
  int exit_code = 0;                                         // of exit_codes.h, when compiled is null
  std::string bundle;                                        // "": it was text; "unsigned" or "signed"
};

// Findings and reasons go to `errors`.
LoadedPolicy LoadPolicy(const LoadOptions& options, std::ostream& errors);

// The text of a policy with its imports, for who reads policies: of a file that is text or a bundle. Null, and why, for a bundle
// that is no good; a text is read whatever it holds.
std::shared_ptr<const compiler::source::SourceBuffer> SourceOfInput(const Input& input, std::string* why);

}  // namespace cli
