#include "compiler/analysis/literal_runs.h"

namespace compiler::analysis {

std::vector<LiteralRun> RunsOf(std::string_view pattern) {
  std::vector<LiteralRun> runs;
  bool any_case = false;
  if (pattern.starts_with("(?i)")) any_case = true, pattern.remove_prefix(4);
  LiteralRun::Part part = LiteralRun::Part::kSomewhere;
  if (pattern.starts_with('^')) part = LiteralRun::Part::kStart, pattern.remove_prefix(1);
  std::string run;
  const auto end_run = [&](bool at_end) {
    if (!run.empty())
      runs.push_back({part == LiteralRun::Part::kSomewhere && at_end ? LiteralRun::Part::kEnd : part, run, any_case});
    run.clear();
    part = LiteralRun::Part::kSomewhere;
  };
  constexpr std::string_view kMeaning = ".*+?()[]{}|^$";
  int depth = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '[') {
      end_run(false);
      size_t close = pattern.find(']', i + (pattern.substr(i).starts_with("[^") ? 3 : 2));
      if (close == std::string_view::npos) return {};
      i = close;
      continue;
    }
    if (c == '\\' && i + 1 < pattern.size()) {
      c = pattern[++i];
      if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        end_run(false);
        continue;
      }
    } else if (kMeaning.find(c) != std::string_view::npos) {
      if (c == '|' && depth == 0) return {};
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      end_run(c == '$' && i + 1 == pattern.size() && depth == 0);
      continue;
    }
    if (depth > 0) continue;
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    const bool may_be_missing = next == '?' || next == '*' || next == '{';
    if (may_be_missing) {
      end_run(false);
      continue;
    }
    run += c;
    if (next == '+') end_run(false);
  }
  end_run(false);
  return runs;
}

}  // namespace compiler::analysis
