#include "runtime/net/tls_failure.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "runtime/net/tls_pem.h"

namespace runtime::net {
namespace {

struct ReasonInfo {
  std::string_view name;
  std::string_view text;
};
constexpr ReasonInfo kReasons[] = {
#define TLS_REASON(name, text) {#name, text},
#include "runtime/net/tls_reasons.def"
#undef TLS_REASON
};

// Those that the library knows no words for (RFC 8446 6).
std::string NameOfAlert(int alert) {
  switch (alert) {
    case SSL_AD_MISSING_EXTENSION: return "missing extension";
    case SSL_AD_CERTIFICATE_REQUIRED: return "certificate required";
    case SSL_AD_NO_APPLICATION_PROTOCOL: return "no application protocol";
    default: return SSL_alert_desc_string_long(alert);
  }
}

std::string Joined(const std::vector<std::string>& names) {
  std::string all;
  for (size_t i = 0; i < names.size() && i < 8; ++i) all += (i > 0 ? ", " : "") + names[i];
  if (names.size() > 8) all += ", …";
  return all.empty() ? "none" : all;
}

}  // namespace

std::string_view Name(TlsReason reason) { return kReasons[static_cast<size_t>(reason)].name; }
std::string_view Text(TlsReason reason) { return kReasons[static_cast<size_t>(reason)].text; }

TlsFailure FailureOfVerification(long result, X509* certificate, const std::string& wanted) {  // NOLINT(google-runtime-int)
  TlsFailure failure;
  const auto subject = [&] { return certificate == nullptr ? std::string() : SubjectOf(certificate); };
  switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      failure.reason = TlsReason::k_expired;
      if (certificate != nullptr) {
        failure.detail = "that of " + subject() + " ended on " + DateOf(SecondsOf(X509_get0_notAfter(certificate)));
      }
      break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      failure.reason = TlsReason::k_not_yet_valid;
      if (certificate != nullptr) {
        failure.detail = "that of " + subject() + " begins on " + DateOf(SecondsOf(X509_get0_notBefore(certificate)));
      }
      break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      failure.reason = TlsReason::k_name;
      if (certificate != nullptr) failure.detail = "it is for " + Joined(NamesOf(certificate)) + "; asked for " + wanted;
      break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      failure.reason = TlsReason::k_self_signed;
      if (certificate != nullptr) {
        failure.detail = "that of " + subject() + "; to trust this one key: pin = \"sha256:" + PublicKeyDigest(certificate) + "\"";
      }
      break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      failure.reason = TlsReason::k_unknown_authority;
      if (certificate != nullptr) failure.detail = "it leads to " + subject() + ", which is not trusted; `ca` may name it";
      break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      failure.reason = TlsReason::k_unknown_authority;
      if (certificate != nullptr) {
        failure.detail = "that of " + subject() + ", signed by " + IssuerOf(certificate) +
                         ", which neither came along nor is trusted: the server should send its whole chain, or `ca` name that authority";
      }
      break;
    case X509_V_ERR_APPLICATION_VERIFICATION:
      failure.reason = TlsReason::k_pin;
      if (certificate != nullptr) failure.detail = "it shows sha256:" + PublicKeyDigest(certificate);
      break;
    default:
      failure.reason = TlsReason::k_bad_certificate;
      failure.detail = X509_verify_cert_error_string(result);
      if (certificate != nullptr) failure.detail += ": that of " + subject();
      break;
  }
  return failure;
}

TlsFailure FailureOfQueue(SSL* ssl, bool by_server) {
  const unsigned long code = ERR_peek_error();  // NOLINT(google-runtime-int)
  const int reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
  TlsFailure failure;
  failure.detail = TakeErrors();
  if (reason >= SSL_AD_REASON_OFFSET) {
    failure.reason = TlsReason::k_alert;
    failure.detail = NameOfAlert(reason - SSL_AD_REASON_OFFSET);
    return failure;
  }
  switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      if (by_server) return FailureOfVerification(SSL_get_verify_result(ssl), nullptr, "");
      failure.reason = TlsReason::k_bad_certificate;
      break;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: failure.reason = TlsReason::k_certificate_missing; break;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: failure.reason = TlsReason::k_plain_http; break;
    default:
      failure.reason = ERR_GET_LIB(code) == ERR_LIB_SSL ? TlsReason::k_protocol : TlsReason::k_internal;
      break;
  }
  return failure;
}

}  // namespace runtime::net
