#include "base/ed25519.h"

#include <openssl/evp.h>
#include <openssl/pem.h>

namespace base {
namespace {

template <auto kFree>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;

Bio Reading(std::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// No key is asked a pass phrase for: nobody may be there to type it.
int NoPassPhrase(char*, int, int, void*) { return -1; }

Key PrivateKey(std::string_view pem) {
  Key key(PEM_read_bio_PrivateKey(Reading(pem).get(), nullptr, NoPassPhrase, nullptr));
  return key != nullptr && EVP_PKEY_get_id(key.get()) == EVP_PKEY_ED25519 ? std::move(key) : nullptr;
}

std::string Written(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<size_t>(size)};
}

}  // namespace

std::optional<KeyPair> NewKeyPair() {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  const Bio secret(BIO_new(BIO_s_secmem()));
  const Bio open(BIO_new(BIO_s_mem()));
  if (key == nullptr || secret == nullptr || open == nullptr) return std::nullopt;
  if (PEM_write_bio_PKCS8PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1 ||
      PEM_write_bio_PUBKEY(open.get(), key.get()) != 1) {
    return std::nullopt;
  }
  return KeyPair{Written(secret.get()), Written(open.get())};
}

std::optional<PublicKey> ReadPublicKey(std::string_view pem) {
  Key key(PEM_read_bio_PUBKEY(Reading(pem).get(), nullptr, NoPassPhrase, nullptr));
  if (key == nullptr) key = PrivateKey(pem);
  if (key == nullptr || EVP_PKEY_get_id(key.get()) != EVP_PKEY_ED25519) return std::nullopt;
  PublicKey bytes;
  size_t size = bytes.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), bytes.data(), &size) != 1 || size != bytes.size()) return std::nullopt;
  return bytes;
}

std::optional<Signature> Sign(std::string_view private_pem, std::string_view message) {
  const Key key = PrivateKey(private_pem);
  const Context context(EVP_MD_CTX_new());
  Signature signature;
  size_t size = signature.size();
  if (key == nullptr || context == nullptr || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1 ||
      EVP_DigestSign(context.get(), signature.data(), &size, reinterpret_cast<const unsigned char*>(message.data()),
                     message.size()) != 1 ||
      size != signature.size()) {
    return std::nullopt;
  }
  return signature;
}

bool IsSignedBy(const PublicKey& key, const Signature& signature, std::string_view message) {
  const Key open(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, key.data(), key.size()));
  const Context context(EVP_MD_CTX_new());
  return open != nullptr && context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, open.get()) == 1 &&
         EVP_DigestVerify(context.get(), signature.data(), signature.size(),
                          reinterpret_cast<const unsigned char*>(message.data()), message.size()) == 1;
}

}  // namespace base
