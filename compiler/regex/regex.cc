#include "compiler/regex/regex.h"

#include <utility>

#include <re2/re2.h>

namespace compiler::regex {
namespace {

class Re2Pattern final : public abi::Pattern {
 public:
  Re2Pattern(std::string_view source, const RE2::Options& options)
      : source_(source), re2_(source_, options) {}

  bool IsFoundIn(std::string_view text) const noexcept override {
    // In braces: newer versions of RE2 take a string_view of their own.
    return re2_.Match({text.data(), text.size()}, 0, text.size(), RE2::UNANCHORED, nullptr, 0);
  }
  std::string_view source() const override { return source_; }

  const RE2& re2() const { return re2_; }

 private:
  std::string source_;
  RE2 re2_;
};

std::string ProblemOf(const RE2& re2) {
  const std::string& part = re2.error_arg();
  switch (re2.error_code()) {
    case RE2::ErrorBadEscape: return "`" + part + "` is no escape";
    case RE2::ErrorBadCharClass:
    case RE2::ErrorBadCharRange: return "`" + part + "` is no range of characters";
    case RE2::ErrorMissingBracket: return "a `[` is never closed";
    case RE2::ErrorMissingParen: return "a `(` is never closed";
    case RE2::ErrorUnexpectedParen: return "a `)` closes nothing";
    case RE2::ErrorTrailingBackslash: return "nothing stands behind the last `\\`";
    case RE2::ErrorRepeatArgument: return "`" + part + "` repeats nothing";
    case RE2::ErrorRepeatSize: return "`" + part + "` repeats too often; 1000 times is the limit";
    case RE2::ErrorRepeatOp: return "`" + part + "` repeats a repetition";
    case RE2::ErrorBadPerlOp:
      return "there is no `" + part + "`: neither look-around nor flags of other kinds than i, m, s and U";
    case RE2::ErrorBadNamedCapture: return "`" + part + "` is no group";
    case RE2::ErrorPatternTooLarge: return "it is too large once its repetitions are written out";
    case RE2::ErrorBadUTF8:
    case RE2::ErrorInternal:
    case RE2::NoError: break;
  }
  return re2.error();
}

}  // namespace

CompileResult CompilePattern(std::string_view source) {
  CompileResult result;
  result.problem_end = source.size();
  if (source.size() > kMaxPatternBytes) {
    result.problem =
        "it has " + std::to_string(source.size()) + " bytes; " + std::to_string(kMaxPatternBytes) + " are the limit";
    return result;
  }
  RE2::Options options;
  options.set_log_errors(false);
  options.set_never_capture(true);  // nobody asks what a group matched
  options.set_max_mem(kMemoryBytes);
  auto pattern = std::make_shared<Re2Pattern>(source, options);
  if (!pattern->re2().ok()) {
    result.problem = ProblemOf(pattern->re2());
    const std::string& part = pattern->re2().error_arg();
    const size_t at = part.empty() ? std::string_view::npos : source.find(part);
    if (at != std::string_view::npos && source.find(part, at + 1) == std::string_view::npos) {
      result.problem_begin = at;
      result.problem_end = at + part.size();
    }
    return result;
  }
  if (pattern->re2().ProgramSize() > kMaxPatternSteps) {
    result.problem = "with its repetitions written out it has " + std::to_string(pattern->re2().ProgramSize()) +
                     " steps; " + std::to_string(kMaxPatternSteps) + " are the limit";
    return result;
  }
  result.pattern = std::move(pattern);
  return result;
}

}  // namespace compiler::regex
