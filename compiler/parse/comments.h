// What the parser never sees: comments. Keeps the doc comments, which begin with ##, for the statements below them; and looks for
// characters that deceive in everything that a policy may write freely, comments and strings.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "antlr4-runtime.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/parse/token_text.h"

namespace compiler::parse {

class DocComments {
 public:
  DocComments() = default;
  // `tokens`: all of the file, comments too.
  explicit DocComments(const std::vector<std::unique_ptr<antlr4::Token>>& tokens);

  // The lines of ## directly above the line that a token begins, joined; "" for none, and for a token that begins no line. Each stands
  // alone on its line.
  std::string Above(const antlr4::Token& token) const;

 private:
  std::map<size_t, std::string> lines_;
  std::map<size_t, size_t> first_tokens_;  // of lines below such ones: where they start
};

void CheckWrittenText(const std::vector<std::unique_ptr<antlr4::Token>>& tokens, const OffsetMap& offsets,
                      diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::parse
