#include "tests/mutation/verdict.h"

#include <algorithm>
#include <cstdio>
#include <optional>

#include "compiler/compile.h"
#include "compiler/diagnostics/edits.h"
#include "compiler/diagnostics/render.h"
#include "compiler/model/print.h"
#include "compiler/source/source_buffer.h"

namespace tests::mutation {
namespace {

using compiler::diagnostics::Diagnostic;
using compiler::diagnostics::Diagnostics;
using compiler::source::SourceRange;

double Percent(size_t part, size_t whole) {
  return whole == 0 ? 100 : 100 * static_cast<double>(part) / static_cast<double>(whole);
}

// The lines that `range` touches.
std::string_view LinesOf(std::string_view text, SourceRange range) {
  const size_t begin = range.begin == 0 ? std::string_view::npos : text.rfind('\n', range.begin - 1);
  const size_t end = text.find('\n', range.end);
  const size_t from = begin == std::string_view::npos ? 0 : begin + 1;
  return text.substr(from, end == std::string_view::npos ? end : end - from);
}

}  // namespace

std::string ModelOf(std::string_view policy, Diagnostics* findings) {
  compiler::CompileOptions options;
  options.environment = [](const std::string&) { return std::nullopt; };
  const auto model = compiler::CheckPolicy(policy, options, findings);
  return model ? compiler::model::Print(*model) : "";
}

Verdict Judge(std::string_view original, const std::string& original_model, const Mutant& mutant) {
  Verdict verdict;
  const std::string model = ModelOf(mutant.text, &verdict.findings);
  verdict.compiles = !model.empty();
  verdict.is_equal = model == original_model;
  if (verdict.compiles) return verdict;
  verdict.messages = verdict.findings.size();
  for (const Diagnostic& finding : verdict.findings.items()) {
    const bool at_end_of_file = finding.range.begin == mutant.text.size();
    const bool is_there = finding.range.begin >= mutant.places.begin && finding.range.begin < mutant.places.end;
    if (is_there || (at_end_of_file && mutant.places.end == mutant.text.size())) ++verdict.well_placed;
    if (finding.fix && compiler::diagnostics::ApplyEdits(mutant.text, finding.fix->edits) == original)
      verdict.offers_original = true;
  }
  return verdict;
}

std::string Describe(std::string_view name, std::string_view original, const Mutant& mutant, const Verdict& verdict) {
  const compiler::source::SourceBuffer source(std::string(name), mutant.text);
  std::string text = "---- " + std::string(name) + ": " + mutant.what + "\n";
  text += "before:\n" + std::string(LinesOf(original, mutant.token)) + "\n";
  text += "after:\n" + std::string(LinesOf(mutant.text, mutant.places)) + "\n";
  for (const Diagnostic* finding : verdict.findings.InSourceOrder())
    text += compiler::diagnostics::Render(source, *finding);
  return text + "\n";
}

void Counts::Add(Change change, const Verdict& verdict) {
  ++mutants;
  if (verdict.compiles) {
    ++(verdict.is_equal ? equal : other_policy);
    return;
  }
  ++(verdict.one_message() ? one_message : several_messages);
  messages += verdict.messages;
  well_placed += verdict.well_placed;
  if (change != Change::kMisspell) return;
  ++misspelt;
  offered += verdict.offers_original ? 1 : 0;
}

Counts& Counts::operator+=(const Counts& other) {
  mutants += other.mutants;
  equal += other.equal;
  other_policy += other.other_policy;
  one_message += other.one_message;
  several_messages += other.several_messages;
  messages += other.messages;
  well_placed += other.well_placed;
  misspelt += other.misspelt;
  offered += other.offered;
  return *this;
}

double Counts::OneMessageOrAnotherPolicy() const { return Percent(one_message + other_policy, mutants - equal); }
double Counts::WellPlaced() const { return Percent(well_placed, messages); }
double Counts::Offered() const { return Percent(offered, misspelt); }

Counts Table::Sum() const {
  Counts sum;
  for (const auto& [change, counts] : rows_) sum += counts;
  return sum;
}

std::string Table::Print(std::string_view title) const {
  std::string text =
      std::string(title) +
      "\n            mutants  equal  other policy  one message  several  one or other  well placed  original offered\n";
  const auto line = [&](std::string_view name, const Counts& counts) {
    char row[200];
    std::snprintf(row, sizeof row, "  %-8.*s  %7zu  %5zu  %12zu  %11zu  %7zu  %10.1f %%  %9.1f %%",
                  static_cast<int>(name.size()), name.data(), counts.mutants, counts.equal, counts.other_policy,
                  counts.one_message, counts.several_messages, counts.OneMessageOrAnotherPolicy(), counts.WellPlaced());
    text += row;
    if (counts.misspelt > 0) {
      std::snprintf(row, sizeof row, "  %14.1f %%", counts.Offered());
      text += row;
    }
    text += "\n";
  };
  for (const auto& [change, counts] : rows_) line(Name(change), counts);
  line("all", Sum());
  return text;
}

}  // namespace tests::mutation
