// Which dialect a request speaks, and how its client will read the answer.
#include <gtest/gtest.h>

#include "runtime/dialect/dialect.h"

namespace runtime::dialect {
namespace {

using compiler::abi::Method;

ClientDialect DetectPost(std::string_view path, std::string_view body) { return Detect(Method::kPOST, path, "", body); }

TEST(Detect, OllamaStreamsUnlessTheRequestSaysNo) {
  const ClientDialect silent = DetectPost("/api/chat", R"({"model":"qwen3:32b","messages":[]})");
  EXPECT_EQ(silent.api, Api::kOllamaChat);
  EXPECT_EQ(silent.shape, Shape::kNdjson);
  EXPECT_EQ(silent.model, "qwen3:32b");
  EXPECT_TRUE(silent.is_stream());

  const ClientDialect off = DetectPost("/api/generate", R"({"stream": false, "model":"m"})");
  EXPECT_EQ(off.api, Api::kOllamaGenerate);
  EXPECT_EQ(off.shape, Shape::kJson);
  EXPECT_FALSE(off.is_stream());
}

TEST(Detect, OpenAiStreamsOnlyIfTheRequestSaysYes) {
  EXPECT_EQ(DetectPost("/v1/chat/completions", R"({"model":"m"})").shape, Shape::kJson);
  EXPECT_EQ(DetectPost("/v1/chat/completions", R"({"stream":true})").shape, Shape::kSse);
  const ClientDialect old = DetectPost("/v1/completions", R"({"stream":true})");
  EXPECT_EQ(old.api, Api::kOpenAiCompletions);
  EXPECT_EQ(old.shape, Shape::kSse);
}

TEST(Detect, PathOfTheEndpointSpeaksForAPlainPath) {
  EXPECT_EQ(Detect(Method::kPOST, "/", "/api/chat", "{}").api, Api::kOllamaChat);
  // The request's own path wins.
  EXPECT_EQ(Detect(Method::kPOST, "/v1/chat/completions", "/api/chat", "{}").api, Api::kOpenAiChat);
}

TEST(Detect, PathIsToldByHowItEnds) {
  for (const char* path : {"/v1/chat/completions/", "/chat/completions", "/api/v1/chat/completions", "/openai/deployments/gpt/chat/completions",
                           "/api/chat/completions", "/v1beta/openai/chat/completions", "/OpenAI/Deployments/gpt/Chat/Completions"}) {
    EXPECT_EQ(DetectPost(path, "{}").api, Api::kOpenAiChat) << path;
  }
  for (const char* path : {"/v1/responses", "/responses", "/openai/v1/responses/", "/backend-api/codex/responses"}) {
    EXPECT_EQ(DetectPost(path, "{}").api, Api::kOpenAiResponses) << path;
  }
  EXPECT_EQ(DetectPost("/anthropic/v1/messages", "{}").api, Api::kAnthropicMessages);
  EXPECT_EQ(DetectPost("/anthropic/messages", "{}").api, Api::kAnthropicMessages) << "a base without a version";
  EXPECT_EQ(DetectPost("/ollama/api/chat", "{}").api, Api::kOllamaChat);
  EXPECT_EQ(DetectPost("/beta/completions", "{}").api, Api::kOpenAiCompletions);
  for (const char* path : {"/v1/threads/thread_1/messages", "/v1/responses/resp_1/cancel", "/v1/xchat/completionsx", "/v1/embeddings", "/messages"}) {
    EXPECT_EQ(DetectPost(path, "{}").api, Api::kPlain) << path;
  }
}

TEST(Detect, ErrorsAreThoseOfTheFamilyOfThePath) {
  EXPECT_EQ(DetectPost("/v1/embeddings", "{}").family, ApiFamily::kOpenAi);
  EXPECT_EQ(Detect(Method::kGET, "/v1/models", "", "").family, ApiFamily::kOpenAi);
  EXPECT_EQ(DetectPost("/v1/messages/count_tokens", "{}").family, ApiFamily::kAnthropic);
  EXPECT_EQ(DetectPost("/api/embed", "{}").family, ApiFamily::kOllama);
  for (const char* path : {"/api/v1/models", "/models", "/api/paas/v4/models", "/v1beta/models/gemini:generateContent", "/v2/rerank", "/v1"}) {
    EXPECT_EQ(DetectPost(path, "{}").family, ApiFamily::kOpenAi) << path;
  }
  EXPECT_EQ(DetectPost("/api/version", "{}").family, ApiFamily::kOllama);
  EXPECT_EQ(DetectPost("/v1/responses", "{}").family, ApiFamily::kResponses);
  EXPECT_EQ(DetectPost("/", "{}").family, ApiFamily::kNone);
}

TEST(Detect, ChoicesAreThoseThatAreAskedFor) {
  EXPECT_EQ(DetectPost("/v1/chat/completions", R"({"n":3})").choices, 3);
  EXPECT_EQ(DetectPost("/v1/completions", R"({"n":2,"prompt":["a","b"]})").choices, 4);
  EXPECT_EQ(DetectPost("/v1/completions", R"({"prompt":[1,2,3]})").choices, 1);
  EXPECT_EQ(DetectPost("/api/chat", R"({"n":3})").choices, 1);
}

TEST(Detect, OnlyPostSpeaksADialect) {
  const ClientDialect get = Detect(Method::kGET, "/api/chat", "/api/chat", R"({"model":"m"})");
  EXPECT_EQ(get.api, Api::kPlain);
  EXPECT_EQ(get.shape, Shape::kJson);
  EXPECT_EQ(DetectPost("/api/tags", "{}").api, Api::kPlain);
  EXPECT_EQ(DetectPost("/api/chat/more", "{}").api, Api::kPlain);
}

TEST(Detect, BodyThatIsNotJsonHasNoMembers) {
  for (const char* body : {"", "stream=false", R"({"stream":false)", R"({"stream":false}x)", "[{\"stream\":false}]"}) {
    const ClientDialect client = DetectPost("/api/chat", body);
    EXPECT_EQ(client.shape, Shape::kNdjson) << body;
    EXPECT_EQ(client.model, "") << body;
  }
}

TEST(Detect, OnlyTheTopLevelMemberOfTheRightTypeCounts) {
  EXPECT_EQ(DetectPost("/api/chat", R"({"options":{"stream":false,"model":"x"},"a":[{"stream":false}]})").shape,
            Shape::kNdjson);
  EXPECT_EQ(DetectPost("/api/chat", R"({"options":{"model":"x"}})").model, "");
  EXPECT_EQ(DetectPost("/api/chat", R"({"stream":"false"})").shape, Shape::kNdjson);
  EXPECT_EQ(DetectPost("/api/chat", R"({"stream":null})").shape, Shape::kNdjson);
  EXPECT_EQ(DetectPost("/api/chat", R"({"model":5})").model, "");
}

TEST(Detect, LastOfEqualNamesCounts) {
  EXPECT_EQ(DetectPost("/api/chat", R"({"stream":true,"stream":false})").shape, Shape::kJson);
  EXPECT_EQ(DetectPost("/api/chat", R"({"stream":false,"stream":null})").shape, Shape::kNdjson);
}

TEST(Detect, WhatNobodyReadsIsSkipped) {
  for (const std::string body :
       {R"({"seed":123456789012345678901234567890,"t":1e999,"stream":false,"model":"m"})",
        R"({"\u0073tream":false,"model":"m"} )",
        R"({"messages":[{"content":"{\"stream\":true}"}],"stream":false,"model":"m"})",
        R"({"unknown":["\ud800",-0.0e-7],"stream":false,"model":"m"})"}) {
    const ClientDialect client = DetectPost("/api/chat", body);
    EXPECT_EQ(client.shape, Shape::kJson) << body;
    EXPECT_EQ(client.model, "m") << body;
  }
}

TEST(Detect, BrokenTextHasNoMembers) {
  for (const std::string body : {R"({"stream":false,"a":"x)", R"({"stream":false,"a":})", R"({"stream":false}{})", R"({"stream":false} {"a":1})",
                                 "{\"stream\":false,\"a\":\"\xff\"}", R"({"stream":false,"a":[1})", R"({"unknown":nul,"stream":false})", R"({"stream" false})"}) {
    EXPECT_EQ(DetectPost("/api/chat", body).shape, Shape::kNdjson) << body;
  }
}

TEST(Detect, LongBodiesAreReadAndShortOnesAfterThem) {
  const std::string text(5 << 20, 'x');
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(DetectPost("/api/chat", R"({"messages":[{"content":")" + text + R"("}],"stream":false,"model":"long"})").model, "long");
    EXPECT_EQ(DetectPost("/api/chat", R"({"model":"short"})").model, "short");
  }
}

TEST(Detect, DeepNestingIsReadWithoutRecursion) {
  const std::string deep = R"({"a":)" + std::string(200'000, '[') + std::string(200'000, ']') + R"(,"stream":false})";
  EXPECT_EQ(DetectPost("/api/chat", deep).shape, Shape::kJson);
}

}  // namespace
}  // namespace runtime::dialect
