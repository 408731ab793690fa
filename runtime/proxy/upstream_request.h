// The request of a client as one upstream gets it: target, headers, framing, and the body as far as it is kept. Pure: the same
// terms give the same bytes.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "compiler/abi/facts.h"
#include "compiler/model/settings.h"
#include "runtime/http/forwarding.h"
#include "runtime/proxy/attempt.h"
#include "runtime/proxy/exchange_host.h"

namespace runtime::proxy {

struct UpstreamRequestTerms {
  const ExchangeRequest& client;
  const compiler::model::UpstreamSettings& upstream;
  const compiler::abi::Facts& facts;  // what templates of header values render
  // A client's credentials are meant for the first upstream of its route; another one gets them only by the policy's own words.
  bool is_first_of_route = true;
  bool reads_answer = false;          // it is looked into, so it must not come compressed
  bool drops_origin = false;          // pages are the gateway's to judge
  bool passes_underscores = false;    // header names with "_"
  std::span<const std::string> read = {};  // lower case; headers that conditions read
  bool body_is_decoded = false;       // … and is no longer what Content-Encoding says
  http::DroppedHeaders* dropped = nullptr;  // may be null
  std::string_view trace_parent = {};
  bool streams = false;               // the body comes later, by Attempt::SendMore
  std::string_view body = {};         // … or this is all of it
};

// Whether a header or a parameter of that name says who asks, or lets them in: told by pattern, since every gateway and cloud has its own.
bool IsCredential(std::string_view name);

// The body of the result is that of the terms, not a copy: it must live until the attempt has sent it. `buffer`: memory for the head.
Attempt::Request MakeUpstreamRequest(const UpstreamRequestTerms& terms, std::string&& buffer = {});

}  // namespace runtime::proxy
