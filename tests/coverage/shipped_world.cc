#include "tests/coverage/shipped_world.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <vector>

#include "compiler/compile.h"
#include "runtime/gateway/worker.h"
#include "tests/runtime/proxy/sim_gateway.h"
#include "tests/runtime/proxy/stream_scene.h"
#include "runtime/net/sim/sim_transport.h"

namespace tests::coverage {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests

enum class Behaviour : uint8_t {
  kWell,         // an answer of three pieces within a second
  kSlow,         // the same after five seconds
  kFails,        // 500 at once
  kUnavailable,  // 503 with Retry-After, each time another one
  kBusy,         // 429
  kTooLong,      // 400 with the error of a context that is too long
  kSilent,       // takes the request and says nothing
  kNoContent,    // a head, and then nothing
  kStalls,       // one piece, and then nothing
  kDrips,        // a piece every three seconds, without an end
  kCuts,         // one piece, and then the end of the connection
};

struct Ask {
  std::string method;
  std::string path;
  std::vector<std::string> headers;
  bool stream = false;
  std::string text = "hello";
};

const std::string kShop = "X-Tenant: shop";

// One of each kind that a route of a shipped policy looks for.
const std::vector<Ask>& Asks() {
  static const std::vector<Ask> kAsks = {
      {"POST", "/api/chat", {kShop, "X-User: ann", "Cookie: a=1"}, true},
      {"POST", "/v1/chat/completions", {"X-Tenant: school", "Origin: https://chat.example", "Cookie: a=1"}, true},
      {"POST", "/api/chat", {"X-Tenant: school", "Origin: http://127.0.0.1:3000", "X-Priority: batch"}, false},
      {"POST", "/v1/chat/completions", {kShop, "X-User: bob"}, false, "another question"},
      {"POST", "/api/chat", {"X-Faq: yes", "X-Tenant: nobody"}, false},
      {"POST", "/api/generate", {"X-Priority: batch"}, true},
      {"GET", "/api/tags", {kShop}, false},
      {"POST", "/other", {kShop}, false},
  };
  return kAsks;
}

std::string BytesOf(const Ask& ask) {
  std::string body;
  if (ask.method == "POST") {
    const std::string message = "{\"role\":\"user\",\"content\":" + Quoted(ask.text) + "}";
    body = "{\"model\":\"asked-for\",\"prompt\":" + Quoted(ask.text) + ",\"messages\":[" + message +
           "],\"stream\":" + (ask.stream ? "true" : "false") + "}";
  }
  std::string text = ask.method + " " + ask.path + " HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n";
  for (const std::string& header : ask.headers) text += header + "\r\n";
  if (!body.empty()) text += "Content-Type: application/json\r\n";
  if (ask.method == "POST") text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text + "\r\n" + body;
}

struct NowhereFile {
  NowhereFile() = default;
  NowhereFile(const NowhereFile&) = delete;
  NowhereFile& operator=(const NowhereFile&) = delete;
  ~NowhereFile() { close(file); }
  const int file = open("/dev/null", O_WRONLY | O_CLOEXEC);
};

class World {
 public:
  explicit World(const std::string& policy)
      : network_(1),
        transport_(&network_, "10.9.9.9"),
        clients_(&network_, "127.0.0.1"),
        events_(nowhere_.file),
        access_(nowhere_.file) {
    compiler::diagnostics::Diagnostics diagnostics;
    compiler::CompileOptions options;
    options.for_run = true;
    options.environment = [](const std::string& name) -> std::optional<std::string> {
      const std::string value = WorldVariable(name);
      return value.empty() ? std::nullopt : std::optional(value);
    };
    compiled_ = compiler::CompileInterpreted(policy, options, &diagnostics);
    if (compiled_ == nullptr) throw std::runtime_error("the policy does not compile");
    // Names of hosts are found, and whoever has one of these addresses is a model server.
    network_.SetName("ollama-service", {"10.0.0.1"});
    network_.SetName("llm.internal", {"10.0.0.2"});
    network_.SetName("api.llm.example", {"10.0.0.3"});  // https: without TLS here (GatewayTls)
    state_ = std::make_unique<runtime::proxy::GatewayState>(compiled_, 1, events_, &access_);
    worker_ = std::make_unique<runtime::gateway::Worker>(*state_, transport_, 0, 1);
    state_->is_ready = true;
    if (!worker_->Listen({"10.9.9.9", 8080}, runtime::proxy::ListenerRole::kShared, runtime::net::PortUse::kAlone).ok())
      throw std::runtime_error("cannot listen");
  }
  ~World() { worker_.reset(); }

