// Parsers of requests, lent to connections from the first byte of a request to the end of its answer: a connection at rest
// has none, and ten thousand of them cost little. One thread.
#pragma once

#include <memory>
#include <vector>

#include "compiler/model/settings.h"
#include "runtime/http/message_parser.h"

namespace runtime::proxy {

class RequestParsers {
 public:
  explicit RequestParsers(const compiler::model::ClientLimits& limits);

  std::unique_ptr<http::MessageParser> Take();              // ready for a request
  void Put(std::unique_ptr<http::MessageParser> parser);    // its heads are invalid from here on
  size_t made() const { return made_; }

 private:
  const http::ParserLimits limits_;
  size_t made_ = 0;
  std::vector<std::unique_ptr<http::MessageParser>> spare_;
};

}  // namespace runtime::proxy
