// The file that `state` names: what was written comes back, also when the last writing broke off; what is damaged, foreign, of another version or
// somebody else's is told in a sentence, and what is foreign stays as it is. And how much time has passed, on clocks that are set.
#include "runtime/gateway/state_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/child_process.h"

namespace runtime::gateway {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

Moment At(base::Duration monotonic, base::Duration wall, const std::string& boot = "one") {
  return {base::TimePoint(monotonic), base::WallTime(hours(500'000) + wall), boot};
}

TEST(Elapsed, ByTheClockThatCanBeTrusted) {
  struct Row {
    const char* what;
    Moment then, now;
    base::Duration elapsed;
  };
  const Row rows[] = {
      {"a restart of the process", At(hours(9), hours(9)), At(hours(9) + seconds(2), hours(9) + seconds(2)),
       seconds(2)},
      {"the wall clock was set back meanwhile", At(hours(9), hours(9)), At(hours(9) + seconds(2), hours(1)),
       seconds(2)},
      {"and forward", At(hours(9), hours(9)), At(hours(9) + seconds(2), hours(90)), seconds(2)},
      {"the machine slept: timers slept, too", At(hours(9), hours(9)), At(hours(9) + seconds(2), hours(17)),
       seconds(2)},
      {"the machine started again", At(hours(9), hours(9)), At(seconds(20), hours(9) + minutes(3), "two"), minutes(3)},
      {"and its clock is behind", At(hours(9), hours(9)), At(seconds(20), hours(8), "two"), seconds(0)},
      {"nobody knows which start it was", At(hours(9), hours(9), ""), At(hours(9), hours(9) + minutes(3), ""),
       minutes(3)},
      {"a container with a clock of its own", At(hours(9), hours(9)), At(seconds(20), hours(9) + minutes(3)),
       minutes(3)},
  };
  for (const Row& row : rows) EXPECT_EQ(Elapsed(row.then, row.now), row.elapsed) << row.what;
}

class StateFileTest : public testing::Test {
 protected:
  std::string path() const { return (folder_.path() / "state").string(); }
  std::unique_ptr<StateFile> Open() {
    auto file = StateFile::Open(path());
    EXPECT_TRUE(file) << file.error();
    return std::move(*file);
  }
  std::string WhyNotOpen() {
    auto file = StateFile::Open(path());
    return file ? "" : file.error();
  }
  // What a start finds: its text, "new", or why it is not used.
  static std::string Start(StateFile& file) {
    auto read = file.ReadAtStart();
    if (!read) return read.error();
    return *read ? (**read).text : "new";
  }
  std::string StartAndLive() {
    const auto file = Open();
    const std::string found = Start(*file);
    file->StartIsGood();
    return found;
  }
  void Overwrite(int64_t offset, const std::string& bytes) {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
  }
  static constexpr int64_t kFirstSlot = 4096;
  static constexpr int64_t kSecondSlot = kFirstSlot + StateFile::kMostBytes;

  tests::support::TempDir folder_;
};

TEST_F(StateFileTest, TheNewestOfWhatWasWrittenComesBack) {
  EXPECT_EQ(StartAndLive(), "new");
  {
    const auto file = Open();
    EXPECT_EQ(Start(*file), "new");
    for (const char* text : {"first", "second", "third"}) EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), text));
    file->StartIsGood();
  }
  EXPECT_EQ(StartAndLive(), "third");
  const auto file = Open();
  auto read = file->ReadAtStart();
  EXPECT_EQ((**read).when, At(seconds(1), seconds(2)));
  EXPECT_EQ((**read).number, 3u);
  struct stat info{};
  stat(path().c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(StateFileTest, AWritingThatBrokeOffLeavesTheOneBefore) {
  {
    const auto file = Open();
    Start(*file);
    for (const char* text : {"first", "second"}) EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), text));
    file->StartIsGood();
  }
  Overwrite(kSecondSlot + 50, "torn");
  EXPECT_EQ(StartAndLive(), "first");
  Overwrite(kFirstSlot + 50, "torn");
  EXPECT_EQ(StartAndLive(), path() + " is damaged");
  {
    const auto file = Open();
    Start(*file);
    EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), "anew"));
    file->StartIsGood();
  }
  EXPECT_EQ(StartAndLive(), "anew");
}

