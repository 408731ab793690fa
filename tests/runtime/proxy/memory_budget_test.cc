#include "runtime/proxy/memory_budget.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace runtime::proxy {
namespace {

constexpr size_t kStep = MemoryBudget::kStep;

class Requests {
 public:
  explicit Requests(int64_t steps) : budget(steps * static_cast<int64_t>(kStep)) {}

  // A new request of an address.
  size_t Of(const std::string& address) {
    const size_t id = all.size();
    all.emplace_back();
    all.back().Begin(&budget, address, [this, id] { told.push_back(id); });
    return id;
  }
  bool Holds(size_t id, size_t steps) { return all[id].Set(steps * kStep); }

  MemoryBudget budget;
  std::deque<MemoryBudget::Holding> all;
  std::vector<size_t> told;  // to give way
};

TEST(MemoryBudgetTest, SmallRequestsAreNotCounted) {
  Requests requests(4);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(requests.all[requests.Of("a")].Set(MemoryBudget::kUncounted));
  EXPECT_EQ(requests.budget.held(), 0);
}

TEST(MemoryBudgetTest, OneAddressMayHoldAQuarter) {
  Requests requests(40);
  const size_t first = requests.Of("a");
  EXPECT_TRUE(requests.Holds(first, 10));
  EXPECT_FALSE(requests.Holds(first, 11)) << "the oldest of its address is itself";
  EXPECT_TRUE(requests.Holds(requests.Of("b"), 10)) << "others are not concerned";
  EXPECT_EQ(requests.budget.held(), 20 * static_cast<int64_t>(kStep));
}

TEST(MemoryBudgetTest, TheOldestUploadOfAnAddressGivesWayToItsNewest) {
  Requests requests(40);
  const size_t old = requests.Of("a");
  const size_t young = requests.Of("a");
  EXPECT_TRUE(requests.Holds(old, 6));
  EXPECT_TRUE(requests.Holds(young, 6));
  EXPECT_EQ(requests.told, std::vector<size_t>{old});
  requests.all[old].Release();
  EXPECT_EQ(requests.budget.held(), 6 * static_cast<int64_t>(kStep));
}

// Its loop hears later; until then its room is counted as free, or a burst of bytes would have everybody give way.
TEST(MemoryBudgetTest, WhoWasAskedToGiveWayIsEnough) {
  Requests requests(40);
  const size_t old = requests.Of("a");
  const size_t other = requests.Of("a");
  const size_t young = requests.Of("a");
  EXPECT_TRUE(requests.Holds(old, 5));
  EXPECT_TRUE(requests.Holds(other, 3));
  for (size_t steps = 1; steps <= 6; ++steps) EXPECT_TRUE(requests.Holds(young, steps)) << steps;
  EXPECT_EQ(requests.told, std::vector<size_t>{old});
  EXPECT_FALSE(requests.Holds(old, 6)) << "it is on its way out";
  EXPECT_TRUE(requests.Holds(old, 2)) << "less is always possible";
  requests.all[old].Release();
  EXPECT_EQ(requests.budget.held(), 9 * static_cast<int64_t>(kStep));
  EXPECT_TRUE(requests.Holds(young, 7)) << "to the last step";
  EXPECT_TRUE(requests.Holds(young, 8));
  EXPECT_EQ(requests.told, (std::vector<size_t>{old, other})) << "and the room is counted once";
}

// However many are on their way out: the room is not there yet.
TEST(MemoryBudgetTest, BeyondAnEighthWhoAsksGivesWayHimself) {
  Requests requests(16);
  for (const char* address : {"a", "b", "c", "d"}) EXPECT_TRUE(requests.Holds(requests.Of(address), 4));
  const size_t e = requests.Of("e");
  EXPECT_TRUE(requests.Holds(e, 1));
  EXPECT_TRUE(requests.Holds(e, 2));
  EXPECT_FALSE(requests.told.empty());
  EXPECT_FALSE(requests.Holds(e, 3)) << "eighteen of sixteen are held";
  EXPECT_EQ(requests.budget.held(), 18 * static_cast<int64_t>(kStep));
  requests.all[requests.told[0]].Release();
  EXPECT_TRUE(requests.Holds(e, 3));
}

TEST(MemoryBudgetTest, WhoWasDoneBeforeHeHeardStays) {
  Requests requests(40);
  const size_t old = requests.Of("a");
  const size_t young = requests.Of("a");
  EXPECT_TRUE(requests.Holds(old, 6));
  EXPECT_TRUE(requests.Holds(young, 5));
  ASSERT_EQ(requests.told, std::vector<size_t>{old});
  requests.all[old].FinishUpload();
  EXPECT_FALSE(requests.Holds(young, 6)) << "its room is taken after all, and it is the only one who can give way";
}

TEST(MemoryBudgetTest, WhoHoldsMostGivesWayToWhoHoldsLittle) {
  Requests requests(16);
  const size_t a = requests.Of("a");
  const size_t b = requests.Of("b");
  const size_t c = requests.Of("c");
  const size_t d = requests.Of("d");
  EXPECT_TRUE(requests.Holds(a, 4));
  EXPECT_TRUE(requests.Holds(b, 4));
  EXPECT_TRUE(requests.Holds(c, 4));
  EXPECT_TRUE(requests.Holds(d, 3));
  requests.all[b].FinishUpload();
  const size_t e = requests.Of("e");
  EXPECT_TRUE(requests.Holds(e, 2));
  ASSERT_EQ(requests.told.size(), 1u);
  EXPECT_NE(requests.told[0], e) << "who asks for little is not the one";
  EXPECT_NE(requests.told[0], b) << "it is finished";
}

TEST(MemoryBudgetTest, EverythingIsGivenBack) {
  Requests requests(40);
  for (int i = 0; i < 3; ++i) {
    const size_t id = requests.Of("a" + std::to_string(i));
    EXPECT_TRUE(requests.Holds(id, 5));
    EXPECT_TRUE(requests.Holds(id, 2));
    requests.all[id].Release();
  }
  EXPECT_EQ(requests.budget.held(), 0);
}

// What is there is counted, wherever it is: what an upstream or a client has not taken yet.
TEST(MemoryBudgetTest, WhatCanNotGiveWayCountsBeyondTheLimit) {
  Requests requests(16);
  const size_t done = requests.Of("a");
  EXPECT_TRUE(requests.Holds(done, 4));
  requests.all[done].FinishUpload();
  EXPECT_FALSE(requests.Holds(done, 20)) << "and it is told";
  EXPECT_EQ(requests.budget.held(), 20 * static_cast<int64_t>(kStep));
  const size_t other = requests.Of("b");
  EXPECT_FALSE(requests.Holds(other, 1)) << "nobody else is let in meanwhile";
  EXPECT_TRUE(requests.Holds(done, 4));
  EXPECT_TRUE(requests.Holds(other, 4));
  requests.all[done].Release();
  requests.all[other].Release();
  EXPECT_EQ(requests.budget.held(), 0);
}

class Cgroups : public testing::Test {
 protected:
  Cgroups() : folder_(std::filesystem::path(testing::TempDir()) / ("cgroups-" + std::to_string(getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~Cgroups() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((folder_ / file).parent_path());
    std::ofstream(folder_ / file) << text << "\n";
  }
  std::optional<int64_t> Limit() const { return MemoryOfCgroup(folder_ / "own", folder_); }

  const std::filesystem::path folder_;
};

// As systemd makes them: the limit stands at the service's own cgroup or at a slice around it, not at the root.
TEST_F(Cgroups, TheLeastLimitOfTheOwnOneAndThoseAroundItCounts) {
  Write("own", "0::/system.slice/breakwater.service");
  Write("system.slice/breakwater.service/memory.max", "max");
  EXPECT_EQ(Limit(), std::nullopt);
  Write("system.slice/memory.max", "4000");
  EXPECT_EQ(Limit(), 4000);
  Write("system.slice/breakwater.service/memory.max", "1000");
  EXPECT_EQ(Limit(), 1000);
  Write("system.slice/other.service/memory.max", "10");
  EXPECT_EQ(Limit(), 1000);
}

TEST_F(Cgroups, OfTheOlderVersionAndOfBothBesideEachOther) {
  Write("own", "12:cpu,memory:/docker/abc\n5:cpuset:/x\n1:name=systemd:/y\n0::/z");
  Write("memory/docker/abc/memory.limit_in_bytes", "9223372036854771712");
  EXPECT_EQ(Limit(), 9223372036854771712);
  Write("memory/docker/abc/memory.limit_in_bytes", "2000");
  Write("unified/z/memory.max", "1500");
  EXPECT_EQ(Limit(), 1500);
}

// In a container without a namespace of its own the path is that of the host, which is not there.
TEST_F(Cgroups, APathThatIsNotThereIsTheRoot) {
  Write("own", "4:memory:/docker/abc");
  Write("memory/memory.limit_in_bytes", "3000");
  EXPECT_EQ(Limit(), 3000);
  Write("own", "0::/../../outside");
  Write("memory.max", "2500");
  EXPECT_EQ(Limit(), 2500);
}

TEST(MemoryBudgetTest, TheDefaultIsAPartOfTheMachine) {
  EXPECT_GE(DefaultMemoryLimit(), 64 << 20);
}

}  // namespace
}  // namespace runtime::proxy
