// A typed index: UpstreamId and RouteId are both small integers, and the compiler keeps them apart.
// IdVector is a std::vector that only its own kind of id may index.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

namespace base {

template <typename Tag>
struct Id {
  static constexpr int32_t kNoneValue = -1;

  int32_t value = kNoneValue;

  constexpr Id() = default;
  constexpr explicit Id(int32_t v) : value(v) {}

  constexpr bool has_value() const { return value >= 0; }
  constexpr auto operator<=>(const Id&) const = default;
};

template <typename IdType, typename T>
class IdVector {
 public:
  IdType Add(T item) {
    items_.push_back(std::move(item));
    return IdType(static_cast<int32_t>(items_.size() - 1));
  }

  T& operator[](IdType id) { return items_[static_cast<size_t>(id.value)]; }
  const T& operator[](IdType id) const { return items_[static_cast<size_t>(id.value)]; }

  bool Has(IdType id) const { return id.value >= 0 && static_cast<size_t>(id.value) < items_.size(); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  void resize(size_t n) { items_.resize(n); }

  auto begin() { return items_.begin(); }
  auto end() { return items_.end(); }
  auto begin() const { return items_.begin(); }
  auto end() const { return items_.end(); }

 private:
  std::vector<T> items_;
};

}  // namespace base

template <typename Tag>
struct std::hash<base::Id<Tag>> {
  size_t operator()(base::Id<Tag> id) const noexcept { return std::hash<int32_t>()(id.value); }
};
