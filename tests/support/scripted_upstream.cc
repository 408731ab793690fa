// The upstream side of end-to-end tests: one thread for each connection, blocking calls.
#include "tests/support/scripted_upstream.h"

#include <stdexcept>

namespace tests::support {

bool UpstreamExchange::Answer(int status, const std::string& body, const HeaderList& headers) {
  HeaderList all = headers;
  all.emplace_back("Content-Length", std::to_string(body.size()));
  std::string text = "HTTP/1.1 " + std::to_string(status) + " Scripted\r\n";
  for (const auto& [name, value] : all) text += name + ": " + value + "\r\n";
  return Send(text + "\r\n" + body);
}

bool UpstreamExchange::SendHead(int status, const HeaderList& headers, int minor_version) {
  std::string text = "HTTP/1." + std::to_string(minor_version) + " " + std::to_string(status) + " Scripted\r\n";
  for (const auto& [name, value] : headers) text += name + ": " + value + "\r\n";
  return Send(text + "\r\n");
}

bool UpstreamExchange::SendChunk(std::string_view data) { return Send(Chunk(data)); }
bool UpstreamExchange::SendLastChunk() { return Send("0\r\n\r\n"); }
bool UpstreamExchange::Send(std::string_view bytes) { return keeps_connection_ && socket_->Send(bytes); }

void UpstreamExchange::Finish() {
  socket_->FinishWriting();
  keeps_connection_ = false;
}

void UpstreamExchange::Reset() {
  // Serve() closes the descriptor, so that ShutDown of another thread never meets a number that was given away: here
  // only the way in which it will be closed is chosen.
  keeps_connection_ = false;
  const std::lock_guard lock(upstream_->mutex_);
  socket_->Reset();
}

bool UpstreamExchange::WaitFor(const Signal& signal, Clock::duration limit) {
  return WaitUntil([&] { return signal.is_set(); }, limit);
}

bool UpstreamExchange::WaitUntil(const std::function<bool()>& condition, Clock::duration limit) {
  bool held = false;
  support::WaitUntil([&] { return (held = condition()) || upstream_->stopping(); }, limit);
  return held;
}

bool UpstreamExchange::WaitForClose(Clock::duration limit) {
  return WaitUntil([this] { return socket_->PeerHasClosed(); }, limit);
}

bool UpstreamExchange::ReadMoreBody() {
  if (body_.at_end()) return false;
  if (socket_->Read(buffer_) != ReadResult::kData) {
    keeps_connection_ = false;
    return false;
  }
  body_.Take(buffer_, &request_.body);
  return true;
}

ScriptedUpstream::ScriptedUpstream(Script script, Options options) : options_(options), script_(std::move(script)) {
  listener_ = Socket::Bind(0);
  port_ = listener_.local_port();
  if (!listener_.valid() || !listener_.Listen()) throw std::runtime_error("no port for an upstream");
  acceptor_ = std::thread(&ScriptedUpstream::AcceptLoop, this);
}

ScriptedUpstream::~ScriptedUpstream() { Stop(); }

void ScriptedUpstream::SetScript(Script script) {
  const std::lock_guard lock(mutex_);
  script_ = std::move(script);
}

void ScriptedUpstream::Stop() {
  if (stopping_.exchange(true)) return;
  listener_.ShutDown();
  acceptor_.join();
  listener_.Close();
  listener_ = Socket::Bind(port_);  // taken, but nobody listens: connections are refused
  {
    const std::lock_guard lock(mutex_);
    for (const auto& connection : connections_) {
      if (connection->socket.valid()) connection->socket.ShutDown();
    }
  }
  JoinFinished(true);
}

void ScriptedUpstream::Start() {
  stopping_ = false;
  listener_.Close();
  listener_ = Socket::Bind(port_);
  if (!listener_.valid() || !listener_.Listen()) throw std::runtime_error("the port of the upstream is gone");
  acceptor_ = std::thread(&ScriptedUpstream::AcceptLoop, this);
}

void ScriptedUpstream::AcceptLoop() {
  while (true) {
    Socket socket = listener_.Accept();
    if (stopping_ || !socket.valid()) return;
    JoinFinished(false);
    auto connection = std::make_unique<Connection>();
    connection->socket = std::move(socket);
    Connection* raw = connection.get();
    const int number = ++connection_count_;
    ++open_connections_;
    const std::lock_guard lock(mutex_);
    connections_.push_back(std::move(connection));
    raw->thread = std::thread(&ScriptedUpstream::Serve, this, raw, number);
  }
}

void ScriptedUpstream::JoinFinished(bool all) {
  std::list<std::unique_ptr<Connection>> finished;
  {
    const std::lock_guard lock(mutex_);
    for (auto it = connections_.begin(); it != connections_.end();) {
      auto next = std::next(it);
      if (all || (*it)->is_over) finished.splice(finished.end(), connections_, it);
      it = next;
    }
  }
  for (const auto& connection : finished) connection->thread.join();
}

void ScriptedUpstream::Serve(Connection* connection, int number) {
  Socket* const socket = &connection->socket;
  std::string buffer;
  while (!stopping_) {
    std::optional<MessageHead> head = TakeHead(&buffer);
    if (!head.has_value()) {
      const ReadResult result = socket->Read(&buffer, std::chrono::hours(1));
      if (result != ReadResult::kData) break;
      continue;
    }
    UpstreamExchange exchange(this, socket, &buffer);
    SeenRequest& request = exchange.request_;
    request.number = ++request_count_;
    request.connection = number;
    request.head = *head;
    request.at = Clock::now();
    const size_t first = head->start_line.find(' ');
    const size_t second = head->start_line.find(' ', first + 1);
    request.method = head->start_line.substr(0, first);
    request.target = head->start_line.substr(first + 1, second - first - 1);
    exchange.body_ = BodyReader::ForRequest(request.head);
    exchange.body_.Take(&buffer, &request.body);
    Take(&exchange);
    if (!exchange.keeps_connection_) break;
  }
  {
    const std::lock_guard lock(mutex_);
    socket->Close();
  }
  --open_connections_;
  connection->is_over = true;
}

void ScriptedUpstream::Take(UpstreamExchange* exchange) {
  const int in_flight = ++in_flight_;
  for (int most = max_in_flight_; most < in_flight && !max_in_flight_.compare_exchange_weak(most, in_flight);) {
  }
  Script script;
  size_t index = 0;
  {
    const std::lock_guard lock(mutex_);
    script = script_;
    index = requests_.size();
    requests_.push_back(exchange->request_);
  }
  while (options_.reads_bodies && exchange->ReadMoreBody()) {
  }
  {
    const std::lock_guard lock(mutex_);
    requests_[index].body = exchange->request_.body;
  }
  if (!options_.reads_bodies || exchange->body_.at_end()) script(*exchange);
  {
    const std::lock_guard lock(mutex_);
    requests_[index].body = exchange->request_.body;
  }
  --in_flight_;
}

std::vector<SeenRequest> ScriptedUpstream::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

SeenRequest ScriptedUpstream::last_request() const {
  const std::lock_guard lock(mutex_);
  if (requests_.empty()) throw std::runtime_error("the upstream saw no request");
  return requests_.back();
}

}  // namespace tests::support
