#include "runtime/http/request_path.h"

#include <gtest/gtest.h>

#include <cctype>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"

namespace runtime::http {
namespace {

TEST(NormalisePath, GivesOneFormForWhatServersTakeForTheSame) {
  const std::pair<std::string_view, std::string_view> same[] = {
      {"/", "/"},
      {"/a/b", "/a/b"},
      {"/a/b/", "/a/b/"},
      {"//evil", "/evil"},
      {"/a//b///c", "/a/b/c"},
      {"/a/./b/.", "/a/b/"},
      {"/a/../b", "/b"},
      {"/a/b/..", "/a/"},
      {"/%61%50%49", "/aPI"},
      {"/a%2fb", "/a%2Fb"},
      {"/v1/models/Qwen%2FQwen3", "/v1/models/Qwen%2FQwen3"},
      {"/v1/models/qwen3%3A8b", "/v1/models/qwen3:8b"},
      {"/v1beta/models/gemini%2Dpro%3AgenerateContent", "/v1beta/models/gemini-pro:generateContent"},
      {"/api/%70ull", "/api/pull"},
      {"/%e2%82%ac%20%3b%2b%25", "/%E2%82%AC%20%3B%2B%25"},
      {"/a;x/b", "/a;x/b"},
      {"/a/.../b", "/a/.../b"},
      {"/a/..b/.c", "/a/..b/.c"},
      {"/v1/files/%2e%2ebackup", "/v1/files/..backup"},
      {"/v1/models/a%2F...%2Fb", "/v1/models/a%2F...%2Fb"},
      {"/100%25", "/100%25"},
      {"/a%20.%20b/%20", "/a%20.%20b/%20"},
      {"/\xc3\xa9|{b}^`\"<x>", "/%C3%A9%7C%7Bb%7D%5E%60%22%3Cx%3E"},
      {"*", "*"},
  };
  for (const auto& [path, normal] : same) EXPECT_EQ(normal, NormalisePath(path).value_or("nothing")) << path;
  for (const auto& [path, normal] : same)
    EXPECT_EQ(normal, NormalisePath(normal).value_or("nothing")) << "twice: " << path;
}

TEST(NormalisePath, RefusesWhatLeavesTheRootOrIsBroken) {
  for (const std::string_view path : {"/..", "/../a", "/a/../../b", "/a%00b", "/a%", "/a%4", "/a%zz", "a", ""}) {
    EXPECT_FALSE(NormalisePath(path).has_value()) << path;
  }
}

TEST(NormalisePath, RefusesDotSegmentsThatOnlySomeServersSee) {
  for (const std::string_view path :
       {"/%2e%2e/a", "/a/%2e%2e/b", "/a/%2E./b", "/a/%2e/b", "/a/.%2e", "/..;/a", "/a/..;x=1/b", "/a/.;/b",
        "/admin/..;/public/y", "/a/..%2fb", "/a/..%2Fb", "/a%2f..%2fb", "/a%2F.%2Fb", "/a%2F..", "/..%2f",
        "/a/%2e%2e%2fb", "/a/%252e%252e/b", "/a/%25252e%25252e/b", "/a/..%3b/b", "/a/..%3Bx/b", "/a/..%5cb", "/a/..\\b",
        "/a\\b", "/a%5Cb", "/a%5c..%5cb", "/a/..%252fb", "/a/%2e%2e;/b", "/a/..%255cb",
        // with what parsers of URLs leave out
        "/a/..%09/b", "/a/.%0a./b", "/a/%0d../b", "/a/..%20/b", "/a/%20.%20/b", "/a/..%7f;x/b", "/a/.%2509./b",
        // overlong UTF-8: a dot or a slash to who decodes it without looking
        "/a/%c0%ae%c0%ae/b", "/a%c0%afb", "/a/%e0%80%ae/b", "/a/%f0%80%80%ae/b", "/a/\xc0\xae/b", "/a/%25c0%25ae/b",
        "/%c1%81"}) {
    EXPECT_FALSE(NormalisePath(path).has_value()) << path;
  }
}

// ---- Random paths ----------------------------------------------------------------------------------------------------

std::string Decoded(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(static_cast<unsigned char>(text[i + 1])) != 0 &&
        std::isxdigit(static_cast<unsigned char>(text[i + 2])) != 0) {
      decoded.push_back(static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16)));
      i += 2;
    } else {
      decoded.push_back(text[i]);
    }
  }
  return decoded;
}

