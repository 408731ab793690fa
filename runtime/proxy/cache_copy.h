// The copy of an answer that caches may want, made while it passes to the client.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "runtime/dialect/dialect.h"
#include "runtime/engine/cache.h"
#include "runtime/http/message.h"

namespace runtime::proxy {

class CacheCopy {
 public:
  void Begin(const http::ResponseHead& head, size_t most_bytes);
  void Add(std::string_view piece);  // dropped once it is larger than any cache takes
  void Drop() { copy_.reset(); }

  bool exists() const { return copy_.has_value(); }
  const engine::CachedResponse& response() const { return *copy_; }

  // What can be given to every client of the API is kept once, as the object that a client gets who wants no stream. `answer`: the
  // API that it is of; `reader`: how this client reads it.
  void ShareIfPossible(dialect::Api answer, const dialect::ClientDialect& reader);

 private:
  size_t most_bytes_ = 0;
  std::optional<engine::CachedResponse> copy_;
};

}  // namespace runtime::proxy