TEST_F(StateFileTest, EachChangedByteOfASlotIsNoticed) {
  const std::string slot = EncodeSlot({7, At(seconds(1), seconds(2)), "what is known"});
  ASSERT_EQ(DecodeSlot(slot)->text, "what is known");
  ASSERT_TRUE(DecodeSlot(slot + "what stood there before"));
  for (size_t i = 0; i < slot.size(); ++i) {
    std::string other = slot;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_FALSE(DecodeSlot(other)) << i;
    EXPECT_FALSE(DecodeSlot(slot.substr(0, i))) << i;
  }
  EXPECT_FALSE(DecodeSlot(EncodeSlot({7, {base::TimePoint::max(), {}, ""}, ""}))) << "no machine runs so long";
}

TEST_F(StateFileTest, AFileOfSomebodyElseStaysAsItIs) {
  folder_.Write("state", "edition 1\ngateway { }\n");
  EXPECT_EQ(WhyNotOpen(), path() + " is something else than the state of a gateway, and left as it is");
  std::ifstream in(path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "edition 1\ngateway { }\n");
}

TEST_F(StateFileTest, AnEmptyFileAndOneOfZerosAreNew) {
  folder_.Write("state", "");
  EXPECT_EQ(StartAndLive(), "new");
  folder_.Write("state", std::string(9000, '\0'));
  EXPECT_EQ(StartAndLive(), "new");
}

TEST_F(StateFileTest, WhatCantBeHadIsSaid) {
  const auto first = Open();
  EXPECT_EQ(WhyNotOpen(), path() + " belongs to another gateway, which is running");
  auto missing = StateFile::Open(path() + "-folder/state");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), path() + "-folder/state: No such file or directory");
  auto folder = StateFile::Open(folder_.path().string());
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().find("directory"), std::string::npos) << folder.error();
  auto device = StateFile::Open("/dev/null");
  ASSERT_FALSE(device);
  EXPECT_EQ(device.error(), "/dev/null is no regular file");
}

TEST_F(StateFileTest, AnotherVersionIsNotReadAndMakesRoom) {
  {
    const auto file = Open();
    Start(*file);
    for (const char* text : {"first", "second", "third"}) EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), text));
    file->StartIsGood();
  }
  Overwrite(0, "breakwater state 9\n0\n");
  {
    const auto file = Open();
    EXPECT_EQ(Start(*file), path() + " is of another version of Breakwater");
    EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), "ours"));
    file->StartIsGood();
  }
  EXPECT_EQ(StartAndLive(), "ours") << "what the other version wrote last is not newer";
}

TEST_F(StateFileTest, AfterTwoStartsThatCameToNothingItIsLeftAloneUntilOneDoes) {
  {
    const auto file = Open();
    Start(*file);
    EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), "poison"));
    file->StartIsGood();
  }
  EXPECT_EQ(Start(*Open()), "poison");
  EXPECT_EQ(Start(*Open()), "poison");
  const std::string left = "the last 2 starts with " + path() + " ended before they had served for a while";
  EXPECT_EQ(Start(*Open()), left);
  {
    const auto file = Open();
    EXPECT_NE(Start(*file), "poison");
    EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), "good"));
    file->StartIsGood();
  }
  EXPECT_EQ(StartAndLive(), "good");
}

TEST_F(StateFileTest, MoreThanASlotHoldsIsRefusedAndTheOldStays) {
  {
    const auto file = Open();
    Start(*file);
    EXPECT_TRUE(file->Write(At(seconds(1), seconds(2)), "small"));
    auto large = file->Write(At(seconds(1), seconds(2)), std::string(StateFile::kMostBytes, 'x'));
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error(), "what is known takes 4096 KiB, and " + path() + " holds 4096");
    file->StartIsGood();
  }
  EXPECT_EQ(StartAndLive(), "small");
}

}  // namespace
}  // namespace runtime::gateway
