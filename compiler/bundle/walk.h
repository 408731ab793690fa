// Walks through every member of a model without naming one: what reads, writes and compares policies is made from the types
// themselves, so a setting that is added later is in all of them.
//
// An archive has Bits(integer), Real(double), Text(string), Sizes for what has any number of parts (Count), and may have
// Whole(value) for types that it treats as one. Reading archives change what they are given; the others leave it alone.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/abi/pattern.h"
#include "base/fields.h"
#include "base/id.h"
#include "compiler/model/settings.h"

namespace compiler::bundle {

template <typename T>
struct KindOf {
  static constexpr bool kIsVector = false, kIsOptional = false, kIsVariant = false, kIsDuration = false, kIsId = false,
                        kIsIdVector = false, kIsArray = false, kIsPair = false;
};
template <typename T>
struct KindOf<std::vector<T>> : KindOf<void> {
  static constexpr bool kIsVector = true;
};
template <typename T>
struct KindOf<std::optional<T>> : KindOf<void> {
  static constexpr bool kIsOptional = true;
};
template <typename... T>
struct KindOf<std::variant<T...>> : KindOf<void> {
  static constexpr bool kIsVariant = true;
};
template <typename R, typename P>
struct KindOf<std::chrono::duration<R, P>> : KindOf<void> {
  static constexpr bool kIsDuration = true;
};
template <typename T>
struct KindOf<base::Id<T>> : KindOf<void> {
  static constexpr bool kIsId = true;
};
template <typename I, typename T>
struct KindOf<base::IdVector<I, T>> : KindOf<void> {
  static constexpr bool kIsIdVector = true;
};
template <typename T, size_t kSize>
struct KindOf<std::array<T, kSize>> : KindOf<void> {
  static constexpr bool kIsArray = true;
};
template <typename A, typename B>
struct KindOf<std::pair<A, B>> : KindOf<void> {
  static constexpr bool kIsPair = true;
};

template <typename T>
inline constexpr bool kIsPattern = std::is_same_v<T, std::shared_ptr<const abi::Pattern>>;

// Makes `value` the alternative `index`, if it is another one.
template <typename Variant, size_t kIndex = 0>
bool Become(size_t index, Variant& value) {
  if constexpr (kIndex == std::variant_size_v<Variant>) {
    return false;
  } else {
    if (index != kIndex) return Become<Variant, kIndex + 1>(index, value);
    if (value.index() != kIndex) value.template emplace<kIndex>();
    return true;
  }
}

template <typename Archive, typename T>
void Walk(Archive& archive, T& value) {
  using Kind = KindOf<std::remove_cv_t<T>>;
  if constexpr (requires { archive.Whole(value); }) {
    archive.Whole(value);
  } else if constexpr (std::is_floating_point_v<T>) {
    archive.Real(value);
  } else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
    auto bits = static_cast<int64_t>(value);
    archive.Bits(bits);
    const auto narrow = static_cast<T>(bits);
    if (static_cast<int64_t>(narrow) != bits) archive.Fail();
    value = narrow;
  } else if constexpr (std::is_same_v<T, std::string>) {
    archive.Text(value);
  } else if constexpr (kIsPattern<T>) {
    archive.Pattern(value);
  } else if constexpr (Kind::kIsDuration) {
    int64_t count = value.count();
    archive.Bits(count);
    value = T(count);
  } else if constexpr (Kind::kIsId) {
    Walk(archive, value.value);
  } else if constexpr (Kind::kIsVector || Kind::kIsIdVector) {
    const size_t count = archive.Count(value.size());
    if (count != value.size()) value.resize(count);
    for (auto&& item : value) Walk(archive, item);
  } else if constexpr (Kind::kIsArray) {
    for (auto& item : value) Walk(archive, item);
  } else if constexpr (Kind::kIsPair) {
    Walk(archive, value.first);
    Walk(archive, value.second);
  } else if constexpr (Kind::kIsOptional) {
    const size_t count = archive.Count(value.has_value() ? 1 : 0);
    if (count > 1) return archive.Fail();
    if (count == 0) return value.reset();
    if (!value) value.emplace();
    Walk(archive, *value);
  } else if constexpr (Kind::kIsVariant) {
    if (!Become(archive.Count(value.index()), value)) return archive.Fail();
    std::visit([&](auto& held) { Walk(archive, held); }, value);
  } else if constexpr (std::is_same_v<T, model::OpenFor>) {  // no aggregate: a constant is one, too
    Walk(archive, value.from);
    Walk(archive, value.factor);
    Walk(archive, value.cap);
    Walk(archive, value.by_retry_after);
  } else {
    static_assert(std::is_aggregate_v<T>, "say here what it is made of");
    if (!archive.Enter()) return;
    base::ForEachField(value, [&](auto& member) { Walk(archive, member); });
    archive.Leave();
  }
}

}  // namespace compiler::bundle
