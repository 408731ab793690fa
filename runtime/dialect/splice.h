// Makes one answer of two: what a client has of an answer that was cut, and the answer of another upstream that is to go on
// from there. Pure text work; who is asked, and when, is decided elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/dialect/dialect.h"
#include "runtime/dialect/reading.h"

namespace runtime::dialect {

// What went to the client. Note each frame that does.
class SentAnswer {
 public:
  static constexpr size_t kMaxBytes = 256 << 10;  // of text; a longer answer is not continued

  void Note(Api api, std::string_view data, const FrameReading& reading);
  void Add(std::string_view thinking, std::string_view text);  // of frames that the gateway made
  void AddSpecial() { is_special_ = true; }

  // Whether another upstream can go on from here: nothing but text and thinking of one choice was sent.
  bool can_restart() const { return !is_special_; }
  bool can_continue() const { return !is_special_ && thinking_.empty() && !text_.empty(); }

  const std::string& text() const { return text_; }
  const std::string& thinking() const { return thinking_; }
  const std::string& first_frame() const { return first_frame_; }  // the JSON of it: ids and names stay as they began

 private:
  std::string first_frame_;
  std::string thinking_;
  std::string text_;
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

  Splicer(Mode mode, const SentAnswer& sent)
      : mode_(mode), thinking_(sent.thinking()), text_(sent.text()), is_settled_(mode == Mode::kAfresh) {}

  // Appends what is new. False: the two can't be joined.
  bool Take(std::string_view thinking, std::string_view text, std::string* new_thinking, std::string* new_text);
  // Something other than text comes now, or the end: what was kept must be decided. False: as above.
  bool Settle(std::string* new_text);

 private:
  bool Decide(bool is_end, std::string* new_text);
  bool SkipSent(std::string_view part, const std::string& sent, size_t* matched, std::string* fresh);

  const Mode mode_;
  const std::string thinking_;  // already sent
  const std::string text_;
  size_t thinking_matched_ = 0;
  size_t text_matched_ = 0;
  bool is_settled_;   // kContinued: the seam is decided
  std::string kept_;  // kContinued: the beginning of the second answer, while it isn't
};

// The request body of `client_body` that asks to go on after `text`. Nothing: this API has no way to ask for it.
std::optional<std::string> WithBeginning(Api api, std::string_view client_body, std::string_view text);

// Whether answers of this API can be joined at all.
bool CanJoin(Api api);

// A frame of the second answer as the client shall see it: ids and names of the first one, and `thinking` and `text` instead
// of its own; with what ends it. "" if nothing is left of it.
std::string JoinedFrame(Api api, std::string_view data, const std::string& first_frame, std::string_view thinking,
                        std::string_view text);

}  // namespace runtime::dialect
