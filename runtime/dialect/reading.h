// What one frame of an answer says, whatever dialect it is in.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace runtime::dialect {

inline constexpr int64_t kNoCount = -1;

// What a frame does with a block of its answer, in APIs whose answers are made of numbered blocks (Anthropic).
enum class BlockStep : uint8_t { kNone, kBeginsText, kBeginsThinking, kEnds };

// Choices of an answer (n of the request), by their index. One beyond the last that fits shares its place.
struct Choices {
  static constexpr int64_t kMost = 128;  // as many as OpenAI's API allows

  uint64_t low = 0;
  uint64_t high = 0;

  static Choices Of(int64_t index) {
    index = index < 0 ? 0 : index >= kMost ? kMost - 1 : index;
    return index < 64 ? Choices{uint64_t{1} << index, 0} : Choices{0, uint64_t{1} << (index - 64)};
  }
  bool any() const { return (low | high) != 0; }
  int64_t count() const { return std::popcount(low) + std::popcount(high); }
  bool HasMoreThan(const Choices& others) const { return ((low & ~others.low) | (high & ~others.high)) != 0; }
  void Add(const Choices& others) { low |= others.low, high |= others.high; }
  void Remove(const Choices& others) { low &= ~others.low, high &= ~others.high; }
  bool operator==(const Choices&) const = default;
};

// All text is borrowed: see whoever made the reading.
struct FrameReading {
  bool is_data = false;       // a frame with JSON in it, or a mark: no comment, no blank line, nothing malformed
  bool is_unread = false;     // too long to be looked at
  bool is_opaque = false;     // something that nobody can read: no JSON, broken characters
  bool is_foreign = false;    // JSON without any member of the dialect
  bool is_hollow = false;     // … or one that has the dialect's members and nothing in them: what stands beside them may be a complaint
  bool has_answer = false;    // text, a tool call, a refusal, or something that this version doesn't know
  bool has_thinking = false;  // thinking, reasoning
  bool is_plain = true;       // beside text and thinking of one choice it adds nothing to the answer
  bool is_terminal = false;   // "done": true, a finish_reason, a stop_reason: what it is about has all its content
  bool is_last = false;       // nothing belongs after it: "done": true, [DONE], message_stop, response.completed
  bool is_error = false;      // an error, or an answer that says that it broke off
  bool says_error = false;    // … in the words that clients of the dialect look for
  bool is_unfinished = false;  // a whole answer that says itself that it is none: "done": false

  std::string_view text;
  std::string_view thinking;
  std::string_view model;
  int64_t prompt_tokens = kNoCount;
  int64_t completion_tokens = kNoCount;

  BlockStep block = BlockStep::kNone;
  int64_t block_number = 0;  // where one begins

  // An answer is finished when all choices that were begun or asked for are, and nothing of them followed.
  Choices choices_begun;
  Choices choices_said;      // something of them is in this frame
  Choices choices_finished;  // by a reason
  int64_t sequence = kNoCount;  // the number of an event (OpenAI's Responses API)

  bool has_content() const { return has_answer || has_thinking; }
  bool operator==(const FrameReading&) const = default;
};

}  // namespace runtime::dialect
