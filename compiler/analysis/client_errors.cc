#include "compiler/analysis/client_errors.h"

#include <string>

#include "compiler/analysis/outcomes.h"

namespace compiler::analysis {

void TellClientErrors(Context& context, const Context::Line& line, size_t lines, const ClientErrorRule& rule,
                      std::set<uint32_t>* seen) {
  bool told = false;
  for (const int status : ClientErrors()) {
    if (Evaluate(*line.expr, rule.at(status)) != Truth::kAlways) continue;
    const std::string text = std::to_string(status);
    for (const std::string& written : {text, std::string("4xx")}) {
      for (const WordAt& word : context.Find(line.origin->words, written)) {
        told = true;
        if (!seen->insert(word.range.begin).second) continue;
        Diagnostic& diagnostic = context.diagnostics->Emit(rule.kind, word.range, {written});
        context.AddUse(diagnostic, word, *line.origin);
        const bool may_stay = rule.keeps_429 && written == "4xx" && context.Find(line.origin->words, "429").empty();
        if (may_stay) diagnostic.Change(word.range, "429");
        else context.Remove(diagnostic, word, line, lines);
      }
    }
    if (told || !seen->insert(line.origin->predicate.begin).second) continue;
    told = true;
    context.diagnostics->Emit(rule.kind, line.origin->predicate, {text});
  }
}

}  // namespace compiler::analysis
