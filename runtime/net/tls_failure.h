// Private to this folder. What a failed handshake comes to.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "runtime/net/tls.h"

namespace runtime::net {

// From the result of a verification (X509_V_ERR_…). `certificate`: the one that it failed on; may be null. `wanted`: the name asked for.
TlsFailure FailureOfVerification(long result, X509* certificate, const std::string& wanted);  // NOLINT(google-runtime-int)

// From the error queue of this thread, which it empties. `by_server`: whether this side is the server.
TlsFailure FailureOfQueue(SSL* ssl, bool by_server);

}  // namespace runtime::net
