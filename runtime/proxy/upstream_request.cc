#include "runtime/proxy/upstream_request.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "base/small_vector.h"
#include "compiler/model/model_paths.h"
#include "compiler/model/template.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/request_path.h"

namespace runtime::proxy {
namespace {

// A query without the parameters that are credentials by their name.
std::string WithoutCredentials(std::string_view query) {
  std::string kept;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::string_view name = item.substr(0, item.find('='));
    if (IsCredential(name) || http::EqualsIgnoreCase(name, "key")) continue;  // ?key=… is Gemini's
    if (!kept.empty()) kept.push_back('&');
    kept.append(item);
  }
  return kept;
}

}  // namespace

bool IsCredential(std::string_view name) {
  std::string plain;
  plain.reserve(name.size());
  for (const char c : name) plain.push_back(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  for (const std::string_view word : {"authorization", "-auth", "api-key", "apikey", "secret", "cookie", "subscription-key"}) {
    if (plain.find(word) != std::string::npos) return true;
  }
  // A token, and not a number of tokens.
  const size_t token = plain.find("token");
  return token != std::string::npos && plain.compare(token, 6, "tokens") != 0;
}

Attempt::Request MakeUpstreamRequest(const UpstreamRequestTerms& terms, std::string buffer) {
  const auto& upstream = terms.upstream;
  const http::RequestHead& head = terms.client.head;

  // Most go to the root of their upstream just as they came.
  const bool goes_as_it_came = terms.is_first_of_route && upstream.url.path.empty() && terms.client.path.data() == head.target.data();
  std::string target;
  if (!goes_as_it_came) {
    const std::string query = terms.is_first_of_route ? std::string(head.query) : WithoutCredentials(head.query);
    target = http::TargetOf(compiler::model::PathAt(upstream.url, terms.client.path), query);
  }

  std::vector<std::string> values;
  base::SmallVector<http::SetHeader, 4> set;
  values.reserve(upstream.headers.size());
  bool names_coding = false;
  for (const auto& header : upstream.headers) {
    std::string value;
    compiler::model::Render(header.value, terms.facts, &value);
    values.push_back(std::move(value));
    set.push_back({header.name, values.back()});
    names_coding = names_coding || http::EqualsIgnoreCase(header.name, "accept-encoding");
  }
  if (!names_coding && terms.reads_answer) set.push_back({"Accept-Encoding", "identity"});

  http::UpstreamRequest request;
  request.target = goes_as_it_came && !head.query.empty() ? head.target : goes_as_it_came ? head.path : std::string_view(target);
  request.authority = upstream.url.authority;
  request.set = set;
  std::vector<std::string> remove;
  if (!terms.is_first_of_route || terms.body_is_decoded) {
    remove = upstream.remove_headers;
    if (!terms.is_first_of_route) {
      for (const http::Header& line : head.headers.lines()) {
        if (IsCredential(line.name)) remove.emplace_back(line.name);
      }
    }
    if (terms.body_is_decoded) remove.emplace_back("content-encoding");
    request.remove = remove;
  } else {
    request.remove = upstream.remove_headers;
  }
  request.drops_origin = terms.drops_origin;
  request.passes_underscores = terms.passes_underscores;
  request.request_id = terms.client.request_id;
  request.peer_ip = terms.client.peer_ip;
  request.client_tls = terms.client.client_tls;
  request.forwarded_host = terms.client.forwarded_host;
  request.trace_parent = terms.trace_parent;
  if (head.framing == http::BodyFraming::kNone) {
    request.framing = http::BodyFraming::kNone;
  } else if (terms.streams) {
    request.framing = head.framing;
    request.content_length = head.content_length;
  } else {
    request.framing = http::BodyFraming::kLength;
    request.content_length = terms.body.size();
  }

  Attempt::Request result;
  result.head = std::move(buffer);
  result.head.clear();
  const http::DroppedHeaders dropped = http::AppendUpstreamRequest(head, request, &result.head);
  if (terms.dropped != nullptr) *terms.dropped = dropped;
  if (!terms.streams) result.body = terms.body;
  result.is_whole = !terms.streams;
  result.is_head_method = head.method == compiler::abi::Method::kHEAD;
  return result;
}

}  // namespace runtime::proxy
