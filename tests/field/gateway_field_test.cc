// The real proxy, on a simulated network, between the servers of the tables and a client of each API: what the client gets is judged by
// the judge, who knows nothing of the gateway.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include <nlohmann/json.hpp>

#include "tests/field/judge.h"
#include "tests/field/tables.h"
#include "tests/runtime/proxy/sim_gateway.h"

namespace tests::field {
namespace {

using namespace std::chrono_literals;  // NOLINT: times in tests
using Json = nlohmann::json;

constexpr char kLimits[] = "  repeat_safe = true\n  timeouts { first_token = 20s  idle = 5s  total = 60s }\n";
const std::string kUpstream = std::string("upstream m {\n  url = \"http://10.0.0.1:80\"\n") + kLimits;
const std::string kAlone = kUpstream + "}\nroute all { to = [m] }\n";
const std::string kFallback = kUpstream + "  fallback = [sorry]\n}\nreply sorry { status = 503  text = \"Later.\" }\nroute all { to = [m] }\n";

std::string PathOf(const std::string& api) {
  if (api == "openai_chat") return "/v1/chat/completions";
  if (api == "openai_completions") return "/v1/completions";
  if (api == "openai_responses") return "/v1/responses";
  if (api == "anthropic_messages") return "/v1/messages";
  return api == "ollama_chat" ? "/api/chat" : "/api/generate";
}

// What the server sends, and how its connection ends.
struct Plan {
  const Entry* entry = nullptr;
  std::string body;
  enum class End : uint8_t { kClean, kReset, kStall } end = End::kClean;
  size_t piece = 0;  // bytes of a write; 0: all
  int status = 200;  // of a whole answer
};

struct Got {
  int status = 0;
  std::string head, body;
  bool http_ended = false;
};

class GatewayFieldTest : public testing::Test {
 protected:
  void Begin(const std::string& policy) {
    server_.reset();
    other_.reset();
    gateway_ = std::make_unique<SimGateway>(policy);
    server_ = std::make_unique<SimServer>(&gateway_->network, "10.0.0.1", 80, [this](SimPeer& peer) { Serve(peer); });
  }

  void BeginTwo(const std::string& policy) {
    Begin(policy);
    other_ = std::make_unique<SimServer>(&gateway_->network, "10.0.0.2", 80, [](SimPeer& peer) {
      if (peer.received.find("\r\n\r\n") == std::string::npos || peer.received.back() != '}') return;
      peer.received.clear();
      const std::string body = R"({"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"the other"},"finish_reason":"stop"}]})";
      peer.Send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    });
  }

  void Serve(SimPeer& peer) {
    const size_t head = peer.received.find("\r\n\r\n");
    if (head == std::string::npos) return;
    const size_t length = std::strtoul(peer.received.c_str() + peer.received.find("Content-Length: ") + 16, nullptr, 10);
    if (peer.received.size() < head + 4 + length) return;
    peer.received.erase(0, head + 4 + length);
    const std::string type = plan_.entry->type.empty() ? "" : "Content-Type: " + plan_.entry->type + "\r\n";
    if (plan_.entry->is_whole) {
      const std::string status = std::to_string(plan_.status);
      peer.Send("HTTP/1.1 " + status + " X\r\n" + type + "Content-Length: " + std::to_string(plan_.body.size()) + "\r\n\r\n" + plan_.body);
      return;
    }
    peer.Send("HTTP/1.1 200 OK\r\n" + type + "Transfer-Encoding: chunked\r\n\r\n");
    for (std::string_view rest = plan_.body; !rest.empty();) {
      const std::string_view piece = rest.substr(0, plan_.piece == 0 ? rest.size() : plan_.piece);
      char size[32];
      std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
      peer.Send(size + std::string(piece) + "\r\n");
      rest.remove_prefix(piece.size());
    }
    if (plan_.end == Plan::End::kClean) peer.Send("0\r\n\r\n");
    if (plan_.end == Plan::End::kReset) peer.stream->Reset();
  }

  Got Ask(const Plan& plan) {
    plan_ = plan;
    Json request = {{"model", "m"}, {"stream", !plan.entry->is_whole}};
    if (plan.entry->choices != 1) request["n"] = plan.entry->choices;
    const std::string body = request.dump();
    auto client = gateway_->NewClient();
    client->Send("POST " + PathOf(plan.entry->api) + " HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: " +
                 std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_TRUE(gateway_->network.RunUntil([&] { return client->ended; })) << plan.entry->name;
    return Parsed(client->received);
  }

  static Got Parsed(std::string_view bytes) {
    Got got;
    const size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) return got;
    got.head = bytes.substr(0, end + 2);
    got.status = std::atoi(got.head.c_str() + 9);
    bytes.remove_prefix(end + 4);
    if (got.head.find("Transfer-Encoding: chunked") == std::string::npos) {
      got.body = bytes;
      const size_t length = got.head.find("Content-Length: ");
      got.http_ended = length != std::string::npos && got.body.size() == std::strtoul(got.head.c_str() + length + 16, nullptr, 10);
      return got;
    }
    for (;;) {
      const size_t line = bytes.find("\r\n");
      if (line == std::string_view::npos) return got;
      const size_t size = std::strtoul(std::string(bytes.substr(0, line)).c_str(), nullptr, 16);
      bytes.remove_prefix(line + 2);
      if (size == 0) {
        got.http_ended = true;
        return got;
      }
      got.body += bytes.substr(0, size);
      if (bytes.size() < size + 2) return got;
      bytes.remove_prefix(size + 2);
    }
  }

  // What the client takes it for.
  static Verdict Taken_(const Entry& entry, const Got& got) {
    Verdict verdict;
    verdict.taken = Taken::kError;
    if (got.status != 200) return verdict;
    if (entry.is_whole || entry.is_object) {
      verdict = JudgeWhole(entry.api, got.body);
      if (!got.http_ended) verdict.taken = Taken::kTruncated;
      return verdict;
    }
    return JudgeStream({entry.api, got.body, got.http_ended, entry.choices});
  }

  std::unique_ptr<SimGateway> gateway_;
  std::unique_ptr<SimServer> server_;
  std::unique_ptr<SimServer> other_;
  Plan plan_;
};

