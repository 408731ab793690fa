// The file of `state` in gateway: text of engine::KeptState in two slots, so that one is whole at every moment, with the time at which it
// was true. It is written in place: a file that was made for the gateway needs no right to make others, and stays locked under its name.
//
//     0     "breakwater state 1\n", then the number of starts that have not come to anything yet
//     4096  a slot: number, size, SHA-256, and what they speak of; the other one 4 MiB behind it
//
// Everything here is a value or a sentence for people; what stands in the file may be anything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace runtime::gateway {

// A time on every clock that there is.
struct Moment {
  base::TimePoint monotonic;
  base::WallTime wall;
  std::string boot;  // which start of the machine the monotonic clock belongs to; "": nobody knows

  bool operator==(const Moment&) const = default;
};
Moment MomentOf(base::TimePoint monotonic, base::WallTime wall);  // with the boot of this machine

// How much time has passed. Of one start of the machine the monotonic clock says it, whatever became of the wall clock; over another one the
// wall clock does, and one that went backwards says nothing: zero.
base::Duration Elapsed(const Moment& then, const Moment& now);

struct StateText {
  uint64_t number = 0;  // grows with each
  Moment when;
  std::string text;
};
// A slot, and what one holds; nothing: no slot, or a damaged one.
std::string EncodeSlot(const StateText& state);
std::optional<StateText> DecodeSlot(std::string_view bytes);

class StateFile {
 public:
  static constexpr int64_t kMostBytes = 4 << 20;  // of a slot
  static constexpr int kBadStarts = 2;            // after so many in a row what is kept is left alone

  // Opens it, or makes it with the rights 0600, and locks it. An error: it can't be had, another process has it, or it is something else, which
  // is left as it is.
  static base::Result<std::unique_ptr<StateFile>> Open(const std::string& path);
  ~StateFile();
  StateFile(const StateFile&) = delete;
  StateFile& operator=(const StateFile&) = delete;

  // What was kept, once, at the start; nothing: the file is new. An error says why what stands there isn't used: damaged, of another version, or
  // starts with it came to nothing. From here until StartIsGood this start counts as one of those.
  base::Result<std::optional<StateText>> ReadAtStart();
  void StartIsGood();

  // Into the older slot.
  base::Result<bool> Write(const Moment& when, std::string text);

 private:
  StateFile(std::string path, int file) : path_(std::move(path)), file_(file) {}
  std::optional<StateText> ReadSlot(int slot) const;
  int WriteHead(int starts) const;

  const std::string path_;
  const int file_;
  uint64_t number_ = 0;  // of the newest
  int slot_ = 1;         // that holds it
  bool start_is_good_ = false;
};

}  // namespace runtime::gateway
