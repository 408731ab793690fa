#include "compiler/bundle/model_codec.h"

#include <bit>
#include <cstring>
#include <map>
#include <typeindex>

#include "base/bytes.h"
#include "base/digest.h"
#include "compiler/abi/fact_table.h"
#include "compiler/bundle/walk.h"
#include "compiler/regex/regex.h"

namespace compiler::bundle {
namespace {

// Text of a policy may be borrowed by nothing, so copies are all that is needed.
class PolicyWriter {
 public:
  void Bits(int64_t value) { out_.Signed(value); }
  void Real(double value) { out_.Fixed64(std::bit_cast<uint64_t>(value)); }
  void Text(const std::string& value) { out_.Text(value); }
  size_t Count(size_t count) {
    out_.Unsigned(count);
    return count;
  }
  void Pattern(const std::shared_ptr<const abi::Pattern>& pattern) {
    out_.Unsigned(pattern == nullptr ? 0 : 1);
    if (pattern != nullptr) out_.Text(pattern->source());
  }
  bool Enter() { return true; }
  void Leave() {}
  void Fail() {}

  std::string Take() { return out_.Take(); }

 private:
  base::ByteWriter out_;
};

class PolicyReader {
 public:
  explicit PolicyReader(std::string_view bytes) : in_(bytes) {}

  void Bits(int64_t& value) { value = in_.Signed(); }
  void Real(double& value) { value = std::bit_cast<double>(in_.Fixed64()); }
  void Text(std::string& value) { value = in_.Text(); }
  // Every part takes a byte at least, so no count makes more memory than the file has bytes.
  size_t Count(size_t) {
    const uint64_t count = in_.Unsigned();
    if (count <= in_.left()) return count;
    Fail();
    return 0;
  }
  void Pattern(std::shared_ptr<const abi::Pattern>& pattern) {
    const uint64_t is_there = in_.Unsigned();
    if (is_there > 1) return Fail();
    if (is_there == 0) return pattern.reset();
    const std::string source(in_.Text());
    auto& known = patterns_[source];
    if (known == nullptr && !in_.failed()) known = regex::CompilePattern(source).pattern;
    if (known == nullptr) return Fail();
    pattern = known;
  }
  bool Enter() {
    if (in_.failed()) return false;
    if (++depth_ <= kMaxDepth) return true;
    Fail();
    --depth_;
    return false;
  }
  void Leave() { --depth_; }
  void Fail() { in_.Fail(); }

  bool is_whole() const { return !in_.failed() && in_.left() == 0; }

 private:
  base::ByteReader in_;
  int depth_ = 0;
  std::map<std::string, std::shared_ptr<const abi::Pattern>> patterns_;
};

// Writes down what a type is made of, by walking through a value of it that has one of everything.
class SchemaWriter {
 public:
  template <typename T>
  void Describe() {
    using Kind = KindOf<T>;
    if constexpr (std::is_floating_point_v<T>) {
      text_ += 'd';
    } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      text_ += "i" + std::to_string(sizeof(T));
    } else if constexpr (std::is_same_v<T, std::string>) {
      text_ += 's';
    } else if constexpr (kIsPattern<T>) {
      text_ += 'p';
    } else if constexpr (Kind::kIsDuration) {
      text_ += 't';
    } else if constexpr (Kind::kIsId) {
      text_ += 'n';
    } else if constexpr (Kind::kIsVector) {
      text_ += 'v';
      Describe<typename T::value_type>();
    } else if constexpr (Kind::kIsIdVector) {
      text_ += 'V';
      Describe<std::remove_cvref_t<decltype(*std::declval<T&>().begin())>>();
    } else if constexpr (Kind::kIsArray) {
      text_ += 'a' + std::to_string(std::tuple_size_v<T>);
      Describe<typename T::value_type>();
    } else if constexpr (Kind::kIsPair) {
      text_ += '2';
      Describe<typename T::first_type>();
      Describe<typename T::second_type>();
    } else if constexpr (Kind::kIsOptional) {
      text_ += '?';
      Describe<typename T::value_type>();
    } else if constexpr (Kind::kIsVariant) {
      text_ += '|';
      DescribeAlternatives<T>(std::make_index_sequence<std::variant_size_v<T>>());
    } else if constexpr (std::is_same_v<T, model::OpenFor>) {
      text_ += "o";
    } else {
      const auto [known, is_new] = seen_.emplace(std::type_index(typeid(T)), seen_.size());
      text_ += "{" + std::to_string(known->second);
      if (is_new) {
        T example{};
        base::ForEachField(example, [&](auto& member) { Describe<std::remove_cvref_t<decltype(member)>>(); });
      }
      text_ += '}';
    }
  }
  const std::string& text() const { return text_; }

 private:
  template <typename T, size_t... kIndex>
  void DescribeAlternatives(std::index_sequence<kIndex...>) {
    (Describe<std::variant_alternative_t<kIndex, T>>(), ...);
  }
  std::string text_;
  std::map<std::type_index, size_t> seen_;
};

}  // namespace

namespace {

template <typename T>
std::string Encode(const T& object) {
  PolicyWriter writer;
  Walk(writer, const_cast<T&>(object));  // a writer changes nothing
  return writer.Take();
}

template <typename T>
std::optional<T> Decode(std::string_view bytes) {
  PolicyReader reader(bytes);
  T object;
  Walk(reader, object);
  if (!reader.is_whole()) return std::nullopt;
  return object;
}

}  // namespace

std::string EncodePolicy(const model::Policy& policy) { return Encode(policy); }
std::optional<model::Policy> DecodePolicy(std::string_view bytes) { return Decode<model::Policy>(bytes); }
std::string EncodePlaces(const model::Places& places) { return Encode(places); }
std::optional<model::Places> DecodePlaces(std::string_view bytes) { return Decode<model::Places>(bytes); }

std::string SchemaId() {
  SchemaWriter schema;
  schema.Describe<model::Policy>();
  schema.Describe<model::Places>();
  std::string text = schema.text();
  text +=
#define BLOCK(kind, parent, named, honoured, doc) #kind " " #parent "\n"
#define SETTING(block, name, Type, default_text, other_text, range, member, doc) #block " " #name " " #Type " " #member "\n"
#define WHEN_LINE(block, word, Phase, required, honoured, doc) #block " " word " " #Phase "\n"
#include "compiler/model/settings.def"
      ;
  for (const abi::FieldInfo& field : abi::Fields()) text += "\n" + std::string(field.name) + std::to_string(field.offset);
  for (const abi::FamilyInfo& family : abi::Families()) text += "\n" + std::string(family.name) + std::to_string(family.offset);
  for (const abi::WindowMeasureInfo& measure : abi::WindowMeasures()) text += "\n" + std::string(measure.name);
  text +=
#define ERROR_KIND(name, is_timeout, doc) "\n" #name
#include "compiler/abi/errors.def"
#undef ERROR_KIND
#define METHOD(name, is_idempotent) "\n" #name
#include "compiler/abi/methods.def"
#undef METHOD
      ;
  return base::Sha256Hex(text, 16);
}

bool IsSame(const model::Policy& a, const model::Policy& b) { return EncodePolicy(a) == EncodePolicy(b); }

}  // namespace compiler::bundle
