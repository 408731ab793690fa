#include "runtime/proxy/cache_copy.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/json_reader.h"
#include "base/planted_fault.h"
#include "runtime/dialect/answer_shapes.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/request_reading.h"

namespace runtime::proxy {
namespace {

// Whether a header is about the bytes of an answer, which another shape of it hasn't.
bool IsOfOneShape(std::string_view name) {
  for (const std::string_view header : {"etag", "digest", "content-digest", "repr-digest", "content-md5", "accept-ranges"}) {
    if (http::EqualsIgnoreCase(name, header)) return true;
  }
  return false;
}

// The value of a directive of Cache-Control, however it is quoted or ended; "" where it has none. (RFC 9111 5.2)
std::optional<std::string_view> Directive(const http::Headers& headers, std::string_view name) {
  constexpr std::string_view kAround = " \t\"'";
  const auto bare = [&](std::string_view text) {
    const size_t from = std::min(text.find_first_not_of(kAround), text.size());
    text.remove_prefix(from);
    return text.substr(0, text.find_last_not_of(kAround) + 1);
  };
  for (const auto& line : headers.lines()) {
    if (line.id != http::HeaderId::k_cache_control) continue;
    std::string_view rest = line.value;
    for (;;) {
      const size_t end = rest.find_first_of(",;");
      const std::string_view item = rest.substr(0, end);
      const size_t equals = std::min(item.find('='), item.size());
      if (http::EqualsIgnoreCase(bare(item.substr(0, equals)), name))
        return bare(item.substr(std::min(equals + 1, item.size())));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
  }
  return std::nullopt;
}

// How long it may be given to others (RFC 9111 4.2.1): nothing where it does not say.
std::optional<base::Duration> FreshFor(const http::Headers& headers) {
  if (const auto names = Directive(headers, "no-cache"); names && names->empty()) return base::Duration::zero();
  for (const std::string_view directive : {"s-maxage", "max-age"}) {
    const auto value = Directive(headers, directive);
    if (!value) continue;
    int64_t seconds = 0;
    const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
    const bool is_number = error == std::errc() && end == value->data() + value->size() && seconds >= 0;
    constexpr int64_t kYear = int64_t{365} * 86'400;
    return std::chrono::seconds(is_number ? std::min(seconds, kYear) : 0);  // what can't be read is stale (4.2.1)
  }
  return std::nullopt;
}

// Whose value an upstream gets under a name.
enum class Source : uint8_t {
  kClient,
  kFixed,    // the same for all, or none: nothing varies by it
  kRequest,  // written anew for each request: the client's own header says nothing of it
};

Source SourceOf(const std::string& name, const CopyTerms& terms, bool drops_origin) {
  if (name == "accept-encoding" || (name == "origin" && drops_origin)) return Source::kFixed;
  if (!terms.passes_underscores && name.find('_') != std::string::npos) return Source::kFixed;  // dropped
  if (terms.upstream != nullptr) {
    for (const auto& header : terms.upstream->headers) {
      if (!http::EqualsIgnoreCase(header.name, name)) continue;
      const auto& parts = header.value.parts;
      const bool is_constant = std::all_of(parts.begin(), parts.end(), [](const auto& part) { return std::holds_alternative<std::string>(part); });
      return is_constant ? Source::kFixed : Source::kRequest;
    }
    const auto& removed = terms.upstream->remove_headers;
    if (std::any_of(removed.begin(), removed.end(), [&](const std::string& own) { return http::EqualsIgnoreCase(own, name); })) return Source::kFixed;
  }
  if (name.starts_with("x-forwarded-") || name == "x-request-id" || name == "traceparent") return Source::kRequest;
  if (name == "via") return Source::kClient;  // and a constant behind it
  return http::IsHopByHop(name) ? Source::kFixed : Source::kClient;
}

// What the answer depends on of what the client says, in small letters and in order; nothing: on something else.
std::optional<std::vector<std::string>> NamesOfVary(const http::Headers& headers, const CopyTerms& terms, bool drops_origin) {
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
      if (name == "*") return std::nullopt;
      if (!name.empty()) {
        Source source = SourceOf(name, terms, drops_origin);
        PLANT_FAULT(vary_by_client_only, if (source == Source::kRequest) source = Source::kClient);
        if (source == Source::kRequest) return std::nullopt;
        if (source == Source::kClient) names.push_back(name);
      }
      name.clear();
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

void CacheCopy::Begin(const http::ResponseHead& head, const http::ClientResponse& response, size_t most_bytes, const CopyTerms& terms) {
  most_bytes_ = most_bytes;
  not_kept_ = {};
  const auto coding = head.headers.Find(http::HeaderId::k_content_encoding);
  if (Directive(head.headers, "no-store")) not_kept_ = "no_store";
  // private="names" too: those are rare, and to keep the rest of such an answer is no use.
  else if (Directive(head.headers, "private")) not_kept_ = "private";
  std::optional<base::Duration> fresh_for;
  if (terms.is_of_get && not_kept_.empty()) {
    fresh_for = FreshFor(head.headers);
    if (fresh_for == base::Duration::zero()) not_kept_ = "no_store";
    else if (head.headers.Find(http::HeaderId::k_set_cookie)) not_kept_ = "private";  // it was made for who gets it
  }
  auto vary = NamesOfVary(head.headers, terms, response.drops_cors);
  if (not_kept_.empty() && !vary) not_kept_ = "vary";
  PLANT_FAULT(private_is_kept, if (not_kept_ == "private" && vary) not_kept_ = {});
  PLANT_FAULT(no_store_is_kept, if (not_kept_ == "no_store" && vary) not_kept_ = {});
  if (not_kept_.empty() && coding && !http::EqualsIgnoreCase(*coding, "identity")) not_kept_ = "content_encoding";
  PLANT_FAULT(coded_is_kept, if (not_kept_ == "content_encoding") not_kept_ = {});
  if (!not_kept_.empty()) return Drop();
  PLANT_FAULT(vary_is_ignored, vary->clear());
  copy_.emplace();
  copy_->status = head.status;
  copy_->fresh_for = fresh_for;
  http::ClientResponse kept = response;
  kept.client_authority = {};  // others may have come by another name
  kept.set = {};
  copy_->headers = http::KeptHeaders(head, kept);
  copy_->vary = std::move(*vary);
}

void CacheCopy::Add(std::string_view piece) {
  if (!copy_) return;
  if (copy_->body.size() + piece.size() > most_bytes_) {
    not_kept_ = "too_large";
    return Drop();
  }
  copy_->body.append(piece);
}

bool CacheCopy::is_whole_json() const {
  const auto type = std::find_if(copy_->headers.begin(), copy_->headers.end(), [](const auto& header) {
    return http::EqualsIgnoreCase(header.first, "content-type");
  });
  const size_t first = copy_->body.find_first_not_of(" \t\r\n");
  return type != copy_->headers.end() && http::IsJsonType(type->second) && first != std::string::npos &&
         (copy_->body[first] == '{' || copy_->body[first] == '[') && base::CheckJson(copy_->body) == base::JsonProblem::kNone;
}

void CacheCopy::End(bool is_told, bool is_unread) {
  if (!copy_) return;
  if (copy_->body.empty()) not_kept_ = "empty";
  else if (!is_told && !(is_unread && is_whole_json())) not_kept_ = "unbounded";
  PLANT_FAULT(empty_is_kept, if (not_kept_ == "empty") not_kept_ = {});
  if (!not_kept_.empty()) Drop();
}

void CacheCopy::ShareIfPossible(dialect::Api answer, const dialect::ClientDialect& reader) {
  if (!copy_ || copy_->is_shared || copy_->status != 200 || answer != reader.api) return;
  PLANT_FAULT(shapes_share, copy_->is_shared = true; return);
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
