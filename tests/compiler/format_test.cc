// The layout has properties that no input may break: nothing but white space changes, and formatting twice is formatting once.
#include "compiler/format/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/parse/tokens.h"

namespace {

namespace fs = std::filesystem;
using compiler::format::Difference;

std::optional<std::string> Format(const std::string& text) {
  compiler::diagnostics::Diagnostics diagnostics;
  std::string refusal;
  auto formatted = compiler::format::FormatPolicy(text, &diagnostics, &refusal);
  EXPECT_EQ(refusal, "") << text;
  return formatted;
}

std::string Read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<fs::path> PoliciesBelow(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".policy") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What may come of one input; whether it could be read.
bool KeepsItsPromises(const std::string& text) {
  compiler::diagnostics::Diagnostics diagnostics;
  std::string refusal;
  const auto once = compiler::format::FormatPolicy(text, &diagnostics, &refusal);
  EXPECT_EQ(refusal, "") << text;
  if (!once) return !diagnostics.has_errors();
  const auto twice = Format(*once);
  EXPECT_TRUE(twice && *twice == *once) << "not idempotent:\n" << text << "\n--- once\n" << *once << "\n--- twice\n" << twice.value_or("");
  return true;
}

TEST(Format, ShippedPoliciesHaveTheLayout) {
  size_t files = 0;
  for (const char* folder : {"policies", "examples"}) {
    for (const fs::path& path : PoliciesBelow(fs::path(BREAKWATER_SOURCE_DIR) / folder)) {
      const std::string text = Read(path);
      EXPECT_EQ(Format(text), text) << path;
      ++files;
    }
  }
  EXPECT_GE(files, 5u);
}

TEST(Format, EveryGoldenFileThatCanBeReadKeepsItsWords) {
  size_t read = 0;
  for (const fs::path& path : PoliciesBelow(fs::path(BREAKWATER_SOURCE_DIR) / "tests/golden")) {
    SCOPED_TRACE(path);
    read += KeepsItsPromises(Read(path)) ? 1 : 0;
  }
  EXPECT_GE(read, 60u);
}

TEST(Format, LineEndsOfOtherSystemsStayAndAByteOrderMarkGoes) {
  EXPECT_EQ(Format("\xEF\xBB\xBF" "edition 1\r\nlet a = client.tls   # b  \r\n\r\n\r\nlet c = a\r\n"),
            "edition 1\r\n\r\nlet a = client.tls                      # b\r\n\r\nlet c = a\r\n");
}

TEST(Format, WhatCannotBeReadIsNotFormatted) {
  EXPECT_EQ(Format("edition 1\ngateway { listen = }\n"), std::nullopt);
  EXPECT_EQ(Format("\xFF"), std::nullopt);
  EXPECT_EQ(Format(""), "");
  EXPECT_EQ(Format("# alone"), "# alone\n");
}

TEST(Format, ABlockThatDoesNotFitOnItsLineIsBroken) {
  const std::string head = "route a { when request.path == \"";
  const std::string tail = "\"  to = u }\n";
  const std::string fits = head + std::string(120 - head.size() - tail.size() + 1, 'x') + tail;
  EXPECT_EQ(Format(fits), fits);
  const std::string wide = head + std::string(120 - head.size() - tail.size() + 2, 'x') + tail;
  const std::string broken = Format(wide).value_or("");
  EXPECT_EQ(std::count(broken.begin(), broken.end(), '\n'), 4) << broken;
}

TEST(Format, DifferencesAreSeen) {
  const std::string text = "edition 1\n\nlet a = client.tls  # why\n";
  EXPECT_EQ(Difference(text, "edition 1 let a=client.tls # why   \n"), "");
  EXPECT_NE(Difference(text, "edition 1\nlet a = client.tls  # who\n"), "");
  EXPECT_NE(Difference(text, "edition 1\nlet a = client.tls\n"), "");
  EXPECT_NE(Difference(text, "edition 1\nlet b = client.tls  # why\n"), "");
  EXPECT_NE(Difference(text, "edition 1\nlet a = client.tls }  # why\n"), "");
}

// Pieces of real policies whose layout and words are changed at random. BREAKWATER_FORMAT_INPUTS=1000000 makes it a long run.
class Mutator {
 public:
  explicit Mutator(uint32_t seed) : random_(seed) {
    for (const char* folder : {"policies", "examples", "tests/golden/check", "tests/golden/format", "tests/golden/parse"}) {
      for (const fs::path& path : PoliciesBelow(fs::path(BREAKWATER_SOURCE_DIR) / folder)) {
        std::string text;
        std::istringstream lines(Read(path));
        for (std::string line; std::getline(lines, line);) {
          if (!line.starts_with("#|")) text += line + "\n";
        }
        Take(text);
      }
    }
  }

