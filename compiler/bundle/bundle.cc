#include "compiler/bundle/bundle.h"

#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/digest.h"
#include "compiler/abi/facts.h"
#include "compiler/bundle/code_mapping.h"
#include "compiler/bundle/model_codec.h"
#include "compiler/model/interpret.h"

namespace compiler::bundle {
namespace {

constexpr size_t kHeadBytes = 8 + 4 + 4 + 8 + 32;
constexpr size_t kSignatureBytes = 32 + 64;
constexpr uint32_t kIsSigned = 1;
constexpr std::string_view kSignedFor = "breakwater bundle\n";  // no signature for something else is one of a bundle

void PutNumber(uint64_t value, size_t bytes, std::string* out) {
  for (size_t i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

uint64_t GetNumber(std::string_view bytes, size_t at, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

std::string Head(std::string_view payload, uint32_t flags) {
  std::string head(kMagic);
  PutNumber(kFormat, 4, &head);
  PutNumber(flags, 4, &head);
  PutNumber(payload.size(), 8, &head);
  const auto digest = base::Sha256(payload);
  head.append(reinterpret_cast<const char*>(digest.data()), digest.size());
  return head;
}

void WriteImage(const abi::PredicateImage& image, base::ByteWriter* out) {
  out->Text(image.cpu);
  out->Text(image.code);
  out->Unsigned(image.helpers.size());
  for (const std::string& helper : image.helpers) out->Text(helper);
  out->Unsigned(image.entries.size());
  for (const uint64_t entry : image.entries) out->Unsigned(entry);
}

abi::PredicateImage ReadImage(base::ByteReader* in) {
  abi::PredicateImage image;
  image.cpu = in->Text();
  image.code = in->Text();
  for (uint64_t i = 0, count = in->Unsigned(); i < count && !in->failed(); ++i) image.helpers.emplace_back(in->Text());
  for (uint64_t i = 0, count = in->Unsigned(); i < count && !in->failed(); ++i) image.entries.push_back(in->Unsigned());
  return image;
}

// The head says everything: what it signs is the payload with its size, as signed.
std::string SignedText(std::string_view head) { return std::string(kSignedFor) + std::string(head); }

}  // namespace

std::string Pack(const Content& content) {
  base::ByteWriter out;
  out.Text(content.made_by);
  out.Unsigned(abi::kAbiVersion);
  out.Text(SchemaId());
  out.Text(content.hash);
  out.Unsigned(content.late_values.size());
  for (const LateValue& value : content.late_values) {
    out.Text(value.variable);
    out.Unsigned(value.fallback ? 1 : 0);
    out.Text(value.fallback.value_or(""));
    out.Unsigned(value.is_secret ? 1 : 0);
  }
  out.Text(EncodePolicy(content.policy));
  WriteImage(content.image, &out);
  out.Unsigned(content.sources.size());
  for (const SourceText& source : content.sources) {
    out.Text(source.path);
    out.Text(source.text);
  }
  out.Text(EncodePlaces(content.places));
  const std::string payload = out.Take();
  return Head(payload, 0) + payload;
}

bool SignBundle(std::string_view private_pem, std::string* bundle) {
  const std::string head = Head(std::string_view(*bundle).substr(kHeadBytes), kIsSigned);
  const auto key = base::ReadPublicKey(private_pem);
  const auto signature = base::Sign(private_pem, SignedText(head));
  if (!key || !signature) return false;
  bundle->replace(0, kHeadBytes, head);
  bundle->append(reinterpret_cast<const char*>(key->data()), key->size());
  bundle->append(reinterpret_cast<const char*>(signature->data()), signature->size());
  return true;
}

bool IsBundle(std::string_view bytes) { return bytes.starts_with(kMagic.substr(0, 4)); }

std::unique_ptr<Opened> Open(std::string_view bytes, const base::PublicKey* trusted, std::string* why) {
  const auto fail = [why](std::string text) {
    *why = std::move(text);
    return nullptr;
  };
  if (!IsBundle(bytes)) return fail("this is no bundle: `breakwater compile` makes one of a policy");
  if (!bytes.starts_with(kMagic)) return fail("the bundle was changed on its way, as a transfer of text changes line ends: copy it as a binary file");
  if (bytes.size() < kHeadBytes) return fail("the bundle is truncated: it ends within its head");
  const uint64_t format = GetNumber(bytes, 8, 4);
  if (format > kFormat) {
    return fail("the bundle has format " + std::to_string(format) + ", and this version reads up to " + std::to_string(kFormat) +
                ": run a newer breakwater, or compile the policy with this one");
  }
  const uint64_t flags = GetNumber(bytes, 12, 4);
  const uint64_t size = GetNumber(bytes, 16, 8);
  if (format == 0 || flags > kIsSigned) return fail("the bundle is damaged: its head means nothing");
  const bool is_signed = flags == kIsSigned;
  const uint64_t rest = bytes.size() - kHeadBytes;
  const uint64_t tail = is_signed ? kSignatureBytes : 0;
  if (size > rest || tail > rest - size) {
    return fail("the bundle is truncated: it has " + std::to_string(bytes.size()) + " bytes, and its head says that it is larger");
  }
  if (rest != size + tail) return fail("the bundle is damaged: something follows its end");
  const std::string_view payload = bytes.substr(kHeadBytes, size);
  if (Head(payload, static_cast<uint32_t>(flags)) != bytes.substr(0, kHeadBytes))
    return fail("the bundle is damaged: its bytes are not those that were written (SHA-256 differs)");

  auto opened = std::make_unique<Opened>();
  if (is_signed) {
    base::PublicKey key;
    base::Signature signature;
    std::memcpy(key.data(), bytes.data() + kHeadBytes + size, key.size());
    std::memcpy(signature.data(), bytes.data() + kHeadBytes + size + key.size(), signature.size());
    if (trusted != nullptr && key != *trusted) return fail("the bundle was signed with another key than the one that is trusted");
    if (!base::IsSignedBy(key, signature, SignedText(bytes.substr(0, kHeadBytes)))) return fail("the bundle's signature is wrong");
    opened->signed_by = key;
  } else if (trusted != nullptr) {
    return fail("the bundle is not signed, and --trust takes only what its key signed");
  }

  base::ByteReader in(payload);
  opened->made_by = in.Text();
  const uint64_t abi = in.Unsigned();
  const std::string_view schema = in.Text();
  if (in.failed()) return fail("the bundle is damaged: it does not say who made it");
  if (abi != static_cast<uint64_t>(abi::kAbiVersion) || schema != SchemaId()) {
    return fail("the bundle was made by breakwater " + opened->made_by + " (ABI " + std::to_string(abi) + ", schema " + std::string(schema) +
                "), and this one has ABI " + std::to_string(abi::kAbiVersion) + ", schema " + SchemaId() +
                ": compile the policy with the version that runs it");
  }
  Content& content = opened->content;
  content.made_by = opened->made_by;
  content.hash = opened->hash = in.Text();
  for (uint64_t i = 0, count = in.Unsigned(); i < count && !in.failed(); ++i) {
    LateValue value;
    value.variable = in.Text();
    const bool has_fallback = in.Unsigned() != 0;
    const std::string_view fallback = in.Text();
    if (has_fallback) value.fallback = std::string(fallback);
    value.is_secret = in.Unsigned() != 0;
    content.late_values.push_back(std::move(value));
  }
  const std::string_view policy = in.Text();
  content.image = ReadImage(&in);
  for (uint64_t i = 0, count = in.Unsigned(); i < count && !in.failed(); ++i) {
    const std::string_view path = in.Text();
    content.sources.push_back({std::string(path), std::string(in.Text())});
  }
  const std::string_view places = in.Text();
  auto decoded = in.failed() || in.left() > 0 ? std::nullopt : DecodePolicy(policy);
  if (!decoded) return fail("the bundle is damaged: its policy cannot be read");
  content.policy = std::move(*decoded);
  auto where = DecodePlaces(places);
  if (!where || where->upstreams.size() != content.policy.upstreams.size() || where->routes.size() != content.policy.routes.size())
    return fail("the bundle is damaged: where its policy was written cannot be read");
  content.places = std::move(*where);
  return opened;
}

std::shared_ptr<const CompiledPolicy> Load(Opened opened, const Variables& variables, std::string* why) {
  Content& content = opened.content;
  auto compiled = std::make_shared<CompiledPolicy>();
  compiled->policy = std::move(content.policy);
  compiled->hash = std::move(content.hash);
  compiled->places = std::move(content.places);
  *why = FillIn(content.late_values, variables, &compiled->policy);
  if (!why->empty()) return nullptr;
  compiled->routes = routes::RouteIndex(compiled->policy);
  if (content.image.cpu.empty()) {
    compiled->predicates = model::InterpretedPredicates(compiled->policy);
    return compiled;
  }
  std::string problem;
  compiled->code = MapCode(content.image, compiled->policy, &compiled->predicates, &problem);
  if (compiled->code == nullptr) {
    *why = "the bundle does not run here: " + problem;
    return nullptr;
  }
  return compiled;
}

std::string PackImage(const abi::PredicateImage& image) {
  base::ByteWriter out;
  WriteImage(image, &out);
  return out.Take();
}

std::optional<abi::PredicateImage> UnpackImage(std::string_view bytes) {
  base::ByteReader in(bytes);
  abi::PredicateImage image = ReadImage(&in);
  if (in.failed() || in.left() > 0) return std::nullopt;
  return image;
}

}  // namespace compiler::bundle
