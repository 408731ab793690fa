#include "runtime/tester/test_client.h"

#include <algorithm>
#include <memory>

#include "runtime/http/message_parser.h"

namespace runtime::tester {
namespace {

std::string RequestText(const compiler::model::Send& send) {
  const auto has = [&](std::string_view name) {
    return std::any_of(send.headers.begin(), send.headers.end(),
                       [&](const auto& header) { return http::EqualsIgnoreCase(header.first, name); });
  };
  std::string text = send.method + " " + send.target + " HTTP/1.1\r\nConnection: close\r\n";
  if (!has("host")) text += "Host: gateway\r\n";
  for (const auto& [name, value] : send.headers) text.append(name).append(": ").append(value).append("\r\n");
  const std::string& body = send.json ? *send.json : send.text.value_or("");
  if (!has("content-type") && send.json) text += "Content-Type: application/json\r\n";
  if (!has("content-type") && send.text) text += "Content-Type: text/plain; charset=utf-8\r\n";
  const bool may_have_body = send.method == "POST" || send.method == "PUT" || send.method == "PATCH";
  if (!body.empty() || may_have_body) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

}  // namespace

// Everything of one client; addresses of its members are kept by its callbacks.
struct TestClient::Connection {
  Connection(sim::SimWorld& in, const compiler::model::Send& what)
      : world(in), parser(http::Role::kResponse, NoLimit()), transport(&in.network, what.from) {
    answer.sent_at = world.network.now();
    if (what.method == "HEAD") parser.ExpectNoBody();
    peer = std::make_unique<sim::SimPeer>(&transport, net::Address{sim::SimWorld::kIp, sim::SimWorld::kPort});
    peer->on_data = [this](sim::SimPeer& from) { Read(from); };
    peer->Send(RequestText(what));
    if (!what.leaves) return;
    timer = transport.NewTimer([this] {
      if (IsOver()) return;
      answer.left = true;
      answer.ended_at = world.network.now();
      peer->stream->Reset();
    });
    timer->Set(transport.Now() + *what.leaves);
  }

  static http::ParserLimits NoLimit() {
    http::ParserLimits limits;
    limits.body = 0;
    return limits;
  }

  bool IsOver() {
    if (!is_over && !answer.left && !peer->ended) return false;
    // An answer that breaks off ends with its last byte; the gateway closes a little later.
    const bool is_cut = peer->ended && !is_over && !answer.left && last_byte_at;
    if (answer.ended_at == base::TimePoint()) answer.ended_at = is_cut ? *last_byte_at : world.network.now();
    return true;
  }

  void Read(sim::SimPeer& from) {
    std::string_view bytes = from.received;
    if (!bytes.empty()) last_byte_at = world.network.now();
    while (!bytes.empty() && !is_over) {
      std::vector<std::string_view> pieces;
      const auto fed = parser.Feed(bytes, &pieces);
      for (const std::string_view piece : pieces) answer.body.append(piece);
      bytes.remove_prefix(fed.consumed);
      is_over = fed.error != http::ParseError::kNone;
      if (!parser.head_complete()) break;
      const http::ResponseHead& head = parser.response();
      if (head.status < 200) {  // an interim answer, such as 100
        if (!parser.message_complete()) break;
        parser.Reset();
        continue;
      }
      if (answer.status == 0) {
        answer.status = head.status;
        for (const http::Header& header : head.headers.lines()) answer.headers.emplace_back(header.name, header.value);
      }
      is_over = is_over || parser.message_complete();
    }
    if (!answer.body.empty() && !first_byte_at) first_byte_at = world.network.now();
    if (!answer.first_token_at && answer.body.find("t1 ") != std::string::npos) answer.first_token_at = world.network.now();
    from.received.clear();
    IsOver();
  }

  sim::SimWorld& world;
  http::MessageParser parser;
  sim::SimTransport transport;
  std::unique_ptr<sim::SimPeer> peer;
  std::unique_ptr<net::Timer> timer;
  ClientAnswer answer;
  std::optional<base::TimePoint> first_byte_at;
  std::optional<base::TimePoint> last_byte_at;
  bool is_over = false;
};

TestClient::TestClient(sim::SimWorld& world, const compiler::model::Send& send)
    : connection_(std::make_unique<Connection>(world, send)) {}
TestClient::~TestClient() = default;

bool TestClient::is_over() const { return connection_->IsOver(); }

ClientAnswer TestClient::Take() {
  Connection& c = *connection_;
  c.IsOver();
  if (c.answer.ended_at == base::TimePoint()) c.answer.ended_at = c.world.network.now();
  c.answer.is_whole = c.parser.head_complete() && !c.answer.left &&
                      (c.parser.message_complete() || (c.peer->ended && !c.peer->was_reset && c.parser.FinishAtEnd()));
  if (!c.answer.first_token_at && !c.answer.left) c.answer.first_token_at = c.first_byte_at;
  return c.answer;
}

}  // namespace runtime::tester
