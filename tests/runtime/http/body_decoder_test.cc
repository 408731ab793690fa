#include "runtime/http/body_decoder.h"

#include <gtest/gtest.h>

#include <string>

namespace runtime::http {
namespace {

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  return bytes;
}

// {"model":"m"}, by gzip 1.12 -n, python 3.11's zlib and raw deflate, and zstd 1.5.4.
const std::string kText = "{\"model\":\"m\"}";
const std::string kGzip = FromHex("1f8b0800000000000003ab56cacd4f49cd51b252ca55aa05009b6cbaaa0d000000");
const std::string kZlib = FromHex("789cab56cacd4f49cd51b252ca55aa05001f070439");
const std::string kRaw = FromHex("ab56cacd4f49cd51b252ca55aa0500");
const std::string kZstd = FromHex("28b52ffd04586900007b226d6f64656c223a226d227d278b7c64");
const std::string kZeros = FromHex("28b52ffd003803001000");  // 128 KiB of them, zstd: one block of one byte, repeated

std::string Decoded(ContentCoding coding, const std::string& bytes, size_t limit = 1000) {
  std::string out = ">";
  switch (DecodeBody(coding, bytes, limit, &out)) {
    case DecodeProblem::kNone: return out;
    case DecodeProblem::kBroken: return "broken";
    case DecodeProblem::kTooLarge: return "too large";
  }
  return "";
}

TEST(BodyDecoder, DecodesEachCoding) {
  EXPECT_EQ(">" + kText, Decoded(ContentCoding::kGzip, kGzip));
  EXPECT_EQ(">" + kText, Decoded(ContentCoding::kDeflate, kZlib));
  EXPECT_EQ(">" + kText, Decoded(ContentCoding::kDeflate, kRaw));
  EXPECT_EQ(">" + kText, Decoded(ContentCoding::kZstd, kZstd));
  EXPECT_EQ(">" + kText + kText, Decoded(ContentCoding::kGzip, kGzip + kGzip));
  EXPECT_EQ(">" + kText + kText, Decoded(ContentCoding::kZstd, kZstd + kZstd));
}

TEST(BodyDecoder, RefusesWhatIsBroken) {
  for (const auto& [coding, bytes] : {std::pair(ContentCoding::kGzip, kGzip), std::pair(ContentCoding::kDeflate, kZlib),
                                      std::pair(ContentCoding::kZstd, kZstd)}) {
    for (size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_EQ("broken", Decoded(coding, bytes.substr(0, cut))) << cut;
    EXPECT_EQ("broken", Decoded(coding, bytes + "x"));
    EXPECT_EQ("broken", Decoded(coding, kText));
  }
  std::string changed = kGzip;
  changed[changed.size() - 6] ^= 1;  // its checksum
  EXPECT_EQ("broken", Decoded(ContentCoding::kGzip, changed));
  EXPECT_EQ("broken", Decoded(ContentCoding::kUnknown, kText));
}

TEST(BodyDecoder, StopsAtTheLimit) {
  EXPECT_EQ(">" + kText, Decoded(ContentCoding::kZstd, kZstd, kText.size()));
  EXPECT_EQ("too large", Decoded(ContentCoding::kZstd, kZstd, kText.size() - 1));
  EXPECT_EQ("too large", Decoded(ContentCoding::kGzip, kGzip, kText.size() - 1));
  EXPECT_EQ("too large", Decoded(ContentCoding::kZstd, kZeros));
  // A frame that asks for a window of 128 MiB.
  EXPECT_EQ("too large", Decoded(ContentCoding::kZstd, FromHex("28b52ffd0088010000")));
}

TEST(BodyDecoder, ReadsTheCodingOfAllLines) {
  const auto coding = [](std::vector<std::string_view> values) {
    Headers headers;
    for (const std::string_view value : values) headers.lines().push_back({"Content-Encoding", value});
    return CodingOf(headers);
  };
  EXPECT_EQ(ContentCoding::kNone, coding({}));
  for (const char* none : {"", "identity", "none", "Identity"}) EXPECT_EQ(ContentCoding::kNone, coding({none})) << none;
  EXPECT_EQ(ContentCoding::kGzip, coding({"GZip"}));
  EXPECT_EQ(ContentCoding::kGzip, coding({"x-gzip"}));
  EXPECT_EQ(ContentCoding::kZstd, coding({" zstd "}));
  EXPECT_EQ(ContentCoding::kDeflate, coding({"identity, deflate"}));
  EXPECT_EQ(ContentCoding::kUnknown, coding({"br"}));
  EXPECT_EQ(ContentCoding::kUnknown, coding({"gzip, gzip"}));
  EXPECT_EQ(ContentCoding::kUnknown, coding({"gzip", "identity"}));
}

}  // namespace
}  // namespace runtime::http
