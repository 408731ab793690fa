// Towards clients: certificates by name, keys of tickets, certificates of clients.
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

#include "runtime/net/tls.h"
#include "runtime/net/tls_failure.h"
#include "runtime/net/tls_pem.h"
#include "runtime/net/tls_stream.h"

namespace runtime::net {
namespace {

// The keys that tickets of one `tls` block are made with: the newest makes them, that and the one before it open them.
class TicketKeys {
 public:
  struct Key {
    std::array<unsigned char, 16> name{};
    std::array<unsigned char, 32> cipher{};
    std::array<unsigned char, 32> mac{};
    base::TimePoint made_at;
  };

  std::optional<Key> Newest(base::TimePoint now) {
    std::lock_guard lock(mutex_);
    Rotate(now);
    return keys_[0];
  }
  // `is_newest`: a ticket that was made with an older key is given anew.
  std::optional<Key> Find(const unsigned char* name, base::TimePoint now, bool* is_newest) {
    std::lock_guard lock(mutex_);
    Rotate(now);
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (!keys_[i] || std::memcmp(keys_[i]->name.data(), name, keys_[i]->name.size()) != 0) continue;
      *is_newest = i == 0;
      return keys_[i];
    }
    return std::nullopt;
  }

 private:
  void Rotate(base::TimePoint now) {
    if (keys_[1] && now - keys_[1]->made_at >= 2 * kTicketKeyLife) keys_[1].reset();
    if (keys_[0] && now - keys_[0]->made_at < kTicketKeyLife) return;
    keys_[1] = keys_[0] && now - keys_[0]->made_at < 2 * kTicketKeyLife ? keys_[0] : std::nullopt;
    Key fresh;
    const bool is_random = RAND_bytes(fresh.name.data(), fresh.name.size()) == 1 &&
                           RAND_bytes(fresh.cipher.data(), fresh.cipher.size()) == 1 &&
                           RAND_bytes(fresh.mac.data(), fresh.mac.size()) == 1;
    fresh.made_at = now;
    keys_[0] = is_random ? std::optional<Key>(fresh) : std::nullopt;
  }

  std::mutex mutex_;
  std::array<std::optional<Key>, 2> keys_;  // the newest first
};

struct Hosted {
  TlsIdentitySettings settings;
  std::string authority_digest;  // of client_ca's text
  SslCtxPtr context;
  std::vector<std::string> names;
  std::shared_ptr<TicketKeys> tickets;
};

int HostedIndex() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}
int ServerIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// RFC 6125 6.4.3: a wildcard stands for one whole label, the first.
bool IsFor(const std::string& pattern, const std::string& host) {
  if (pattern == host) return true;
  if (!pattern.starts_with("*.")) return false;
  const size_t dot = host.find('.');
  return dot != std::string::npos && dot > 0 && host.substr(dot) == pattern.substr(1);
}

// The name in a ClientHello's server_name extension (RFC 6066 3), in lower case; "" where there is none.
std::string ServerNameOf(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1 || size < 5) return "";
  const size_t length = static_cast<size_t>(bytes[3]) << 8 | bytes[4];
  if (bytes[2] != TLSEXT_NAMETYPE_host_name || 5 + length > size) return "";
  std::string name(reinterpret_cast<const char*>(bytes) + 5, length);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (name.size() > 1 && name.back() == '.') name.pop_back();
  return name;
}

class Server final : public TlsServer, public std::enable_shared_from_this<Server> {
 public:
  std::unique_ptr<Stream> Accept(Transport& transport, std::unique_ptr<Stream> stream, StreamObserver* observer) override {
    SslPtr ssl(SSL_new(hosted.front()->context.get()));
    SSL_set_ex_data(ssl.get(), ServerIndex(), this);
    auto tls = std::make_unique<TlsStream>(TlsStream::Side::kServer, transport, std::move(ssl), shared_from_this(), "", observer);
    tls->Accept(std::move(stream));
    return tls;
  }
  const std::vector<Identity>& identities() const override { return described; }
  const std::string& fingerprint() const override { return digest; }

