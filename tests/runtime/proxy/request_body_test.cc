// The body of a request by itself: kept, streaming, rewritten; the upload with back-pressure; and what may not be asked of it.
#include "runtime/proxy/request_body.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "runtime/proxy/limits.h"
#include "tests/runtime/proxy/request_path.h"

namespace tests {
namespace {

using http::BodyFraming;
using runtime::proxy::kHighWater;
using runtime::proxy::RequestBody;
using Stage = RequestBody::Stage;
using base::MergeOutcome;

constexpr size_t kMostKept = 10;

TEST(RequestBody, IsKeptUntilItIsWhole) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kChunked);
  RequestBody body(head, kMostKept, host);
  EXPECT_FALSE(body.Add(One("12345")));
  EXPECT_FALSE(body.Add(One("67890")));
  EXPECT_TRUE(body.End());
  EXPECT_EQ(body.stage(), Stage::kKept);
  EXPECT_EQ(body.kept(), "1234567890");
  EXPECT_EQ(body.view(), "1234567890");
  EXPECT_EQ(body.received(), 10u);
}

TEST(RequestBody, IsTooLongIfItsLengthIsMoreThanWhatIsKept) {
  FakeHost host;
  const auto kept = RequestHead(BodyFraming::kLength, kMostKept);
  const auto streams = RequestHead(BodyFraming::kLength, kMostKept + 1);
  const auto unknown = RequestHead(BodyFraming::kChunked);
  EXPECT_FALSE(RequestBody(kept, kMostKept, host).is_too_long());
  EXPECT_TRUE(RequestBody(streams, kMostKept, host).is_too_long());
  EXPECT_FALSE(RequestBody(unknown, kMostKept, host).is_too_long());
}

TEST(RequestBody, ThatIsReadIsKeptWhateverItsLength) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kLength, 20);
  RequestBody body(head, kMostKept, host);
  EXPECT_TRUE(body.Add(One("12345678901")));
  body.KeepUpTo(100);
  EXPECT_FALSE(body.Add(One("234567890")));
  EXPECT_TRUE(body.End());
  EXPECT_EQ(body.kept(), "12345678901234567890");
}

TEST(RequestBody, TakesNoMoreRoomThanItsLengthSays) {
  constexpr size_t kLength = 100'000;  // doubled from its first piece on it would be far beyond
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kLength, kLength);
  RequestBody body(head, kLength, host);
  const std::string piece(1000, 'x');
  for (size_t sent = 0; sent < kLength; sent += piece.size()) {
    body.Add(One(piece));
    ASSERT_LE(body.held_bytes(), kLength);
  }
  EXPECT_TRUE(body.End());
  EXPECT_EQ(body.kept().size(), kLength);
}

TEST(RequestBody, WaitsForTheClientWhereAllThatCameIsSent) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kLength, 30);
  RequestBody body(head, kMostKept, host);
  FakeSink sink;
  body.Add(One("12345678901"));
  body.Stream();
  EXPECT_FALSE(body.waits_for_client()) << "no upstream takes it yet";
  sink.queued = 5;
  body.OpenUpload(sink);
  EXPECT_FALSE(body.waits_for_client()) << "it is the upstream that takes its time";
  sink.queued = 0;
  EXPECT_TRUE(body.waits_for_client());
  body.Add(One("2345678901234567890"));
  body.End();
  EXPECT_FALSE(body.waits_for_client());
}

TEST(RequestBody, ThatTurnsOutTooLargeIsPassedOnWithWhatCameBefore) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kChunked);
  RequestBody body(head, kMostKept, host);
  FakeSink sink;
  EXPECT_FALSE(body.Add(One("1234567")));
  EXPECT_TRUE(body.Add(One("8901")));
  EXPECT_EQ(body.kept(), "12345678901");
  body.Stream();
  EXPECT_EQ(body.kept(), "");
  body.OpenUpload(sink);
  EXPECT_EQ(sink.taken, "b\r\n12345678901\r\n");
  EXPECT_FALSE(sink.is_last);
  EXPECT_TRUE(body.waits_for_client());
  EXPECT_FALSE(body.Add(One("end")));
  EXPECT_FALSE(body.End());
  EXPECT_EQ(body.stage(), Stage::kStreamed);
  EXPECT_EQ(sink.taken, "b\r\n12345678901\r\n3\r\nend\r\n0\r\n\r\n");
  EXPECT_TRUE(sink.is_last);
  EXPECT_FALSE(body.waits_for_client());
  EXPECT_EQ(body.received(), 14u);
}

TEST(RequestBody, IsKeptAllTheSameWhereItIsRead) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kChunked);
  RequestBody body(head, kMostKept, host);
  EXPECT_TRUE(body.Add(One("12345678901")));
  body.KeepUpTo(20);
  EXPECT_FALSE(body.Add(One("2")));
  EXPECT_TRUE(body.End());
  EXPECT_EQ(body.kept(), "123456789012");
  EXPECT_EQ(body.held_bytes(), 12u);
}

TEST(RequestBody, OfKnownLengthIsPassedOnWithoutChunks) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kLength, 12);
  RequestBody body(head, kMostKept, host);
  FakeSink sink;
  body.Add(One("123456"));
  body.Stream();
  EXPECT_EQ(body.held_bytes(), 6u);
  body.OpenUpload(sink);
  EXPECT_EQ(body.held_bytes(), 0u);
  body.Add(One("789012"));
  body.End();
  EXPECT_EQ(sink.taken, "123456789012");
}

