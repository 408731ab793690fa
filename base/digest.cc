// The functions that OpenSSL 3 advises against, and not those that it advises for: these read its configuration and set up its providers
// first, two milliseconds and two megabytes of every start, and a gateway without TLS needs nothing of that.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/digest.h"

#include <openssl/sha.h>

namespace base {

std::array<uint8_t, 32> Sha256(std::string_view text) {
  std::array<uint8_t, 32> digest;
  static_assert(SHA256_DIGEST_LENGTH == 32);
  SHA256_CTX state;
  SHA256_Init(&state);
  SHA256_Update(&state, text.data(), text.size());
  SHA256_Final(digest.data(), &state);
  return digest;
}

std::string Sha256Hex(std::string_view text, size_t digits) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : Sha256(text)) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  hex.resize(digits < hex.size() ? digits : hex.size());
  return hex;
}

}  // namespace base
