// What an exchange needs memory for, lent by its worker and given back behind the answer: the next one finds it warm. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffers.h"
#include "compiler/model/policy.h"
#include "runtime/engine/exchange_events.h"
#include "runtime/http/facts_from_message.h"
#include "runtime/observe/exchange_record.h"
#include "runtime/proxy/upstream_pool.h"

namespace runtime::proxy {

struct ExchangeMemory {
  explicit ExchangeMemory(const compiler::model::Policy& policy) : facts(policy) {}

  http::MessageFacts facts;                // what the policy reads is laid out once
  std::vector<engine::Event> events;
  engine::Commands commands;
  std::string upstream_head;               // as it is sent
  std::string client_head;                 // likewise
  std::vector<std::string_view> parts;     // of one write to the client
  std::vector<observe::AttemptRecord> attempts;
  std::string body;                        // of the request
  std::string held;                        // of the answer
  std::string frames;
  std::unique_ptr<UpstreamConnection> connection;  // without a stream; the parser in it bounds what it keeps
  std::string refusal_type;                // of the last answer that another upstream was to better …
  std::string refusal_body;                // … and what it said

  // Empty, and what a large message took is given back.
  void Clear() {
    facts.Reset();
    events.clear();
    commands.clear();
    parts.clear();
    attempts.clear();
    for (std::string* text : {&upstream_head, &client_head, &body, &held, &frames, &refusal_type, &refusal_body}) base::ClearBuffer(text);
  }
};

class ExchangeMemories {
 public:
  // More are given back to the system, and so is what thousands of requests in a row did not need.
  static constexpr size_t kMaxSpare = 256;

  explicit ExchangeMemories(const compiler::model::Policy& policy) : policy_(policy) {}  // which outlives it

  std::unique_ptr<ExchangeMemory> Take() {
    if (spare_.empty()) return std::make_unique<ExchangeMemory>(policy_);
    auto memory = std::move(spare_.back());
    spare_.pop_back();
    if (spare_.size() < least_) least_ = spare_.size();
    return memory;
  }
  void Put(std::unique_ptr<ExchangeMemory> memory) {  // nothing borrows from it any more
    if (spare_.size() >= kMaxSpare) return;
    memory->Clear();
    spare_.push_back(std::move(memory));
    if (++put_ % kTrimEvery != 0) return;
    spare_.resize(spare_.size() - least_);
    least_ = spare_.size();
  }
  size_t spare() const { return spare_.size(); }

 private:
  static constexpr size_t kTrimEvery = 4096;

  const compiler::model::Policy& policy_;
  std::vector<std::unique_ptr<ExchangeMemory>> spare_;
  size_t least_ = 0;  // that there were since the last trim
  size_t put_ = 0;
};

}  // namespace runtime::proxy
