#include "tests/runtime/proxy/cache_histories.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/random.h"
#include "tests/runtime/proxy/stream_scene.h"

namespace tests {
namespace {

constexpr std::string_view kPolicy =
    "upstream u { url = \"http://10.0.0.1:11434\"  dialect = auto  header[\"X-Set\"] = \"${request.header[\"X-User\"]}\" }\n"
    "cache own { key = \"${request.header[\"X-User\"]}\"  ttl = 60s  stale = 60s  store when status in {200, 206} and not is_fallback }\n"
    "cache all { key = \"${request.json.q}\"  ttl = 60s  stale = 60s  shared = true  store when status in {200, 206} and not is_fallback }\n"
    "route own { when request.path contains \"/own/\"  to = u  cache = own  fallback = [own] }\n"
    "route all { to = u  cache = all  fallback = [all] }\n";

constexpr int kNothingServed = -1;

enum class Does : uint8_t { kAnswers, kNoStore, kPrivate, kGzip, kEmpty, kPart, kUntilClose, kSays404, kSays500, kCuts, kResets, kCount };

struct Question {
  std::string method;
  std::string path;
  std::string query;
  std::string user;
  std::string language;  // "": none
  bool hides_language = false;  // Connection names it: the upstream does not get it
  bool no_store = false;
  int q = 0;              // of the body
  bool wants_stream = false;
  bool is_chat() const { return path.find("/chat") != std::string::npos; }
};

// What the model keeps of an answer: all that it was an answer to.
struct Kept {
  int serial = 0;
  std::string method_class;
  std::string path;
  std::string query;
  std::string user;      // where the cache goes by it
  int q = 0;
  std::string language;  // as the upstream got it, where the answer varies by it
  base::TimePoint stored_at;
};

bool Contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// The upstream: answers with a serial number, and notes to whom.
class World {
 public:
  explicit World(uint64_t seed)
      : random_(seed), gateway_(std::string(kPolicy)), server_(&gateway_.network, "10.0.0.1", 11434, [this](SimPeer& peer) { Serve(peer); }) {}

  std::string RunHistory(int64_t number, CacheReport* report) {
    prefix_ = "/h" + std::to_string(number);
    kept_.clear();
    const uint64_t steps = 4 + random_.Below(8);
    for (uint64_t i = 0; i < steps; ++i) {
      has_waited_ = random_.Below(3) == 0;
      if (has_waited_) gateway_.network.RunFor(std::chrono::seconds(random_.Below(2) == 0 ? 31 + 34 * random_.Below(2) : 1 + random_.Below(120)));
      const std::string violation = random_.Below(8) == 0 ? AskAtOnce(report) : AskOnce(report);
      if (!violation.empty()) return "history " + std::to_string(number) + ", step " + std::to_string(i) + ": " + violation;
    }
    ++report->histories;
    return "";
  }

 private:
  // ---- What is asked
  // Half of the time almost what was asked before, by the same or by another.
  Question Draw() {
    if (!last_.path.empty() && last_.path.starts_with(prefix_) && random_.Below(2) == 0) {
      Question again = last_;
      if (random_.Below(4) == 0) again.user = random_.Below(2) == 0 ? "ann" : "bob";
      if (random_.Below(4) == 0) again.wants_stream = !again.wants_stream;
      if (random_.Below(6) == 0) again.hides_language = !again.language.empty() && !again.hides_language;
      if (random_.Below(6) == 0 && !again.is_chat()) again.method = random_.Below(2) == 0 ? "HEAD" : "PUT";
      else if (!again.is_chat()) again.method = "GET";
      return again;
    }
    return last_ = DrawAfresh();
  }

  Question DrawAfresh() {
    static constexpr const char* kMethods[] = {"GET", "GET", "GET", "GET", "HEAD", "PUT", "DELETE", "POST", "PATCH"};
    static constexpr const char* kPaths[] = {"/all/plain", "/all/vary", "/all/star", "/all/forwarded", "/all/set", "/own/plain", "/own/vary"};
    Question question;
    question.user = random_.Below(2) == 0 ? "ann" : "bob";
    if (random_.Below(3) == 0) {
      question.method = "POST";
      const bool is_own = random_.Below(2) == 0;
      question.path = prefix_ + (is_own ? "/own" : "/all") + (random_.Below(2) == 0 ? kOllama.path : kOpenAi.path);
      question.q = static_cast<int>(random_.Below(2));
      question.wants_stream = random_.Below(2) == 0;
    } else {
      question.method = kMethods[random_.Below(std::size(kMethods))];
      question.path = prefix_ + kPaths[random_.Below(std::size(kPaths))];
      if (random_.Below(4) == 0) question.query = random_.Below(2) == 0 ? "a=1" : "a=2";
    }
    if (random_.Below(3) == 0) question.language = random_.Below(2) == 0 ? "de" : "fr";
    question.hides_language = !question.language.empty() && random_.Below(4) == 0;
    question.no_store = random_.Below(12) == 0;
    return question;
  }

