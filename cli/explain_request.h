// `breakwater explain FILE --request 'POST /api/chat'`: which route takes a request, and what each route before it lacked. Decided by
// the reference interpreter, over the facts that the gateway itself would fill.
#pragma once

#include <string>
#include <vector>

#include "compiler/model/policy.h"

namespace cli {

struct RequestLine {
  std::string request;               // "POST /api/chat"; without a method GET
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  std::string client_ip = "127.0.0.1";
};

// False, with the reason in *out, if it is no request that the gateway would take.
bool ExplainRequest(const compiler::model::Policy& policy, const RequestLine& line, std::string* out);

}  // namespace cli
