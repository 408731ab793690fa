// What one frame of an answer says, whatever dialect it is in.
#pragma once

#include <cstdint>
#include <string_view>

namespace runtime::dialect {

inline constexpr int64_t kNoCount = -1;

// What a frame does with a block of its answer, in APIs whose answers are made of numbered blocks (Anthropic).
enum class BlockStep : uint8_t { kNone, kBeginsText, kBeginsThinking, kEnds };

// All text is borrowed: see whoever made the reading.
struct FrameReading {
  bool is_data = false;       // a frame of the dialect: no comment, no blank line, nothing malformed
  bool is_unread = false;     // too long to be looked at
  bool has_answer = false;    // text, a tool call, a refusal, or something that this version doesn't know
  bool has_thinking = false;  // thinking, reasoning
  bool is_plain = true;       // beside text and thinking of one choice it adds nothing to the answer
  bool is_terminal = false;   // "done": true, a finish_reason, a stop_reason: the answer has all its content
  bool is_last = false;       // nothing belongs after it: "done": true, [DONE], message_stop
  bool is_error = false;
  bool is_unfinished = false;  // a whole answer that says itself that it is none: "done": false

  std::string_view text;
  std::string_view thinking;
  std::string_view model;
  int64_t prompt_tokens = kNoCount;
  int64_t completion_tokens = kNoCount;

  BlockStep block = BlockStep::kNone;
  int64_t block_number = 0;  // where one begins

  // A bit for each choice (n > 1): an answer is complete when all that were begun are finished.
  uint64_t choices_begun = 0;
  uint64_t choices_finished = 0;

  bool has_content() const { return has_answer || has_thinking; }
  bool operator==(const FrameReading&) const = default;
};

}  // namespace runtime::dialect
