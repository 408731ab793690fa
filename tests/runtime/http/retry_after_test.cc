#include "runtime/http/retry_after.h"

#include <gtest/gtest.h>

#include <string>

#include "runtime/http/message_parser.h"

namespace runtime::http {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

// 2026-01-28T09:45:00Z
const base::WallTime kNow{1769593500s};

std::optional<base::Duration> Read(const std::string& lines) {
  MessageParser parser(Role::kResponse, ParserLimits());
  std::vector<std::string_view> pieces;
  const std::string text = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n" + lines + "\r\n";
  EXPECT_EQ(parser.Feed(text, &pieces).error, ParseError::kNone);
  EXPECT_TRUE(parser.head_complete());
  return RetryAfter(parser.response().headers, kNow);
}

TEST(RetryAfter, ReadsSeconds) {
  EXPECT_EQ(Read("Retry-After: 2\r\n"), 2s);
  EXPECT_EQ(Read("Retry-After: 0\r\n"), 0s);
  EXPECT_EQ(Read("retry-after: 3600\r\n"), 1h);
}

TEST(RetryAfter, ReadsTheThreeFormsOfADate) {
  EXPECT_EQ(Read("Retry-After: Wed, 28 Jan 2026 09:45:30 GMT\r\n"), 30s);
  EXPECT_EQ(Read("Retry-After: Wednesday, 28-Jan-26 09:45:30 GMT\r\n"), 30s);
  EXPECT_EQ(Read("Retry-After: Wed Jan 28 09:45:30 2026\r\n"), 30s);
}

TEST(RetryAfter, ADateThatIsPastIsNow) { EXPECT_EQ(Read("Retry-After: Wed, 28 Jan 2026 09:44:00 GMT\r\n"), 0s); }

TEST(RetryAfter, MillisecondsCountBeforeSeconds) {
  EXPECT_EQ(Read("retry-after-ms: 1500\r\nRetry-After: 2\r\n"), 1500ms);
  EXPECT_EQ(Read("Retry-After: 2\r\nRetry-After-Ms: 12.5\r\n"), 12'500us);
  EXPECT_EQ(Read("retry-after-ms: soon\r\nRetry-After: 2\r\n"), 2s);
}

TEST(RetryAfter, WhatCannotBeReadIsNotThere) {
  EXPECT_EQ(Read(""), std::nullopt);
  for (const char* value : {"abc", "-1", "+1", "1.5", "1e3", "0x10", "1 2", "2s", "Wed, 28 Jan 2026", "inf", "nan",
                            "Wed, 28 Jan 2026 09:45:30 GMT, 2"}) {
    EXPECT_EQ(Read("Retry-After: " + std::string(value) + "\r\n"), std::nullopt) << value;
  }
}

TEST(RetryAfter, IsBounded) {
  EXPECT_EQ(Read("Retry-After: 99999999999999999999\r\n"), std::chrono::hours(24) * 3650);
  EXPECT_EQ(Read("Retry-After: Wed, 28 Jan 9999 09:45:30 GMT\r\n"), std::chrono::hours(24) * 3650);
}

}  // namespace
}  // namespace runtime::http