bool IsSuccess(Taken taken) { return taken == Taken::kComplete || taken == Taken::kUnfinished; }

TEST_F(GatewayFieldTest, ClientsAreToldWhatTheirServersSent) {
  Begin(kAlone);
  for (const Entry& entry : AllAnswers()) {
    for (const size_t piece : {size_t{0}, size_t{11}}) {
      const auto end = entry.is_clean_end ? Plan::End::kClean : Plan::End::kReset;
      const Got got = Ask({&entry, entry.body, end, piece});
      const Verdict taken = Taken_(entry, got);
      if (IsSuccess(entry.is)) {
        EXPECT_EQ(Name(taken.taken), Name(entry.is)) << entry.table << ", " << entry.name << "\n" << got.head << got.body;
        EXPECT_EQ(taken.text, entry.text) << entry.table << ", " << entry.name;
        EXPECT_TRUE(got.http_ended) << entry.table << ", " << entry.name << "\n" << got.body;
        EXPECT_NE(got.body.find(entry.adds), std::string::npos) << entry.table << ", " << entry.name;
        if (!entry.type.empty()) {
          EXPECT_NE(got.head.find(entry.type), std::string::npos) << "the type goes on as it came: " << got.head;
        }
        continue;
      }
      EXPECT_FALSE(IsSuccess(taken.taken)) << entry.table << ", " << entry.name << "\n" << got.head << got.body;
      if (got.status == 200) {
        EXPECT_FALSE(got.http_ended) << entry.table << ", " << entry.name << ": a client that looks at HTTP alone sees no cut\n" << got.body;
        if (!entry.message.empty()) {
          EXPECT_NE(got.body.find(Json(entry.message).dump()), std::string::npos) << entry.name << "\n" << got.body;
        }
        continue;
      }
      const Json error = Json::parse(got.body, nullptr, false);
      ASSERT_TRUE(error.is_object()) << got.body;
      if (entry.status != 0) {
        EXPECT_EQ(got.status, entry.status) << entry.table << ", " << entry.name << "\n" << got.body;
      }
      if (!entry.message.empty()) {
        EXPECT_NE(got.body.find(Json(entry.message).dump()), std::string::npos) << entry.table << ", " << entry.name << "\n" << got.body;
      }
    }
  }
}

