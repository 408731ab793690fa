#include "runtime/proxy/cache_copy.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "runtime/dialect/whole.h"
#include "runtime/http/forwarding.h"

namespace runtime::proxy {
namespace {

// Whether a header is about the bytes of an answer, which another shape of it hasn't.
bool IsOfOneShape(std::string_view name) {
  for (const std::string_view header : {"etag", "digest", "content-digest", "repr-digest", "content-md5", "accept-ranges"}) {
    if (http::EqualsIgnoreCase(name, header)) return true;
  }
  return false;
}

}  // namespace

void CacheCopy::Begin(const http::ResponseHead& head, size_t most_bytes) {
  most_bytes_ = most_bytes;
  copy_.emplace();
  copy_->status = head.status;
  for (const auto& line : head.headers.lines()) {
    if (http::IsHopByHop(line.name) || http::EqualsIgnoreCase(line.name, "date") ||
        http::EqualsIgnoreCase(line.name, "content-length") || http::EqualsIgnoreCase(line.name, "set-cookie")) {
      continue;
    }
    copy_->headers.emplace_back(line.name, line.value);
  }
}

void CacheCopy::Add(std::string_view piece) {
  if (!copy_) return;
  if (copy_->body.size() + piece.size() > most_bytes_) return Drop();
  copy_->body.append(piece);
}

void CacheCopy::ShareIfPossible(dialect::Api answer, const dialect::ClientDialect& reader) {
  if (!copy_ || copy_->is_shared || copy_->status != 200 || answer != reader.api) return;
  const auto type = std::find_if(copy_->headers.begin(), copy_->headers.end(), [](const auto& header) {
    return http::EqualsIgnoreCase(header.first, "content-type");
  });
  if (type == copy_->headers.end()) return;
  std::optional<std::string> whole = dialect::WholeAnswerOf(answer, type->second, copy_->body);
  if (!whole) return;
  copy_->is_shared = true;
  copy_->body = std::move(*whole);
  if (reader.is_stream()) type->second = dialect::ContentTypeOf(dialect::Shape::kJson);
  std::erase_if(copy_->headers, [](const auto& header) { return IsOfOneShape(header.first); });
}

}  // namespace runtime::proxy
