// Reads a policy file's text together with the files that it imports.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/source/source_buffer.h"

namespace compiler {

// What stands at an imported path; `why` is filled if that can't be read.
struct ImportedText {
  std::string name;  // what messages call the file
  std::string text;
  std::string why;
};
using ReadImport = std::function<ImportedText(const std::string& path)>;

// Never fails: a file that can't be read is a finding of whoever checks the policy.
// `read` may be null: nothing is imported then.
std::shared_ptr<const source::SourceBuffer> ReadSource(std::string name, std::string_view text, const ReadImport& read);

// Reads files, by paths seen from the folder of `policy_path`; from the working folder for "-".
ReadImport ImportsBeside(const std::string& policy_path);

}  // namespace compiler