  static std::string Bytes(const Question& question) {
    std::string bytes = question.method + " " + question.path + (question.query.empty() ? "" : "?" + question.query) +
                        " HTTP/1.1\r\nHost: gateway\r\nX-User: " + question.user + "\r\nConnection: close" +
                        (question.hides_language ? ", x-lang" : "") + "\r\n";
    if (!question.language.empty()) bytes += "X-Lang: " + question.language + "\r\n";
    if (question.no_store) bytes += "Cache-Control: no-store\r\n";
    if (question.method == "GET" || question.method == "HEAD" || question.method == "DELETE") return bytes + "\r\n";
    const std::string body = "{\"q\":" + std::to_string(question.q) + ",\"model\":\"m\",\"stream\":" +
                             (question.wants_stream ? "true" : "false") + ",\"messages\":[]}";
    return bytes + "Content-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  // ---- What the upstream does
  void Serve(SimPeer& peer) {
    const size_t end = peer.received.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const size_t at = peer.received.find("\r\nContent-Length: ");
    const size_t length = at < end ? std::stoul(peer.received.substr(at + 18)) : 0;
    if (peer.received.size() < end + 4 + length) return;
    const std::string request = peer.received.substr(0, end + 4 + length);
    peer.received.erase(0, end + 4 + length);
    ++asked_;
    Answer(peer, request);
  }

  void Answer(SimPeer& peer, const std::string& request) {
    const int serial = ++serial_;
    const bool is_head = request.starts_with("HEAD ");
    const bool wants_stream = Contains(request, "\"stream\":true");
    const std::string path = request.substr(request.find(' ') + 1, request.find(' ', request.find(' ') + 1) - request.find(' ') - 1);
    const SpokenDialect* spoken = !request.starts_with("POST ")               ? nullptr
                                  : path.ends_with(kOllama.path)              ? &kOllama
                                  : path.ends_with(kOpenAi.path)              ? &kOpenAi
                                                                              : nullptr;
    const std::string words = "n" + std::to_string(serial) + "n";
    std::string body = "{\"words\":\"" + words + "\"}";
    std::string type = "application/json";
    if (spoken != nullptr && wants_stream) {
      body = spoken->begin + spoken->text(words.substr(0, 1)) + spoken->text(words.substr(1)) + spoken->end;
      type = spoken->content_type;
    } else if (spoken == &kOllama) {
      body = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"" + words + "\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":7,\"eval_count\":3}";
    } else if (spoken == &kOpenAi) {
      body = "{\"id\":\"c1\",\"object\":\"chat.completion\",\"model\":\"m\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"" + words +
             "\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":3}}";
    }
    std::string lines;
    if (Contains(path, "/vary")) lines += "Vary: X-Lang\r\n";
    if (Contains(path, "/star")) lines += "Vary: *\r\n";
    if (Contains(path, "/forwarded")) lines += "Vary: X-Forwarded-For\r\n";
    if (Contains(path, "/set")) lines += "Vary: X-Set\r\n";
    std::string status = "200 OK";
    switch (does_) {
      case Does::kNoStore: lines += "Cache-Control: no-store\r\n"; break;
      case Does::kPrivate: lines += "Cache-Control: max-age=9, private\r\n"; break;
      case Does::kGzip: lines += "Content-Encoding: gzip\r\n"; break;
      case Does::kEmpty: body.clear(); break;
      case Does::kPart: status = "206 Partial Content"; break;
      case Does::kSays404: status = "404 Not Found"; break;
      case Does::kSays500: status = "500 Oops"; break;
      case Does::kResets: peer.stream->Reset(); return;
      default: break;
    }
    const bool is_unbounded = does_ == Does::kUntilClose && !is_head;
    if (is_unbounded && Contains(path, "/plain")) type = "text/plain";
    const std::string framing = is_unbounded ? "Connection: close\r\n" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
    peer.Send("HTTP/1.1 " + status + "\r\nContent-Type: " + type + "\r\n" + lines + framing + "\r\n");
    if (is_head) return;
    if (does_ == Does::kCuts) {
      peer.Send(body.substr(0, body.size() / 2));
      peer.stream->Reset();
      return;
    }
    peer.Send(body);
    if (is_unbounded) peer.stream->FinishWriting();
  }

