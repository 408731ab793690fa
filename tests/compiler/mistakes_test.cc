// Five mistakes in one file give five messages, each on its token: for every mistake alone, and for many draws by seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/model/print.h"
#include "compiler/source/source_buffer.h"
#include "tests/compiler/mistake_pool.h"

namespace tests {
namespace {

using compiler::diagnostics::Diagnostic;
using compiler::diagnostics::Diagnostics;
using compiler::source::SourceRange;

constexpr std::string_view kOpen = "⟦";
constexpr std::string_view kClose = "⟧";

struct Expected {
  const Mistake* mistake;
  SourceRange range;
};

struct Composed {
  std::string text;
  std::vector<Expected> expected;
};

// Appends a piece, numbered, and notes where its token came to stand.
void Append(std::string_view piece, int number, const Mistake* mistake, Composed* out) {
  SourceRange range;
  for (size_t i = 0; i < piece.size();) {
    const auto here = static_cast<uint32_t>(out->text.size());
    if (piece.substr(i, kOpen.size()) == kOpen) {
      range.begin = here;
      i += kOpen.size();
    } else if (piece.substr(i, kClose.size()) == kClose) {
      range.end = here;
      i += kClose.size();
    } else if (piece[i] == '$' && piece.substr(i, 2) != "${") {
      out->text += std::to_string(number);
      ++i;
    } else {
      out->text += piece[i++];
    }
  }
  if (mistake != nullptr) out->expected.push_back({mistake, range});
}

// A file that is clean but for the given mistakes.
Composed Compose(const std::vector<const Mistake*>& mistakes, bool bad) {
  Composed out;
  out.text = "edition 1\n\ngateway {\n  listen = \"0.0.0.0:8080\"\n";
  int number = 0;
  for (const Mistake* mistake : mistakes) {
    if (!mistake->is_gateway) continue;
    Append(bad ? mistake->bad : mistake->good, ++number, bad ? mistake : nullptr, &out);
    out.text += "\n";
  }
  out.text += "}\n\nupstream base { url = \"http://base:1\" }\nupstream other { url = \"http://other:1\" }\n";
  out.text += "reply busy { status = 503 text = \"busy\" }\n";
  out.text += "cache kept { key = \"${request.body}\" ttl = 5s shared = true }\n\n";
  for (const Mistake* mistake : mistakes) {
    if (mistake->is_gateway) continue;
    Append(bad ? mistake->bad : mistake->good, ++number, bad ? mistake : nullptr, &out);
    out.text += "\n\n";
  }
  out.text += "route everything { to = [base, other] fallback = [kept, busy] }\n";
  return out;
}

Diagnostics Check(const std::string& text) {
  compiler::CompileOptions options;
  options.environment = [](const std::string&) { return std::nullopt; };
  Diagnostics diagnostics;
  compiler::CheckPolicy(text, options, &diagnostics);
  return diagnostics;
}

// Empty if the messages are exactly the expected ones.
std::string Difference(const Composed& composed) {
  const Diagnostics diagnostics = Check(composed.text);
  std::vector<Expected> expected = composed.expected;
  std::sort(expected.begin(), expected.end(), [](const Expected& a, const Expected& b) { return a.range < b.range; });
  const auto found = diagnostics.InSourceOrder();
  bool same = found.size() == expected.size();
  for (size_t i = 0; same && i < found.size(); ++i)
    same = found[i]->range == expected[i].range && found[i]->code == expected[i].mistake->code;
  if (same) return "";
  std::string out = "expected:\n";
  const compiler::source::SourceBuffer source("policy", composed.text);
  for (const Expected& e : expected) {
    const auto at = source.PositionOf(e.range.begin);
    out += "  " + std::to_string(at.line) + ":" + std::to_string(at.column) + " " + std::string(e.mistake->code) +
           " `" + std::string(source.Text(e.range)) + "` (" + std::string(e.mistake->name) + ")\n";
  }
  return out + "found:\n" + compiler::diagnostics::RenderAll(source, diagnostics) + "in:\n" + composed.text;
}

TEST(Mistakes, ThePoolHoldsFortyFiveOrMore) { EXPECT_GE(MistakePool().size(), 45u); }

TEST(Mistakes, WithoutTheMistakeThereIsNoError) {
  for (const Mistake& mistake : MistakePool()) {
    const Composed composed = Compose({&mistake}, false);
    const Diagnostics diagnostics = Check(composed.text);
    const compiler::source::SourceBuffer source("policy", composed.text);
    EXPECT_FALSE(diagnostics.has_errors()) << mistake.name << "\n"
                                           << compiler::diagnostics::RenderAll(source, diagnostics);
  }
}

// Indentation helps to explain mistakes; it never decides what a correct file means.
TEST(Mistakes, WhiteSpaceMeansNothingInACorrectFile) {
  for (const Mistake& mistake : MistakePool()) {
    const std::string text = Compose({&mistake}, false).text;
    std::string ragged;
    std::string one_line;
    bool at_line_begin = false;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '#') i = text.find('\n', i);
      if (text[i] == '\n') {
        at_line_begin = true;
        ragged += '\n';
        one_line += ' ';
      } else if (at_line_begin && text[i] == ' ') {
        one_line += ' ';
      } else {
        at_line_begin = false;
        ragged += text[i];
        one_line += text[i];
      }
    }
    EXPECT_FALSE(Check(ragged).has_errors()) << mistake.name << "\n" << ragged;
    EXPECT_FALSE(Check(one_line).has_errors()) << mistake.name << "\n" << one_line;
    const auto model = [](const std::string& policy_text) {
      Diagnostics diagnostics;
      const auto policy = compiler::CheckPolicy(policy_text, {}, &diagnostics);
      return policy ? compiler::model::Print(*policy) : "";
    };
    if (text.find("json {\n") != std::string::npos) continue;  // kept as written, line ends included
    EXPECT_EQ(model(ragged), model(text)) << mistake.name;
    EXPECT_EQ(model(one_line), model(text)) << mistake.name;
  }
}

