// One mistake, one message, on the right token, with a likely fix: measured on policies with one token deleted, doubled,
// swapped with the next one or misspelt. Two thirds of the mutants are of shipped policies, one third of others.
//
//   BREAKWATER_MUTANTS=20000                    so many instead of 1,500
//   BREAKWATER_SEED=7                           another draw
//   BREAKWATER_MUTANTS_SHOW=several,place,fix   prints the mutants that fall short (other: those that compile to another
//                                               policy), of the shipped policies alone
//   BREAKWATER_MUTANTS_SHOW=…,unseen            … and of the others: working on messages with them spoils the measure
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "compiler/diagnostics/render.h"
#include "compiler/source/source_buffer.h"
#include "tests/mutation/corpus.h"
#include "tests/mutation/mutants.h"
#include "tests/mutation/verdict.h"

namespace tests::mutation {
namespace {

constexpr double kLeastOneMessage = 98;
constexpr double kLeastWellPlaced = 95;
constexpr double kLeastOffered = 90;

size_t NumberOf(const char* variable, size_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : static_cast<size_t>(std::atoll(text));
}

bool Shows(std::string_view what) {
  const char* text = std::getenv("BREAKWATER_MUTANTS_SHOW");
  return text != nullptr && std::string_view(text).find(what) != std::string_view::npos;
}

bool IsShown(const Mutant& mutant, const Verdict& verdict) {
  if (verdict.compiles) return !verdict.is_equal && Shows("other");
  return (verdict.messages > 1 && Shows("several")) || (verdict.well_placed < verdict.messages && Shows("place")) ||
         (mutant.change == Change::kMisspell && !verdict.offers_original && Shows("fix"));
}

// About `total` mutants, the same number of each change, spread over the policies by their length.
Table Measure(const std::vector<Source>& sources, size_t total, uint32_t seed, bool may_show) {
  size_t bytes = 0;
  for (const Source& source : sources) bytes += source.text.size();
  std::mt19937 random(seed);
  Table table;
  for (const Source& source : sources) {
    compiler::diagnostics::Diagnostics findings;
    const std::string model = ModelOf(source.text, &findings);
    EXPECT_TRUE(findings.errors() == 0) << compiler::diagnostics::RenderAll(
        compiler::source::SourceBuffer(source.name, source.text), findings);
    for (const Change change : kChanges) {
      const size_t count = (total * source.text.size() + 4 * bytes - 1) / (4 * bytes);
      for (const Mutant& mutant : Draw(source.text, change, count, &random)) {
        const Verdict verdict = Judge(source.text, model, mutant);
        table.Add(change, verdict);
        if (may_show && IsShown(mutant, verdict)) std::cout << Describe(source.name, source.text, mutant, verdict);
      }
    }
  }
  return table;
}

void ExpectGood(const Counts& counts, const std::string& printed) {
  EXPECT_GE(counts.OneMessageOrAnotherPolicy(), kLeastOneMessage) << printed;
  EXPECT_GE(counts.WellPlaced(), kLeastWellPlaced) << printed;
  EXPECT_GE(counts.Offered(), kLeastOffered) << printed;
}

TEST(Mutation, ThePoliciesHaveNoFindings) {
  EXPECT_GE(UnseenPolicies().size(), 8u);
  for (const auto& sources : {SeenPolicies(), UnseenPolicies()}) {
    for (const Source& source : sources) {
      compiler::diagnostics::Diagnostics findings;
      ModelOf(source.text, &findings);
      EXPECT_TRUE(findings.empty()) << compiler::diagnostics::RenderAll(
          compiler::source::SourceBuffer(source.name, source.text), findings);
    }
  }
}

TEST(Mutation, OneMistakeGivesOneMessageOnItsTokenWithItsFix) {
  const size_t total = NumberOf("BREAKWATER_MUTANTS", 1500);
  const auto seed = static_cast<uint32_t>(NumberOf("BREAKWATER_SEED", 1));
  const Table seen = Measure(SeenPolicies(), total - total / 3, seed, true);
  const Table unseen = Measure(UnseenPolicies(), total / 3, seed, Shows("unseen"));
  const std::string printed = "seed " + std::to_string(seed) + "\n" + seen.Print("shipped policies") +
                              unseen.Print("policies that the messages were never worked on with");
  std::cout << printed;
  EXPECT_GE(seen.Sum().mutants + unseen.Sum().mutants, std::min<size_t>(total, 1000));
  EXPECT_GE(unseen.Sum().mutants, seen.Sum().mutants / 3);
  // Each for itself: what was worked on must not carry what was not, nor plain policies those with tests in them.
  ExpectGood(seen.Sum(), printed);
  ExpectGood(unseen.Sum(), printed);
}

}  // namespace
}  // namespace tests::mutation
