#include "runtime/policy_test/test_client.h"

#include <algorithm>
#include <memory>

#include "runtime/http/message_parser.h"

namespace runtime::policy_test {
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

ClientAnswer Ask(sim::SimWorld& world, const compiler::model::Send& send) {
  ClientAnswer answer;
  answer.sent_at = world.network.now();
  http::ParserLimits limits;
  limits.body = 0;
  http::MessageParser parser(http::Role::kResponse, limits);
  if (send.method == "HEAD") parser.ExpectNoBody();
  sim::SimTransport transport(&world.network, send.from);
  const auto client =
      std::make_unique<sim::SimPeer>(&transport, net::Address{sim::SimWorld::kIp, sim::SimWorld::kPort});
  bool is_over = false;
  client->on_data = [&](sim::SimPeer& peer) {
    std::string_view bytes = peer.received;
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
    peer.received.clear();
  };
  client->Send(RequestText(send));
  world.network.RunUntil([&] { return is_over || client->ended; }, kMostWaited);
  answer.is_whole = parser.head_complete() &&
                    (parser.message_complete() || (client->ended && !client->was_reset && parser.FinishAtEnd()));
  answer.ended_at = world.network.now();
  world.network.RunFor({});  // what the gateway still does at this moment: its records
  return answer;
}

}  // namespace runtime::policy_test
