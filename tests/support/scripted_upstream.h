// The upstream of an end-to-end test: a real server on a loopback port whose behaviour for each request is a
// function. It keeps what it saw, with monotonic times, so that the gateway's view and the upstream's can be
// compared.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/support/http_text.h"
#include "tests/support/socket.h"
#include "tests/support/wait.h"

namespace tests::support {

// One request as the upstream saw it.
struct SeenRequest {
  int number = 0;      // from 1, over all connections
  int connection = 0;  // from 1
  std::string method;
  std::string target;
  MessageHead head;
  std::string body;
  Clock::time_point at;  // when its head was read

  std::string header(std::string_view lower_case_name) const { return head.Find(lower_case_name).value_or(""); }
};

class ScriptedUpstream;

// What a script does with one request. Sending calls return false once the gateway is gone.
class UpstreamExchange {
 public:
  const SeenRequest& request() const { return request_; }

  // A whole answer with its length; the connection stays open.
  bool Answer(int status, const std::string& body, const HeaderList& headers = {{"Content-Type", "application/json"}});

  // Piece by piece.
  bool SendHead(int status, const HeaderList& headers, int minor_version = 1);
  bool SendChunk(std::string_view data);
  bool SendLastChunk();
  bool Send(std::string_view bytes);

  // The end of the connection: by FIN or by RST.
  void Finish();
  void Reset();

  // Waits for the test; false if the upstream is being taken down or the limit is over.
  bool WaitFor(const Signal& signal, Clock::duration limit = kPatience);
  bool WaitUntil(const std::function<bool()>& condition, Clock::duration limit = kPatience);
  // Waits until the gateway closes this connection.
  bool WaitForClose(Clock::duration limit = kPatience);
  // Never answers: returns when the gateway has gone away.
  void Hang() { WaitForClose(std::chrono::hours(1)); }

  // For upstreams that take requests before their bodies (ScriptedUpstream::Options): reads more of the body; false
  // at its end. request().body holds what was read.
  bool ReadMoreBody();

 private:
  friend class ScriptedUpstream;
  UpstreamExchange(ScriptedUpstream* upstream, Socket* socket, std::string* buffer)
      : upstream_(upstream), socket_(socket), buffer_(buffer) {}

  ScriptedUpstream* upstream_;
  Socket* socket_;
  std::string* buffer_;
  SeenRequest request_;
  BodyReader body_;
  bool keeps_connection_ = true;
};

class ScriptedUpstream {
 public:
  using Script = std::function<void(UpstreamExchange&)>;
  struct Options {
    bool reads_bodies = true;  // the script is called when the whole body is there
  };

  // Listens at once.
  explicit ScriptedUpstream(Script script) : ScriptedUpstream(std::move(script), Options{true}) {}
  ScriptedUpstream(Script script, Options options);
  ~ScriptedUpstream();
  ScriptedUpstream(const ScriptedUpstream&) = delete;
  ScriptedUpstream& operator=(const ScriptedUpstream&) = delete;

  uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }

  // For requests that come from now on.
  void SetScript(Script script);

  // Ends all connections and refuses new ones; the port stays taken. Start listens there again.
  void Stop();
  void Start();

  std::vector<SeenRequest> requests() const;
  SeenRequest last_request() const;  // throws if there was none
  int request_count() const { return request_count_; }
  int connection_count() const { return connection_count_; }
  int in_flight() const { return in_flight_; }
  int max_in_flight() const { return max_in_flight_; }
  int open_connections() const { return open_connections_; }
  bool stopping() const { return stopping_; }

 private:
  struct Connection {
    Socket socket;
    std::thread thread;
    std::atomic<bool> is_over{false};
  };
  void AcceptLoop();
  void Serve(Connection* connection, int number);
  void Take(UpstreamExchange* exchange);
  void JoinFinished(bool all);

  const Options options_;
  uint16_t port_ = 0;
  Socket listener_;
  std::thread acceptor_;
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;
  Script script_;
  std::vector<SeenRequest> requests_;
  std::list<std::unique_ptr<Connection>> connections_;

  std::atomic<int> request_count_{0};
  std::atomic<int> connection_count_{0};
  std::atomic<int> in_flight_{0};
  std::atomic<int> max_in_flight_{0};
  std::atomic<int> open_connections_{0};

  friend class UpstreamExchange;
};

}  // namespace tests::support
