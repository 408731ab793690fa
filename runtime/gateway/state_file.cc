#include "runtime/gateway/state_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/digest.h"

namespace runtime::gateway {
namespace {

constexpr std::string_view kMagic = "breakwater state ";
constexpr std::string_view kHead = "breakwater state 1\n";  // a digit follows: the starts that came to nothing
constexpr int64_t kFirstSlot = 4096;
constexpr int64_t kHeadOfSlot = 8 + 8 + 32;
// No clock says more; sums and differences don't overflow.
constexpr base::Duration kLongestUptime = std::chrono::hours(24 * 365 * 20);
constexpr base::Duration kLastWall = std::chrono::hours(24 * 365 * 120);

std::string ReadAt(int file, int64_t offset, size_t size) {
  std::string bytes(size, '\0');
  size_t have = 0;
  while (have < size) {
    const ssize_t count = pread(file, bytes.data() + have, size - have, offset + static_cast<int64_t>(have));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    have += static_cast<size_t>(count);
  }
  bytes.resize(have);
  return bytes;
}

// 0, or errno.
int WriteAt(int file, int64_t offset, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(file, bytes.data(), bytes.size(), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0 ? errno : EIO;
    bytes.remove_prefix(static_cast<size_t>(count));
    offset += count;
  }
  return 0;
}

std::string DigestOf(std::string_view number_and_body) {
  const auto digest = base::Sha256(number_and_body);
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string BootOfThisMachine() {
  const int file = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (file < 0) return "";
  std::string text = ReadAt(file, 0, 64);
  close(file);
  return text.substr(0, text.find('\n'));
}

}  // namespace

// ---- Time -----------------------------------------------------------------------------------------------------------

Moment MomentOf(base::TimePoint monotonic, base::WallTime wall) {
  static const std::string kBoot = BootOfThisMachine();
  return {monotonic, wall, kBoot};
}

base::Duration Elapsed(const Moment& then, const Moment& now) {
  // A container may have a monotonic clock of its own, which begins anew although the machine did not.
  if (!then.boot.empty() && then.boot == now.boot && now.monotonic >= then.monotonic)
    return now.monotonic - then.monotonic;
  return std::max(base::Duration(now.wall - then.wall), base::Duration::zero());
}

// ---- Slots ----------------------------------------------------------------------------------------------------------

std::string EncodeSlot(const StateText& state) {
  base::ByteWriter body;
  body.Signed(state.when.monotonic.time_since_epoch().count());
  body.Signed(state.when.wall.time_since_epoch().count());
  body.Text(state.when.boot);
  body.Text(state.text);
  const std::string bytes = body.Take();
  base::ByteWriter head;
  head.Fixed64(state.number);
  head.Fixed64(bytes.size());
  const std::string numbers = head.Take();
  return numbers + DigestOf(numbers + bytes) + bytes;
}

std::optional<StateText> DecodeSlot(std::string_view bytes) {
  if (std::cmp_less(bytes.size(), kHeadOfSlot)) return std::nullopt;
  base::ByteReader head(bytes);
  StateText state;
  state.number = head.Fixed64();
  const uint64_t size = head.Fixed64();
  const std::string_view digest = bytes.substr(16, 32);
  std::string_view body = bytes.substr(kHeadOfSlot);
  if (state.number == 0 || size > body.size()) return std::nullopt;
  body = body.substr(0, size);
  if (DigestOf(std::string(bytes.substr(0, 16)) + std::string(body)) != digest) return std::nullopt;
  base::ByteReader in(body);
  state.when.monotonic = base::TimePoint(base::Duration(in.Signed()));
  state.when.wall = base::WallTime(base::Duration(in.Signed()));
  state.when.boot = in.Text();
  state.text = in.Text();
  const auto is_between = [](base::Duration time, base::Duration most) {
    return time >= base::Duration::zero() && time <= most;
  };
  if (in.failed() || in.left() > 0 || !is_between(state.when.monotonic.time_since_epoch(), kLongestUptime) ||
      !is_between(state.when.wall.time_since_epoch(), kLastWall)) {
    return std::nullopt;
  }
  return state;
}

// ---- The file -------------------------------------------------------------------------------------------------------

base::Result<std::unique_ptr<StateFile>> StateFile::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
  if (file < 0) return base::Error{path + ": " + std::strerror(errno)};
  std::unique_ptr<StateFile> state(new StateFile(path, file));
  struct stat info{};
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode)) return base::Error{path + " is no regular file"};
  if (flock(file, LOCK_EX | LOCK_NB) != 0) return base::Error{path + " belongs to another gateway, which is running"};
  // Empty, or zeros as a file system leaves them after a machine has lost its power: new.
  const std::string head = ReadAt(file, 0, kHead.size());
  const bool is_new = std::all_of(head.begin(), head.end(), [](char byte) { return byte == '\0'; });
  if (!is_new && !head.starts_with(kMagic))
    return base::Error{path + " is something else than the state of a gateway, and left as it is"};
  return state;
}

