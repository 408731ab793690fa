// Most frames of a stream are the frame before with another text in it. Who has read one knows what all that are like it say,
// without reading their JSON: half of what a token costs the gateway beside the system calls (bench/README.md).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/dialect/reading.h"

namespace runtime::dialect {

// A frame that was read, with a hole where its text stood. Small: there is one for each stream.
class FramePattern {
 public:
  // Whether `data`, the JSON of a frame, is like the learned one; if so, what it says. Exactly what a parser would have read,
  // but for `model`, which is left out (it is that of the frame before). Text is borrowed from `data`.
  bool Match(std::string_view data, FrameReading* reading) const;

  // `data` was read by the parser and says `reading`. Learned are frames that add text or thinking and nothing else.
  void Learn(std::string_view data, const FrameReading& reading);

 private:
  // The value of a string in frame_, without its quotes.
  struct Hole {
    uint16_t begin = 0;
    uint16_t size = 0;
    bool is_text = false;
  };

  static constexpr size_t kMaxBytes = 2 << 10;
  static constexpr int kMaxVain = 16;  // frames learned that none was like: those of this server always differ

  std::string frame_;
  std::array<Hole, 2> holes_;  // in their order
  size_t hole_count_ = 0;      // 0: nothing was learned
  FrameReading reading_;       // of any such frame; its text is empty
  bool text_is_thinking_ = false;
  mutable int vain_ = 0;
};

}  // namespace runtime::dialect
