// The TLS of one generation of a policy: who each https upstream must be, and what clients are shown.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/id.h"
#include "compiler/model/policy.h"
#include "base/result.h"
#include "runtime/net/tls.h"

namespace runtime::proxy {

struct GatewayTls {
  // False: https urls are asked in plain text, as in a simulation, whose upstreams are scripts. A gateway that runs always has it on.
  bool is_on = false;
  base::IdVector<compiler::model::UpstreamId, std::shared_ptr<net::TlsClient>> upstreams;  // null: plain
  std::shared_ptr<net::TlsServer> server;  // null: no listen_tls
  std::string fingerprint;  // TlsFingerprint, before the files were read: what changes meanwhile is a change
};

// Reads every file. `before` (may be null): what is unchanged keeps its sessions and tickets. An error names the block, the file and
// what is wrong with it.
base::Result<GatewayTls> MakeTls(const compiler::model::Policy& policy, net::WallTime now, const GatewayTls* before,
                                 const compiler::model::Policy* policy_before);

// A digest of what all the files of a policy hold now: another one says that something was renewed.
std::string TlsFingerprint(const compiler::model::Policy& policy);

}  // namespace runtime::proxy
