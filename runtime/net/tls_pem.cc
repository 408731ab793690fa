#include "runtime/net/tls_pem.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

namespace runtime::net {
namespace {

constexpr size_t kMaxPemBytes = 1 << 20;

struct NamesFree {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string Hex(const unsigned char* bytes, size_t size) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (size_t i = 0; i < size; ++i) {
    hex += kDigits[bytes[i] >> 4];
    hex += kDigits[bytes[i] & 15];
  }
  return hex;
}

// An encrypted key would ask the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

BioPtr BioOf(const std::string& text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// A file that holds the one and not the other is the most common mistake.
std::string WhatIsThere(const std::string& text) {
  if (text.find("-----BEGIN") == std::string::npos) return "it is no PEM file (`-----BEGIN …`)";
  if (text.find("ENCRYPTED") != std::string::npos) {
    return "the key in it is encrypted; write it without a password (openssl pkey -in FILE -out FILE)";
  }
  if (text.rfind("-----BEGIN ") > text.rfind("-----END ") || text.find("-----END ") == std::string::npos) {
    return "it ends in the middle (no `-----END …` behind the last `-----BEGIN …`)";
  }
  if (text.find("PRIVATE KEY-----") != std::string::npos) return "it holds a key";
  if (text.find("BEGIN CERTIFICATE-----") != std::string::npos) return "it holds a certificate";
  return "it holds something else";
}

}  // namespace

base::Result<std::string> ReadPemFile(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return base::Error{path + ": " + std::strerror(errno)};
  std::string text;
  char buffer[16 << 10];
  ssize_t got = 0;
  while ((got = read(file, buffer, sizeof buffer)) > 0 && text.size() <= kMaxPemBytes) {
    text.append(buffer, static_cast<size_t>(got));
  }
  const int error = errno;
  close(file);
  if (got < 0) return base::Error{path + ": " + std::strerror(error)};
  if (text.size() > kMaxPemBytes) return base::Error{path + ": it is larger than 1 MiB"};
  return text;
}

std::string TakeErrors() {
  std::string all;
  while (const unsigned long code = ERR_get_error()) {  // NOLINT(google-runtime-int): OpenSSL's type
    const char* reason = ERR_reason_error_string(code);
    if (!all.empty()) all += "; ";
    all += reason != nullptr ? reason : "error " + std::to_string(code);
  }
  return all;
}

base::Result<std::vector<X509Ptr>> ReadCertificates(const std::string& path, const std::string& text) {
  ERR_clear_error();
  const BioPtr bio = BioOf(text);
  std::vector<X509Ptr> certificates;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const unsigned long last = ERR_peek_last_error();  // NOLINT(google-runtime-int)
  const bool is_end = ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty()) return base::Error{path + ": no certificate in it: " + WhatIsThere(text)};
  if (!is_end) {
    return base::Error{path + ": certificate " + std::to_string(certificates.size() + 1) + " in it can't be read"};
  }
  return certificates;
}

base::Result<KeyPtr> ReadKey(const std::string& path, const std::string& text) {
  ERR_clear_error();
  const BioPtr bio = BioOf(text);
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassword, nullptr));
  ERR_clear_error();
  if (key == nullptr) return base::Error{path + ": no key that can be read: " + WhatIsThere(text)};
  return key;
}

base::Result<X509Ptr> UsePair(SSL_CTX* context, const std::string& certificate_path, const std::string& key_path) {
  auto certificate_text = ReadPemFile(certificate_path);
  if (!certificate_text) return base::Error{certificate_text.error()};
  auto key_text = ReadPemFile(key_path);
  if (!key_text) return base::Error{key_text.error()};
  auto chain = ReadCertificates(certificate_path, *certificate_text);
  if (!chain) return base::Error{chain.error()};
  auto key = ReadKey(key_path, *key_text);
  if (!key) return base::Error{key.error()};

  X509* const leaf = chain->front().get();
  if (X509_check_private_key(leaf, key->get()) != 1) {
    ERR_clear_error();
    // Perhaps the chain stands upside down.
    for (size_t i = 1; i < chain->size(); ++i) {
      if (X509_check_private_key((*chain)[i].get(), key->get()) == 1) {
        return base::Error{certificate_path + ": the chain is not in order: the certificate of the key comes first, then its issuer"};
      }
      ERR_clear_error();
    }
    return base::Error{key_path + ": the key does not fit the certificate in " + certificate_path};
  }
  for (size_t i = 1; i < chain->size(); ++i) {
    if (X509_check_issued((*chain)[i].get(), (*chain)[i - 1].get()) == X509_V_OK) continue;
    return base::Error{certificate_path + ": the chain is not in order: certificate " + std::to_string(i + 1) +
                       " did not issue the one before it"};
  }
  if (SSL_CTX_use_certificate(context, leaf) != 1) {
    return base::Error{certificate_path + ": it can't be used: " + TakeErrors()};
  }
  SSL_CTX_clear_chain_certs(context);
  for (size_t i = 1; i < chain->size(); ++i) SSL_CTX_add1_chain_cert(context, (*chain)[i].get());
  if (SSL_CTX_use_PrivateKey(context, key->get()) != 1) return base::Error{key_path + ": it can't be used: " + TakeErrors()};
  return std::move(chain->front());
}

