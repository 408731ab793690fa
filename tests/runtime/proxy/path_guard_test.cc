#include "runtime/proxy/path_guard.h"

#include <gtest/gtest.h>

#include "compiler/compile.h"

namespace runtime::proxy {
namespace {

TEST(ChangesOllama, OnlyWhatAsksItSomethingPasses) {
  for (const char* path : {"/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/api/tags", "/api/show", "/api/ps", "/api/version",
                           "/api/tags/", "/", "/v1/models", "/v1/chat/completions", "/apis", "/v1/api/pull", "/props"}) {
    EXPECT_FALSE(ChangesOllama(path)) << path;
  }
  for (const char* path : {"/api/pull", "/api/create", "/api/delete", "/api/copy", "/api/push", "/api/blobs/sha256:0", "/api/signout", "/api/user/keys",
                           "/api/experimental/x", "/api/me", "/API/Pull", "/api/PULL/", "/api%2Fpull", "/api/%70ull", "/api%252Fpull",
                           "/api/chat/../pull", "/api/tags%2F..%2Fpull", "/api//pull", "/api\\pull", "/api/whatever-comes-next"}) {
    EXPECT_TRUE(ChangesOllama(path)) << path;
  }
}

TEST(PathGuard, ARouteThatNamesThePathLetsItPass) {
  compiler::diagnostics::Diagnostics diagnostics;
  const auto compiled = compiler::CompileInterpreted(
      "edition 1\ngateway { listen = \"127.0.0.1:0\" }\n"
      "upstream u { url = \"http://10.0.0.1:11434\" }\n"
      "upstream v { url = \"http://10.0.0.1:8000\"  dialect = openai }\n"
      "upstream w { url = \"http://10.0.0.1:8000/api/v3\" }\n"
      "route pulls { when request.path in {\"/api/pull\", \"/api/push\"} and request.method == POST  to = u }\n"
      "route one { when request.path == \"/api/delete\"  to = u }\n"
      "route no { when not (request.path == \"/api/copy\")  to = u }\n"
      "route prefix { when request.path starts_with \"/api/\"  to = [u, v] }\n",
      {}, &diagnostics);
  ASSERT_NE(compiled, nullptr);
  const PathGuard guard(compiled->policy);
  using compiler::model::RouteId;
  const auto refuses = [&](int route, int upstream, const char* path) {
    return guard.Refuses(RouteId(route), compiled->policy.upstreams[compiler::model::UpstreamId(upstream)], path, path);
  };
  EXPECT_FALSE(refuses(0, 0, "/api/pull"));
  EXPECT_FALSE(refuses(0, 0, "/api/push"));
  EXPECT_TRUE(refuses(0, 0, "/api/delete"));
  EXPECT_FALSE(refuses(1, 0, "/api/delete"));
  EXPECT_TRUE(refuses(1, 0, "/API/delete"));
  EXPECT_TRUE(refuses(2, 0, "/api/copy"));
  EXPECT_TRUE(refuses(3, 0, "/api/pull"));
  EXPECT_FALSE(refuses(3, 1, "/api/pull")) << "no Ollama";
  EXPECT_FALSE(refuses(3, 0, "/api/chat"));
  // Behind a base, which a proxy in front of it cuts off again.
  const auto refuses_behind = [&](const char* path, const char* sent) {
    return guard.Refuses(RouteId(3), compiled->policy.upstreams[compiler::model::UpstreamId(0)], path, sent);
  };
  EXPECT_TRUE(refuses_behind("/api/delete", "/ollama/api/delete"));
  EXPECT_TRUE(refuses_behind("/delete", "/api/delete"));
  EXPECT_FALSE(refuses_behind("/api/chat", "/ollama/api/chat"));
  // Behind one that names a version.
  const auto refuses_versioned = [&](const char* path, const char* sent) {
    return guard.Refuses(RouteId(3), compiled->policy.upstreams[compiler::model::UpstreamId(2)], path, sent);
  };
  EXPECT_FALSE(refuses_versioned("/v1/contents/generations/tasks", "/api/v3/contents/generations/tasks"));
  EXPECT_FALSE(refuses_versioned("/api/v3/responses", "/api/v3/responses"));
  EXPECT_TRUE(refuses_versioned("/api/delete", "/api/v3/api/delete"));
  EXPECT_TRUE(refuses_versioned("/api/v3/api/delete", "/api/v3/api/delete")) << "a proxy in front of an Ollama cuts the base off";
}

}  // namespace
}  // namespace runtime::proxy
