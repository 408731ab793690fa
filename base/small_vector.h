// A list of plain values whose first kInline stand in the object itself: short lists need no memory of the system.
#pragma once

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

namespace base {

template <typename T, size_t kInline>
class SmallVector {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  void push_back(const T& value) {
    if (size_ < kInline) {
      few_[size_++] = value;
      return;
    }
    if (size_ == kInline) many_.assign(few_, few_ + kInline);
    many_.push_back(value);
    ++size_;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const T* data() const { return size_ <= kInline ? few_ : many_.data(); }
  T* data() { return size_ <= kInline ? few_ : many_.data(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  const T& operator[](size_t i) const { return data()[i]; }
  T& operator[](size_t i) { return data()[i]; }
  const T& back() const { return data()[size_ - 1]; }
  operator std::span<const T>() const { return {data(), size_}; }  // NOLINT(google-explicit-constructor)

 private:
  size_t size_ = 0;
  T few_[kInline];
  std::vector<T> many_;  // all of them, where there are more
};

}  // namespace base