TEST(RequestBody, HoldsItsSourceBackWhileTheUpstreamTakesNothing) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kLength, 10 * kHighWater);
  RequestBody body(head, kMostKept, host);
  const std::string much(kHighWater, 'x');
  body.Add(One(much));
  body.Stream();
  EXPECT_EQ(host.calls, "");
  body.Add(One("x"));
  EXPECT_EQ(host.calls, "pause ");
  FakeSink sink;
  sink.queued = kHighWater;  // it takes nothing yet
  body.OpenUpload(sink);
  EXPECT_EQ(sink.taken, "");
  EXPECT_FALSE(body.waits_for_client());
  sink.queued = 0;
  body.OnSinkDrained();
  EXPECT_EQ(sink.taken.size(), kHighWater + 1);
  EXPECT_EQ(host.calls, "pause resume ");
}

TEST(RequestBody, IsRewrittenForEachAttemptFromWhatTheClientSent) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kLength, 9);
  RequestBody body(head, kMostKept, host);
  body.Add(One(R"({"a":1})"));
  body.End();
  EXPECT_EQ(body.Rewrite(R"({"b":2})"), MergeOutcome::kMerged);
  EXPECT_EQ(body.view(), R"({"a":1,"b":2})");
  EXPECT_EQ(body.Rewrite(R"({"c":3})"), MergeOutcome::kMerged);
  EXPECT_EQ(body.view(), R"({"a":1,"b":2,"c":3})");  // patches of one upstream add up
  body.Restore();
  EXPECT_EQ(body.view(), R"({"a":1})");
  body.Replace("other");
  EXPECT_EQ(body.view(), "other");
  EXPECT_EQ(body.kept(), R"({"a":1})");
}

TEST(RequestBody, ThatIsNoObjectStaysAsItIs) {
  FakeHost host;
  const auto head = RequestHead(BodyFraming::kLength, 3);
  RequestBody body(head, kMostKept, host);
  body.Add(One("[1]"));
  body.End();
  EXPECT_EQ(body.Rewrite(R"({"b":2})"), MergeOutcome::kNotAnObject);
  EXPECT_EQ(body.view(), "[1]");
}

TEST(RequestBodyTest, WhatIsDroppedTakesNoMemoryAndIsCounted) {
  FakeHost host;
  const http::RequestHead head = RequestHead(BodyFraming::kChunked);
  RequestBody body(head, 1 << 20, host);
  const std::string much(200'000, 'x');
  EXPECT_FALSE(body.Add(One(much)));
  EXPECT_GE(body.held_bytes(), much.size());
  body.Drop();
  EXPECT_EQ(body.held_bytes(), 0u);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(body.Add(One(much))) << "it never grows too large";
  EXPECT_FALSE(body.End()) << "nothing begins";
  EXPECT_EQ(body.held_bytes(), 0u);
  EXPECT_EQ(body.received(), 21 * much.size());
}

// ---- Stage × event --------------------------------------------------------------------------------------------------

struct InStage {
  explicit InStage(Stage stage) : head(RequestHead(BodyFraming::kChunked)), body(head, kMostKept, host) {
    if (stage == Stage::kStreaming || stage == Stage::kStreamed) {
      body.Add(One("more than ten"));
      body.Stream();
    }
    if (stage == Stage::kKept || stage == Stage::kStreamed) body.End();
    if (stage == Stage::kDropped) body.Drop();
    EXPECT_EQ(body.stage(), stage);
  }
  FakeHost host;
  FakeSink sink;
  http::RequestHead head;
  RequestBody body;
};

TEST(RequestBodyDeathTest, HandlesOrStopsEachEventInEachStage) {
  struct Event {
    std::string name;
    std::function<void(InStage&)> make;
    std::vector<Stage> handled;
  };
  const std::vector<Stage> stages = {Stage::kArriving, Stage::kKept, Stage::kStreaming, Stage::kStreamed, Stage::kDropped};
  const std::vector<Event> events = {
      {"Add", [](InStage& s) { s.body.Add(One("x")); }, {Stage::kArriving, Stage::kStreaming, Stage::kDropped}},
      {"Stream", [](InStage& s) { s.body.Stream(); }, {Stage::kArriving}},
      {"Drop", [](InStage& s) { s.body.Drop(); }, {Stage::kArriving}},
      {"End", [](InStage& s) { s.body.End(); }, {Stage::kArriving, Stage::kStreaming, Stage::kDropped}},
      {"Rewrite", [](InStage& s) { s.body.Rewrite("{}"); }, {Stage::kKept}},
      {"Replace", [](InStage& s) { s.body.Replace("x"); }, {Stage::kKept}},
      {"OpenUpload", [](InStage& s) { s.body.OpenUpload(s.sink); }, {Stage::kStreaming, Stage::kStreamed}},
      {"CloseUpload", [](InStage& s) { s.body.CloseUpload(); }, stages},
      {"OnSinkDrained", [](InStage& s) { s.body.OnSinkDrained(); }, stages},
      {"Restore", [](InStage& s) { s.body.Restore(); }, stages},
  };
  for (const Event& event : events) {
    for (const Stage stage : stages) {
      InStage in(stage);
      if (std::find(event.handled.begin(), event.handled.end(), stage) != event.handled.end()) {
        event.make(in);
      } else {
        EXPECT_DEATH(event.make(in), "stage " + std::string(Name(stage)) + ", event " + event.name);
      }
    }
  }
}

}  // namespace
}  // namespace tests
