// One client's connection: reads requests one after another, answers them, and carries out what the fault schedule decided.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "examples/flaky_ollama/chat_api.h"
#include "examples/flaky_ollama/fault.h"
#include "examples/flaky_ollama/state.h"
#include "runtime/http/message_parser.h"
#include "runtime/net/transport.h"

namespace examples::flaky_ollama {

class Server;

// Whether Ollama, listening on a loopback address, answers a request for this Host: names of this machine and of private
// networks, and private addresses. Against DNS rebinding: a page of a foreign name must not reach it.
bool IsAllowedHost(std::string_view host);

class Connection final : public runtime::net::StreamObserver, public runtime::net::Deletable {
 public:
  Connection(Server* server, uint64_t id, std::unique_ptr<runtime::net::Stream> stream);

  void OnData(std::string_view bytes) override;
  void OnEnd() override;
  void OnError(runtime::net::NetError error) override;
  void OnWriteDrained() override;

  // The server goes down: reset at once.
  void CutByDown();

 private:
  // An answer under way.
  struct Generation {
    ApiCall call;
    Answer answer;
    Fault fault;
    uint64_t number;
    double speed;
    base::TimePoint started;
    base::TimePoint due;  // of the next token
    base::Duration prompt{};
    int64_t next_token = 0;
    bool prompt_done = false;
    bool cut_pending = false;  // what is to be sent was sent; the reset follows
  };

  void ReadRequests();
  bool ReadOne();  // false: nothing more to do with what is there
  void Handle();
  Reply Route(std::string_view method, std::string_view path);

  void StartAnswer(Endpoint endpoint);
  void Tick();
  bool EndPrompt(std::string* out);  // false: it ended there
  void FinishAnswer(std::string* out);
  void WriteStreamHead(std::string* out);
  void AppendFrame(std::string_view frame, std::string* out) const;
  void CutSoon(std::string_view last_bytes);
  void SetOutcome(FaultKind kind);  // counts the answer and ends generation_: nothing of it may be used afterwards
  int64_t StopAfter() const;        // tokens after which a fault in mid-answer strikes

  void Write(const Reply& reply);
  void WriteHead(const Reply& reply, uint64_t length, std::string* out) const;
  void EndMessage();
  void Close();     // lets the client read what was sent
  void ResetNow();  // RST
  void ClientGone();

  Server* const server_;
  const uint64_t id_;
  std::unique_ptr<runtime::net::Stream> stream_;  // none: closed
  std::unique_ptr<runtime::net::Timer> timer_;
  runtime::http::MessageParser parser_;
  std::string inbox_;  // read but not parsed: begun requests behind the one that is answered
  std::string body_;
  bool answering_ = false;
  bool reading_ = false;  // ReadRequests is on the stack
  bool continue_sent_ = false;
  bool keep_alive_ = true;
  bool head_only_ = false;
  bool chunked_ = true;
  std::optional<Generation> generation_;
};

}  // namespace examples::flaky_ollama
