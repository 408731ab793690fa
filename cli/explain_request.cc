#include "cli/explain_request.h"

#include <algorithm>
#include <string_view>

#include "compiler/model/interpret.h"
#include "compiler/model/print.h"
#include "compiler/model/template.h"
#include "runtime/http/facts_from_message.h"
#include "runtime/http/forwarding.h"
#include "runtime/http/message_parser.h"
#include "runtime/proxy/client_origin.h"

namespace cli {
namespace {

using compiler::abi::Facts;
using compiler::model::Expr;
using compiler::model::ExprKind;
using compiler::model::Policy;

void ReplaceAll(std::string* text, const std::string& from, const std::string& to) {
  for (size_t at = text->find(from); at != std::string::npos; at = text->find(from, at + to.size()))
    text->replace(at, from.size(), to);
}

class Reasons {
 public:
  Reasons(const Policy& policy, const Facts& facts) : policy_(policy), facts_(facts) {}

  // Conditions that decide that `expr` is what it is, one on a line.
  std::string Of(const Expr& expr) const {
    std::string out;
    Add(expr, &out);
    return out;
  }

 private:
  bool Holds(const Expr& expr) const { return compiler::model::Interpret(expr, facts_); }

  void Add(const Expr& expr, std::string* out) const {
    const bool holds = Holds(expr);
    const bool one_decides = expr.kind == ExprKind::kAnd ? !holds : holds;
    if (expr.kind != ExprKind::kAnd && expr.kind != ExprKind::kOr) {
      *out += "    " + std::string(holds ? "holds  " : "fails  ") + Print(expr) + ValuesIn(expr) + "\n";
      return;
    }
    for (const Expr& operand : expr.operands) {
      if (Holds(operand) != holds) continue;
      Add(operand, out);
      if (one_decides) return;
    }
  }

  std::string Print(const Expr& expr) const {
    std::string text = compiler::model::Print(expr);
    if (text.starts_with('(') && text.ends_with(')')) text = text.substr(1, text.size() - 2);
    const auto name = [&text](const std::string& family, size_t slot, const std::string& written) {
      ReplaceAll(&text, family + "[" + std::to_string(slot) + "]", written);
    };
    const auto& slots = policy_.slots;
    for (size_t i = slots.request_headers.size(); i-- > 0;)
      name("request.header", i, "request.header[\"" + slots.request_headers[i] + "\"]");
    for (size_t i = slots.request_queries.size(); i-- > 0;)
      name("request.query", i, "request.query[\"" + slots.request_queries[i] + "\"]");
    for (size_t i = slots.request_json.size(); i-- > 0;) {
      std::string path = "request.json";
      for (const std::string& member : slots.request_json[i]) path += "." + member;
      name("request.json", i, path);
    }
    return text;
  }

  // "; request.path is "/api/tags"", for each fact that the condition reads.
  std::string ValuesIn(const Expr& expr) const {
    if (expr.kind == ExprKind::kField || expr.kind == ExprKind::kSlot) {
      Expr is_none;
      is_none.kind = ExprKind::kIsNone;
      is_none.type = {compiler::abi::BaseType::kBool, false};
      is_none.operands.push_back(expr);
      if (expr.type.optional && Holds(is_none)) return "; " + Print(expr) + " is absent";
      compiler::model::Template text;
      text.place = compiler::model::TextPlace::kText;
      text.parts.emplace_back(expr);
      std::string value;
      compiler::model::Render(text, facts_, &value);
      constexpr size_t kMost = 80;
      if (value.size() > kMost) value = value.substr(0, kMost) + "…";
      return "; " + Print(expr) + " is " +
             (expr.type.base == compiler::abi::BaseType::kString ? "\"" + value + "\"" : value);
    }
    std::string out;
    for (const Expr& operand : expr.operands) out += ValuesIn(operand);
    return out;
  }

