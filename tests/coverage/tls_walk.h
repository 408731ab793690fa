// Policies with TLS for the walk over the settings: certificates that are made when they are first asked for, and what becomes of a
// gateway that has them.
#pragma once

#include <string>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"
#include "tests/support/certificates.h"

namespace tests::coverage {

// $GOOD, $OTHER (for other.example), $ME and $STRANGER are certificates in a policy: "$GOOD.crt", "$GOOD.key"; $ROOT and $ELSE
// are authorities (the second of $STRANGER), $PIN the pin of $GOOD, $ZEROS one of nobody.
inline std::string WithCertificates(std::string policy) {
  struct All {
    support::CertificateMaker maker;
    support::Certificate root = maker.Root("Root");
    support::Certificate other_root = maker.Root("Else");
    support::Certificate good = maker.Issue(root, "good");
    support::Certificate other = maker.Issue(root, "other", {.names = {"DNS:other.example"}});
    support::Certificate me = maker.Issue(root, "me", {.names = {}});
    support::Certificate stranger = maker.Issue(other_root, "stranger", {.names = {}});
  };
  static All all;
  const auto replace = [&](const std::string& from, const std::string& to) {
    if (policy.find(from) != std::string::npos) policy = support::ReplaceAll(policy, from, to);
  };
  replace("$ROOT", all.root.certificate);
  replace("$ELSE", all.other_root.certificate);
  for (const auto& [name, certificate] : {std::pair("$GOOD", &all.good), std::pair("$OTHER", &all.other),
                                          std::pair("$ME", &all.me), std::pair("$STRANGER", &all.stranger)}) {
    replace(std::string(name) + ".crt", certificate->certificate);
    replace(std::string(name) + ".key", certificate->key);
  }
  replace("$PIN", all.maker.Pin(all.good));
  replace("$ZEROS", "sha256:" + std::string(64, '0'));
  return policy;
}

// The port that speaks TLS, as text.
inline std::string TlsPortOf(const e2e::GatewayProcess& gateway) {
  const e2e::Json event = gateway.WaitForEvent(
      [](const e2e::Json& e) { return e.value("message", "") == "listening" && e.value("protocol", "") == "https"; });
  const std::string address = event.value("address", "");
  return address.substr(address.rfind(':') + 1);
}

inline const std::string kTlsServer =
    "edition 1\ngateway { listen = \"127.0.0.1:0\"  listen_tls = \"127.0.0.1:0\"  tls = edge  admin = off  workers = 1 "
    " #MORE }\n"
    "tls edge { certificate = \"$GOOD.crt\"  key = \"$GOOD.key\" #ASKS }\n"
    "route all { reply = hello }\nreply hello { status = 200  text = \"hello\" }\n";

inline std::string TlsServerWith(const std::string& more, const std::string& asks = "") {
  return support::ReplaceAll(support::ReplaceAll(kTlsServer, "#MORE", more), "#ASKS", asks);
}

// What becomes of a gateway with this policy: nothing, or what `look` sees.
template <typename Look>
std::string IfItStarts(const std::string& policy, Look look) {
  e2e::GatewayOptions options;
  options.arguments = {};
  options.waits_for_ready = false;
  e2e::GatewayProcess gateway(WithCertificates(policy), options);
  const bool runs = e2e::WaitUntil([&] { return gateway.CountEvents("ready") > 0 || !gateway.process().is_running(); });
  if (!runs || !gateway.process().is_running()) return "does not start";
  return look(gateway);
}

// What curl gets from a gateway with this policy, over TLS.
inline std::string CurlSees(const std::string& policy, const std::string& options = "--cacert $ROOT") {
  return IfItStarts(policy, [&](e2e::GatewayProcess& gateway) {
    const std::string command = "curl -sS --max-time 2 -w ' %{http_code}' " + options +
                                " https://localhost:" + TlsPortOf(gateway) +
                                "/ >/dev/null 2>&1 && echo served || echo refused";
    return e2e::Shell(WithCertificates(command)).output;
  });
}

// What a gateway whose upstream has this `tls` block gets from a server with TLS that shows $GOOD; `asks`: of its clients.
inline std::string UpstreamOverTls(const std::string& tls, const std::string& asks) {
  return IfItStarts(TlsServerWith("", asks), [&](e2e::GatewayProcess& server) {
    const std::string policy = e2e::Gateway() + e2e::Upstream("main", "https://localhost:" + TlsPortOf(server), tls);
    return IfItStarts(
        policy, [](e2e::GatewayProcess& gateway) { return std::to_string(e2e::Get(gateway.port(), "/").status); });
  });
}

}  // namespace tests::coverage