TEST(Mistakes, OneMistakeGivesOneMessageOnItsToken) {
  for (const Mistake& mistake : MistakePool()) {
    const std::string difference = Difference(Compose({&mistake}, true));
    EXPECT_EQ(difference, "") << mistake.name;
  }
}

TEST(Mistakes, FiveMistakesDrawnBySeedGiveFiveMessagesEachOnItsToken) {
  const char* more = std::getenv("BREAKWATER_SEEDS");  // for long runs by hand
  const int seeds = more != nullptr ? std::atoi(more) : 400;
  const std::vector<Mistake>& pool = MistakePool();
  int failures = 0;
  for (int seed = 1; seed <= seeds && failures < 5; ++seed) {
    std::mt19937 random(static_cast<uint32_t>(seed));
    std::vector<const Mistake*> all;
    for (const Mistake& mistake : pool) all.push_back(&mistake);
    std::vector<const Mistake*> drawn;
    bool has_gateway = false;
    while (drawn.size() < 5) {
      const size_t i = random() % all.size();
      const Mistake* mistake = all[i];
      all.erase(all.begin() + static_cast<ptrdiff_t>(i));
      // One gateway block has room for one of them; `base` can be taken once.
      if (mistake->is_gateway && has_gateway) continue;
      has_gateway = has_gateway || mistake->is_gateway;
      drawn.push_back(mistake);
    }
    const Composed composed = Compose(drawn, true);
    ASSERT_EQ(composed.expected.size(), 5u);
    const std::string difference = Difference(composed);
    EXPECT_EQ(difference, "") << "seed " << seed;
    failures += difference.empty() ? 0 : 1;
  }
}

}  // namespace
}  // namespace tests