  const Policy& policy_;
  const Facts& facts_;
};

// As a client would send it.
std::string MessageOf(const RequestLine& line) {
  std::string request = line.request;
  if (request.find(' ') == std::string::npos) request = "GET " + request;
  // `POST https://host/path`: the gateway sees the path, and the host in its header.
  std::string host = "localhost";
  const size_t target = request.find(' ') + 1;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (request.compare(target, scheme.size(), scheme) != 0) continue;
    const size_t begin = target + scheme.size();
    const size_t end = std::min(request.find_first_of("/? ", begin), request.size());
    host = request.substr(begin, end - begin);
    request = request.substr(0, target) + (end < request.size() && request[end] == '/' ? "" : "/") + request.substr(end);
  }
  bool has_host = false;
  std::string headers;
  for (const std::string& header : line.headers) {
    has_host = has_host || runtime::http::EqualsIgnoreCase(header.substr(0, header.find(':')), "Host");
    headers += header + "\r\n";
  }
  if (!has_host) headers = "Host: " + host + "\r\n" + headers;
  if (!line.body.empty()) headers += "Content-Length: " + std::to_string(line.body.size()) + "\r\n";
  return request + " HTTP/1.1\r\n" + headers + "\r\n" + line.body;
}

}  // namespace

bool ExplainRequest(const Policy& policy, const RequestLine& line, std::string* out) {
  base::CidrError no_address;
  if (line.client_ip.find('/') != std::string::npos || !base::ParseCidr(line.client_ip, &no_address)) {
    *out = "`" + line.client_ip + "` is no address of a client, such as 10.0.0.7 or 2001:db8::1";
    return false;
  }
  const auto& limits = policy.gateway.limits;
  const auto refused = [&](int status, const std::string& why) {
    *out += "  no route is asked: the gateway answers " + std::to_string(status) + ", " + why + "\n";
    return true;
  };
  runtime::http::MessageParser parser(runtime::http::Role::kRequest, {});
  std::vector<std::string_view> body;
  const std::string message = MessageOf(line);
  const auto fed = parser.Feed(message, &body);
  if (fed.error != runtime::http::ParseError::kNone || !parser.message_complete()) {
    *out = fed.error == runtime::http::ParseError::kNone ? "the request is not complete"
                                                         : std::string(runtime::http::Explain(fed.error));
    return false;
  }
  if (parser.request().target.size() > static_cast<size_t>(limits.uri))
    return refused(414, "as its target has more than " + compiler::model::PrintSize(limits.uri) + " (limits.uri)");
  if (static_cast<int64_t>(line.body.size()) > limits.body)
    return refused(413, "as its body has more than " + compiler::model::PrintSize(limits.body) + " (limits.body)");
  const auto path = runtime::http::NormalisePath(parser.request().path);
  if (!path) {
    *out = "the path leads out of the root";
    return false;
  }
  runtime::http::MessageFacts filler(policy);
  Facts facts;
  // Where it comes from, as proxies that are trusted say it.
  runtime::proxy::ClientOrigin origin{line.client_ip, false, {}};
  if (runtime::proxy::IsTrusted(policy.gateway.trusted_proxies, line.client_ip)) {
    origin = runtime::proxy::OriginBehind(policy.gateway.trusted_proxies, line.client_ip, parser.request().headers);
    *out += "  client.ip is " + origin.ip + ", as the trusted proxy " + line.client_ip + " says\n";
  }
  const auto problem = filler.FillRequest(parser.request(), *path, line.body, origin.ip, origin.tls, &facts);
  if (problem != runtime::http::ReadProblem::kNone) {
    *out = "its JSON is refused with 400: a member twice, text behind it, or more than 64 levels";
    return false;
  }
  const Reasons reasons(policy, facts);
  for (const auto& route : policy.routes) {
    const Expr* when = route.when ? &policy.predicates[*route.when].expr : nullptr;
    const bool takes = when == nullptr || compiler::model::Interpret(*when, facts);
    *out += "  " + std::string(takes ? "takes it  " : "no        ") + "route " + route.name + "\n";
    *out += when == nullptr ? "    it has no `when`\n" : reasons.Of(*when);
    if (!takes) continue;
    if (route.to.empty()) *out += "  answered with reply " + policy.replies[route.reply].name + "\n";
    for (size_t i = 0; i < route.to.size(); ++i)
      *out += (i == 0 ? "  asked: " : ", then ") + policy.upstreams[route.to[i]].name;
    if (!route.to.empty()) *out += "\n";
    return true;
  }
  *out += "  no route takes it: the gateway answers 404\n";
  return true;
}

}  // namespace cli