StateFile::~StateFile() { close(file_); }

int StateFile::WriteHead(int starts) const {
  return WriteAt(file_, 0, std::string(kHead) + static_cast<char>('0' + std::clamp(starts, 0, 9)) + "\n");
}

std::optional<StateText> StateFile::ReadSlot(int slot) const {
  const int64_t offset = kFirstSlot + slot * kMostBytes;
  const std::string head = ReadAt(file_, offset, kHeadOfSlot);
  if (std::cmp_less(head.size(), kHeadOfSlot)) return std::nullopt;
  base::ByteReader numbers(std::string_view(head).substr(8));
  const uint64_t size = numbers.Fixed64();
  if (size > static_cast<uint64_t>(kMostBytes - kHeadOfSlot)) return std::nullopt;
  return DecodeSlot(head + ReadAt(file_, offset + kHeadOfSlot, size));
}

base::Result<std::optional<StateText>> StateFile::ReadAtStart() {
  const std::string head = ReadAt(file_, 0, kHead.size() + 1);
  const bool is_new = !head.starts_with(kMagic);
  const bool is_ours = head.starts_with(kHead);
  const int starts = is_ours && head.size() > kHead.size() ? std::clamp(head.back() - '0', 0, 9) : 0;
  std::optional<StateText> newest;
  for (int slot = 0; slot < 2 && is_ours; ++slot) {
    auto read = ReadSlot(slot);
    if (!read || (newest && newest->number > read->number)) continue;
    number_ = read->number;
    slot_ = slot;
    newest = std::move(read);
  }
  if (!is_new && !is_ours && ftruncate(file_, 0) != 0) return base::Error{path_ + ": " + std::strerror(errno)};
  if (const int failed = WriteHead(is_ours ? starts + 1 : 1)) return base::Error{path_ + ": " + std::strerror(failed)};
  if (is_new) return std::optional<StateText>();
  if (!is_ours) return base::Error{path_ + " is of another version of Breakwater"};
  if (starts >= kBadStarts) {
    return base::Error{"the last " + std::to_string(starts) + " starts with " + path_ +
                       " ended before they had served for a while"};
  }
  if (!newest) {
    const bool is_empty = ReadAt(file_, kFirstSlot, 1).empty();  // nothing was ever written
    if (is_empty) return std::optional<StateText>();
    return base::Error{path_ + " is damaged"};
  }
  return newest;
}

void StateFile::StartIsGood() {
  if (std::exchange(start_is_good_, true)) return;
  (void)WriteHead(0);  // a disk that is full: Write tells of it
}

base::Result<bool> StateFile::Write(const Moment& when, std::string text) {
  const std::string bytes = EncodeSlot({number_ + 1, when, std::move(text)});
  if (std::cmp_greater(bytes.size(), kMostBytes)) {
    return base::Error{"what is known takes " + std::to_string(bytes.size() >> 10) + " KiB, and " + path_ + " holds " +
                       std::to_string(kMostBytes >> 10)};
  }
  const int older = 1 - slot_;
  if (const int failed = WriteAt(file_, kFirstSlot + older * kMostBytes, bytes)) {
    return base::Error{path_ + ": " + std::strerror(failed)};
  }
  ++number_;
  slot_ = older;
  return true;
}

}  // namespace runtime::gateway
