#include "runtime/http/request_path.h"

#include <gtest/gtest.h>

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
       {"/%2e%2e/a", "/a/%2e%2e/b", "/a/%2E./b", "/a/%2e/b", "/a/.%2e", "/..;/a", "/a/..;x=1/b", "/a/.;/b", "/admin/..;/public/y",
        "/a/..%2fb", "/a/..%2Fb", "/a%2f..%2fb", "/a%2F.%2Fb", "/a%2F..", "/..%2f", "/a/%2e%2e%2fb", "/a/%252e%252e/b",
        "/a/%25252e%25252e/b", "/a/..%3b/b", "/a/..%3Bx/b", "/a/..%5cb", "/a/..\\b", "/a\\b", "/a%5Cb", "/a%5c..%5cb", "/a/..%252fb",
        "/a/%2e%2e;/b", "/a/..%255cb"}) {
    EXPECT_FALSE(NormalisePath(path).has_value()) << path;
  }
}

TEST(WithPlainSlashes, IsWhatAServerSeesThatDecodesFirst) {
  EXPECT_EQ("/api/pull", WithPlainSlashes("/api%2Fpull"));
  EXPECT_EQ("/api/pull", WithPlainSlashes("/api/%2F%2Fpull"));
  EXPECT_EQ("/api/pull/", WithPlainSlashes("/api%2Fpull%2F"));
}

}  // namespace
}  // namespace runtime::http
