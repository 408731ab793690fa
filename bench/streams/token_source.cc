// A model server that only streams: each request says in its query how many tokens it wants and how fast (plan.h).
// token_source PORT. It answers POST /api/chat and /v1/chat/completions; one request at a time on a connection.
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "bench/streams/plan.h"
#include "runtime/http/message_parser.h"
#include "runtime/http/message_writer.h"
#include "runtime/net/uv_transport.h"

namespace bench::streams {
namespace {

namespace http = runtime::http;
namespace net = runtime::net;
using std::chrono::milliseconds;

constexpr size_t kFullQueue = 256 << 10;  // then a fast stream waits until it is written
constexpr size_t kFastWrite = 32 << 10;
constexpr int kFastWrites = 16;  // in one turn of the loop: others shall have theirs

class Connection;
using Connections = std::unordered_map<Connection*, std::unique_ptr<Connection>>;

class Connection final : public net::StreamObserver, public net::Deletable {
 public:
  Connection(net::Transport& transport, Connections& all, std::unique_ptr<net::Stream> stream)
      : transport_(transport),
        all_(all),
        stream_(std::move(stream)),
        timer_(transport.NewTimer([this] { Go(); })),
        parser_(http::Role::kRequest, http::ParserLimits()) {
    stream_->SetObserver(this);
  }

  void OnData(std::string_view bytes) override {
    while (!bytes.empty()) {
      if (is_answering_) return Close();  // nobody here sends ahead
      pieces_.clear();
      const auto fed = parser_.Feed(bytes, &pieces_);
      if (fed.error != http::ParseError::kNone) return Close();
      bytes.remove_prefix(fed.consumed);
      if (parser_.message_complete() && !Begin()) return Close();
    }
  }
  void OnEnd() override { Close(); }
  void OnError(net::NetError) override { Close(); }
  void OnWriteDrained() override {
    if (is_answering_ && plan_.interval_ms == 0) Go();
  }

 private:
  bool Begin() {
    const http::RequestHead& head = parser_.request();
    plan_ = StreamPlan();
    if (!ParsePlan(head.query, &plan_)) return false;
    if (head.path == PathOf(Api::kOllama)) {
      api_ = Api::kOllama;
    } else if (head.path == PathOf(Api::kOpenAi)) {
      api_ = Api::kOpenAi;
    } else {
      return false;
    }
    std::string bytes;
    http::AppendStatusLine(200, &bytes);
    http::AppendHeader("Content-Type", ContentTypeOf(api_), &bytes);
    http::AppendHeader("Transfer-Encoding", "chunked", &bytes);
    http::AppendEndOfHead(&bytes);
    stream_->Write(bytes);
    is_answering_ = true;
    sent_ = 0;
    next_ = TimePoint(milliseconds(plan_.phase_ms));
    timer_->Set(transport_.Now());  // the first token at once
    return true;
  }

  // For the next moment of the stream's phase. What was missed is left out: to make up for it would be a burst.
  void SetTimer() {
    const milliseconds interval(plan_.interval_ms);
    next_ += interval * ((transport_.Now() - next_) / interval + 1);
    timer_->Set(next_);
  }

  void Go() {
    if (!is_answering_) return;
    if (plan_.interval_ms > 0) {
      Send(1);
      if (is_answering_) SetTimer();
      return;
    }
    const size_t size = TokenFrame(api_, transport_.Now(), plan_.padding).size();
    for (int i = 0; i < kFastWrites && is_answering_ && stream_->queued_bytes() < kFullQueue; ++i) {
      Send(static_cast<int64_t>(kFastWrite / size) + 1);
    }
    if (is_answering_ && stream_->queued_bytes() == 0) timer_->Set(transport_.Now());
  }

  // In one write, each a chunk of its own; with the end of the answer after its last token.
  void Send(int64_t tokens) {
    std::string bytes;
    for (; tokens > 0 && sent_ < plan_.tokens; --tokens, ++sent_) {
      AppendChunk(TokenFrame(api_, transport_.Now(), plan_.padding), &bytes);
    }
    if (sent_ >= plan_.tokens) {
      AppendChunk(LastFrames(api_), &bytes);
      bytes.append(http::kLastChunk);
      is_answering_ = false;
      parser_.Reset();
    }
    stream_->Write(bytes);
  }

  static void AppendChunk(const std::string& data, std::string* out) {
    http::AppendChunkHead(data.size(), out);
    out->append(data).append(http::kChunkEnd);
  }

  void Close() {
    const auto found = all_.find(this);
    if (found == all_.end()) return;
    stream_.reset();
    timer_->Cancel();
    is_answering_ = false;
    auto self = std::move(found->second);
    all_.erase(found);
    transport_.DeleteLater(std::move(self));
  }

  net::Transport& transport_;
  Connections& all_;
  std::unique_ptr<net::Stream> stream_;
  std::unique_ptr<net::Timer> timer_;
  http::MessageParser parser_;
  std::vector<std::string_view> pieces_;
  Api api_ = Api::kOllama;
  StreamPlan plan_;
  bool is_answering_ = false;
  int64_t sent_ = 0;
  TimePoint next_;
};

int Serve(uint16_t port) {
  net::UvTransport transport;
  Connections connections;
  const auto listener = transport.Listen("127.0.0.1", port, runtime::net::PortUse::kAlone, [&](std::unique_ptr<net::Stream> stream) {
    auto connection = std::make_unique<Connection>(transport, connections, std::move(stream));
    Connection* key = connection.get();
    connections.emplace(key, std::move(connection));
  });
  if (!listener.ok()) {
    std::fprintf(stderr, "token_source: %s\n", listener.error().c_str());
    return 1;
  }
  transport.Run();
  return 0;
}

}  // namespace
}  // namespace bench::streams

int main(int argc, char** argv) {
  uint16_t port = 0;
  const char* end = argc == 2 ? argv[1] + std::strlen(argv[1]) : nullptr;
  if (end == nullptr || std::from_chars(argv[1], end, port).ptr != end || port == 0) {
    std::fprintf(stderr, "usage: token_source PORT\n");
    return 2;
  }
  return bench::streams::Serve(port);
}
