// Lines of the logs: JSON that any reader takes, and chunks of many lines that lose nothing unless they say so.
#include "runtime/observe/line_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/observe/wall_clock.h"

namespace runtime::proxy {
namespace {

// ---- JSON ------------------------------------------------------------------------------------------------------------

std::string Quoted(std::string_view value) {
  std::string out = "x";
  observe::AppendJsonString(value, &out);
  return out.substr(1);
}

TEST(JsonStrings, EveryByteAtEveryPlaceOfAWordIsReadBackAsItWas) {
  for (int byte = 0; byte < 0x80; ++byte) {
    for (size_t place = 0; place < 17; ++place) {
      std::string value = "seventeen letters";
      value[place] = static_cast<char>(byte);
      const std::string text = Quoted(value);
      EXPECT_EQ(nlohmann::json::parse(text).get<std::string>(), value) << text;
      for (const char c : text) EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << text;
    }
  }
}

TEST(JsonStrings, WhatIsNoUtf8BecomesTheReplacementAndTheRestStays) {
  EXPECT_EQ(Quoted("caf\xc3\xa9 \xf0\x9f\x8c\x8a \xe2\x82\xac"), "\"caf\xc3\xa9 \xf0\x9f\x8c\x8a \xe2\x82\xac\"");
  EXPECT_EQ(Quoted("a\xff" "b"), "\"a\xef\xbf\xbd" "b\"");
  EXPECT_EQ(Quoted("\xc0\xaf"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  EXPECT_EQ(Quoted("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string value(random() % 40, '\0');
    for (char& c : value) c = static_cast<char>(random() % 3 != 0 ? 'a' + random() % 26 : random());
    const std::string text = Quoted(value);
    EXPECT_LE(text.size(), observe::JsonStringRoom(value.size()));
    const std::string read = nlohmann::json::parse(text);  // throws where it is no JSON
    if (read.find("\xef\xbf\xbd") == std::string::npos) {
      EXPECT_EQ(read, value);
    }
  }
}

TEST(JsonNumbers, MillisecondsHaveThreeDecimals) {
  observe::JsonLine line;
  line.AddMillis("a", 0).AddMillis("b", 1'999).AddMillis("c", 1'002'003'999).Add("d", int64_t{-9'223'372'036'854'775'807 - 1});
  EXPECT_EQ(line.Finish(), R"({"a":0.000,"b":0.001,"c":1002.003,"d":-9223372036854775808})");
}

TEST(Clock, MakesTheDateAnewWhenTheSecondChanges) {
  observe::Rfc3339Clock clock;
  const auto at = [](int64_t ms) { return base::WallTime(std::chrono::milliseconds(ms)); };
  EXPECT_EQ(clock.Millis(at(1'700'000'000'007)), "2023-11-14T22:13:20.007Z");
  EXPECT_EQ(clock.Millis(at(1'700'000'000'999)), "2023-11-14T22:13:20.999Z");
  EXPECT_EQ(clock.Millis(at(1'700'000'001'000)), "2023-11-14T22:13:21.000Z");
  EXPECT_EQ(clock.Millis(at(1'699'999'999'120)), "2023-11-14T22:13:19.120Z") << "a clock that was set back";
}

// ---- Lanes -----------------------------------------------------------------------------------------------------------

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(fds, O_CLOEXEC), 0); }
  ~Pipe() {
    close(fds[0]);
    if (fds[1] >= 0) close(fds[1]);
  }
  // All that comes until the writer is closed.
  std::vector<std::string> ReadLines() const {
    std::string text;
    char buffer[65536];
    for (ssize_t n; (n = read(fds[0], buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
    std::vector<std::string> lines;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = text.find('\n', begin);
      lines.push_back(text.substr(begin, end - begin));
      if (end == std::string::npos) break;
      begin = end + 1;
    }
    return lines;
  }
  int fds[2] = {-1, -1};
};

void Put(observe::LogLane& lane, std::string_view text) {
  char* const at = lane.Room(text.size());
  std::memcpy(at, text.data(), text.size());
  lane.MoveTo(at + text.size());
}

void PutLine(observe::LogLane& lane, std::string_view text) {
  Put(lane, text.substr(0, text.size() / 2));
  Put(lane, text.substr(text.size() / 2));
  lane.EndLine();
}

TEST(LogLane, TheWriterWakesForSeveralFullChunksOrWhenItIsTold) {
  Pipe pipe;
  observe::LineLog log(pipe.fds[1]);
  observe::LogLane lane(log);
  const std::string line(999, 'x');
  const auto read_bytes = [&pipe](size_t wanted) {  // waits until they are there
    char buffer[65536];
    for (size_t got = 0; got < wanted;) {
      const ssize_t n = read(pipe.fds[0], buffer, std::min(sizeof buffer, wanted - got));
      ASSERT_GT(n, 0);
      got += static_cast<size_t>(n);
    }
  };
  const size_t in_a_chunk = observe::LogLane::kChunkBytes / (line.size() + 1);
  for (size_t i = 0; i < in_a_chunk; ++i) PutLine(lane, line);
  EXPECT_TRUE(lane.is_waiting());
  lane.HandOver();
  EXPECT_FALSE(lane.is_waiting());
  read_bytes(in_a_chunk * (line.size() + 1));
  // More than a chunk, of which the full one was not told of.
  for (size_t i = 0; i < in_a_chunk + 2; ++i) PutLine(lane, line);
  lane.HandOver();
  read_bytes((in_a_chunk + 2) * (line.size() + 1));
  // Many full chunks are told of without a word.
  const size_t many = observe::LogLane::kWakeBytes / (line.size() + 1) + 2 * in_a_chunk;
  for (size_t i = 0; i < many; ++i) PutLine(lane, line);
  read_bytes(observe::LogLane::kWakeBytes - 4 * (line.size() + 1));
  EXPECT_EQ(log.dropped(), 0U);
}

TEST(LogLane, LinesOfAllLanesComeWholeAndInTheOrderOfEach) {
  constexpr int kLanes = 3;
  constexpr int kLines = 30'000;
  Pipe pipe;
  std::vector<std::string> lines;
  std::thread reader([&] { lines = pipe.ReadLines(); });
  {
    observe::LineLog log(pipe.fds[1]);
    std::vector<std::thread> writers;
    for (int lane_number = 0; lane_number < kLanes; ++lane_number) {
      writers.emplace_back([&log, lane_number] {
        observe::LogLane lane(log);
        for (int i = 0; i < kLines; ++i) {
          PutLine(lane, std::to_string(lane_number) + " " + std::to_string(i) + std::string(static_cast<size_t>(i % 60), '.'));
          if (i % 1'000 == 999) lane.HandOver();
          if (i % 4'000 == 3'999) log.Write("event");
          while (i % 500 == 0 && log.dropped() > 0) FAIL() << "the reader is fast enough";
        }
      });
    }
    for (auto& writer : writers) writer.join();
  }
  close(std::exchange(pipe.fds[1], -1));
  reader.join();
  int next[kLanes] = {};
  size_t events = 0;
  for (const std::string& line : lines) {
    if (line == "event") {
      ++events;
      continue;
    }
    const int lane = line[0] - '0';
    ASSERT_TRUE(lane >= 0 && lane < kLanes) << line;
    ASSERT_EQ(std::stoi(line.substr(2)), next[lane]) << line;
    ASSERT_EQ(line.size() - line.find_last_not_of('.') - 1, static_cast<size_t>(next[lane] % 60)) << line;
    ++next[lane];
  }
  for (const int count : next) EXPECT_EQ(count, kLines);
  EXPECT_EQ(events, kLanes * (kLines / 4'000));
}

TEST(LogLane, ALineWaitsUntilItsChunkIsHandedOver) {
  Pipe pipe;
  observe::LineLog log(pipe.fds[1]);
  observe::LogLane lane(log);
  for (int i = 0; i < 100; ++i) PutLine(lane, "waits");
  log.Write("an event comes at once");
  char buffer[4096];
  EXPECT_EQ(std::string_view(buffer, static_cast<size_t>(read(pipe.fds[0], buffer, sizeof buffer))), "an event comes at once\n");
  EXPECT_TRUE(lane.is_waiting());
  lane.HandOver();
  EXPECT_FALSE(lane.is_waiting());
  EXPECT_EQ(std::string_view(buffer, static_cast<size_t>(read(pipe.fds[0], buffer, sizeof buffer))).substr(0, 12), "waits\nwaits\n");
}

TEST(LogLane, ALineLongerThanAChunkComesWhole) {
  Pipe pipe;
  std::vector<std::string> lines;
  std::thread reader([&] { lines = pipe.ReadLines(); });
  const std::string huge(5 * observe::LogLane::kChunkBytes, 'h');
  {
    observe::LineLog log(pipe.fds[1]);
    observe::LogLane lane(log);
    PutLine(lane, "before");
    PutLine(lane, huge);
    PutLine(lane, "after");
  }
  close(std::exchange(pipe.fds[1], -1));
  reader.join();
  EXPECT_EQ(lines, (std::vector<std::string>{"before", huge, "after"}));
}

TEST(LogLane, WhatAReaderThatStandsStillWouldGetTooLateIsDroppedWholeAndCounted) {
  Pipe pipe;
  const std::string text(999, 'x');
  constexpr size_t kLines = 3 * observe::LineLog::kMaxQueued / 1'000;
  std::vector<std::string> lines;
  uint64_t dropped = 0;
  std::thread reader;
  {
    observe::LineLog log(pipe.fds[1]);
    observe::LogLane lane(log);
    for (size_t i = 0; i < kLines; ++i) PutLine(lane, text);
    lane.HandOver();
    dropped = log.dropped();
    reader = std::thread([&] { lines = pipe.ReadLines(); });
  }
  close(std::exchange(pipe.fds[1], -1));
  reader.join();
  EXPECT_GT(dropped, kLines / 2);
  EXPECT_EQ(lines.size() + dropped, kLines);
  for (const std::string& line : lines) ASSERT_EQ(line, text);
}

TEST(LogLane, AFullDiskCostsLinesAndNotTheGateway) {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  auto log = std::make_unique<observe::LineLog>(full);
  {
    observe::LogLane lane(*log);
    for (int i = 0; i < 5; ++i) PutLine(lane, "lost");
  }
  while (log->dropped() < 5) std::this_thread::yield();
  EXPECT_EQ(log->dropped(), 5u);
  log.reset();
  close(full);
}

TEST(LogLane, WithoutAFileEachLineIsHandedOverAtOnce) {
  std::vector<std::string> lines;
  observe::LineLog log([&](std::string_view line) { lines.emplace_back(line); });
  observe::LogLane lane(log);
  PutLine(lane, "one");
  PutLine(lane, "two");
  EXPECT_EQ(lines, (std::vector<std::string>{"one", "two"}));
  EXPECT_FALSE(lane.is_waiting());
}

}  // namespace
}  // namespace runtime::proxy
