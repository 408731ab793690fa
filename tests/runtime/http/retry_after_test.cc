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

TEST(RetryAfter, ReadsFractionsAndUnits) {
  EXPECT_EQ(Read("Retry-After: 1.5\r\n"), 1500ms);
  EXPECT_EQ(Read("Retry-After: 0.25\r\n"), 250ms);
  EXPECT_EQ(Read("Retry-After: 2s\r\n"), 2s);
  EXPECT_EQ(Read("Retry-After: 1m30s\r\n"), 90s);
  EXPECT_EQ(Read("Retry-After: 500ms\r\n"), 500ms);
}

std::optional<base::Duration> Reset(const std::string& lines) {
  MessageParser parser(Role::kResponse, ParserLimits());
  std::vector<std::string_view> pieces;
  EXPECT_EQ(parser.Feed("HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n" + lines + "\r\n", &pieces).error, ParseError::kNone);
  return LimitReset(parser.response().headers, kNow);
}

TEST(LimitReset, IsTheLatestOfTheLimitsThatAreUsedUp) {
  EXPECT_EQ(Reset("x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: 6m0s\r\n"
                  "x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 1.2s\r\n"),
            6min);
  EXPECT_EQ(Reset("x-ratelimit-remaining-requests: 7\r\nx-ratelimit-reset-requests: 6m0s\r\n"
                  "x-ratelimit-remaining-tokens: 0\r\nx-ratelimit-reset-tokens: 120ms\r\n"),
            120ms);
  EXPECT_EQ(Reset("anthropic-ratelimit-tokens-remaining: 0\r\nanthropic-ratelimit-tokens-reset: 2026-01-28T09:46:00Z\r\n"), 61s);
  EXPECT_EQ(Reset("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1769593530000\r\n"), 30s) << "OpenRouter: milliseconds since 1970";
  EXPECT_EQ(Reset("RateLimit-Remaining: 0\r\nRateLimit-Reset: 12\r\n"), 12s);
  EXPECT_EQ(Reset("x-ratelimit-remaining-requests: 7\r\nx-ratelimit-reset-requests: 6m0s\r\n"), std::nullopt) << "it is not used up";
  EXPECT_EQ(Reset("x-ratelimit-remaining-requests: 0\r\nx-ratelimit-reset-requests: soon\r\n"), std::nullopt);
  EXPECT_EQ(Reset(""), std::nullopt);
}

// As their servers send it.
TEST(LimitReset, IsReadUnderTheNamesOfEachServer) {
  // Azure: github.com/openai/openai-python/issues/937, 2023-12-06
  EXPECT_EQ(Reset("x-rate-limit-reset-tokens: 55\r\nx-ratelimit-remaining-requests: 119\r\n"), 55s);
  // Cerebras, as its clients read it: found by the string x-ratelimit-reset-tokens-minute
  EXPECT_EQ(Reset("x-ratelimit-remaining-requests-day: 999\r\nx-ratelimit-reset-requests-day: 33011.3\r\n"
                  "x-ratelimit-remaining-tokens-minute: 0\r\nx-ratelimit-reset-tokens-minute: 11.5\r\n"),
            11'500ms);
  // Mistral: github.com/prism-php/prism, tests of its Mistral provider
  EXPECT_EQ(Reset("ratelimitbysize-limit: 500000\r\nratelimitbysize-remaining: 0\r\nratelimitbysize-reset: 29\r\n"), 29s);
  // Claude's subscriptions: one limit is used up, another is not.
  EXPECT_EQ(Reset("anthropic-ratelimit-unified-status: rejected\r\nanthropic-ratelimit-unified-reset: 1769593560\r\n"
                  "anthropic-ratelimit-unified-7d-status: allowed\r\nanthropic-ratelimit-unified-7d-reset: 1769999999\r\n"),
            60s);
  EXPECT_EQ(Reset("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset-After: 1.5\r\n"), 1500ms);
  // draft-ietf-httpapi-ratelimit-headers-07 and -08
  EXPECT_EQ(Reset("RateLimit: limit=100, remaining=0, reset=50\r\n"), 50s);
  EXPECT_EQ(Reset("RateLimit: limit=100, remaining=3, reset=50\r\n"), std::nullopt);
  EXPECT_EQ(Reset("RateLimit-Policy: \"default\";q=100;w=10\r\nRateLimit: \"default\";r=0;t=30, \"daily\";r=999;t=86400\r\n"), 30s);
}

TEST(RetryAfter, IsReadAsEachServerSendsIt) {
  EXPECT_EQ(Read("x-ms-retry-after-ms: 1500\r\n"), 1500ms);  // Azure: github.com/microsoft/kernel-memory/pull/795, 2024-09-23
  EXPECT_EQ(Read("Retry-After: 1769593540\r\n"), 40s);       // a moment: github.com/openclaw/clawhub/issues/407, 2026-02-18
}

TEST(RetryAfter, WhatCannotBeReadIsNotThere) {
  EXPECT_EQ(Read(""), std::nullopt);
  for (const char* value : {"abc", "-1", "+1", ".5", "5.", "1.2.3", "1e3", "0x10", "1 2", "2 s", "2x", "s", "Wed, 28 Jan 2026", "inf", "nan",
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
