#include "compiler/base/digest.h"

#include <openssl/sha.h>

namespace compiler::base {

std::string Sha256Hex(std::string_view text, size_t digits) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  hex.resize(digits < hex.size() ? digits : hex.size());
  return hex;
}

}  // namespace compiler::base