  std::string Next() {
    std::string text = "edition 1\n";
    for (size_t n = 1 + Below(3); n > 0; --n) text += pieces_[Below(pieces_.size())] + "\n";
    const auto tokens = compiler::parse::ReadTokens(text);
    std::vector<std::string> words;
    for (const auto& token : tokens) words.push_back(text.substr(token.range.begin, token.range.end - token.range.begin));
    // Layout: most of the changes. Words: few, so that most inputs can still be read.
    std::string out;
    const size_t wild = Below(4);
    const bool changes_words = Below(3) == 0;
    for (size_t i = 0; i < words.size(); ++i) {
      const uint32_t begin = i == 0 ? 0 : tokens[i - 1].range.end;
      std::string between = text.substr(begin, tokens[i].range.begin - begin);
      if (Below(10) < wild) between = Space(i > 0 && words[i - 1].starts_with("#"));
      if (Below(40) < wild) between += " # " + kComments[Below(std::size(kComments))] + "\n" + Space(true);
      out += between;
      if (changes_words && Below(words.size()) == 0) {
        switch (Below(4)) {
          case 0: continue;                                                     // left out
          case 1: out += words[i] + " " + words[i]; continue;                   // doubled
          case 2: out += words[Below(words.size())] + "\n"; continue;           // another one
          default: out += words[i].substr(0, 1 + Below(words[i].size())); continue;  // cut, perhaps within a character
        }
      }
      out += words[i];
    }
    return out;
  }

 private:
  static constexpr const char* kSpaces[] = {" ", "  ", "\n", "\n\n", "\t", "\r\n", " \n   ", "\n\n\n\n"};
  static inline const std::string kComments[] = {"", "a", "## b", "\xE5\xBD\x93\xE5\x89\x8D", "{", "}", "\" unclosed", "when x = 1  ", "\t"};

  size_t Below(size_t n) { return n == 0 ? 0 : random_() % n; }
  std::string Space(bool needs_line_end) {
    std::string space = kSpaces[Below(std::size(kSpaces))];
    if (needs_line_end && space.find('\n') == std::string::npos) space += "\n";
    return space;
  }
  // Whole statements at the top of a file: what lies between lines that begin without a blank.
  void Take(const std::string& text) {
    std::string piece;
    int depth = 0;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      piece += line + "\n";
      if (line.starts_with("edition")) piece.clear();
      for (const char c : line.substr(0, line.find('#'))) depth += c == '{' ? 1 : c == '}' ? -1 : 0;
      if (depth != 0 || line.starts_with("#") || line.empty()) continue;
      compiler::diagnostics::Diagnostics diagnostics;
      std::string refusal;
      if (piece.size() < 1500 && compiler::format::FormatPolicy(piece, &diagnostics, &refusal)) pieces_.push_back(piece);
      piece.clear();
    }
  }

  std::mt19937 random_;
  std::vector<std::string> pieces_;
};

TEST(Format, MutatedPoliciesKeepTheirWords) {
  const char* wanted = std::getenv("BREAKWATER_FORMAT_INPUTS");
  const char* seeded = std::getenv("BREAKWATER_FORMAT_SEED");
  const long inputs = wanted != nullptr ? std::atol(wanted) : 1500;
  const auto seed = static_cast<uint32_t>(seeded != nullptr ? std::atol(seeded) : 20260128);
  Mutator mutator(seed);
  long read = 0;
  for (long i = 0; i < inputs && !HasFailure(); ++i) read += KeepsItsPromises(mutator.Next()) ? 1 : 0;
  std::cout << "seed " << seed << ": " << inputs << " inputs, " << read << " could be read\n";
  EXPECT_GE(read * 2, inputs) << "too few inputs say anything";
}

}  // namespace
