#include "tests/differential/differential.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "runtime/http/forwarding.h"
#include "runtime/http/message_parser.h"
#include "tests/differential/judges.h"
#include "tests/differential/mutants.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests::differential {
namespace {

using namespace std::chrono_literals;
using runtime::http::MessageParser;
using runtime::http::ParseError;
using runtime::http::Role;

// A request as the gateway's parser read it.
struct Parsed {
  std::string method_and_target;
  std::string body;
};

// What the gateway is to forward of one connection's bytes.
std::vector<Parsed> ParseAsTheGateway(std::string_view bytes) {
  std::vector<Parsed> requests;
  MessageParser parser(Role::kRequest, {});
  for (;;) {
    std::vector<std::string_view> pieces;
    const auto fed = parser.Feed(bytes, &pieces);
    if (fed.error != ParseError::kNone || !parser.message_complete()) return requests;
    const auto& head = parser.request();
    const auto path = runtime::http::NormalisePath(head.path);
    if (!path) return requests;
    Parsed parsed{std::string(head.method_text) + " " + runtime::http::TargetOf(*path, head.query), ""};
    for (const std::string_view piece : pieces) parsed.body.append(piece);
    requests.push_back(std::move(parsed));
    if (!head.keep_alive) return requests;
    bytes.remove_prefix(fed.consumed);
    parser.Reset();
  }
}

// The gateway, and an upstream that keeps what it gets and believes what it is told of lengths.
class Forwarder {
 public:
  Forwarder()
      : gateway_("upstream u { url = \"http://10.0.0.1:11434\" }\n"
                 "route all { to = u }\n"),
        server_(&gateway_.network, "10.0.0.1", 11434, [this](SimPeer& peer) { Serve(peer); }) {}

  // The bytes that were forwarded, each request on its own as the upstream read it.
  std::vector<std::string> Forward(std::string_view bytes) {
    forwarded_.clear();
    auto client = gateway_.NewClient();
    client->Send(bytes);
    gateway_.network.RunFor(20ms);
    client.reset();
    gateway_.network.RunFor(1ms);
    server_.peers.clear();  // a fresh connection for the next one, whatever this one left behind
    gateway_.network.RunFor(1ms);
    return forwarded_;
  }

 private:
  void Serve(SimPeer& peer) {
    for (;;) {
      const size_t end = peer.received.find("\r\n\r\n");
      if (end == std::string::npos) return;
      const size_t at = peer.received.find("\r\nContent-Length: ");  // a client's XContent-Length is none
      const size_t length = at < end ? std::stoul(peer.received.substr(at + 18)) : 0;
      if (peer.received.size() < end + 4 + length) return;
      forwarded_.push_back(peer.received.substr(0, end + 4 + length));
      peer.received.erase(0, end + 4 + length);
      const bool is_head = forwarded_.back().starts_with("HEAD ");
      peer.Send(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") + (is_head ? "" : "ok"));
      // What an upstream that believed a wrong length has left over is part of what was forwarded.
      if (!peer.received.empty()) forwarded_.back() += std::exchange(peer.received, "");
    }
  }

  SimGateway gateway_;
  std::vector<std::string> forwarded_;
  SimServer server_;
};

struct Item {
  std::string mutant;
  std::string bytes;                  // forwarded
  std::vector<std::string> expected;  // digests
};

std::string Describe(const Item& item, const std::string& judge, const Reading& reading) {
  std::string text = "mutant:\n" + item.mutant + "\nforwarded:\n" + item.bytes + "\nthe gateway read:\n";
  for (const std::string& digest : item.expected) text += digest + "\n";
  text += judge + " read:\n";
  for (const std::string& digest : reading.digests) text += digest + "\n";
  return text;
}

// Whether it read what the gateway read; of what it refused, the beginning.
bool Agrees(const Item& item, const Reading& reading) {
  if (!reading.refused) return reading.digests == item.expected;
  return reading.digests.size() <= item.expected.size() &&
         std::equal(reading.digests.begin(), reading.digests.end(), item.expected.begin());
}

}  // namespace

Report Compare(uint64_t seed, int64_t mutants) {
  constexpr int64_t kEnough = 5;  // differences: a judge that waits for more of a body costs seconds
  constexpr size_t kBatch = 200;  // mutants on one connection to a judge
  const support::TempDir folder;
  const std::string echo_path = folder.path().string() + "/echo.sock";
  EchoServer echo(echo_path);
  std::array<Judge, 2> judges = {Judge(Judge::Kind::kNginx, folder, echo_path), Judge(Judge::Kind::kHaproxy, folder, echo_path)};
  base::Random random(seed);
  Forwarder gateway;
  Report report;
  while (report.mutants < mutants) {
    std::vector<Item> batch;
    for (size_t i = 0; i < kBatch && report.mutants < mutants; ++i, ++report.mutants) {
      Item item{Mutant(&random), "", {}};
      const std::vector<Parsed> parsed = ParseAsTheGateway(item.mutant);
      const std::vector<std::string> forwarded = gateway.Forward(item.mutant);
      for (size_t k = 0; k < parsed.size(); ++k) {
        const std::string head = k < forwarded.size() ? forwarded[k].substr(0, forwarded[k].find("\r\n\r\n") + 2) : "";
        // The request line as it was parsed, the headers as they were forwarded.
        item.expected.push_back(Digest(parsed[k].method_and_target + " HTTP/1.1" + head.substr(std::min(head.find("\r\n"), head.size())),
                                       parsed[k].body));
      }
      for (const std::string& bytes : forwarded) item.bytes += bytes;
      report.forwarded += static_cast<int64_t>(forwarded.size());
      if (forwarded.empty() && parsed.empty()) {
        ++report.refused_by_gateway;
      } else {
        batch.push_back(std::move(item));
      }
    }
    Item together;
    for (const Item& item : batch) {
      together.bytes += item.bytes;
      together.expected.insert(together.expected.end(), item.expected.begin(), item.expected.end());
    }
    for (Judge& judge : judges) {
      const Reading all = judge.Read(together.bytes);
      if (!all.refused && all.digests == together.expected) continue;
      for (const Item& item : batch) {  // one by one: a refusal ends a connection, and the rest is not looked at
        const Reading reading = judge.Read(item.bytes);
        if (!Agrees(item, reading)) {
          ++report.differences;
          if (report.first_difference.empty()) report.first_difference = Describe(item, judge.name(), reading);
          if (report.differences >= kEnough) return report;
        } else if (reading.refused) {
          ++report.refused_by_judges;
        }
      }
    }
  }
  return report;
}

}  // namespace tests::differential