TEST_F(GatewayFieldTest, WhatFailsBeforeItSaysAnythingFallsBack) {
  Begin(kFallback);
  for (const Entry& entry : AllAnswers()) {
    if (IsSuccess(entry.is) || !entry.text.empty()) continue;
    if (!entry.is_whole && !entry.is_object && JudgeStream({entry.api, entry.body, entry.is_clean_end, entry.choices}).says_answer) continue;
    const Got got = Ask({&entry, entry.body, entry.is_clean_end ? Plan::End::kClean : Plan::End::kReset, 0});
    EXPECT_EQ(got.status, 503) << entry.table << ", " << entry.name << "\n" << got.body;
    EXPECT_NE(got.body.find("Later."), std::string::npos) << entry.table << ", " << entry.name << "\n" << got.body;
  }
}

const std::string kTwo = kUpstream + "}\nupstream other {\n  url = \"http://10.0.0.2:80\"\n" + kLimits + "}\n";

// In whose words ever, and by whatever status.
TEST_F(GatewayFieldTest, APromptThatIsTooLongMovesOn) {
  BeginTwo(kTwo + "route all { to = [m, other]  next when prompt_too_long }\n");
  for (Entry entry : ReadTable("context_length")) {
    entry.api = "openai_chat";
    entry.is_whole = true;
    entry.type = entry.body.front() == '{' || entry.body.front() == '[' ? "application/json" : "text/plain";
    Plan plan{&entry, entry.body};
    plan.status = entry.status;
    const Got got = Ask(plan);
    if (entry.prompt_too_long) {
      EXPECT_EQ(got.status, 200) << entry.name;
      EXPECT_NE(got.body.find("the other"), std::string::npos) << entry.name << "\n" << got.body;
    } else if (entry.status < 500) {
      EXPECT_EQ(got.status, entry.status) << entry.name;
      EXPECT_EQ(got.body, entry.body) << entry.name;
    }
  }
}

TEST_F(GatewayFieldTest, AnAnswerOfNothingMovesOnWhereThePolicyWantsIt) {
  BeginTwo(kTwo + "route all { to = [m, other]  next when empty_answer }\n");
  for (const Entry& entry : ReadTable("whole")) {
    if (entry.is != Taken::kComplete || entry.api != "openai_chat") continue;
    const Got got = Ask({&entry, entry.body});
    EXPECT_EQ(got.status, 200) << entry.name;
    EXPECT_EQ(got.body.find("the other") != std::string::npos, entry.is_empty) << entry.name << "\n" << got.body;
  }
}

// Cuts, stalls and errors anywhere. Nothing that its server did not finish is given to a client as if it were whole, and nothing whole
// is reported as failed. `spoil` plants a fault between the server and the gateway.
size_t Cases() {
  const char* written = std::getenv("BREAKWATER_FIELD_CASES");
  return written != nullptr ? static_cast<size_t>(std::atoll(written)) : 1500;
}

TEST_F(GatewayFieldTest, NoCutIsGivenToAClientAsAWholeAnswer) {
  Begin(kAlone);
  std::mt19937_64 random(7);
  const auto below = [&random](size_t count) { return static_cast<size_t>(random() % count); };
  const std::vector<Entry> all = AllAnswers();
  for (size_t i = 0; i < Cases(); ++i) {
    const Entry& entry = all[i % all.size()];
    if (entry.is_whole || entry.is_object || entry.is == Taken::kNoAnswer) continue;
    Plan plan{&entry, entry.body.substr(0, below(entry.body.size() + 1))};
    plan.end = below(3) == 0 ? Plan::End::kStall : below(2) == 0 ? Plan::End::kReset : Plan::End::kClean;
    plan.piece = below(2) == 0 ? 0 : 1 + below(60);
    const bool is_clean_end = plan.end == Plan::End::kClean;
    const Verdict sent = JudgeStream({entry.api, plan.body, is_clean_end, entry.choices});
    const Got got = Ask(plan);
    const Verdict taken = Taken_(entry, got);
    ASSERT_EQ(IsSuccess(taken.taken), IsSuccess(sent.taken))
        << entry.table << ", " << entry.name << ", " << plan.body.size() << " bytes, end " << static_cast<int>(plan.end) << ": sent "
        << Name(sent.taken) << ", taken for " << Name(taken.taken) << "\n" << got.head << got.body;
    if (IsSuccess(taken.taken)) {
      ASSERT_EQ(taken.text, sent.text) << entry.name;
    } else if (got.status == 200) {
      ASSERT_FALSE(got.http_ended) << entry.name << "\n" << got.body;
    }
  }
}

}  // namespace
}  // namespace tests::field
