// Private to this folder. PEM files: certificates with their chains and keys, what they say, digests of them.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/net/tls.h"

namespace runtime::net {

template <typename T, void (*kFree)(T*)>
struct OpenSslFree {
  void operator()(T* object) const { kFree(object); }
};
using SslCtxPtr = std::unique_ptr<SSL_CTX, OpenSslFree<SSL_CTX, SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpenSslFree<SSL, SSL_free>>;
using X509Ptr = std::unique_ptr<X509, OpenSslFree<X509, X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, OpenSslFree<EVP_PKEY, EVP_PKEY_free>>;
struct BioFree {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using BioPtr = std::unique_ptr<BIO, BioFree>;
using SessionPtr = std::unique_ptr<SSL_SESSION, OpenSslFree<SSL_SESSION, SSL_SESSION_free>>;

// The whole text of a file; at most 1 MiB. An error says why not.
base::Result<std::string> ReadPemFile(const std::string& path);

base::Result<std::vector<X509Ptr>> ReadCertificates(const std::string& path, const std::string& text);
base::Result<KeyPtr> ReadKey(const std::string& path, const std::string& text);

// Certificate, chain and key into `context`. The chain must be in order. The first certificate is left in `leaf`.
base::Result<X509Ptr> UsePair(SSL_CTX* context, const std::string& certificate_path, const std::string& key_path);

CertificateInfo Describe(X509* certificate);
std::string SubjectOf(X509* certificate);
std::string IssuerOf(X509* certificate);
std::vector<std::string> NamesOf(X509* certificate);
int64_t SecondsOf(const ASN1_TIME* time);    // since 1970
std::string DateOf(int64_t seconds);         // "2026-01-31 12:00:00 UTC"

// SHA-256 of the public key (SubjectPublicKeyInfo), as 64 hex digits.
std::string PublicKeyDigest(X509* certificate);
// The same form of a pin; nothing where it is none.
std::optional<std::string> PinDigest(std::string_view pin);

std::string Sha256Of(std::string_view text);  // 64 hex digits

// What the error queue of this thread says, as one line; empties it.
std::string TakeErrors();

// What both sides ask of a context.
void ConfigureContext(SSL_CTX* context);

}  // namespace runtime::net