  // ---- The model
  static std::string MethodClass(const Question& question) {
    if (question.method == "GET" || question.method == "HEAD") return "GET";
    return question.method == "POST" && question.is_chat() ? "POST" : "";  // "": no cache has it
  }
  static bool IsOwn(const Question& question) { return Contains(question.path, "/own/"); }
  static std::string LanguageThatCounts(const Question& question) {
    return Contains(question.path, "/vary") && !question.hides_language ? question.language : "";
  }

  // The newest answer that may be served to it, no older than `most`.
  const Kept* Find(const Question& question, Duration most) const {
    const Kept* found = nullptr;
    if (MethodClass(question).empty() || question.no_store) return nullptr;
    for (const Kept& kept : kept_) {
      const bool fits = kept.method_class == MethodClass(question) && kept.path == question.path && kept.query == question.query &&
                        (!IsOwn(question) || kept.user == question.user) && (IsOwn(question) || kept.q == question.q || !question.is_chat()) &&
                        kept.language == LanguageThatCounts(question) && gateway_.network.now() - kept.stored_at < most;
      if (fits) found = &kept;
    }
    return found;
  }
  bool MayKeep(const Question& question) const {
    if (MethodClass(question).empty() || question.method == "HEAD" || question.no_store) return false;
    for (const char* odd : {"/star", "/forwarded", "/set"}) {
      if (Contains(question.path, odd)) return false;
    }
    // The dialect of a chat says that it is whole, and so does JSON, however HTTP ends it; text doesn't.
    return does_ == Does::kAnswers || (does_ == Does::kUntilClose && !Contains(question.path, "/plain"));
  }
  void Keep(const Question& question, int serial) {
    kept_.push_back({serial, MethodClass(question), question.path, question.query, question.user, question.q, LanguageThatCounts(question), gateway_.network.now()});
  }

  // ---- Asking
  // What the client got: the serial number in it, or what is wrong with it.
  struct Got {
    int status = 0;
    int serial = kNothingServed;
    bool is_whole = false;
    std::string problem;
  };
  static Got Read(const Question& question, const SimPeer& client) {
    Got got;
    const SpokenDialect& spoken = question.path.ends_with(kOllama.path) ? kOllama : kOpenAi;
    const bool is_stream = question.is_chat() && question.method == "POST" && question.wants_stream;
    const Received received = ReadAsClient(is_stream ? spoken : kAnthropic, client.received, client.was_reset);
    got.status = received.status;
    got.is_whole = received.http_ended || question.method == "HEAD";
    std::string text = received.body;
    if (is_stream && received.status == 200 && !received.body.empty()) {
      got.is_whole = received.is_taken_for_complete(spoken) && received.ends == 1;
      text = received.text;
      if (!Contains(received.head, "Content-Type: " + spoken.content_type)) got.problem = "another shape: " + received.head;
    } else if (question.is_chat() && received.status == 200 && !received.body.empty() && !Contains(received.head, "application/json")) {
      got.problem = "another shape: " + received.head;
    }
    const size_t at = text.find('n');
    for (size_t from = at; from != std::string::npos; from = text.find('n', from + 1)) {
      const size_t end = text.find_first_not_of("0123456789", from + 1);
      if (end != std::string::npos && end > from + 1 && text[end] == 'n') got.serial = std::stoi(text.substr(from + 1));
    }
    return got;
  }

  void DrawDeed() {
    if (has_waited_ && random_.Below(2) == 0) {  // that is when what is stale counts
      does_ = random_.Below(2) == 0 ? Does::kSays500 : Does::kResets;
      return;
    }
    does_ = random_.Below(5) < 3 ? Does::kAnswers : static_cast<Does>(random_.Below(static_cast<uint64_t>(Does::kCount)));
  }

