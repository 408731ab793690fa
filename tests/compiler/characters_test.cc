#include "compiler/parse/characters.h"

#include <gtest/gtest.h>

namespace {

using compiler::parse::IsHidden;
using compiler::parse::Lookalike;
using compiler::parse::TurnsDirection;

TEST(Characters, KnowWhatTheyAreTakenFor) {
  EXPECT_EQ(Lookalike(U'а'), "a") << "Cyrillic";
  EXPECT_EQ(Lookalike(U'ο'), "o") << "Greek";
  EXPECT_EQ(Lookalike(U'：'), ":");
  EXPECT_EQ(Lookalike(U'ｚ'), "z");
  EXPECT_EQ(Lookalike(U'！'), "!");
  EXPECT_EQ(Lookalike(U'～'), "~");
  EXPECT_EQ(Lookalike(U'“'), "\"");
  EXPECT_EQ(Lookalike(U'≠'), "!=");
  EXPECT_EQ(Lookalike(U'\u3000'), " ");
  EXPECT_EQ(Lookalike(U'\u200B'), "");
  EXPECT_EQ(Lookalike(U'忙'), std::nullopt);
  EXPECT_EQ(Lookalike(U'é'), std::nullopt);
}

TEST(Characters, TurnTheDirectionOrDoNot) {
  for (const char32_t c : {0x202A, 0x202E, 0x2066, 0x2069, 0x200E, 0x200F, 0x061C}) EXPECT_TRUE(TurnsDirection(c));
  for (const char32_t c : {0x2029, 0x202F, 0x2065, 0x206A, 0x0627, 0x05D0}) EXPECT_FALSE(TurnsDirection(c));
}

TEST(Characters, JoinersAreNoDeceptionWhereScriptsNeedThem) {
  EXPECT_FALSE(IsHidden(0x200D, U'👨', U'👩'));
  EXPECT_FALSE(IsHidden(0x200C, U'ی', U'خ'));
  EXPECT_TRUE(IsHidden(0x200D, U'a', U'b'));
  EXPECT_TRUE(IsHidden(0x200C, U'ی', U'b'));
  EXPECT_FALSE(IsHidden(0xFE0F, U'❤', 0)) << "chooses a look";
  EXPECT_TRUE(IsHidden(0xFEFF, U'a', U'b'));
  EXPECT_TRUE(IsHidden(0xE0041, U'a', U'b')) << "a tag";
}

}  // namespace
