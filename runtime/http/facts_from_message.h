// Fills abi::Facts from messages: only the slots that the policy mentions. Owns the storage behind the slots.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/model/policy.h"
#include "runtime/http/message.h"
#include "runtime/http/request_reading.h"

namespace runtime::http {

// One for each exchange; may be reused. One thread.
class MessageFacts {
 public:
  explicit MessageFacts(const compiler::model::Policy& policy);  // must outlive it
  ~MessageFacts();

  // request.*, client.*: `path` is the normalised path. `body` is the whole body, or empty. Without `has_members` (MayHaveMembers) the
  // body's members are absent. Text is borrowed from the arguments and must outlive the use of *facts. What the policy reads and
  // servers might read in another way is a problem, and the request a 400; the facts are filled all the same.
  ReadProblem FillRequest(const RequestHead& head, std::string_view path, std::string_view body, std::string_view client_ip,
                          bool client_tls, compiler::abi::Facts* facts, bool has_members = true);

  void FillResponse(const ResponseHead& head, compiler::abi::Facts* facts);   // response.header[…]
  void FillResponseBody(std::string_view body, compiler::abi::Facts* facts);  // response.json; borrows from `body`
  // chunk.json, chunk.size: a frame that passes, of `size` bytes in all. Borrows from `json`; "": it has none. Until ClearChunk.
  void FillChunk(std::string_view json, size_t size, compiler::abi::Facts* facts);
  void ClearChunk(compiler::abi::Facts* facts);
  void ClearResponse(compiler::abi::Facts* facts);                            // a new attempt begins

  void Reset();  // for another exchange: no value is left; keeps its memory, but for what a large message took

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runtime::http