namespace {

std::string Printed(const X509_NAME* name) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);  // NOLINT(google-runtime-int)
  return std::string(text, static_cast<size_t>(std::max(size, 0L)));
}

}  // namespace

std::string SubjectOf(X509* certificate) { return Printed(X509_get_subject_name(certificate)); }
std::string IssuerOf(X509* certificate) { return Printed(X509_get_issuer_name(certificate)); }

std::vector<std::string> NamesOf(X509* certificate) {
  std::vector<std::string> names;
  const std::unique_ptr<GENERAL_NAMES, NamesFree> list(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; list != nullptr && i < sk_GENERAL_NAME_num(list.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(list.get(), i);
    if (name->type == GEN_DNS) {
      const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
      names.emplace_back(text, static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      const unsigned char* bytes = ASN1_STRING_get0_data(name->d.iPAddress);
      const int size = ASN1_STRING_length(name->d.iPAddress);
      std::string ip;
      for (int b = 0; b < size; ++b) {
        if (size == 4) {
          ip += (b > 0 ? "." : "") + std::to_string(bytes[b]);
        } else {
          ip += (b > 0 && b % 2 == 0 ? ":" : "") + Hex(bytes + b, 1);
        }
      }
      names.push_back(ip);
    }
  }
  if (names.empty()) {
    char common_name[256];
    const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common_name, sizeof common_name);
    if (size > 0) names.emplace_back(common_name, static_cast<size_t>(size));
  }
  for (std::string& name : names) {
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  return names;
}

int64_t SecondsOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return timegm(&parts);
}

std::string DateOf(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  gmtime_r(&time, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

CertificateInfo Describe(X509* certificate) {
  CertificateInfo info;
  info.subject = SubjectOf(certificate);
  info.names = NamesOf(certificate);
  info.not_before = SecondsOf(X509_get0_notBefore(certificate));
  info.not_after = SecondsOf(X509_get0_notAfter(certificate));
  const ASN1_INTEGER* serial = X509_get0_serialNumber(certificate);
  info.serial = Hex(serial->data, static_cast<size_t>(serial->length));
  return info;
}

std::string Sha256Of(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return Hex(digest, size);
}

std::string PublicKeyDigest(X509* certificate) {
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
  if (size <= 0) return "";
  std::string digest = Sha256Of({reinterpret_cast<const char*>(encoded), static_cast<size_t>(size)});
  OPENSSL_free(encoded);
  return digest;
}

std::optional<std::string> PinDigest(std::string_view pin) {
  // "sha256:" as people write it, "sha256//" as curl does.
  if (pin.starts_with("sha256:") || pin.starts_with("SHA256:")) {
    pin.remove_prefix(7);
  } else if (pin.starts_with("sha256//")) {
    pin.remove_prefix(8);
  } else {
    return std::nullopt;
  }
  std::string hex;
  for (const char c : pin) {
    if (c == ':') continue;  // as openssl prints digests
    hex += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  if (hex.size() == 64 && hex.find_first_not_of("0123456789abcdef") == std::string::npos) return hex;
  if (pin.size() != 44) return std::nullopt;
  unsigned char bytes[48];
  const int size = EVP_DecodeBlock(bytes, reinterpret_cast<const unsigned char*>(pin.data()), static_cast<int>(pin.size()));
  if (size != 33 || pin.back() != '=' || pin[42] == '=') return std::nullopt;  // 32 bytes and the padding
  return Hex(bytes, 32);
}

bool IsTlsPin(std::string_view text) { return PinDigest(text).has_value(); }

void ConfigureContext(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
}

}  // namespace runtime::net