  // Servers at every address that shipped policies name.
  void Serve(Behaviour behaviour) {
    behaviour_ = behaviour;
    if (!servers_.empty()) return;
    constexpr std::pair<const char*, uint16_t> kAddresses[] = {
        {"127.0.0.1", 11434}, {"127.0.0.1", 11435}, {"10.0.0.1", 11434}, {"10.0.0.2", 8000}, {"10.0.0.3", 443}};
    for (const auto& [ip, port] : kAddresses) {
      servers_.push_back(
          std::make_unique<SimServer>(&network_, ip, port, [this, port = port](SimPeer& peer) { Answer(peer, port); }));
    }
  }
  // From now on the first of two servers fails at once, and the other one behaves.
  void FailFirst() { first_fails_ = true; }
  void BlackHole() {
    for (const char* ip : {"127.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"})
      for (const uint16_t port : {11434, 11435, 8000, 443}) network_.SetRoute(ip, port, SimNetwork::Route::kBlackHole);
  }
  void AnswerBytes(size_t bytes) { answer_bytes_ = bytes; }

  // A client whose bytes are noted as they come.
  void Begin(const Ask& ask) {
    const size_t number = asked_++;
    auto client = std::make_unique<SimPeer>(&clients_, runtime::net::Address{"10.9.9.9", 8080});
    client->on_data = [this, number](SimPeer& peer) {
      Record("client " + std::to_string(number), peer.received);
      peer.received.clear();
    };
    client->Send(BytesOf(ask));
    waiting_.push_back(std::move(client));
  }
  // Until all clients have their answers, or so long.
  void Wait(Duration at_most = 2h) {
    network_.RunUntil([&] { return std::all_of(waiting_.begin(), waiting_.end(), [](auto& c) { return c->ended; }); },
                      at_most);
    Record("end", "");
    waiting_.clear();
  }
  void Pass(Duration time) { network_.RunFor(time); }
  void Get(const Ask& ask) {
    Begin(ask);
    Wait();
  }
  void AskAll() {
    for (const Ask& ask : Asks()) Get(ask);
  }

  // To the millisecond, so that what the network takes is no difference.
  // What the page of metrics says of this process is another thing each time.
  static std::string Stable(std::string_view bytes) {
    std::string text(bytes);
    const size_t process = text.find("# HELP process_");
    if (process == std::string::npos) return text;
    text.resize(process);
    constexpr std::string_view kLength = "Content-Length: ";
    if (const size_t at = text.find(kLength); at != std::string::npos) {
      text.erase(at + kLength.size(), text.find("\r\n", at) - at - kLength.size());
    }
    return text;
  }

  void Record(const std::string& who, std::string_view received) {
    const std::string bytes = Stable(received);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(network_.now() - began_).count();
    seen_ += std::to_string(ms) + " " + who + ": ";
    seen_.append(bytes, 0, 4096);
    seen_ += " (" + std::to_string(bytes.size()) + ")\n";
  }
  const std::string& seen() const { return seen_; }

 private:
  // Bytes in pieces that are sent later, while the connection lives.
  void Later(SimPeer& peer, Duration after, std::string bytes, bool ends = false) {
    network_.At(network_.now() + after, [this, target = &peer, bytes = std::move(bytes), ends] {
      if (!IsThere(target) || target->ended) return;
      target->Send(bytes);
      if (ends) target->stream.reset();
    });
  }
  bool IsThere(const SimPeer* peer) const {
    for (const auto& server : servers_) {
      for (const auto& other : server->peers) {
        if (other.get() == peer) return other->stream != nullptr;
      }
    }
    return false;
  }

  void Drip(SimPeer& peer, const std::string& piece) {
    network_.At(network_.now() + 3s, [this, target = &peer, piece] {
      if (!IsThere(target) || target->ended) return;
      target->Send(piece);
      Drip(*target, piece);
    });
  }

  void Answer(SimPeer& peer, uint16_t port) {
    while (true) {
      const size_t head_end = peer.received.find("\r\n\r\n");
      if (head_end == std::string::npos) return;
      size_t length = 0;
      std::string head = peer.received.substr(0, head_end);
      std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
      if (const size_t at = head.find("content-length: "); at != std::string::npos)
        length = std::stoul(head.substr(at + 16));
      if (peer.received.size() < head_end + 4 + length) return;
      const std::string request = peer.received.substr(0, head_end + 4 + length);
      peer.received.erase(0, request.size());
      Record("server " + std::to_string(port), request);
      AnswerOne(peer, request, first_fails_ && (port == 11434 || port == 8000) ? Behaviour::kFails : behaviour_);
    }
  }

