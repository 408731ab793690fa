// Buffers that live as long as a connection, and there are thousands of them: what a burst made large is given back.
#pragma once

#include <cstddef>

namespace base {

inline constexpr size_t kKeptBufferBytes = 4 << 10;

// Empties a string or vector. Small ones keep their memory for the next use.
template <typename Buffer>
void ClearBuffer(Buffer* buffer) {
  if (buffer->capacity() * sizeof(typename Buffer::value_type) > kKeptBufferBytes) {
    Buffer().swap(*buffer);
  } else {
    buffer->clear();
  }
}

}  // namespace base
