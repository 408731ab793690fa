#include "runtime/proxy/cache_copy.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/dialect/answer_shapes.h"
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

// private, or private="names": those are rare, and to keep the rest of such an answer is no use.
bool IsPrivate(const http::Headers& headers) {
  for (const auto& line : headers.lines()) {
    if (!http::EqualsIgnoreCase(line.name, "cache-control")) continue;
    std::string_view rest = line.value;
    for (;;) {
      const size_t comma = rest.find(',');
      std::string_view item = rest.substr(0, comma);
      while (item.starts_with(' ') || item.starts_with('\t')) item.remove_prefix(1);
      if (http::EqualsIgnoreCase(item.substr(0, item.find_first_of("= \t")), "private")) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

// What the answer depends on, in small letters and in order. Accept-Encoding is always the gateway's own there, and Origin where CORS is.
std::vector<std::string> NamesOfVary(const http::Headers& headers, bool drops_origin) {
  std::vector<std::string> names;
  for (const auto& line : headers.lines()) {
    if (!http::EqualsIgnoreCase(line.name, "vary")) continue;
    std::string name;
    for (size_t i = 0; i <= line.value.size(); ++i) {
      const char c = i < line.value.size() ? line.value[i] : ',';
      if (c == ' ' || c == '\t') continue;
      if (c != ',') {
        name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c);
        continue;
      }
      if (!name.empty() && name != "accept-encoding" && !(drops_origin && name == "origin")) names.push_back(name);
      name.clear();
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

void CacheCopy::Begin(const http::ResponseHead& head, const http::ClientResponse& response, size_t most_bytes) {
  most_bytes_ = most_bytes;
  not_kept_ = {};
  const auto coding = head.headers.Find(http::HeaderId::k_content_encoding);
  if (head.headers.HasToken(http::HeaderId::k_cache_control, "no-store")) not_kept_ = "no_store";
  else if (IsPrivate(head.headers)) not_kept_ = "private";
  else if (head.headers.HasToken(http::HeaderId::k_vary, "*")) not_kept_ = "vary";
  else if (coding && !http::EqualsIgnoreCase(*coding, "identity")) not_kept_ = "content_encoding";
  if (!not_kept_.empty()) return copy_.reset();
  copy_.emplace();
  copy_->status = head.status;
  http::ClientResponse kept = response;
  kept.client_authority = {};  // others may have come by another name
  kept.set = {};
  copy_->headers = http::KeptHeaders(head, kept);
  copy_->vary = NamesOfVary(head.headers, response.drops_cors);
}

void CacheCopy::Add(std::string_view piece) {
  if (!copy_) return;
  if (copy_->body.size() + piece.size() > most_bytes_) {
    not_kept_ = "too_large";
    return Drop();
  }
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
