#include "runtime/proxy/upstream_request.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "compiler/model/template.h"
#include "runtime/http/forwarding.h"

namespace runtime::proxy {

Attempt::Request MakeUpstreamRequest(const UpstreamRequestTerms& terms) {
  const auto& upstream = terms.upstream;
  const http::RequestHead& head = terms.client.head;

  std::string target;
  if (upstream.url.path.empty()) {
    target = head.target;
  } else {
    target = upstream.url.path;
    if (!head.query.empty()) target.append("?").append(head.query);
  }

  std::vector<std::string> values;
  std::vector<http::SetHeader> set;
  values.reserve(upstream.headers.size());
  for (const auto& header : upstream.headers) {
    std::string value;
    compiler::model::Render(header.value, terms.facts, &value);
    values.push_back(std::move(value));
    set.push_back({header.name, values.back()});
  }
  const bool names_coding = std::any_of(set.begin(), set.end(), [](const http::SetHeader& header) {
    return http::EqualsIgnoreCase(header.name, "accept-encoding");
  });
  if (!names_coding && terms.reads_answer) set.push_back({"Accept-Encoding", "identity"});

  http::UpstreamRequest request;
  request.target = target;
  request.authority = upstream.url.authority;
  request.set = set;
  std::vector<std::string> remove = upstream.remove_headers;
  if (!terms.is_first_of_route) remove.insert(remove.end(), {"authorization", "cookie", "x-api-key", "api-key"});
  request.remove = remove;
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
  result.head.reserve(512);
  http::AppendUpstreamRequest(head, request, &result.head);
  if (!terms.streams) result.body = terms.body;
  result.is_whole = !terms.streams;
  result.is_head_method = head.method == compiler::abi::Method::kHEAD;
  return result;
}

}  // namespace runtime::proxy
