// The copy of an answer that caches may want, made while it passes to the client.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>

#include "compiler/model/settings.h"
#include "runtime/dialect/dialect.h"
#include "runtime/engine/cache.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message.h"

namespace runtime::proxy {

// What of the headers that an upstream gets is not the client's own, and so is not told by the client's headers where an answer varies.
struct CopyTerms {
  const compiler::model::UpstreamSettings* upstream = nullptr;  // the one that answers; null: it sets and removes none
  bool passes_underscores = false;
  // It answers a GET: how long it may be kept is for its server to say (RFC 9111 5.2.2). Models' servers write no-cache on every stream.
  bool is_of_get = false;
};

class CacheCopy {
 public:
  // `response`: how it passes to the client; what is kept passes the same way, but for what is of this client. An answer that says itself
  // that it is not for others (RFC 9111 3, 4.1), that varies by what the gateway writes anew for each request, or that comes in a coding
  // that not all clients read, is not kept.
  void Begin(const http::ResponseHead& head, const http::ClientResponse& response, size_t most_bytes, const CopyTerms& terms = {});
  void Add(std::string_view piece);  // dropped once it is larger than any cache takes
  void Drop() { copy_.reset(); }

  bool exists() const { return copy_.has_value(); }
  // Why an answer that was begun is not kept; "" where it is, or was dropped by the driver.
  std::string_view not_kept() const { return not_kept_; }
  std::string_view TakeNotKept() { return std::exchange(not_kept_, {}); }  // to tell it once
  const engine::CachedResponse& response() const { return *copy_; }
  // The answer is over. What says nothing is dropped, and what may have been cut: only where `is_told`, its framing or its frames told the
  // end; of one that nobody reads (`is_unread`) JSON that is whole does so as well.
  void End(bool is_told, bool is_unread);

  // What can be given to every client of the API is kept once, as the object that a client gets who wants no stream. `answer`: the
  // API that it is of; `reader`: how this client reads it.
  void ShareIfPossible(dialect::Api answer, const dialect::ClientDialect& reader);

 private:
  bool is_whole_json() const;  // of one that exists: it is JSON by its type, and one object or array

  size_t most_bytes_ = 0;
  std::string_view not_kept_;
  std::optional<engine::CachedResponse> copy_;
};

}  // namespace runtime::proxy
