// Signatures by Ed25519 (RFC 8032), with keys as PEM files that other tools read, too (PKCS #8, RFC 8410).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace base {

using PublicKey = std::array<uint8_t, 32>;
using Signature = std::array<uint8_t, 64>;

struct KeyPair {
  std::string private_pem;
  std::string public_pem;
};
// A new one. Nothing if the system gives no randomness.
std::optional<KeyPair> NewKeyPair();

// Of the text of a PEM file; the public key of a private one is its own. Nothing for what is no Ed25519 key.
std::optional<PublicKey> ReadPublicKey(std::string_view pem);

// By the private key in the text of a PEM file. Nothing for what is none (a public key, say).
std::optional<Signature> Sign(std::string_view private_pem, std::string_view message);

bool IsSignedBy(const PublicKey& key, const Signature& signature, std::string_view message);

}  // namespace base
