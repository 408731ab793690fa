// What tests of the objects of the request path share: heads, a client's connection and an upload that write down what comes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/http/message.h"
#include "runtime/proxy/exchange_host.h"

namespace tests {

namespace http = runtime::http;
using runtime::proxy::AfterExchange;

inline http::RequestHead RequestHead(http::BodyFraming framing = http::BodyFraming::kNone, uint64_t length = 0,
                                     compiler::abi::Method method = compiler::abi::Method::kPOST,
                                     int minor_version = 1) {
  http::RequestHead head;
  head.method = method;
  head.framing = framing;
  head.content_length = length;
  head.minor_version = minor_version;
  return head;
}

// Names and values must outlive it.
inline http::ResponseHead ResponseHead(int status, http::BodyFraming framing, std::string_view content_type,
                                       uint64_t length = 0) {
  http::ResponseHead head;
  head.status = status;
  head.framing = framing;
  head.content_length = length;
  if (!content_type.empty()) head.headers.lines().push_back({"Content-Type", content_type});
  return head;
}

class FakeHost : public runtime::proxy::ExchangeHost {
 public:
  void SendToClient(std::span<const std::string_view> pieces) override {
    for (const std::string_view piece : pieces) {
      sent.append(piece);
      if (queues) queued += piece.size();
    }
    ++writes;
  }
  size_t client_queued_bytes() const override { return queued; }
  void PauseRequestBody() override { calls += "pause "; }
  void ResumeRequestBody() override { calls += "resume "; }
  void OnDeadlineChanged() override { ++deadlines; }
  void OnExchangeOver(AfterExchange) override { calls += "over "; }

  std::string sent;
  std::string calls;
  size_t queued = 0;
  bool queues = false;  // what is sent
  int writes = 0;
  int deadlines = 0;  // that changed
};

class FakeSink : public runtime::proxy::BodySink {
 public:
  void SendMore(std::string_view bytes, bool last) override {
    taken.append(bytes);
    is_last = last;
  }
  size_t queued_bytes() const override { return queued; }

  std::string taken;
  bool is_last = false;
  size_t queued = 0;
};

inline std::span<const std::string_view> One(const std::string_view& piece) { return {&piece, 1}; }

}  // namespace tests
