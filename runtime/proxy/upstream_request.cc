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

// The name of a parameter as a server reads it.
std::string Decoded(std::string_view name) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  std::string decoded;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool is_coded = name[i] == '%' && i + 2 < name.size() && digit(name[i + 1]) >= 0 && digit(name[i + 2]) >= 0;
    decoded.push_back(is_coded ? static_cast<char>(digit(name[i + 1]) * 16 + digit(name[i + 2])) : name[i]);
    if (is_coded) i += 2;
  }
  return decoded;
}

// A query without the parameters that are credentials by their name.
std::string WithoutCredentials(std::string_view query) {
  std::string kept;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::string_view name = item.substr(0, item.find('='));
    if (IsCredential(Decoded(name))) continue;  // ?key=… is Gemini's
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
  for (const std::string_view word : {"authorization", "authentication", "-auth", "api-key", "apikey", "access-key", "secret", "cookie",
                                      "password", "passwd", "credential", "signature", "assertion", "bearer", "jwt", "oidc-data",
                                      "client-principal"}) {
    if (plain.find(word) != std::string::npos) return true;
  }
  for (const std::string_view whole : {"auth", "key", "sig"}) {
    if (plain == whole) return true;
  }
  // A key that lets in, and not one by which something is found again.
  if (plain.ends_with("-key")) {
    for (const std::string_view word : {"idempotency", "websocket", "cache", "surrogate", "partition", "routing"}) {
      if (plain.find(word) != std::string::npos) return false;
    }
    return true;
  }
  // A token, and not a number of tokens.
  const size_t token = plain.find("token");
  return token != std::string::npos && plain.compare(token, 6, "tokens") != 0;
}

Attempt::Request MakeUpstreamRequest(const UpstreamRequestTerms& terms, std::string&& buffer) {
  const auto& upstream = terms.upstream;
  const http::RequestHead& head = terms.client.head;

  // Most go to the root of their upstream just as they came.
  const bool goes_as_it_came = terms.is_first_of_route && upstream.url.path.empty() && terms.client.path.data() == head.target.data() &&
                                http::IsPlainQuery(head.query);
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
  request.read = terms.read;
  request.request_id = terms.client.request_id;
  request.peer_ip = terms.client.peer_ip;
  request.client_tls = terms.client.client_tls;
  request.from_proxy = terms.client.from_proxy;
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
