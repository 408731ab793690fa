#include "runtime/dialect/frame_pattern.h"

#include <algorithm>
#include <utility>

#include <simdjson.h>

#include "base/byte_scan.h"

namespace runtime::dialect {
namespace {

// The one place of `wanted` in `text`; npos if there are none or several.
size_t OnlyPlace(std::string_view text, std::string_view wanted) {
  const size_t place = text.find(wanted);
  if (place == std::string_view::npos || text.find(wanted, place + 1) != std::string_view::npos) return std::string_view::npos;
  return place;
}

// The length of the JSON string that begins at `text`, up to its closing quote, and whether it is ASCII. npos: it has an escape, a
// control character or no end, and the parser must see to it.
size_t PlainString(std::string_view text, bool* is_ascii) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  *is_ascii = true;
  const auto is_beyond_ascii = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  for (const char* at = begin; (at = base::SkipPlainJson(at, end)) != end;) {
    if (*at == '"') return static_cast<size_t>(at - begin);
    if (!is_beyond_ascii(*at)) break;
    *is_ascii = false;
    while (at != end && is_beyond_ascii(*at)) ++at;
  }
  return std::string_view::npos;
}

}  // namespace

bool FramePattern::Match(std::string_view data, FrameReading* reading) const {
  if (hole_count_ == 0) return false;
  std::string_view text;
  std::string_view left = frame_;
  size_t read = 0;
  for (size_t i = 0; i < hole_count_; ++i) {
    const Hole& hole = holes_[i];
    const std::string_view literal = left.substr(0, hole.begin - read);
    if (!data.starts_with(literal)) return false;
    data.remove_prefix(literal.size());
    bool is_ascii = false;
    const size_t size = PlainString(data, &is_ascii);
    if (size == std::string_view::npos) return false;
    const std::string_view value = data.substr(0, size);
    if (!is_ascii && !simdjson::validate_utf8(value.data(), value.size())) return false;
    if (hole.is_text) text = value;
    data.remove_prefix(size);
    left.remove_prefix(literal.size() + hole.size);
    read = hole.begin + hole.size;
  }
  if (text.empty() || data != left) return false;
  *reading = reading_;
  (text_is_thinking_ ? reading->thinking : reading->text) = text;
  vain_ = 0;
  return true;
}

// Why a hole is the value of the text and nothing else: `data` is valid JSON without a backslash, so its strings stand in it as they
// are, and the quoted text stands in it once.
void FramePattern::Learn(std::string_view data, const FrameReading& reading) {
  hole_count_ = 0;
  if (vain_ >= kMaxVain || data.size() > kMaxBytes) return;
  const bool thinks = reading.text.empty();
  const std::string_view text = thinks ? reading.thinking : reading.text;
  const bool only_adds_text = reading.is_data && reading.is_plain && !reading.is_terminal && !reading.is_last && !reading.is_error &&
                              (thinks || reading.thinking.empty());
  if (!only_adds_text || text.empty() || data.find('\\') != std::string_view::npos) return;

  const size_t place = OnlyPlace(data, '"' + std::string(text) + '"');
  if (place == std::string_view::npos) return;
  holes_[hole_count_++] = {static_cast<uint16_t>(place + 1), static_cast<uint16_t>(text.size()), true};
  // Ollama's frames carry the time of day, which no reading looks at.
  constexpr std::string_view kCreatedAt = R"("created_at":")";
  const size_t created_at = OnlyPlace(data, kCreatedAt);
  bool is_ascii = false;
  if (created_at != std::string_view::npos) {
    const size_t begin = created_at + kCreatedAt.size();
    const size_t size = PlainString(data.substr(begin), &is_ascii);
    holes_[hole_count_++] = {static_cast<uint16_t>(begin), static_cast<uint16_t>(size), false};
    if (begin == holes_[0].begin) hole_count_ = 0;  // it is the text
    if (begin < holes_[0].begin) std::swap(holes_[0], holes_[1]);
  }
  if (hole_count_ == 0) return;
  ++vain_;
  frame_ = data;
  reading_ = reading;
  reading_.text = reading_.thinking = reading_.model = {};
  text_is_thinking_ = thinks;
}

}  // namespace runtime::dialect
