#include "runtime/proxy/gateway_tls.h"

#include <utility>

namespace runtime::proxy {
namespace {

using compiler::model::Policy;
using compiler::model::UpstreamId;
using compiler::model::UpstreamSettings;

net::TlsClientSettings ClientSettings(const UpstreamSettings& upstream) {
  if (!upstream.tls) return {};
  return {upstream.tls->ca, upstream.tls->certificate, upstream.tls->key, upstream.tls->name, upstream.tls->pins};
}

std::vector<net::TlsIdentitySettings> Identities(const Policy& policy) {
  std::vector<net::TlsIdentitySettings> identities;
  for (const compiler::model::TlsId id : policy.gateway.tls) {
    const compiler::model::TlsSettings& tls = policy.tls[id];
    identities.push_back({tls.name, tls.certificate, tls.key, tls.client_ca});
  }
  return identities;
}

// One that was made with the same settings from the same files.
std::shared_ptr<net::TlsClient> Same(const net::TlsClientSettings& settings, const GatewayTls* before,
                                     const Policy* policy_before) {
  if (before == nullptr || policy_before == nullptr) return nullptr;
  for (size_t i = 0; i < policy_before->upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const auto& client = before->upstreams[id];
    if (client == nullptr || !(ClientSettings(policy_before->upstreams[id]) == settings)) continue;
    if (client->fingerprint() == net::FingerprintOf(settings)) return client;
  }
  return nullptr;
}

}  // namespace

base::Result<GatewayTls> MakeTls(const Policy& policy, net::WallTime now, const GatewayTls* before,
                                 const Policy* policy_before) {
  GatewayTls tls;
  tls.is_on = true;
  tls.fingerprint = TlsFingerprint(policy);
  for (size_t i = 0; i < policy.upstreams.size(); ++i) {
    const UpstreamSettings& upstream = policy.upstreams[UpstreamId(static_cast<int32_t>(i))];
    if (!upstream.url.is_tls) {
      tls.upstreams.Add(nullptr);
      continue;
    }
    const net::TlsClientSettings settings = ClientSettings(upstream);
    std::shared_ptr<net::TlsClient> client = Same(settings, before, policy_before);
    // Two upstreams with the same settings (most have none) share the trust store, which is large.
    for (size_t j = 0; j < i && client == nullptr; ++j) {
      const UpstreamId other(static_cast<int32_t>(j));
      if (tls.upstreams[other] != nullptr && ClientSettings(policy.upstreams[other]) == settings)
        client = tls.upstreams[other];
    }
    if (client == nullptr) {
      auto made = net::TlsClient::Make(settings);
      if (!made) return base::Error{"upstream " + upstream.name + ", tls: " + made.error()};
      client = std::move(*made);
    }
    tls.upstreams.Add(std::move(client));
  }
  if (policy.gateway.listen_tls.empty()) return tls;
  const std::vector<net::TlsIdentitySettings> identities = Identities(policy);
  const bool is_same = before != nullptr && before->server != nullptr && Identities(*policy_before) == identities &&
                       before->server->fingerprint() == net::FingerprintOf(identities);
  if (is_same) {
    tls.server = before->server;
  } else {
    auto made = net::TlsServer::Make(identities, now, before == nullptr ? nullptr : before->server.get());
    if (!made) return base::Error{made.error()};
    tls.server = std::move(*made);
  }
  return tls;
}

std::string TlsFingerprint(const Policy& policy) {
  std::string all = policy.gateway.listen_tls.empty() ? std::string() : net::FingerprintOf(Identities(policy));
  for (const UpstreamSettings& upstream : policy.upstreams) {
    if (upstream.url.is_tls && upstream.tls) all += net::FingerprintOf(ClientSettings(upstream));
  }
  return all;
}

}  // namespace runtime::proxy
