// Each length and each place of a byte, beside the loop over single bytes: blocks of 16, 64 and what remains meet at every offset.
#include "base/byte_scan.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json_reader.h"

namespace {

constexpr size_t kLongest = 330;

template <typename Ends>
size_t Plainly(const std::string& text, Ends ends) {
  size_t i = 0;
  while (i < text.size() && !ends(text[i])) ++i;
  return i;
}

size_t Json(const std::string& text) { return static_cast<size_t>(base::SkipPlainJson(text.data(), text.data() + text.size()) - text.data()); }
size_t Line(const std::string& text) { return static_cast<size_t>(base::FindLineEnd(text.data(), text.data() + text.size()) - text.data()); }

TEST(ByteScan, EveryByteAtEveryPlaceOfALine) {
  for (int c = 0; c < 256; ++c) {
    for (const size_t place : {0u, 1u, 15u, 16u, 47u, 63u, 64u, 79u, 80u, 111u, 127u, 128u, 200u}) {
      std::string text(260, 'x');
      text[place] = static_cast<char>(c);
      EXPECT_EQ(Json(text), Plainly(text, base::EndsPlainJson)) << c << " at " << place;
      EXPECT_EQ(Line(text), Plainly(text, [](char b) { return b == '\n' || b == '\r'; })) << c << " at " << place;
    }
  }
}

TEST(ByteScan, EveryLengthAndEveryPlace) {
  for (size_t size = 0; size <= kLongest; ++size) {
    std::string text(size, 'x');
    EXPECT_EQ(Json(text), size);
    EXPECT_EQ(Line(text), size);
    for (size_t place = 0; place < size; ++place) {
      text[place] = place % 2 == 0 ? '"' : '\\';
      ASSERT_EQ(Json(text), place) << size;
      text[place] = place % 2 == 0 ? '\n' : '\r';
      ASSERT_EQ(Line(text), place) << size;
      text[place] = 'x';
    }
  }
}

// What ends a run is looked at by the reader, wherever it stands.
TEST(ByteScan, AReaderFindsWhatIsWrongInALongString) {
  for (size_t place = 1; place < 200; ++place) {
    std::string text = '"' + std::string(200, 'x') + '"';
    const auto with = [&](const std::string& part) { return base::CheckJson(text.substr(0, place) + part + text.substr(place)); };
    EXPECT_EQ(with("\xE6\x97\xA5\xE6\x9C\xAC"), base::JsonProblem::kNone);
    EXPECT_EQ(with("\\n"), base::JsonProblem::kNone);
    EXPECT_EQ(with("\xE6\x97"), base::JsonProblem::kNotUtf8);
    EXPECT_EQ(with("\xE6\x97\xA5\x80"), base::JsonProblem::kNotUtf8);
    EXPECT_EQ(with("\x01"), base::JsonProblem::kSyntax);
    EXPECT_EQ(with("\\q"), base::JsonProblem::kSyntax);
  }
}

}  // namespace