// What is wrong with a path for a server that decodes it `times` times, takes "\" for "/" and cuts parameters off; "": nothing.
std::string Danger(std::string path, int times) {
  for (int i = 0; i < times; ++i) path = Decoded(path);
  std::string segment;
  for (const char c : path + "/") {
    if (c != '/' && c != '\\') {
      segment.push_back(c);
      continue;
    }
    std::string name = segment.substr(0, segment.find(';'));
    std::erase_if(name,
                  [](char letter) { return static_cast<unsigned char>(letter) <= ' '; });  // as parsers of URLs do
    if (name == "." || name == "..") return "a dot segment: " + path;
    segment.clear();
  }
  return path.find('\0') == std::string::npos ? "" : "a NUL: " + path;
}

// The plain way: unreserved escapes decoded, dots removed. What the gateway had once.
std::optional<std::string> Naive(std::string_view path) {
  std::string decoded;
  for (size_t i = 0; i < path.size(); ++i) {
    const std::string_view escape = path.substr(i, 3);
    if (escape == "%2e" || escape == "%2E" || escape == "%2f" || escape == "%2F") {
      decoded.push_back(escape[2] == 'e' || escape[2] == 'E' ? '.' : '/');
      i += 2;
    } else {
      decoded.push_back(path[i]);
    }
  }
  return decoded.find("..") == std::string::npos ? std::optional(std::string(path)) : std::nullopt;
}

// The first of `count` random paths that is accepted and dangerous; "" where none is.
std::string FirstDanger(std::optional<std::string> (*normalise)(std::string_view), int count, int* accepted) {
  constexpr std::string_view kPieces[] = {"a", "api", "pull", ".", "..", "...", "/", "/", "//", "%2e", "%2E", "%2f", "%2F", "%5c", "\\", ";", ";x=1", "%3b",
                                          "%25", "%252e", "%252f", "%00", "%", "%4", "%zz", "%20", "%c0%ae", "%61", ":", "@", "~", "%7E", "+"};
  base::Random random(4711);
  for (int i = 0; i < count; ++i) {
    std::string path = "/";
    for (uint64_t pieces = 1 + random.Below(8); pieces > 0; --pieces) path += kPieces[random.Below(std::size(kPieces))];
    const auto normal = normalise(path);
    if (!normal) continue;
    ++*accepted;
    for (int times = 0; times <= 3; ++times) {
      if (const std::string danger = Danger(*normal, times); !danger.empty()) return path + " became " + *normal + ", " + danger;
    }
    if (normalise(*normal) != normal) return path + " became " + *normal + ", and that something else";
  }
  return "";
}

TEST(NormalisePath, LeavesNothingThatAnotherServerCouldReadAnotherWay) {
  int accepted = 0;
  EXPECT_EQ(FirstDanger(&NormalisePath, 200'000, &accepted), "");
  EXPECT_GT(accepted, 20'000);
  int naive = 0;
  EXPECT_NE(FirstDanger(&Naive, 1'000, &naive), "") << "the comparison finds a careless way within a thousand";
}

TEST(PathsForOthers, AreWhatServersSeeThatDecodeMoreOrCutParametersOff) {
  using Paths = std::vector<std::string>;
  EXPECT_EQ(PathsForOthers("/api/pull"), Paths());
  EXPECT_EQ(PathsForOthers("/api%2Fpull"), Paths{"/api/pull"});
  EXPECT_EQ(PathsForOthers("/api/%2F%2Fpull"), Paths{"/api/pull"});
  EXPECT_EQ(PathsForOthers("/api%2Fpull%2F"), Paths{"/api/pull/"});
  EXPECT_EQ(PathsForOthers("/admin;x=1"), Paths{"/admin"});
  EXPECT_EQ(PathsForOthers("/;x/admin"), Paths{"/admin"});
  EXPECT_EQ(PathsForOthers("/admin%3Bx"), (Paths{"/admin"}));
  EXPECT_EQ(PathsForOthers("/%2561dmin"), (Paths{"/%61dmin", "/admin"}));
  EXPECT_EQ(PathsForOthers("/a%252Fb"), (Paths{"/a%2Fb", "/a/b"}));
  EXPECT_EQ(PathsForOthers("/admin%20"), Paths{"/admin"});
  EXPECT_EQ(PathsForOthers("/admin%3Fx"), Paths{"/admin"});
  EXPECT_EQ(PathsForOthers("/admin%23"), Paths{"/admin"});
  EXPECT_EQ(PathsForOthers("/%E4%BD%A0"), Paths{"/\xe4\xbd\xa0"});
}

}  // namespace
}  // namespace runtime::http
