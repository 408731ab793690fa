// Opens streams, one after the other within one interval, and measures for each token how long it was under way: the clock
// that stamped it is this machine's, too. token_reader port=N streams=N tokens=N interval_ms=N … (plan.h).
//
// Writes a line of JSON at each of three moments: all streams have begun, the first of them ends (only in between is
// measured: it is steady then), all have ended. Fails if one is not complete. With hold=1 the first line is the last.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "bench/streams/plan.h"
#include "runtime/http/message_parser.h"
#include "runtime/http/message_writer.h"
#include "runtime/net/uv_transport.h"

namespace bench::streams {
namespace {

namespace http = runtime::http;
namespace net = runtime::net;
using base::Duration;

class Reader {
 public:
  explicit Reader(const ReaderPlan& plan);
  int Run();

  net::Transport& transport() { return transport_; }
  const ReaderPlan& plan() const { return plan_; }
  Api api() const { return plan_.openai != 0 ? Api::kOpenAi : Api::kOllama; }

  void OnToken(Duration delay);
  void OnBegun();
  void OnComplete();
  void Fail(int64_t stream, const std::string& why);

 private:
  class Stream;
  void OpenNext();
  void Say(const char* event);

  const ReaderPlan plan_;
  net::UvTransport transport_;
  std::unique_ptr<net::Timer> opener_;
  std::unique_ptr<net::Timer> limit_;
  TimePoint started_;
  std::vector<std::unique_ptr<Stream>> streams_;
  int64_t begun_ = 0;
  int64_t complete_ = 0;
  int64_t tokens_ = 0;
  std::vector<int64_t> delays_;  // ns, of what came while all streams were open
  int result_ = 1;
};

class Reader::Stream final : public net::StreamObserver {
 public:
  Stream(Reader& reader, int64_t number)
      : reader_(reader), number_(number), parser_(http::Role::kResponse, http::ParserLimits{.body = 0}) {
    stream_ = reader.transport().Connect({"127.0.0.1", static_cast<uint16_t>(reader.plan().port)}, this);
  }

  void OnConnected() override {
    StreamPlan plan = reader_.plan().stream;
    if (reader_.plan().hold == 0) plan.phase_ms = plan.interval_ms * number_ / reader_.plan().streams;
    const std::string body =
        R"({"model":"qwen3:32b","stream":true,"messages":[{"role":"user","content":"Why is the sky blue?"}]})";
    std::string bytes;
    http::AppendRequestLine("POST", std::string(PathOf(reader_.api())) + "?" + ToText(plan), &bytes);
    http::AppendHeader("Host", "127.0.0.1", &bytes);
    http::AppendHeader("Content-Type", "application/json", &bytes);
    http::AppendHeader("Content-Length", body.size(), &bytes);
    http::AppendEndOfHead(&bytes);
    stream_->Write(bytes + body);
  }

  void OnData(std::string_view bytes) override {
    received_ += static_cast<int64_t>(bytes.size());
    pieces_.clear();
    const auto fed = parser_.Feed(bytes, &pieces_);
    if (fed.error != http::ParseError::kNone) return reader_.Fail(number_, std::string(http::Explain(fed.error)));
    if (parser_.head_complete() && parser_.response().status != 200) {
      return reader_.Fail(number_, "status " + std::to_string(parser_.response().status));
    }
    for (const std::string_view piece : pieces_) TakeBody(piece);
    const int64_t deaf_after = reader_.plan().deaf_after;
    if (!has_begun_ && tokens_ > 0 && received_ >= deaf_after) {
      has_begun_ = true;
      if (deaf_after > 0) stream_->PauseReading();
      reader_.OnBegun();
    }
    if (parser_.message_complete()) {
      if (!saw_last_ || tokens_ != reader_.plan().stream.tokens) return reader_.Fail(number_, "not all tokens came");
      is_complete_ = true;
      reader_.OnComplete();
    }
  }
  void OnEnd() override {
    if (!is_complete_) reader_.Fail(number_, "cut after " + std::to_string(tokens_) + " tokens");
  }
  void OnError(net::NetError error) override { reader_.Fail(number_, std::string(net::Name(error))); }

