// A compiled policy as one file. docs/bundles.md has the format; numbers are little-endian.
//
//   head       8 bytes that begin every bundle, u32 format, u32 flags (1: a signature follows), u64 size of the payload,
//              SHA-256 of the payload
//   payload    who made it, ABI number and schema; hash of the policy; variables to read; the checked policy; machine code of its
//              predicates; the texts that it was made of, and where its lines stand
//   signature  only with the flag: public key and signature by Ed25519, of the head
//
// A file is read whole or not at all: what is wrong with it is a sentence.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/abi/predicate_image.h"
#include "base/ed25519.h"
#include "compiler/bundle/late_values.h"
#include "compiler/compiled_policy.h"
#include "compiler/model/places.h"
#include "compiler/model/policy.h"

namespace compiler::bundle {

inline constexpr uint32_t kFormat = 1;
inline constexpr std::string_view kMagic{"\x89" "BWB\r\n\x1a\n", 8};  // what a transfer as text would change shows at once

struct SourceText {
  std::string path;  // as the policy imports it; of the policy itself its name without folders
  std::string text;

  bool operator==(const SourceText&) const = default;
};

struct Content {
  std::string made_by;                // the version that made it
  std::string hash;                   // as CompiledPolicy::hash
  std::vector<LateValue> late_values;
  model::Policy policy;               // stand-ins where values come late
  model::Places places;
  abi::PredicateImage image;
  std::vector<SourceText> sources;    // the policy's own first
};

// Unsigned. The same content gives the same bytes.
std::string Pack(const Content& content);
// Appends the signature to what Pack made. False: the text is no private key.
bool SignBundle(std::string_view private_pem, std::string* bundle);

bool IsBundle(std::string_view bytes);  // by how it begins: it may be damaged

// What can be known of a bundle without loading it.
struct Opened {
  std::optional<base::PublicKey> signed_by;  // the signature was checked against this key
  std::string made_by;
  std::string hash;
  Content content;
};
// Null, and what is wrong. With `trusted` only what that key signed is looked into.
std::unique_ptr<Opened> Open(std::string_view bytes, const base::PublicKey* trusted, std::string* why);

// A policy that can run: variables are read, the code is mapped. Null, and what is wrong.
std::shared_ptr<const CompiledPolicy> Load(Opened opened, const Variables& variables, std::string* why);

// The code alone, from one process to another of the same build.
std::string PackImage(const abi::PredicateImage& image);
std::optional<abi::PredicateImage> UnpackImage(std::string_view bytes);

}  // namespace compiler::bundle
