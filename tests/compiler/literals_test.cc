// Numbers with units, and addresses: what is read, and what is refused.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "compiler/check/address.h"
#include "compiler/expr/number.h"
#include "compiler/model/print.h"

namespace compiler::check {

using expr::Number;
using expr::NumberKind;
using expr::ParseNumber;

namespace {

TEST(Number, UnitsAreExact) {
  EXPECT_EQ(ParseNumber("500ms").integer, 500'000'000);
  EXPECT_EQ(ParseNumber("1.5s").integer, 1'500'000'000);
  EXPECT_EQ(ParseNumber("0.1s").integer, 100'000'000);
  EXPECT_EQ(ParseNumber("2h").integer, int64_t{7200} * 1'000'000'000);
  EXPECT_EQ(ParseNumber("1MiB").integer, 1 << 20);
  EXPECT_EQ(ParseNumber("0.5KiB").integer, 512);
  EXPECT_EQ(ParseNumber("20%").value, 0.2);
  EXPECT_EQ(ParseNumber("5xx").kind, NumberKind::kStatusClass);
  EXPECT_EQ(ParseNumber("30/min").kind, NumberKind::kRate);
  EXPECT_EQ(ParseNumber("-3").integer, -3);
  EXPECT_EQ(ParseNumber("1.5").kind, NumberKind::kDecimal);
}

TEST(Number, WhatDoesNotFitIsMalformed) {
  EXPECT_EQ(ParseNumber("9223372036854775807").integer, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(ParseNumber("9223372036854775808").kind, NumberKind::kMalformed);
  EXPECT_EQ(ParseNumber("99999999999999999999s").kind, NumberKind::kMalformed);
  EXPECT_EQ(ParseNumber("3000000h").kind, NumberKind::kMalformed);
  EXPECT_EQ(ParseNumber("0.5ns").kind, NumberKind::kMalformed);
  EXPECT_EQ(ParseNumber("0.3B").kind, NumberKind::kMalformed);
}

TEST(Number, AnUnknownUnitOffersTheLikelyOne) {
  const std::pair<const char*, const char*> cases[] = {
      {"15sec", "15s"}, {"5m", "5min"},    {"500MS", "500ms"}, {"1hr", "1h"},    {"2d", "48h"},
      {"1MB", "1MiB"},  {"10kb", "10KiB"}, {"3G", "3GiB"},     {"20pct", "20%"}, {"7xx", ""}};
  for (const auto& [written, meant] : cases) {
    const Number number = ParseNumber(written);
    EXPECT_EQ(number.kind, NumberKind::kUnknownUnit) << written;
    EXPECT_EQ(number.suggestion, meant) << written;
  }
}

TEST(Number, PrintedDurationsAndSizesAreReadBackAsThemselves) {
  for (int64_t ns :
       {int64_t{1}, int64_t{1'000'000}, int64_t{15'000'000'000}, int64_t{3'600'000'000'000}, int64_t{60'000'000'000}}) {
    EXPECT_EQ(ParseNumber(model::PrintDuration(ns)).integer, ns);
  }
  EXPECT_EQ(model::PrintDuration(4'980'000'000'000), "1h23min");
  EXPECT_EQ(model::PrintDuration(0), "0s");
  for (int64_t bytes : {int64_t{0}, int64_t{1}, int64_t{1024}, int64_t{1} << 20, int64_t{5} << 30, int64_t{1500}}) {
    EXPECT_EQ(ParseNumber(model::PrintSize(bytes)).integer, bytes);
  }
}

TEST(Url, PartsAreTakenApart) {
  AddressError error;
  const auto plain = ParseUrl("http://ollama-service:11434/api/chat", &error);
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->host, "ollama-service");
  EXPECT_EQ(plain->port, 11434);
  EXPECT_EQ(plain->path, "/api/chat");
  EXPECT_EQ(plain->authority, "ollama-service:11434");
  const auto v6 = ParseUrl("http://[2001:db8::1]:80", &error);
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_EQ(v6->authority, "[2001:db8::1]");
  EXPECT_EQ(v6->path, "");
}

TEST(Url, WhatIsNotSurelyMeantIsRefused) {
  for (const char* text : {"",
                           "http://",
                           "http:///x",
                           "http://a:",
                           "http://a:0",
                           "http://a:65536",
                           "http://a:8x",
                           "http://u@a",
                           "http://a/?q",
                           "http://a/#f",
                           "http://a b",
                           "http://-a",
                           "http://a-.b",
                           "http://a..b",
                           "http://1.2.3",
                           "http://1.2.3.256",
                           "http://01.2.3.4",
                           "http://[::1",
                           "http://[1:2]",
                           "http://[::1::2]",
                           "http://[::1]x",
                           "http://::1",
                           "http://a/b c",
                           "http://a/%zz",
                           "HTTP://a",
                           "a:80",
                           "ftp://a",
                           "http://a\r\nX: y"}) {
    AddressError error;
    EXPECT_FALSE(ParseUrl(text, &error)) << text;
    EXPECT_FALSE(error.reason.empty()) << text;
    EXPECT_FALSE(error.help.empty()) << text;
  }
}

TEST(Listen, HostAndPortAreNeeded) {
  AddressError error;
  EXPECT_EQ(ParseListenAddress("0.0.0.0:8080", &error)->ToString(), "0.0.0.0:8080");
  EXPECT_EQ(ParseListenAddress("[::]:0", &error)->ToString(), "[::]:0");
  EXPECT_EQ(ParseListenAddress("localhost:80", &error)->host, "localhost");
  for (const char* text : {"", "8080", ":8080", "a", "a:65536", "::1:80", "http://a:80", "a:80/x"})
    EXPECT_FALSE(ParseListenAddress(text, &error)) << text;
}

TEST(Origin, ASchemeAndAHostAndNothingBehindThem) {
  for (const char* text : {"https://chat.example", "http://localhost:3000", "http://[::1]:80"})
    EXPECT_TRUE(IsOrigin(text)) << text;
  for (const char* text :
       {"chat.example", "https://chat.example/", "https://", "https://a/x", "://a", "null", "https://a:99999"})
    EXPECT_FALSE(IsOrigin(text)) << text;
}

}  // namespace
}  // namespace compiler::check