  // The first thing that happens to a ClientHello, before any ticket is looked at: a session of one block is never resumed in another.
  void Choose(SSL* ssl) const {
    const std::string host = ServerNameOf(ssl);
    const Hosted* chosen = hosted.front().get();
    bool is_chosen = false;
    for (const auto& candidate : hosted) {
      const auto& names = candidate->names;
      if (std::find(names.begin(), names.end(), host) !=
          names.end()) {  // goes before a wildcard, in whatever order they stand
        chosen = candidate.get();
        break;
      }
      if (!is_chosen &&
          std::any_of(names.begin(), names.end(), [&](const std::string& name) { return IsFor(name, host); })) {
        chosen = candidate.get();
        is_chosen = true;
      }
    }
    SSL_CTX* const context = chosen->context.get();
    SSL_set_SSL_CTX(ssl, context);
    SSL_set_verify(ssl, SSL_CTX_get_verify_mode(context), nullptr);
    const std::string id = Sha256Of(chosen->settings.name + "\n" + chosen->authority_digest).substr(0, SSL_MAX_SSL_SESSION_ID_LENGTH);
    SSL_set_session_id_context(ssl, reinterpret_cast<const unsigned char*>(id.data()), static_cast<unsigned>(id.size()));
    // SSL_set_SSL_CTX leaves the list of authorities of the first context in place.
    if (const STACK_OF(X509_NAME)* list = SSL_CTX_get_client_CA_list(context)) {
      SSL_set_client_CA_list(ssl, SSL_dup_CA_list(list));
    }
    if ((SSL_CTX_get_verify_mode(context) & SSL_VERIFY_PEER) != 0) {
      SSL_set1_verify_cert_store(ssl, SSL_CTX_get_cert_store(context));
      X509_VERIFY_PARAM_set_flags(SSL_get0_param(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    }
  }

  std::vector<std::unique_ptr<Hosted>> hosted;
  std::vector<Identity> described;
  std::string digest;
};

int OnClientHello(SSL* ssl, int*, void*) {
  static_cast<Server*>(SSL_get_ex_data(ssl, ServerIndex()))->Choose(ssl);
  return SSL_CLIENT_HELLO_SUCCESS;
}

// RFC 7301: http/1.1, or what nobody has in common is refused by an alert.
int OnAlpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size, void*) {
  constexpr std::string_view kHttp11 = "http/1.1";
  for (unsigned i = 0; i < in_size && i + 1 + in[i] <= in_size; i += 1 + in[i]) {
    if (std::string_view(reinterpret_cast<const char*>(in) + i + 1, in[i]) != kHttp11) continue;
    *out = in + i + 1;
    *out_size = in[i];
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// RFC 5077 4: AES-256-CBC and HMAC-SHA-256. The keys are those of the block that was chosen.
int OnTicket(SSL* ssl, unsigned char name[16], unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int encrypts) {
  const TlsStream* const stream = TlsStream::Of(ssl);
  const auto* const hosted = static_cast<Hosted*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), HostedIndex()));
  if (hosted == nullptr || stream == nullptr) return -1;
  const base::TimePoint now = stream->Now();
  const auto use = [&](const TicketKeys::Key& key) {
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<unsigned char*>(key.mac.data()), key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>("SHA256"), 0), OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
  };
  if (encrypts != 0) {
    const auto key = hosted->tickets->Newest(now);
    if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    std::memcpy(name, key->name.data(), key->name.size());
    if (EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) != 1) return -1;
    return use(*key) ? 1 : -1;
  }
  bool is_newest = false;
  const auto key = hosted->tickets->Find(name, now, &is_newest);
  if (!key) return 0;
  if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key->cipher.data(), iv) != 1 || !use(*key)) return -1;
  return is_newest ? 1 : 2;
}

// A certificate whose issuer nobody sends along works in some clients only.
std::string WarningAbout(SSL_CTX* context, X509* leaf) {
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(context, &chain);
  const bool is_self_signed = X509_check_issued(leaf, leaf) == X509_V_OK;
  if (is_self_signed || (chain != nullptr && sk_X509_num(chain) > 0)) return "";
  X509_STORE* const store = X509_STORE_new();
  X509_STORE_set_default_paths(store);
  X509_STORE_CTX* const lookup = X509_STORE_CTX_new();
  X509* issuer = nullptr;
  if (X509_STORE_CTX_init(lookup, store, leaf, nullptr) == 1 && X509_STORE_CTX_get1_issuer(&issuer, lookup, leaf) != 1) issuer = nullptr;
  const bool is_root = issuer != nullptr;
  X509_free(issuer);
  X509_STORE_CTX_free(lookup);
  X509_STORE_free(store);
  ERR_clear_error();
  return is_root ? "" : "the file holds no intermediate: clients that don't know its issuer will refuse it (use fullchain.pem)";
}

