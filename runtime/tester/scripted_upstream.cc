#include "runtime/tester/scripted_upstream.h"

#include <cstdio>
#include <iterator>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "runtime/http/message_parser.h"
#include "runtime/http/text.h"
#include "runtime/tester/answers.h"
#include "runtime/observe/wall_clock.h"

namespace runtime::tester {

using compiler::model::Given;
using compiler::model::StreamEnd;
using compiler::model::TestAct;

// Reads one request and does one thing.
class ScriptedUpstream::Connection final : public net::StreamObserver {
 public:
  // `last`: where the request goes once it is whole; null: nowhere.
  Connection(sim::SimTransport& transport, const compiler::model::UpstreamSettings& upstream, const Given& given,
             std::optional<SentRequest>* last, std::unique_ptr<net::Stream> stream)
      : last_(last),
        transport_(transport),
        upstream_(upstream),
        given_(given),
        parser_(http::Role::kRequest, {}),
        stream_(std::move(stream)) {
    stream_->SetObserver(this);
  }

  void OnData(std::string_view bytes) override {
    if (parser_.message_complete() || is_over_) return;
    std::vector<std::string_view> pieces;
    const auto fed = parser_.Feed(bytes, &pieces);
    for (const std::string_view piece : pieces) body_.append(piece);
    if (fed.error != http::ParseError::kNone) throw std::logic_error("the gateway sent what is not HTTP");
    if (parser_.head_complete() && parser_.request().expects_continue && !parser_.message_complete())
      stream_->Write("HTTP/1.1 100 Continue\r\n\r\n");
    if (parser_.message_complete()) Act();
  }
  void OnEnd() override {}
  void OnError(net::NetError) override {
    is_over_ = true;
    timer_.reset();
  }

 private:
  void Act() {
    if (last_ != nullptr) {
      const http::RequestHead& head = parser_.request();
      SentRequest sent{std::string(compiler::abi::Name(head.method)), std::string(head.target), {}, body_};
      for (const http::Header& header : head.headers.lines()) sent.headers.emplace_back(header.name, header.value);
      *last_ = std::move(sent);
    }
    if (given_.act == TestAct::kHangs) return;
    After(given_.after, [this] { Begin(); });
  }

  void Begin() {
    if (given_.act == TestAct::kResets) {
      is_over_ = true;
      stream_->Reset();
      return;
    }
    const http::RequestHead& head = parser_.request();
    const std::string time = observe::Rfc3339Millis(transport_.WallNow());
    const Question question{upstream_, head.method, head.path, body_, time};
    if (given_.act == TestAct::kStreams) {
      streamed_ = StreamOf(given_, question);
      SendHead(streamed_.content_type, "Transfer-Encoding: chunked\r\n");
      if (!streamed_.begin.empty()) SendChunk(streamed_.begin);
      NextToken();
      return;
    }
    const WholeAnswer answer = AnswerOf(given_, question);
    const bool has_body = !answer.content_type.empty();
    SendHead(answer.content_type, has_body ? "Content-Length: " + std::to_string(answer.body.size()) + "\r\n" : "");
    if (has_body && head.method != compiler::abi::Method::kHEAD) stream_->Write(answer.body);
    stream_->FinishWriting();
  }

  void SendHead(std::string_view content_type, std::string_view framing) {
    std::string head = "HTTP/1.1 " + std::to_string(given_.status) + " Scripted\r\nConnection: close\r\n";
    bool has_type = content_type.empty();
    for (const auto& [name, value] : given_.headers) {
      has_type = has_type || http::EqualsIgnoreCase(name, "content-type");
      head.append(name).append(": ").append(value).append("\r\n");
    }
    if (!has_type) head.append("Content-Type: ").append(content_type).append("\r\n");
    head.append(framing).append("\r\n");
    stream_->Write(head);
  }

  void SendChunk(std::string_view bytes) {
    char size[24];
    std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
    stream_->Write(std::string(size).append(bytes).append("\r\n"));
  }

  void NextToken() {
    if (sent_ == streamed_.tokens.size()) return EndStream();
    After(given_.every, [this] {
      SendChunk(streamed_.tokens[sent_++]);
      NextToken();
    });
  }

  void EndStream() {
    switch (given_.end) {
      case StreamEnd::kStalls: return;
      case StreamEnd::kCuts: break;
      case StreamEnd::kEnds:
      case StreamEnd::kFails: {
        const std::string& last = given_.end == StreamEnd::kEnds ? streamed_.end : streamed_.error;
        if (!last.empty()) SendChunk(last);
        stream_->Write("0\r\n\r\n");
        break;
      }
    }
    stream_->FinishWriting();
  }

  void After(base::Duration time, std::function<void()> then) {
    timer_ = transport_.NewTimer([this, then = std::move(then)] {
      const auto keep = std::move(timer_);  // `then` may set another
      then();
    });
    timer_->Set(transport_.Now() + time);
  }

  std::optional<SentRequest>* const last_;
  sim::SimTransport& transport_;
  const compiler::model::UpstreamSettings& upstream_;
  const Given& given_;
  http::MessageParser parser_;
  std::string body_;
  StreamedAnswer streamed_;
  size_t sent_ = 0;
  bool is_over_ = false;
  std::unique_ptr<net::Timer> timer_;
  std::unique_ptr<net::Stream> stream_;
};

ScriptedUpstream::ScriptedUpstream(sim::SimNetwork* network, const compiler::model::UpstreamSettings& settings,
                                   const std::vector<net::Address>& servers)
    : settings_(settings), transport_(network, servers.front().ip) {
  for (const net::Address& server : servers) {
    auto listener = transport_.Listen(server.ip, server.port, net::PortUse::kAlone,
                                      [this](std::unique_ptr<net::Stream> stream) { OnAccept(std::move(stream)); });
    if (!listener) throw std::logic_error(listener.error());
    listeners_.push_back(std::move(*listener));
  }
}

ScriptedUpstream::~ScriptedUpstream() = default;

void ScriptedUpstream::Give(const Given& given) {
  unused_.push_back(&given);
  // What is given in each test comes behind what the test gives itself.
  auto at = lines_.end();
  while (!given.is_common && at != lines_.begin() && std::prev(at)->given->is_common) --at;
  if (at != lines_.begin() && std::prev(at)->given->always && std::prev(at)->was_sent && !std::prev(at)->given->is_common)
    at = lines_.erase(std::prev(at));
  lines_.insert(at, {&given, given.times, false});
}

void ScriptedUpstream::BeginSend() {
  for (Line& line : lines_) line.was_sent = true;
}

const Given* ScriptedUpstream::OnConnect(bool is_check) {
  next_ = lines_.empty() ? nullptr : lines_.front().given;
  next_is_check_ = is_check;
  if (!is_check) std::erase(unused_, next_);
  if (next_ != nullptr && !is_check && !next_->always && --lines_.front().left == 0) lines_.pop_front();
  return next_;
}

void ScriptedUpstream::OnAccept(std::unique_ptr<net::Stream> stream) {
  connections_.push_back(std::make_unique<Connection>(transport_, settings_, *next_, next_is_check_ ? nullptr : &last_, std::move(stream)));
}

}  // namespace runtime::tester
