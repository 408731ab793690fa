// Memory of objects that come and go with every request or connection: what one gives back the next one takes, without asking the
// system. Bounded, and given back when it is not needed.
//
//   class Exchange : public base::Recycled<Exchange> { … };
//
// Each thread has a list of its own for each class; an object may end on another thread than it began on.
#pragma once

#include <cstddef>
#include <new>

namespace base {

// The spare blocks of one class on one thread, linked through themselves.
class SpareBlocks {
 public:
  explicit constexpr SpareBlocks(size_t most) : most_(most) {}

  // Null: there is none.
  void* Take() {
    Block* const block = first_;
    if (block == nullptr) return nullptr;
    first_ = block->next;
    if (--count_ < least_) least_ = count_;
    return block;
  }
  // False: there are enough.
  bool Keep(void* memory) {
    if (count_ >= most_) return false;
    if (!is_listed_) List();
    first_ = new (memory) Block{first_};
    ++count_;
    return true;
  }

  // Gives back what was not needed since the last call, of every class on this thread. Whoever runs a thread calls it now and then.
  static void TrimAll() {
    for (SpareBlocks* list = lists_; list != nullptr; list = list->next_) list->Drop(list->least_);
  }
  // Of every class on this thread.
  static size_t CountAll() {
    size_t count = 0;
    for (const SpareBlocks* list = lists_; list != nullptr; list = list->next_) count += list->count_;
    return count;
  }

 private:
  struct Block {
    Block* next;
  };
  // When the thread ends; what is given back to its lists afterwards goes to the system.
  struct AtEnd {
    ~AtEnd() {
      for (SpareBlocks* list = lists_; list != nullptr; list = list->next_) {
        list->most_ = 0;
        list->Drop(list->count_);
      }
    }
    bool is_needed = false;
  };

  void List() {
    static thread_local AtEnd at_end;
    at_end.is_needed = true;
    is_listed_ = true;
    next_ = lists_;
    lists_ = this;
  }
  void Drop(size_t blocks) {
    for (; blocks > 0; --blocks, --count_) {
      Block* const block = first_;
      first_ = block->next;
      ::operator delete(block);
    }
    least_ = count_;
  }

  static inline constinit thread_local SpareBlocks* lists_ = nullptr;

  size_t most_;
  Block* first_ = nullptr;
  size_t count_ = 0;
  size_t least_ = 0;  // that there were since the last trim
  bool is_listed_ = false;
  SpareBlocks* next_ = nullptr;
};

// Allocation for class T and no other: a class derived from T gets its memory from the system.
template <typename T, size_t kMaxSpare = 256>
class Recycled {
 public:
  static void* operator new(size_t size) {
#ifndef __SANITIZE_ADDRESS__  // which shall see every use after the end
    if (size == sizeof(T)) {
      if (void* const memory = spare_.Take()) return memory;
    }
#endif
    return ::operator new(size);
  }
  static void operator delete(void* memory, size_t size) {
#ifndef __SANITIZE_ADDRESS__
    if (size == sizeof(T) && spare_.Keep(memory)) return;
#endif
    ::operator delete(memory, size);
  }

 private:
  static inline constinit thread_local SpareBlocks spare_{kMaxSpare};
};

}  // namespace base
