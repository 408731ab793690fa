// The unified format, and that its hunks hold the whole difference: applied to the old text they give the new one.
#include "cli/diff.h"

#include <gtest/gtest.h>

#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

using cli::UnifiedDiff;

// Applies what UnifiedDiff wrote.
std::string Patch(const std::string& before, const std::string& diff) {
  std::vector<std::string> lines;
  std::istringstream in(before);
  for (std::string line; std::getline(in, line);) lines.push_back(line + (in.eof() ? "" : "\n"));
  std::string out;
  size_t at = 0;
  std::istringstream hunks(diff);
  std::string line;
  std::getline(hunks, line);
  std::getline(hunks, line);
  while (std::getline(hunks, line)) {
    if (line.starts_with("@@ -")) {
      size_t first = std::stoul(line.substr(4));
      const std::string range = line.substr(4, line.find(' ', 4) - 4);
      if (!range.ends_with(",0")) --first;
      while (at < first) out += lines.at(at++);
    } else if (line[0] == ' ') {
      EXPECT_EQ(lines.at(at), line.substr(1) + (lines.at(at).ends_with('\n') ? "\n" : ""));
      out += lines.at(at++);
    } else if (line[0] == '-') {
      ++at;
    } else if (line[0] == '+') {
      out += line.substr(1) + "\n";
    } else {
      EXPECT_EQ(line, "\\ No newline at end of file");
      if (hunks.peek() != '+' && !out.empty() && out.back() == '\n') out.pop_back();
    }
  }
  while (at < lines.size()) out += lines.at(at++);
  return out;
}

TEST(Diff, IsEmptyForEqualTexts) { EXPECT_EQ(UnifiedDiff("a", "x\ny\n", "x\ny\n"), ""); }

TEST(Diff, IsWrittenAsDiffDoes) {
  EXPECT_EQ(UnifiedDiff("p", "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
            "--- p\n+++ p\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
  EXPECT_EQ(UnifiedDiff("p", "", "1\n"), "--- p\n+++ p\n@@ -0,0 +1 @@\n+1\n");
  EXPECT_EQ(UnifiedDiff("p", "1", "1\n"), "--- p\n+++ p\n@@ -1 +1 @@\n-1\n\\ No newline at end of file\n+1\n");
}

TEST(Diff, HoldsTheWholeDifference) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const auto text = [&] {
      std::string out;
      for (size_t n = random() % 30; n > 0; --n) out += std::string(1, static_cast<char>('a' + random() % 4)) + "\n";
      return out;
    };
    const std::string before = text();
    const std::string after = text();
    EXPECT_EQ(Patch(before, UnifiedDiff("p", before, after)), after) << "round " << round << "\n" << before << "->\n" << after;
  }
}

}  // namespace
