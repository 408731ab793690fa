// What the gateway does when its own machine runs short: file descriptors, log space, time; and what a connection at rest
// costs.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <set>

#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

const std::string kSorry = "reply sorry { status = 200  body = json { \"is_fallback\": true } }\n";
const std::string kOneWorker = "workers = 1";

// A limit that leaves room for `free` more descriptors: the kernel bounds their numbers, and there may be gaps.
size_t LimitThatLeaves(pid_t pid, size_t free) {
  std::set<size_t> taken;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
    taken.insert(std::stoul(entry.path().filename().string()));
  size_t limit = 0;
  for (size_t found = 0; found < free; ++limit) found += taken.contains(limit) ? 0 : 1;
  return limit;
}

void LimitFiles(pid_t pid, size_t most) {
  rlimit now;
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, nullptr, &now), 0);
  const rlimit limit = {most, now.rlim_max};
  ASSERT_EQ(prlimit(pid, RLIMIT_NOFILE, &limit, nullptr), 0);
}

TEST(FileDescriptors, WhenTheyRunOutAcceptingPausesAndFallbacksAnswer) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan reads an object through a pipe before it believes its vptr: with no descriptor left it takes every object "
                  "that it sees for the first time for none. The build for TSan runs this.";
#endif
  ScriptedUpstream upstream(AnswerWell);
  GatewayOptions options;
  options.arguments = {};
  GatewayProcess gateway(Gateway(kOneWorker) + Upstream("main", upstream.url(), "fallback = [sorry]") + kSorry, options);
  RawClient first(gateway.port());
  ASSERT_EQ(first.Request({.target = "/api/pull", .body = "{}"}).status, 403) << "the upstream is not asked yet";
  LimitFiles(gateway.process().pid(), LimitThatLeaves(gateway.process().pid(), 1));

  RawClient second(gateway.port());  // takes the last one
  const Answer answer = second.Request({.body = Chat("x")});
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.is_fallback()) << "no descriptor is left for a connection to the upstream";
  EXPECT_EQ(answer.header("x-breakwater-fallback-reason"), "exhausted");

  RawClient third(gateway.port());  // the kernel has it; the gateway can't take it yet
  third.Send(ToText({.body = Chat("y")}));
  EXPECT_EQ(first.Request({.body = Chat("z")}).status, 200) << "who is connected is served meanwhile";
  second.Close();
  EXPECT_EQ(third.ReadHead().status, 200) << "taken up again when there is room";

  LimitFiles(gateway.process().pid(), 1024);
  const Answer well = Post(gateway.port(), "/api/chat", Chat("w"));
  EXPECT_FALSE(well.is_fallback());
  EXPECT_EQ(well.body, kOllamaAnswer);
  EXPECT_TRUE(gateway.process().is_running());
}

TEST(LogSpace, WhenItIsGoneLinesAreLostAndCountedAndRequestsAreNot) {
  ScriptedUpstream upstream(AnswerWell);
  GatewayProcess gateway(Gateway("access_log = \"/dev/full\"") + Upstream("main", upstream.url()));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("x")).status, 200);
  EXPECT_TRUE(WaitUntil([&] { return gateway.Metric("breakwater_log_lines_dropped_total").value_or(0) > 0; }));
  EXPECT_TRUE(gateway.process().is_running());
}

TEST(Time, ThatWasSleptThroughFiresALimitOnceAndLeavesTheGatewayWell) {
  std::atomic<bool> hangs{true};
  ScriptedUpstream upstream([&](UpstreamExchange& exchange) {
    if (hangs) Hang(exchange);
    else AnswerWell(exchange);
  });
  GatewayProcess gateway(Gateway() + Upstream("main", upstream.url(), "attempt_timeout = 300ms  breaker { open when failures(60s) >= 3 }"));
  RawClient client(gateway.port());
  client.Send(ToText({.headers = {{"X-Request-Id", "slept"}}, .body = Chat("x")}));
  ASSERT_TRUE(WaitUntil([&] { return upstream.in_flight() == 1; }));
  gateway.process().Signal(SIGSTOP);
  WaitUntil([] { return false; }, milliseconds(1200));  // as a suspended machine: four limits go by
  gateway.process().Signal(SIGCONT);
  EXPECT_EQ(client.ReadHead().status, 504);
  EXPECT_EQ(gateway.WaitForAccess("slept")["attempts"].size(), 1u);
  EXPECT_EQ(gateway.Health("main").value("failure_count", -1), 1);
  hangs = false;
  EXPECT_EQ(Post(gateway.port(), "/api/chat", Chat("y")).body, kOllamaAnswer);
}

TEST(Memory, OfAConnectionAtRestIsAtMostFourKiB) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers keep memory of their own for each object";
#endif
  rlimit files;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, 4096);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &files), 0);  // the gateway inherits it
  const size_t connections = std::min<size_t>(1500, files.rlim_cur - 300);
  ScriptedUpstream upstream(AnswerWell);
  GatewayOptions options;
  options.arguments = {};
  GatewayProcess gateway(Gateway(kOneWorker) + Upstream("main", upstream.url()), options);
  std::vector<std::unique_ptr<RawClient>> resting;
  const auto add = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      resting.push_back(std::make_unique<RawClient>(gateway.port()));
      const Answer answer = resting.back()->Request(
          {.headers = {{"User-Agent", "ollama-python/0.4"}, {"Authorization", "Bearer " + std::string(100, 'k')}, {"Accept", "*/*"}},
           .body = Chat("x")});
      ASSERT_EQ(answer.status, 200);
    }
  };
  add(100);  // what is kept once and for all is there from here on
  const size_t before = gateway.process().resident_bytes();
  add(connections);
  const size_t each = (gateway.process().resident_bytes() - before) / connections;
  RecordProperty("bytes_each", std::to_string(each));
  std::cout << each << " bytes for each of " << connections << " connections at rest\n";
  EXPECT_LE(each, 4096u);
}

}  // namespace
}  // namespace tests::e2e
