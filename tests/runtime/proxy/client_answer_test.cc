// What goes to the client, byte for byte, and what can't: a second head, bytes after the end.
#include "runtime/proxy/client_answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "runtime/proxy/limits.h"
#include "tests/runtime/proxy/request_path.h"

namespace runtime::proxy {

class ClientAnswerPeer {
 public:
  static void SetStage(ClientAnswer* answer, ClientAnswer::Stage stage) { answer->stage_ = stage; }
  static void SetFraming(ClientAnswer* answer, const ClientFraming& framing) { answer->framing_ = framing; }
};

}  // namespace runtime::proxy

namespace tests {
namespace {

using http::BodyFraming;
using runtime::proxy::ClientAnswer;
using runtime::proxy::ClientAnswerPeer;
using runtime::proxy::ClientFraming;
using runtime::proxy::HeadTerms;
using runtime::proxy::LocalAnswer;
using Stage = ClientAnswer::Stage;

constexpr ClientFraming kChunked{BodyFraming::kChunked, 0, true, true};
constexpr ClientFraming kUntilClose{BodyFraming::kUntilClose, 0, true, false};
const HeadTerms kTerms{"Wed, 28 Jan 2026 09:45:22 GMT", true, false};

struct Answer {
  explicit Answer(int minor_version = 1, compiler::abi::Method method = compiler::abi::Method::kPOST)
      : head(RequestHead(BodyFraming::kNone, 0, method, minor_version)),
        request{head, "/", "r-1", "192.0.2.1", {}},
        client(host, request, cors, head_memory, parts_memory) {}

  void Begin(const ClientFraming& framing, bool is_stream = false, std::string_view held = {}, size_t copied = 0,
             bool more_follows = false) {
    client.Begin(upstream, framing, is_stream, kTerms, held, copied, more_follows);
  }
  std::string body() const { return host.sent.substr(host.sent.find("\r\n\r\n") + 4); }