  std::string AskOnce(CacheReport* report) {
    const Question question = Draw();
    DrawDeed();
    const Kept* fresh = Find(question, std::chrono::seconds(60));
    const Kept* stale = Find(question, std::chrono::seconds(120));
    const int before = asked_;
    auto client = gateway_.NewClient();
    client->Send(Bytes(question));
    if (!gateway_.network.RunUntil([&] { return client->ended; }, std::chrono::seconds(20))) return "no end: " + Bytes(question);
    const Got got = Read(question, *client);
    ++report->requests;
    const auto violation = [&](const std::string& what) {
      return what + "\nasked: " + Bytes(question) + "\nthe upstream does " + std::to_string(static_cast<int>(does_)) + "\ngot: " + client->received;
    };
    if (!got.problem.empty()) return violation(got.problem);
    if (fresh != nullptr) {
      ++report->from_memory;
      if (asked_ != before) return violation("the upstream was asked for what is in memory (" + std::to_string(fresh->serial) + ")");
      if (question.method != "HEAD" && got.serial != fresh->serial) return violation("another answer than " + std::to_string(fresh->serial));
      if (got.status != 200 || !got.is_whole) return violation("not whole, from memory");
      return "";
    }
    if (asked_ == before) return violation("the upstream was not asked");
    const bool fails = does_ == Does::kSays500 || does_ == Does::kResets || (question.is_chat() && question.method == "POST" && (does_ == Does::kEmpty || does_ == Does::kCuts));
    if (fails) ++report->failures;
    const bool is_stale = stale != nullptr && (question.method == "HEAD" ? got.status == 200 : got.serial == stale->serial);
    if (fails && is_stale) {
      ++report->stale;
      return got.is_whole ? "" : violation("not whole, from memory, stale");
    }
    if (got.serial != kNothingServed && got.serial != serial_) return violation("an answer of before: " + std::to_string(got.serial));
    if (fails && stale != nullptr && does_ != Does::kCuts) return violation("what is stale was not served");
    if (MayKeep(question)) {
      if (got.status != 200 || !got.is_whole || got.serial != serial_) return violation("a good answer did not pass");
      Keep(question, serial_);
    }
    return "";
  }

  // Several for the same at once: one asks, if what it gets is for all.
  std::string AskAtOnce(CacheReport* report) {
    Question question = Draw();
    while (question.method != "GET" && !(question.method == "POST" && question.is_chat())) question = Draw();
    DrawDeed();
    const Kept* fresh = Find(question, std::chrono::seconds(60));
    const int expected = fresh != nullptr ? fresh->serial : kNothingServed;
    const int before = asked_;
    constexpr int kClients = 3;
    std::vector<std::unique_ptr<SimPeer>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(gateway_.NewClient());
      clients.back()->Send(Bytes(question));
    }
    const bool all = gateway_.network.RunUntil([&] { return std::all_of(clients.begin(), clients.end(), [](const auto& c) { return c->ended; }); }, std::chrono::seconds(60));
    report->requests += kClients;
    report->at_once += kClients;
    const auto violation = [&](const std::string& what) {
      return what + "\nthrice: " + Bytes(question) + "\nthe upstream does " + std::to_string(static_cast<int>(does_)) + ", asked " + std::to_string(asked_ - before);
    };
    if (!all) return violation("no end");
    std::set<int> serials;
    for (const auto& client : clients) {
      const Got got = Read(question, *client);
      if (!got.problem.empty()) return violation(got.problem);
      if (got.serial != kNothingServed) serials.insert(got.serial);
      if (fresh != nullptr && (got.serial != expected || !got.is_whole)) return violation("not what is in memory\n" + client->received);
      if (MayKeep(question) && (got.status != 200 || !got.is_whole)) return violation("not whole\n" + client->received);
    }
    if (fresh != nullptr) {
      report->from_memory += kClients;
      return asked_ == before ? "" : violation("the upstream was asked for what is in memory");
    }
    if (MayKeep(question)) {
      if (asked_ - before != 1 || serials != std::set<int>{serial_}) return violation("not one answer for all");
      Keep(question, serial_);
      return "";
    }
    const bool fails = does_ == Does::kSays500 || does_ == Does::kResets || does_ == Does::kCuts || does_ == Does::kEmpty;
    if (!fails && asked_ - before != kClients) return violation("who can't share did not ask");
    return "";
  }

  base::Random random_;
  SimGateway gateway_;
  SimServer server_;
  std::string prefix_;
  std::vector<Kept> kept_;
  Question last_;
  bool has_waited_ = false;
  Does does_ = Does::kAnswers;
  int serial_ = 0;
  int asked_ = 0;
};

}  // namespace

CacheReport RunCacheHistories(uint64_t seed, int64_t histories) {
  constexpr int64_t kOfOneGateway = 500;  // then another: its caches are full of what nobody asks for any more
  CacheReport report;
  std::unique_ptr<World> world;
  for (int64_t i = 0; i < histories; ++i) {
    if (i % kOfOneGateway == 0) world = std::make_unique<World>(seed + static_cast<uint64_t>(i));
    try {
      report.first_violation = world->RunHistory(i, &report);
    } catch (const std::exception& unreadable) {  // what is no JSON where there should be some
      report.first_violation = unreadable.what();
    }
    if (!report.first_violation.empty()) break;
  }
  return report;
}

}  // namespace tests
