#include "runtime/proxy/request_parsers.h"

#include <utility>

#include "runtime/proxy/limits.h"

namespace runtime::proxy {
namespace {

http::ParserLimits LimitsOf(const compiler::model::ClientLimits& limits) {
  http::ParserLimits parser;
  parser.header_bytes = static_cast<size_t>(limits.header_bytes);
  parser.header_line = static_cast<size_t>(limits.header_line);
  parser.header_count = static_cast<size_t>(limits.header_count);
  parser.uri = static_cast<size_t>(limits.uri);
  parser.body = static_cast<uint64_t>(limits.body);
  return parser;
}

}  // namespace

RequestParsers::RequestParsers(const compiler::model::ClientLimits& limits) : limits_(LimitsOf(limits)) {}

std::unique_ptr<http::MessageParser> RequestParsers::Take() {
  if (spare_.empty()) {
    ++made_;
    return std::make_unique<http::MessageParser>(http::Role::kRequest, limits_);
  }
  auto parser = std::move(spare_.back());
  spare_.pop_back();
  parser->Reset();
  return parser;
}

void RequestParsers::Put(std::unique_ptr<http::MessageParser> parser) {
  if (spare_.size() < kMaxSpareParsers) spare_.push_back(std::move(parser));
}

}  // namespace runtime::proxy