  void AnswerOne(SimPeer& peer, const std::string& request, Behaviour behaviour) {
    const auto whole = [&](Duration after, const std::string& status, const std::string& body,
                           const std::string& more = "") {
      Later(peer, after,
            "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n" + more +
                "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    };
    constexpr std::array kRetryAfter = {700, 1500, 3000, 6000, 12000};
    switch (behaviour) {
      case Behaviour::kSilent: return;
      case Behaviour::kFails: return whole(1ms, "500 Failed", "{\"error\":\"failed\"}");
      case Behaviour::kBusy: return whole(1ms, "429 Busy", "{\"error\":\"busy\"}");
      case Behaviour::kTooLong:
        return whole(1ms, "400 Bad", "{\"error\":{\"code\":\"context_length_exceeded\",\"message\":\"too long\"}}");
      case Behaviour::kUnavailable:
        return whole(1ms, "503 Busy", "{\"error\":\"busy\"}",
                     "retry-after-ms: " + std::to_string(kRetryAfter[refusals_++ % kRetryAfter.size()]) + "\r\n");
      default: break;
    }
    const Duration begin = behaviour == Behaviour::kSlow ? 5s : 200ms;
    const bool is_stream = request.find("\"stream\":true") != std::string::npos;
    const bool is_openai = request.find("/v1/") != std::string::npos;
    const SpokenDialect& dialect = is_openai ? kOpenAi : kOllama;
    if (!is_stream) {
      if (behaviour == Behaviour::kWell || behaviour == Behaviour::kSlow) {
        const std::string text = answer_bytes_ > 0 ? std::string(answer_bytes_, 'x') : "three words here";
        const std::string message = "\"message\":{\"role\":\"assistant\",\"content\":" + Quoted(text) + "}";
        return whole(begin, "200 OK",
                     is_openai ? "{\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0," + message +
                                     ",\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":3,\"total_tokens\":4}}"
                               : "{\"model\":\"m\"," + message + ",\"done\":true}");
      }
      const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
      Later(peer, begin, head + (behaviour == Behaviour::kNoContent ? "" : "{\"model\":\"m\""),
            behaviour == Behaviour::kCuts);
      if (behaviour == Behaviour::kDrips) Drip(peer, " ");
      return;
    }
    // Ends with the connection: nothing counts bytes here.
    Later(peer, begin,
          "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: " + std::string(dialect.content_type) + "\r\n\r\n" +
              dialect.begin);
    if (behaviour == Behaviour::kNoContent) return;
    Later(peer, begin + 300ms, dialect.text("three "), behaviour == Behaviour::kCuts);
    if (behaviour == Behaviour::kStalls || behaviour == Behaviour::kCuts) return;
    if (behaviour == Behaviour::kDrips) return Drip(peer, dialect.text("more "));
    Later(peer, begin + 600ms, dialect.text("words "));
    Later(peer, begin + 900ms, dialect.text("here") + dialect.end, true);
  }

  const NowhereFile nowhere_;  // outlives the logs, whose threads write to it
  SimNetwork network_;
  SimTransport transport_;
  SimTransport clients_;
  std::shared_ptr<const compiler::CompiledPolicy> compiled_;
  runtime::observe::LineLog events_;
  runtime::observe::LineLog access_;
  std::unique_ptr<runtime::proxy::GatewayState> state_;
  std::unique_ptr<runtime::gateway::Worker> worker_;
  std::vector<std::unique_ptr<SimServer>> servers_;
  std::vector<std::unique_ptr<SimPeer>> waiting_;
  Behaviour behaviour_ = Behaviour::kWell;
  bool first_fails_ = false;
  base::TimePoint began_ = network_.now();
  size_t asked_ = 0;
  size_t refusals_ = 0;
  size_t answer_bytes_ = 0;
  std::string seen_;
};

template <Behaviour behaviour>
std::string PlayAll(const std::string& policy) {
  World world(policy);
  world.Serve(behaviour);
  world.AskAll();
  return world.seen();
}

// The second upstream alone, after the first one failed.
template <Behaviour behaviour>
std::string PlaySecond(const std::string& policy) {
  World world(policy);
  world.Serve(behaviour);
  world.FailFirst();
  for (const size_t i : {0, 1, 2}) world.Get(Asks()[i]);
  return world.seen();
}

std::string PlayWell(const std::string& policy) {
  World world(policy);
  world.Serve(Behaviour::kWell);
  world.AskAll();
  // The same question of two callers.
  for (const char* caller : {"Authorization: Bearer one", "Authorization: Bearer two"}) {
    Ask ask = Asks()[3];
    ask.headers.emplace_back(caller);
    world.Get(ask);
  }
  for (const char* origin : {"http://localhost:3000", "http://127.0.0.1:3000", "https://chat.example"})
    world.Get({"OPTIONS", "/api/chat", {std::string("Origin: ") + origin, "Access-Control-Request-Method: POST"}});
  world.Get({"GET", "/metrics", {}});
  return world.seen();
}

std::string PlayRefused(const std::string& policy) {
  World world(policy);
  world.AskAll();
  return world.seen();
}

std::string PlayBlackHole(const std::string& policy) {
  World world(policy);
  world.BlackHole();
  world.AskAll();
  return world.seen();
}

// Requests and answers of two sizes, while all is well and while nothing is.
std::string PlaySizes(const std::string& policy) {
  World world(policy);
  Ask ask = Asks()[3];
  Ask page = Asks()[4];
  for (const size_t kib : {48, 192}) {
    world.Serve(Behaviour::kFails);
    ask.text = std::string(kib << 10, 'q');
    world.Get(ask);
    world.Pass(5min);
    world.Serve(Behaviour::kWell);
    world.AnswerBytes(kib << 10);
    ask.text = page.text = "size " + std::to_string(kib);
    for (int i = 0; i < 2; ++i) {
      world.Get(ask);
      world.Get(page);
    }
  }
  return world.seen();
}

// One question, asked again after times that grow by half; `behaviour` from the second time on.
template <Behaviour behaviour>
std::string PlayMemory(const std::string& policy) {
  World world(policy);
  world.Serve(Behaviour::kWell);
  world.AskAll();
  world.Serve(behaviour);
  for (auto wait = std::chrono::seconds(20); wait < 60h; wait = wait * 3 / 2) {
    world.Pass(wait);
    for (const size_t i : {2, 3, 4}) world.Get(Asks()[i]);
  }
  return world.seen();
}

// Many questions, until the first ones are forgotten.
std::string PlayForgetting(const std::string& policy) {
  World world(policy);
  world.Serve(Behaviour::kWell);
  world.AnswerBytes(30 << 10);
  Ask page = Asks()[4];
  for (int i = 0; i < 110; ++i) {
    page.text = "question " + std::to_string(i % 80);
    world.Get(page);
  }
  return world.seen();
}

// An outage under load, and how things come back.
template <Behaviour behaviour>
std::string PlayOutage(const std::string& policy) {
  World world(policy);
  world.Serve(behaviour);
  for (int i = 0; i < 40; ++i) {
    world.Begin(Asks()[static_cast<size_t>(i % 2)]);
    world.Pass(10ms);
  }
  world.Wait(90s);
  world.Serve(behaviour == Behaviour::kFails ? Behaviour::kSlow : behaviour);
  world.Pass(15s);
  for (int second = 0; second < 30; ++second) {
    for (int i = 0; i < 6; ++i) world.Begin(Asks()[static_cast<size_t>(i % 2)]);
    world.Pass(1s);
  }
  world.Wait(10min);
  return world.seen();
}

template <int clients, Behaviour behaviour>
std::string PlayCrowd(const std::string& policy) {
  World world(policy);
  world.Serve(behaviour);
  for (int i = 0; i < clients; ++i) {
    Ask ask = Asks()[static_cast<size_t>(i % 3)];
    ask.text += std::to_string(i);
    world.Begin(ask);
  }
  world.Wait(3h);
  return world.seen();
}

constexpr WorldScene kScenes[] = {
    {"all is well", PlayWell},
    {"500", PlayAll<Behaviour::kFails>},
    {"503 with Retry-After", PlayAll<Behaviour::kUnavailable>},
    {"refused", PlayRefused},
    {"nothing is said", PlayAll<Behaviour::kSilent>},
    {"no content", PlayAll<Behaviour::kNoContent>},
    {"stalls", PlayAll<Behaviour::kStalls>},
    {"drips", PlayAll<Behaviour::kDrips>},
    {"cut", PlayAll<Behaviour::kCuts>},
    {"no connection", PlayBlackHole},
    {"the second is silent", PlaySecond<Behaviour::kSilent>},
    {"the second stalls", PlaySecond<Behaviour::kStalls>},
    {"the second drips", PlaySecond<Behaviour::kDrips>},
    {"429", PlayAll<Behaviour::kBusy>},
    {"a context too long", PlayAll<Behaviour::kTooLong>},
    {"memory", PlayMemory<Behaviour::kWell>},
    {"memory of an outage", PlayMemory<Behaviour::kFails>},
    {"sizes", PlaySizes},
    {"a crowd", PlayCrowd<200, Behaviour::kSlow>},
    {"a crowd before a server that hangs", PlayCrowd<200, Behaviour::kSilent>},
    {"a crowd before a busy server", PlayCrowd<100, Behaviour::kBusy>},
    {"an outage", PlayOutage<Behaviour::kFails>},
    {"an outage in silence", PlayOutage<Behaviour::kSilent>},
    {"forgetting", PlayForgetting},
};

}  // namespace

std::span<const WorldScene> WorldScenes() { return kScenes; }

std::string WorldVariable(const std::string& name) { return name.ends_with("_KEY") ? "value-of-" + name : ""; }

}  // namespace tests::coverage