base::Result<std::unique_ptr<Hosted>> Host(const TlsIdentitySettings& settings, WallTime now, CertificateInfo* info) {
  auto hosted = std::make_unique<Hosted>();
  hosted->settings = settings;
  hosted->context.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = hosted->context.get();
  if (context == nullptr) return base::Error{"OpenSSL can't begin: " + TakeErrors()};
  ConfigureContext(context);
  auto leaf = UsePair(context, settings.certificate, settings.key);
  if (!leaf) return base::Error{leaf.error()};
  *info = Describe(leaf.value().get());
  const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  if (info->not_after < seconds) {
    return base::Error{settings.certificate + ": the certificate ended on " + DateOf(info->not_after)};
  }
  info->warning = WarningAbout(context, leaf.value().get());
  if (info->not_before > seconds) info->warning = "the certificate is not valid before " + DateOf(info->not_before);
  hosted->names = info->names;
  if (!settings.client_ca.empty()) {
    auto text = ReadPemFile(settings.client_ca);
    if (!text) return base::Error{text.error()};
    auto authorities = ReadCertificates(settings.client_ca, *text);
    if (!authorities) return base::Error{authorities.error()};
    hosted->authority_digest = Sha256Of(*text);
    for (const X509Ptr& authority : *authorities) {
      X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get());
      SSL_CTX_add_client_CA(context, authority.get());
    }
    X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets only: no state here
  SSL_CTX_set_client_hello_cb(context, OnClientHello, nullptr);
  SSL_CTX_set_alpn_select_cb(context, OnAlpn, nullptr);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, OnTicket);
  SSL_CTX_set_ex_data(context, HostedIndex(), hosted.get());
  return hosted;
}

}  // namespace

std::string FingerprintOf(const std::vector<TlsIdentitySettings>& identities) {
  std::string all;
  for (const TlsIdentitySettings& identity : identities) {
    all += identity.name + "\n";
    for (const std::string* path : {&identity.certificate, &identity.key, &identity.client_ca}) {
      if (path->empty()) continue;
      auto text = ReadPemFile(*path);
      all += *path + "\n" + (text ? *text : std::string()) + "\n";
    }
  }
  return Sha256Of(all);
}

base::Result<std::shared_ptr<TlsServer>> TlsServer::Make(const std::vector<TlsIdentitySettings>& identities, WallTime now,
                                                         const TlsServer* before) {
  auto server = std::make_shared<Server>();
  const auto* const old = static_cast<const Server*>(before);
  server->digest = FingerprintOf(identities);  // first: what changes while we read is read again
  for (const TlsIdentitySettings& settings : identities) {
    CertificateInfo info;
    auto hosted = Host(settings, now, &info);
    if (!hosted) return base::Error{"tls " + settings.name + ": " + hosted.error()};
    Hosted& added = *hosted.value();
    // Whoever begins with it may have a clock that is wrong: a warning. In place of one that is valid it would turn everybody away.
    const int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
    for (size_t i = 0; old != nullptr && info.not_before > seconds && i < old->described.size(); ++i) {
      const CertificateInfo& in_use = old->described[i].certificate;
      if (old->described[i].name != settings.name || in_use.not_before > seconds || in_use.not_after < seconds) continue;
      return base::Error{"tls " + settings.name + ": " + settings.certificate + ": the certificate is not valid before " + DateOf(info.not_before)};
    }
    for (size_t i = 0; old != nullptr && i < old->hosted.size(); ++i) {
      const Hosted& earlier = *old->hosted[i];
      if (earlier.settings.name == settings.name && earlier.authority_digest == added.authority_digest) {
        added.tickets = earlier.tickets;
      }
    }
    if (added.tickets == nullptr) added.tickets = std::make_shared<TicketKeys>();
    server->hosted.push_back(std::move(hosted.value()));
    server->described.push_back({settings.name, std::move(info)});
  }
  ERR_clear_error();
  return std::shared_ptr<TlsServer>(std::move(server));
}

}  // namespace runtime::net