  FakeHost host;
  http::RequestHead head;
  runtime::proxy::ExchangeRequest request;
  compiler::model::Cors cors;
  http::ResponseHead upstream = ResponseHead(200, BodyFraming::kChunked, "text/event-stream");
  std::string head_memory = "of another exchange";
  std::vector<std::string_view> parts_memory;
  ClientAnswer client;
};

TEST(ClientAnswer, SendsHeadAndWhatWasHeldInOneChunk) {
  Answer a;
  a.Begin(kChunked, true, "held");
  a.client.Body("more");
  a.client.End();
  EXPECT_EQ(a.body(), "4\r\nheld\r\n4\r\nmore\r\n0\r\n\r\n");
  EXPECT_EQ(a.client.after(), AfterExchange::kKeepAlive);
  EXPECT_EQ(a.client.status(), 200);
  EXPECT_EQ(a.client.sent_bytes(), a.host.sent.size());
  EXPECT_NE(a.host.sent.find("X-Request-Id: r-1\r\n"), std::string::npos);
}

// nginx in front holds a stream back unless it is told so; what is no stream it may buffer.
TEST(ClientAnswer, StreamsAskProxiesNotToHoldThemBack) {
  Answer stream;
  stream.Begin(kChunked, true);
  EXPECT_NE(stream.host.sent.find("\r\nX-Accel-Buffering: no\r\n"), std::string::npos);
  Answer whole;
  whole.Begin(kChunked, false);
  EXPECT_EQ(whole.host.sent.find("X-Accel-Buffering"), std::string::npos);
  Answer told;
  told.upstream.headers.lines().push_back({"x-accel-buffering", "yes"});
  told.Begin(kChunked, true);
  EXPECT_EQ(told.host.sent.find("X-Accel-Buffering"), std::string::npos) << "its server has its own mind";
  EXPECT_NE(told.host.sent.find("x-accel-buffering: yes\r\n"), std::string::npos);
}

TEST(ClientAnswer, WithALengthHasNoLastChunk) {
  Answer a;
  a.Begin({BodyFraming::kLength, 8, true, true}, false, "held");
  a.client.Body("more");
  a.client.End();
  EXPECT_EQ(a.body(), "heldmore");
}

TEST(ClientAnswer, SendsNoBodyWhereThereIsNone) {
  Answer a(1, compiler::abi::Method::kHEAD);
  a.Begin({BodyFraming::kLength, 8, false, true}, false, "held");
  a.client.Body("more");
  a.client.End();
  EXPECT_EQ(a.body(), "");
  EXPECT_NE(a.host.sent.find("Content-Length: 8\r\n"), std::string::npos);
}

TEST(ClientAnswer, ThatIsBrokenOffShowsIt) {
  Answer chunked;
  chunked.Begin(kChunked, true);
  EXPECT_TRUE(chunked.client.can_tell_break());
  chunked.client.BreakOff("why");
  chunked.client.End();
  EXPECT_EQ(chunked.body(), "3\r\nwhy\r\n");  // and no last chunk
  EXPECT_EQ(chunked.client.after(), AfterExchange::kCloseLate);

  Answer until_close;  // to HTTP/1.0, as nginx asks: a reset would take the frame with it
  until_close.Begin(kUntilClose, true, "some");
  EXPECT_TRUE(until_close.client.can_tell_break());
  until_close.client.BreakOff("why");
  EXPECT_EQ(until_close.body(), "somewhy");
  EXPECT_EQ(until_close.client.after(), AfterExchange::kCloseLate);

  Answer no_stream;
  no_stream.Begin(kUntilClose, false, "some");
  EXPECT_FALSE(no_stream.client.can_tell_break());
  no_stream.client.BreakOff("");
  EXPECT_EQ(no_stream.client.after(), AfterExchange::kReset);  // a plain close would look like the end
}

TEST(ClientAnswer, GoesOnInAnEarlyHead) {
  Answer a;
  a.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  a.client.SendKeepAlive(": wait\n\n");
  EXPECT_TRUE(a.client.has_begun());
  a.client.BeginInStream(&a.upstream, 0, "data: 1\n\n");
  a.client.End();
  EXPECT_EQ(a.body(), "8\r\n: wait\n\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n");
  EXPECT_EQ(a.host.sent.find("HTTP/1.1 200"), a.host.sent.rfind("HTTP/1.1"));
  EXPECT_EQ(a.client.after(), AfterExchange::kKeepAlive);
}

TEST(ClientAnswer, SaysInAnEarlyHeadWhatItKnows) {
  Answer a;
  a.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  EXPECT_EQ(
      a.host.sent,
      "HTTP/1.1 200 OK\r\nDate: Wed, 28 Jan 2026 09:45:22 GMT\r\nContent-Type: text/event-stream\r\n"
      "Cache-Control: no-store\r\nX-Accel-Buffering: no\r\nX-Request-Id: r-1\r\nTransfer-Encoding: chunked\r\n\r\n");
  Answer page;
  page.cors.enabled = page.cors.any_origin = true;
  page.head.headers.lines().push_back({"Origin", "https://chat.example"});
  page.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  EXPECT_NE(page.host.sent.find("\r\nAccess-Control-Allow-Origin: *\r\n"), std::string::npos);
  Answer last;
  last.client.SendEarlyHead(runtime::dialect::Shape::kNdjson, {"date", /*may_keep_alive=*/false, false});
  EXPECT_NE(last.host.sent.find("\r\nContent-Type: application/x-ndjson\r\n"), std::string::npos);
  EXPECT_NE(last.host.sent.find("\r\nConnection: close\r\n"), std::string::npos);
}

TEST(ClientAnswer, AnEarlyHeadToTheOldVersionEndsWithItsConnection) {
  Answer a(0);
  a.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  EXPECT_EQ(a.host.sent.find("Transfer-Encoding"), std::string::npos) << a.host.sent;
  EXPECT_NE(a.host.sent.find("\r\nConnection: close\r\n"), std::string::npos);
  a.client.SendKeepAlive(": wait\n\n");
  a.client.BeginInStream(&a.upstream, 0, "data: 1\n\n");
  a.client.End();
  EXPECT_EQ(a.body(), ": wait\n\ndata: 1\n\n");
  EXPECT_EQ(a.client.after(), AfterExchange::kClose);
  Answer failed(0);
  failed.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  failed.client.FailInStream("data: no\n\n");
  failed.client.End();
  EXPECT_EQ(failed.body(), "data: no\n\n");
  EXPECT_EQ(failed.client.after(), AfterExchange::kCloseLate) << "a reset would take the frame with it";
}

TEST(ClientAnswer, LetsPagesReadWhatTheGatewaySendsItself) {
  Answer a;
  a.cors.enabled = a.cors.any_origin = true;
  a.head.headers.lines().push_back({"Origin", "https://chat.example"});
  a.client.SendWhole(LocalAnswer(), kTerms);
  EXPECT_NE(a.host.sent.find("\r\nAccess-Control-Allow-Origin: *\r\n"), std::string::npos);
}

TEST(ClientAnswer, IsCopiedForCachesWhereItsHeadWentOutEarly) {
  Answer a;
  a.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  a.client.SendKeepAlive(": wait\n\n");
  a.client.BeginInStream(&a.upstream, 100, "data: 1\n\n");
  ASSERT_TRUE(a.client.copy().exists());
  EXPECT_EQ(a.client.copy().response().body, "data: 1\n\n");
}

TEST(ClientAnswer, ThatFailsLateSaysSoAndDropsTheRest) {
  Answer a;
  a.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  a.client.FailInStream("failed");
  a.client.Body("the upstream's own words");
  a.client.End();
  EXPECT_EQ(a.body(), "6\r\nfailed\r\n");
  EXPECT_EQ(a.client.after(), AfterExchange::kCloseLate);
  EXPECT_EQ(a.client.status(), 200);
}

TEST(ClientAnswer, SendsEarlyHintsOnlyBeforeAnyHead) {
  http::ResponseHead hints;
  hints.status = 103;
  hints.framing = BodyFraming::kNone;
  Answer a;
  a.client.SendInterim(hints);
  EXPECT_EQ(a.host.sent.find("HTTP/1.1 103"), 0u);
  a.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms);
  const size_t size = a.host.sent.size();
  a.client.SendInterim(hints);  // it would stand in the middle of the body
  EXPECT_EQ(a.host.sent.size(), size);
  Answer old(0);
  old.client.SendInterim(hints);
  EXPECT_EQ(old.host.sent, "");
}

TEST(ClientAnswer, OfTheGatewayIsSentAtOnce) {
  Answer a;
  LocalAnswer error;
  error.status = 503;
  error.body = "no";
  a.client.SendWhole(error, {"date", false, true});
  EXPECT_TRUE(a.host.sent.starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(a.body(), "no");
  EXPECT_NE(a.host.sent.find("X-Should-Retry: false\r\n"), std::string::npos);
  EXPECT_NE(a.host.sent.find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(a.client.after(), AfterExchange::kClose);
  EXPECT_EQ(a.client.status(), 503);
}

TEST(ClientAnswer, IsCopiedForCachesUpToWhatTheyTake) {
  Answer a;
  a.Begin(kChunked, false, "12345", 10);
  a.client.Body("67890");
  ASSERT_TRUE(a.client.copy().exists());
  EXPECT_EQ(a.client.copy().response().body, "1234567890");
  a.client.Body("1");
  EXPECT_FALSE(a.client.copy().exists());

  Answer part;
  part.upstream.status = 206;
  part.Begin(kChunked, false, "part", 10);
  EXPECT_FALSE(part.client.copy().exists());
}

TEST(ClientAnswer, IsFullAboveTheHighWater) {
  Answer a;
  a.host.queued = runtime::proxy::kHighWater;
  EXPECT_FALSE(a.client.is_full());
  a.host.queued = runtime::proxy::kHighWater + 1;
  EXPECT_TRUE(a.client.is_full());
}

TEST(ClientAnswer, ToNobodyIsNotSent) {
  Answer a;
  a.Begin(kChunked);
  const size_t size = a.host.sent.size();
  a.client.Leave();
  a.client.Body("x");
  a.client.End();
  a.host.queued = runtime::proxy::kHighWater + 1;
  EXPECT_FALSE(a.client.is_full());
  EXPECT_EQ(a.host.sent.size(), size);
}

// A head that waits for the body that was read with it leaves with whatever comes next, and never twice.
TEST(ClientAnswer, AHeadThatWaitsLeavesWithWhatComesNext) {
  struct Row {
    std::string what;
    std::function<void(ClientAnswer&)> next;
    std::string body;  // behind the head
    AfterExchange after;
  };
  const std::vector<Row> rows = {
      {"more of it",
       [](ClientAnswer& c) {
         c.Body("x");
         c.End();
       },
       "1\r\nx\r\n0\r\n\r\n", AfterExchange::kKeepAlive},
      {"all that was read",
       [](ClientAnswer& c) {
         c.FlushHead();
         c.FlushHead();
         c.End();
       },
       "0\r\n\r\n", AfterExchange::kKeepAlive},
      {"its end", [](ClientAnswer& c) { c.End(); }, "0\r\n\r\n", AfterExchange::kKeepAlive},
      {"a failure", [](ClientAnswer& c) { c.BreakOff(""); }, "", AfterExchange::kClose},
  };
  Answer whole;
  whole.Begin(kChunked);
  for (const Row& row : rows) {
    Answer a;
    a.Begin(kChunked, false, {}, 0, /*more_follows=*/true);
    EXPECT_EQ(a.host.sent, "") << row.what;
    row.next(a.client);
    EXPECT_EQ(a.host.sent, whole.host.sent + row.body) << row.what;
    EXPECT_EQ(a.client.after(), row.after) << row.what;
  }
  Answer in_one;
  in_one.Begin(kChunked, false, {}, 0, true);
  in_one.client.End();
  EXPECT_EQ(in_one.host.writes, 1) << "head and last chunk";
  Answer gone;
  gone.Begin(kChunked, false, {}, 0, true);
  gone.client.Leave();
  gone.client.FlushHead();
  EXPECT_EQ(gone.host.sent, "");
}

TEST(ClientAnswer, AnUpstreamsHeadGetsWhatTheGatewayHasToSay) {
  Answer page;
  page.cors.enabled = true;
  page.cors.origins = {"https://chat.example"};
  page.head.headers.lines().push_back({"Origin", "https://chat.example"});
  page.upstream.headers.lines().push_back({"Vary", "Accept-Encoding"});
  page.Begin(kChunked);
  EXPECT_NE(page.host.sent.find("\r\nAccess-Control-Allow-Origin: https://chat.example\r\n"), std::string::npos)
      << page.host.sent;
  EXPECT_NE(page.host.sent.find("\r\nVary: Accept-Encoding, Origin\r\n"), std::string::npos) << page.host.sent;
  Answer without;
  without.head.headers.lines().push_back({"Origin", "https://chat.example"});
  without.upstream.headers.lines().push_back({"Vary", "Accept-Encoding"});
  without.Begin(kChunked);
  EXPECT_EQ(without.host.sent.find("Access-Control"), std::string::npos);
  EXPECT_NE(without.host.sent.find("\r\nVary: Accept-Encoding\r\n"), std::string::npos);

  const auto says_no_retry = [](int status, bool are_spent) {
    Answer a;
    a.upstream.status = status;
    a.client.Begin(a.upstream, kChunked, false, {"date", true, are_spent}, {}, 0);
    EXPECT_TRUE(a.host.sent.starts_with("HTTP/1.1 " + std::to_string(status))) << a.host.sent;
    return a.host.sent.find("\r\nX-Should-Retry: false\r\n") != std::string::npos;
  };
  EXPECT_TRUE(says_no_retry(503, true));
  EXPECT_FALSE(says_no_retry(503, false));
  EXPECT_FALSE(says_no_retry(200, true));
}

// No more of it is queued than the client takes.
TEST(ClientAnswer, ALargeOneOfTheGatewayGoesOutInSteps) {
  using runtime::proxy::kHighWater;
  LocalAnswer large;
  large.body = std::string(kHighWater + 1, 'a') + std::string(kHighWater, 'b');
  Answer a;
  a.host.queued = kHighWater + 1;
  a.client.SendWhole(large, kTerms);
  EXPECT_EQ(a.host.sent, "");
  EXPECT_FALSE(a.client.is_handed_over());
  EXPECT_GT(a.client.waiting_bytes(), large.body.size());
  a.host.queued = 0;
  a.host.queues = true;
  a.client.Continue();
  EXPECT_EQ(a.host.sent.size(), 2 * kHighWater) << "until more than the high water waits";
  a.host.queued = 0;
  a.client.Continue();
  EXPECT_TRUE(a.client.is_handed_over());
  EXPECT_EQ(a.client.waiting_bytes(), 0u);
  EXPECT_EQ(a.body(), large.body);
  EXPECT_EQ(a.client.sent_bytes(), a.host.sent.size());
  EXPECT_EQ(a.client.after(), AfterExchange::kKeepAlive);

  Answer to_a_quick_one;
  to_a_quick_one.client.SendWhole(large, kTerms);
  EXPECT_TRUE(to_a_quick_one.client.is_handed_over());
  EXPECT_EQ(to_a_quick_one.body(), large.body);
  Answer at_once;
  at_once.host.queued = kHighWater + 1;
  large.body.resize(kHighWater);
  at_once.client.SendWhole(large, kTerms);
  EXPECT_TRUE(at_once.client.is_handed_over());
  EXPECT_EQ(at_once.body(), large.body);
  Answer of_head(1, compiler::abi::Method::kHEAD);
  of_head.host.queued = kHighWater + 1;
  large.body.resize(kHighWater + 1);
  of_head.client.SendWhole(large, kTerms);
  EXPECT_TRUE(of_head.client.is_handed_over()) << "nothing of the body is sent";
  EXPECT_EQ(of_head.body(), "");
}

TEST(ClientAnswer, HoldsNothingOfWhatWasSent) {
  Answer a;
  a.Begin(kChunked);
  a.client.Body("x");
  EXPECT_TRUE(a.parts_memory.empty());
}

// ---- Stage × event --------------------------------------------------------------------------------------------------

void Enter(Answer* a, Stage stage) {
  const auto early = [a] { a->client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms); };
  switch (stage) {
    case Stage::kWaiting: break;
    case Stage::kEarly: early(); break;
    case Stage::kBody: a->Begin(kChunked, true); break;
    case Stage::kFailedLate:
      early();
      a->client.FailInStream("x");
      break;
    case Stage::kOver:
      a->Begin(kChunked, true);
      a->client.End();
      break;
    case Stage::kGone: a->client.Leave(); break;
  }
  ASSERT_EQ(a->client.stage(), stage);
}

TEST(ClientAnswerDeathTest, HandlesOrStopsEachEventInEachStage) {
  struct Event {
    std::string name;
    std::function<void(Answer&)> make;
    std::vector<Stage> handled;  // and kGone, always
  };
  const std::vector<Stage> all = {Stage::kWaiting,    Stage::kEarly, Stage::kBody,
                                  Stage::kFailedLate, Stage::kOver,  Stage::kGone};
  const std::vector<Event> events = {
      {"SendInterim", [](Answer& a) { a.client.SendInterim(a.upstream); }, all},
      {"SendEarlyHead",
       [](Answer& a) { a.client.SendEarlyHead(runtime::dialect::Shape::kSse, kTerms); },
       {Stage::kWaiting}},
      {"SendKeepAlive", [](Answer& a) { a.client.SendKeepAlive(":\n"); }, {Stage::kEarly}},
      {"Begin", [](Answer& a) { a.Begin(kChunked); }, {Stage::kWaiting}},
      {"BeginInStream", [](Answer& a) { a.client.BeginInStream(nullptr, 0, ""); }, {Stage::kEarly}},
      {"FailInStream", [](Answer& a) { a.client.FailInStream("x"); }, {Stage::kEarly}},
      {"SendWhole", [](Answer& a) { a.client.SendWhole(LocalAnswer(), kTerms); }, {Stage::kWaiting}},
      {"Body", [](Answer& a) { a.client.Body("x"); }, {Stage::kEarly, Stage::kBody, Stage::kFailedLate}},
      {"BreakOff", [](Answer& a) { a.client.BreakOff(""); }, {Stage::kBody, Stage::kFailedLate}},
      {"End", [](Answer& a) { a.client.End(); }, {Stage::kBody, Stage::kFailedLate, Stage::kOver}},
      {"Leave", [](Answer& a) { a.client.Leave(); }, all},
      {"after", [](Answer& a) { a.client.after(); }, {Stage::kOver}},
  };
  for (const Event& event : events) {
    for (const Stage stage : all) {
      Answer a;
      Enter(&a, stage);
      const bool is_handled = std::find(event.handled.begin(), event.handled.end(), stage) != event.handled.end();
      if (is_handled || (stage == Stage::kGone && event.name != "after")) {
        event.make(a);
      } else {
        EXPECT_DEATH(event.make(a), "client answer: stage " + std::string(Name(stage)) + ", event " + event.name);
      }
    }
  }
}

// One field written wrongly, and the next step stops the program.
TEST(ClientAnswerDeathTest, StopsWhereAFieldIsWrong) {
  Answer second_head;
  ClientAnswerPeer::SetStage(&second_head.client, Stage::kBody);
  EXPECT_DEATH(second_head.Begin(kChunked), "stage Body, event Begin");

  Answer after_the_end;
  after_the_end.Begin(kChunked);
  ClientAnswerPeer::SetStage(&after_the_end.client, Stage::kOver);
  EXPECT_DEATH(after_the_end.client.Body("x"), "stage Over, event Body");

  Answer untold;
  untold.Begin(kChunked, true);
  ClientAnswerPeer::SetFraming(&untold.client, {BodyFraming::kLength, 9, true, true});
  EXPECT_DEATH(untold.client.BreakOff("frame"), "stage Body, event BreakOff with a frame");
}

}  // namespace
}  // namespace tests