 private:
  void TakeBody(std::string_view piece) {
    while (!piece.empty()) {
      const size_t end = piece.find('\n');
      line_.append(piece.substr(0, end));
      if (end == std::string_view::npos) return;
      piece.remove_prefix(end + 1);
      if (const auto sent = StampOf(line_)) {
        ++tokens_;
        reader_.OnToken(reader_.transport().Now() - *sent);
      } else if (IsLast(reader_.api(), line_)) {
        saw_last_ = true;
      }
      line_.clear();
    }
  }

  Reader& reader_;
  const int64_t number_;
  http::MessageParser parser_;
  std::unique_ptr<net::Stream> stream_;
  std::vector<std::string_view> pieces_;
  std::string line_;  // as far as it came
  int64_t received_ = 0;
  int64_t tokens_ = 0;
  bool has_begun_ = false;
  bool saw_last_ = false;
  bool is_complete_ = false;
};

Reader::Reader(const ReaderPlan& plan) : plan_(plan) {
  opener_ = transport_.NewTimer([this] { OpenNext(); });
  limit_ = transport_.NewTimer([this] { Fail(-1, "time is over"); });
}

int Reader::Run() {
  started_ = transport_.Now();
  limit_->Set(started_ + std::chrono::seconds(plan_.limit_s));
  opener_->Set(started_);
  transport_.Run();
  return result_;
}

void Reader::OpenNext() {
  streams_.push_back(std::make_unique<Stream>(*this, static_cast<int64_t>(streams_.size())));
  const auto opened = static_cast<int64_t>(streams_.size());
  if (opened == plan_.streams) return;
  const Duration within = std::chrono::milliseconds(plan_.hold != 0 ? plan_.streams : plan_.stream.interval_ms);
  opener_->Set(started_ + within / plan_.streams * opened);
}

void Reader::OnToken(Duration delay) {
  ++tokens_;
  if (plan_.hold == 0 && begun_ == plan_.streams && complete_ == 0) delays_.push_back(delay.count());
}

void Reader::OnBegun() {
  if (++begun_ == plan_.streams) Say("open");
}

void Reader::OnComplete() {
  if (begun_ < plan_.streams) return Fail(-1, "a stream ended before all had begun: ask for more tokens");
  if (++complete_ == 1) Say("closing");
  if (complete_ < plan_.streams) return;
  Say("closed");
  result_ = 0;
  transport_.Stop();
}

void Reader::Fail(int64_t stream, const std::string& why) {
  std::fprintf(stderr, "token_reader: stream %lld: %s\n", static_cast<long long>(stream), why.c_str());
  result_ = 1;
  transport_.Stop();
}

void Reader::Say(const char* event) {
  const auto percentile = [this](size_t part) {
    if (delays_.empty()) return 0.0;
    const auto at = delays_.begin() + static_cast<std::ptrdiff_t>((delays_.size() - 1) * part / 100);
    std::nth_element(delays_.begin(), at, delays_.end());
    return static_cast<double>(*at) / 1e3;
  };
  std::printf(R"({"event": "%s", "tokens": %lld, "measured": %zu, "p50_us": %.1f, "p99_us": %.1f, "max_us": %.1f})"
              "\n",
              event, static_cast<long long>(tokens_), delays_.size(), percentile(50), percentile(99), percentile(100));
  std::fflush(stdout);
}

}  // namespace
}  // namespace bench::streams

int main(int argc, char** argv) {
  std::string text;
  for (int i = 1; i < argc; ++i) text.append(i > 1 ? "&" : "").append(argv[i]);
  bench::streams::ReaderPlan plan;
  if (!ParsePlan(text, &plan) || plan.port == 0 || plan.port > 65535 || plan.streams == 0) {
    std::fprintf(stderr, "usage: token_reader port=N streams=N tokens=N interval_ms=N … (bench/streams/plan.h)\n");
    return 2;
  }
  return bench::streams::Reader(plan).Run();
}
