// Towards servers: who they must be, and sessions that are resumed.
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <utility>

#include "runtime/net/tls.h"
#include "runtime/net/tls_failure.h"
#include "runtime/net/tls_pem.h"
#include "runtime/net/tls_stream.h"

namespace runtime::net {
namespace {

constexpr size_t kSessionsPerServer = 4;
constexpr size_t kServersWithSessions = 256;
constexpr unsigned char kAlpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

bool IsAddress(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// Names of certificates don't end in the dot that says "from the root".
std::string WithoutRootDot(std::string name) {
  if (name.size() > 1 && name.back() == '.') name.pop_back();
  return name;
}

class Client final : public TlsClient, public std::enable_shared_from_this<Client> {
 public:
  Client(TlsClientSettings settings, SslCtxPtr context, std::vector<std::string> pins)
      : settings_(std::move(settings)), context_(std::move(context)), pins_(std::move(pins)), fingerprint_(FingerprintOf(settings_)) {}

  std::unique_ptr<Stream> Connect(Transport& transport, const Address& address, const std::string& host,
                                  StreamObserver* observer) override {
    const std::string wanted = WithoutRootDot(settings_.name.empty() ? host : settings_.name);
    SslPtr ssl(SSL_new(context_.get()));
    if (IsAddress(wanted)) {  // RFC 6066 3: no SNI
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl.get()), wanted.c_str());
    } else {
      SSL_set_tlsext_host_name(ssl.get(), wanted.c_str());
      SSL_set_hostflags(ssl.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
      SSL_set1_host(ssl.get(), wanted.c_str());
    }
    const std::string key = address.ip + " " + std::to_string(address.port) + " " + wanted;
    if (const SessionPtr session = TakeSession(key)) SSL_set_session(ssl.get(), session.get());
    auto stream = std::make_unique<TlsStream>(TlsStream::Side::kClient, transport, std::move(ssl), shared_from_this(), wanted,
                                              observer);
    stream->session_key = key;
    stream->Connect(address);
    return stream;
  }

  const std::string& fingerprint() const override { return fingerprint_; }

  // Whether the chain that a server shows is good. Stands in for the library's own check.
  int Verify(X509_STORE_CTX* chain) const {
    auto* ssl = static_cast<SSL*>(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    TlsStream* const stream = TlsStream::Of(ssl);
    X509* const leaf = X509_STORE_CTX_get0_cert(chain);
    if (leaf == nullptr) return 0;
    const bool is_pin_alone = !pins_.empty() && settings_.ca.empty() && settings_.name.empty();
    if (!is_pin_alone && X509_verify_cert(chain) != 1) {
      X509* at = X509_STORE_CTX_get_current_cert(chain);
      const long result = X509_STORE_CTX_get_error(chain);  // NOLINT(google-runtime-int)
      stream->SetFailure(FailureOfVerification(result, at != nullptr ? at : leaf, stream->wanted()));
      return 0;
    }
    if (!pins_.empty() && std::find(pins_.begin(), pins_.end(), PublicKeyDigest(leaf)) == pins_.end()) {
      X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
      stream->SetFailure(FailureOfVerification(X509_V_ERR_APPLICATION_VERIFICATION, leaf, stream->wanted()));
      return 0;
    }
    X509_STORE_CTX_set_error(chain, X509_V_OK);
    return 1;
  }

  // Takes the session over.
  void Keep(const std::string& key, SSL_SESSION* session) {
    std::lock_guard lock(mutex_);
    if (sessions_.size() >= kServersWithSessions && !sessions_.contains(key)) sessions_.clear();
    auto& kept = sessions_[key];
    if (kept.size() >= kSessionsPerServer) kept.erase(kept.begin());
    kept.emplace_back(session);
  }

 private:
  SessionPtr TakeSession(const std::string& key) {
    std::lock_guard lock(mutex_);
    const auto found = sessions_.find(key);
    if (found == sessions_.end() || found->second.empty()) return nullptr;
    if (SSL_SESSION_get_protocol_version(found->second.back().get()) < TLS1_3_VERSION) {
      SSL_SESSION_up_ref(found->second.back().get());
      return SessionPtr(found->second.back().get());
    }
    SessionPtr session = std::move(found->second.back());  // RFC 8446 C.4: a ticket is used once
    found->second.pop_back();
    return session;
  }

  const TlsClientSettings settings_;
  const SslCtxPtr context_;
  const std::vector<std::string> pins_;  // digests
  const std::string fingerprint_;
  std::mutex mutex_;
  std::map<std::string, std::vector<SessionPtr>> sessions_;  // guarded by mutex_
};

int ClientIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

std::string FingerprintOf(const TlsClientSettings& settings) {
  std::string all;
  for (const std::string* path : {&settings.ca, &settings.certificate, &settings.key}) {
    if (path->empty()) continue;
    auto text = ReadPemFile(*path);
    all += *path + "\n" + (text ? *text : std::string()) + "\n";
  }
  return Sha256Of(all);
}

base::Result<std::shared_ptr<TlsClient>> TlsClient::Make(const TlsClientSettings& settings) {
  SslCtxPtr context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return base::Error{"OpenSSL can't begin: " + TakeErrors()};
  ConfigureContext(context.get());
  SSL_CTX_set_alpn_protos(context.get(), kAlpn, sizeof kAlpn);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (settings.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else {
    auto text = ReadPemFile(settings.ca);
    if (!text) return base::Error{"ca: " + text.error()};
    auto authorities = ReadCertificates(settings.ca, *text);
    if (!authorities) return base::Error{"ca: " + authorities.error()};
    for (const X509Ptr& authority : *authorities) X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()), authority.get());
    // An intermediate that somebody trusts is trusted, without its root.
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context.get()), X509_V_FLAG_PARTIAL_CHAIN);
  }
  if (!settings.certificate.empty()) {
    auto used = UsePair(context.get(), settings.certificate, settings.key);
    if (!used) return base::Error{used.error()};
  }
  std::vector<std::string> pins;
  for (const std::string& pin : settings.pins) {
    auto digest = PinDigest(pin);
    if (!digest) return base::Error{"pin: \"" + pin + "\" is no pin"};
    pins.push_back(std::move(*digest));
  }
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL* ssl, SSL_SESSION* session) {
    TlsStream* const stream = TlsStream::Of(ssl);
    auto* const client = static_cast<Client*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), ClientIndex()));
    if (stream == nullptr || client == nullptr) return 0;
    client->Keep(stream->session_key, session);
    return 1;
  });
  SSL_CTX* const raw = context.get();
  auto client = std::make_shared<Client>(settings, std::move(context), std::move(pins));
  SSL_CTX_set_ex_data(raw, ClientIndex(), client.get());
  SSL_CTX_set_cert_verify_callback(
      raw, [](X509_STORE_CTX* chain, void* of) { return static_cast<Client*>(of)->Verify(chain); }, client.get());
  ERR_clear_error();
  return std::shared_ptr<TlsClient>(std::move(client));
}

}  // namespace runtime::net
