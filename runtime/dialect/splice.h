// Makes one answer of two: what a client has of an answer that was cut, and the answer of another upstream that is to go on
// from there. Pure text work; who is asked, and when, is decided elsewhere.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/dialect/dialect.h"
#include "runtime/dialect/reading.h"

namespace runtime::dialect {

// Of an answer that is made of numbered blocks (Anthropic's): those that the client has.
struct Blocks {
  BlockStep open = BlockStep::kNone;  // how the last one began, unless it has ended
  int64_t last = -1;                  // its number
  std::map<int64_t, int64_t> passed;  // blocks of a second answer that are passed on whole: its number, and the client's

  void Observe(BlockStep step, int64_t number);
};

// What went to the client. Observe each frame that does.
class SentAnswer {
 public:
  static constexpr size_t kMaxBytes = 256 << 10;  // of text; a longer answer is not continued

  void Observe(std::string_view data, const FrameReading& reading);
  void Add(std::string_view thinking, std::string_view text);  // of frames that the gateway made
  void AddSpecial() { is_special_ = true; }
  void Forget();  // there is no room for it: it can't be continued
  size_t bytes() const { return thinking_.size() + text_.size(); }
  void SetBlocks(const Blocks& blocks) { blocks_ = blocks; }

  // Whether another upstream can go on from here: nothing but text and thinking of one choice was sent.
  bool can_restart() const { return !is_special_; }
  bool can_continue() const { return !is_special_ && thinking_.empty() && !text_.empty(); }

  const std::string& text() const { return text_; }
  const std::string& thinking() const { return thinking_; }
  const std::string& first_frame() const { return first_frame_; }  // the JSON of it: ids and names stay as they began
  const Blocks& blocks() const { return blocks_; }

 private:
  std::string first_frame_;
  std::string thinking_;
  std::string text_;
  Blocks blocks_;
  bool is_special_ = false;
};

// Takes the deltas of the second answer and gives out what of them is new.
//
// Asked to continue, servers differ: most go on exactly where the text ends; some say all of it again from the beginning,
// repeat its last word, or begin with a space that is already there. Such seams are mended where they are certain; where an
// answer begins like the first one and then differs, it is another answer and can't be joined. Asked afresh, what was
// already sent is skipped only where it is repeated byte for byte.
class Splicer {
 public:
  enum class Mode : uint8_t { kContinued, kAfresh };

  // `given`: how much of the text the second one was given as a beginning; only white space may be missing.
  Splicer(Mode mode, const SentAnswer& sent, size_t given = std::string::npos)
      : mode_(mode),
        thinking_(sent.thinking()),
        text_(sent.text()),
        given_(std::min(given, text_.size())),
        blocks_(sent.blocks()),
        is_settled_(mode == Mode::kAfresh) {}

  // Appends what is new. False: the two can't be joined.
  bool Take(std::string_view thinking, std::string_view text, std::string* new_thinking, std::string* new_text);
  // Something other than text comes now, or the end: what was kept must be decided. False: as above.
  bool Settle(std::string* new_text);

  Blocks& blocks() { return blocks_; }  // as the client will have them

 private:
  bool Decide(bool is_end, std::string* new_text);
  bool SkipSent(std::string_view part, const std::string& sent, size_t* matched, std::string* fresh);

  const Mode mode_;
  const std::string thinking_;  // already sent
  const std::string text_;
  const size_t given_;
  Blocks blocks_;
  size_t thinking_matched_ = 0;
  size_t text_matched_ = 0;
  bool is_settled_;   // kContinued: the seam is decided
  std::string kept_;  // kContinued: the beginning of the second answer, while it isn't
};

// How much of `text` is given to an upstream of this API as the beginning of its answer: all of it, or all but the white space
// at its end, which Anthropic's servers refuse there.
std::string_view GivenBeginning(Api api, std::string_view text);

// The request body of `client_body` that asks to go on after `text` (as much of it as is given). Nothing: this API has no way
// to ask for it.
std::optional<std::string> WithBeginning(Api api, std::string_view client_body, std::string_view text);

// A frame of the second answer as the client shall see it: ids, names and block numbers of the first one, and `thinking` and
// `text` instead of its own; with what ends it. It may become several. "" if nothing is left of it.
std::string JoinedFrame(Api api, std::string_view data, const std::string& first_frame, std::string_view thinking,
                        std::string_view text, Blocks* blocks);

}  // namespace runtime::dialect
