// The helpers of compiler/base: UTF-8, width on a terminal, nearest names; and the messages that are drawn with them.
#include "base/text.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/render.h"
#include "compiler/source/source_buffer.h"

namespace compiler {
namespace {

TEST(Text, DecodesWhatRfc3629Allows) {
  const std::string text = "a\xC3\xA9\xE5\xBF\x99\xF0\x9F\x98\x80";
  std::vector<char32_t> found;
  for (size_t i = 0; i < text.size();) found.push_back(base::NextCodePoint(text, &i).value());
  EXPECT_EQ(found, (std::vector<char32_t>{U'a', 0xE9, 0x5FD9, 0x1F600}));
  std::string again;
  for (char32_t c : found) base::AppendUtf8(c, &again);
  EXPECT_EQ(again, text);
}

TEST(Text, FindsTheFirstByteThatIsNoUtf8) {
  EXPECT_EQ(base::FirstInvalidUtf8("ab\xE5\xBF\x99"), std::nullopt);
  EXPECT_EQ(base::FirstInvalidUtf8("ab\x80"), 2u);
  EXPECT_EQ(base::FirstInvalidUtf8("a\xE5\xBF"), 1u);         // cut short
  EXPECT_EQ(base::FirstInvalidUtf8("\xC0\x80"), 0u);          // overlong
  EXPECT_EQ(base::FirstInvalidUtf8("\xE0\x80\x80"), 0u);      // overlong
  EXPECT_EQ(base::FirstInvalidUtf8("\xED\xA0\x80"), 0u);      // surrogate
  EXPECT_EQ(base::FirstInvalidUtf8("\xF4\x90\x80\x80"), 0u);  // beyond U+10FFFF
}

TEST(Text, WideAndCombiningCharactersHaveTheirWidth) {
  EXPECT_EQ(base::DisplayWidth(U'a'), 1);
  EXPECT_EQ(base::DisplayWidth(0xE9), 1);
  EXPECT_EQ(base::DisplayWidth(0x5FD9), 2);  // 忙
  EXPECT_EQ(base::DisplayWidth(0xFF0C), 2);  // full-width comma
  EXPECT_EQ(base::DisplayWidth(0x1F600), 2);
  EXPECT_EQ(base::DisplayWidth(0x0301), 0);  // combining acute
}

TEST(Text, ASwapOfNeighboursIsOneEdit) {
  EXPECT_EQ(base::EditDistance("", "abc"), 3u);
  EXPECT_EQ(base::EditDistance("abc", "abc"), 0u);
  EXPECT_EQ(base::EditDistance("listen", "litsen"), 1u);
  EXPECT_EQ(base::EditDistance("timeout", "timout"), 1u);
  EXPECT_EQ(base::EditDistance("retry", "cache"), 5u);
}

TEST(Text, TheNearestNameIsOfferedOnlyIfItIsNear) {
  const std::vector<std::string_view> names = {"url", "repeat_safe", "replay_body", "POST", "PUT"};
  EXPECT_EQ(base::Nearest("repeat_saef", names), "repeat_safe");
  EXPECT_EQ(base::Nearest("ulr", names), "url");
  EXPECT_EQ(base::Nearest("post", names), "POST");
  EXPECT_EQ(base::Nearest("something", names), std::nullopt);
  EXPECT_EQ(base::Nearest("x", names), std::nullopt);
}

TEST(Render, TheCaretStandsUnderTheTokenBehindWideText) {
  const source::SourceBuffer source("p.policy", "a = 1\n  text = \"忙\" @ x\n");
  diagnostics::Diagnostics diagnostics;
  const auto at = static_cast<uint32_t>(source.text().find('@'));
  diagnostics.Emit(diagnostics::Kind::kUnknownCharacter, {at, at + 1}, {"@", "remove it"});
  // The column counts code points; the caret skips two cells for 忙.
  EXPECT_EQ(diagnostics::RenderAll(source, diagnostics),
            "p.policy:2:14: error[PL0110]: `@` means nothing here\n"
            "  |\n"
            "2 |   text = \"忙\" @ x\n"
            "  |               ^\n"
            "   = help: remove it\n");
}

TEST(Render, FindingsComeInTheOrderOfTheText) {
  const source::SourceBuffer source("p", "ab\n");
  diagnostics::Diagnostics diagnostics;
  diagnostics.Emit(diagnostics::Kind::kUnknownCharacter, {1, 2}, {"b", ""});
  diagnostics.Emit(diagnostics::Kind::kUnknownCharacter, {0, 1}, {"a", ""});
  const std::string text = diagnostics::RenderAll(source, diagnostics);
  EXPECT_LT(text.find("`a`"), text.find("`b`"));
  EXPECT_EQ(diagnostics.errors(), 2u);
}

TEST(Render, CharactersThatWouldTurnTheLineAroundAreNotPrinted) {
  const source::SourceBuffer source("p", "a \xE2\x80\xAE b \x1B[31m\n");
  diagnostics::Diagnostics diagnostics;
  diagnostics.Emit(diagnostics::Kind::kUnknownCharacter, {0, 1}, {"a", ""});
  const std::string text = diagnostics::RenderAll(source, diagnostics);
  EXPECT_EQ(text.find("\xE2\x80\xAE"), std::string::npos);
  EXPECT_EQ(text.find('\x1B'), std::string::npos);
}

TEST(Render, ALongLineIsShownAroundItsToken) {
  const std::string line = std::string(5000, 'x') + "@" + std::string(5000, 'y');
  const source::SourceBuffer source("p", line);
  diagnostics::Diagnostics diagnostics;
  diagnostics.Emit(diagnostics::Kind::kUnknownCharacter, {5000, 5001}, {"@", ""});
  const std::string text = diagnostics::RenderAll(source, diagnostics);
  EXPECT_LT(text.size(), 600u);
  const size_t shown = text.find('@', text.find("| …x"));
  const size_t line_begin = text.rfind('\n', shown) + 1;
  const size_t caret = text.find('^');
  const size_t caret_begin = text.rfind('\n', caret) + 1;
  const size_t more_bytes = std::string("…").size() - 1;  // which takes one column
  EXPECT_EQ(shown - line_begin - more_bytes, caret - caret_begin);
}

TEST(Render, EveryKindHasACodeAndAMessage) {
  for (const auto& info : diagnostics::Kinds()) {
    EXPECT_EQ(info.code.size(), 6u) << info.name;
    EXPECT_TRUE(info.code.starts_with("PL")) << info.name;
    EXPECT_FALSE(info.message.empty()) << info.name;
  }
}

}  // namespace
}  // namespace compiler
