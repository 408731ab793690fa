// Just enough HTTP/1.1 for a test to read what the gateway says, written apart from the gateway's own parser so that
// the two don't share mistakes. Header names are lower case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tests::support {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct MessageHead {
  std::string start_line;
  HeaderList headers;

  // The value of the first line of that name; nothing if there is none.
  std::optional<std::string> Find(std::string_view lower_case_name) const;
};

// Takes a head off the front of *bytes. Nothing if it is not there as a whole yet.
std::optional<MessageHead> TakeHead(std::string* bytes);

// Reads a body by its framing, from whatever pieces.
class BodyReader {
 public:
  enum class Framing { kNone, kLength, kChunked, kUntilClose };

  BodyReader() = default;
  BodyReader(Framing framing, uint64_t length) : framing_(framing), left_(length) {}
  static BodyReader ForRequest(const MessageHead& head);
  static BodyReader ForResponse(const MessageHead& head, int status, bool answers_head_request);

  // Takes bytes of the body off the front of *bytes and appends them to *body; what follows the body stays.
  void Take(std::string* bytes, std::string* body);
  // By length or last chunk; false for kUntilClose.
  bool at_end() const;
  bool is_malformed() const { return is_malformed_; }
  Framing framing() const { return framing_; }

 private:
  Framing framing_ = Framing::kNone;
  uint64_t left_ = 0;  // of the length or the current chunk
  bool in_chunk_ = false;
  bool after_last_chunk_ = false;
  bool has_ended_ = false;
  bool is_malformed_ = false;
};

std::string Chunk(std::string_view data);

}  // namespace tests::support
