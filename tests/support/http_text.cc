// A small reader of HTTP/1.1 messages for tests.
#include "tests/support/http_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>

namespace tests::support {
namespace {

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::optional<std::string> MessageHead::Find(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return std::nullopt;
}

std::optional<MessageHead> TakeHead(std::string* bytes) {
  const size_t end = bytes->find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  MessageHead head;
  size_t at = 0;
  while (at < end + 2) {
    const size_t line_end = bytes->find("\r\n", at);
    const std::string line = bytes->substr(at, line_end - at);
    at = line_end + 2;
    if (head.start_line.empty()) {
      head.start_line = line;
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string value = line.substr(colon + 1);
    value.erase(0, value.find_first_not_of(" \t"));
    head.headers.emplace_back(Lower(line.substr(0, colon)), value);
  }
  bytes->erase(0, end + 4);
  return head;
}

BodyReader BodyReader::ForRequest(const MessageHead& head) {
  if (head.Find("transfer-encoding")) return {Framing::kChunked, 0};
  if (const auto length = head.Find("content-length")) return {Framing::kLength, std::stoull(*length)};
  return {};
}

BodyReader BodyReader::ForResponse(const MessageHead& head, int status, bool answers_head_request) {
  if (answers_head_request || status == 204 || status == 304 || status < 200) return {};
  if (head.Find("transfer-encoding")) return {Framing::kChunked, 0};
  if (const auto length = head.Find("content-length")) return {Framing::kLength, std::stoull(*length)};
  return {Framing::kUntilClose, 0};
}

void BodyReader::Take(std::string* bytes, std::string* body) {
  switch (framing_) {
    case Framing::kNone: return;
    case Framing::kUntilClose:
      body->append(*bytes);
      bytes->clear();
      return;
    case Framing::kLength: {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, bytes->size()));
      body->append(*bytes, 0, size);
      bytes->erase(0, size);
      left_ -= size;
      return;
    }
    case Framing::kChunked: break;
  }
  size_t at = 0;  // erased once at the end: an answer may be large
  while (!has_ended_ && !is_malformed_) {
    if (in_chunk_ && left_ > 0) {
      const size_t size = static_cast<size_t>(std::min<uint64_t>(left_, bytes->size() - at));
      body->append(*bytes, at, size);
      at += size;
      left_ -= size;
      if (left_ > 0) break;
    }
    const size_t line_end = bytes->find("\r\n", at);
    if (line_end == std::string::npos) break;
    const std::string line = bytes->substr(at, line_end - at);
    at = line_end + 2;
    if (in_chunk_) {
      is_malformed_ = !line.empty();  // CRLF after the data of a chunk
      in_chunk_ = false;
    } else if (after_last_chunk_) {
      has_ended_ = line.empty();  // else a trailer
    } else {
      const size_t digits = std::min(line.find(';'), line.size());
      const auto [rest, error] = std::from_chars(line.data(), line.data() + digits, left_, 16);
      is_malformed_ = error != std::errc() || rest != line.data() + digits;
      in_chunk_ = left_ > 0;
      after_last_chunk_ = left_ == 0;
    }
  }
  bytes->erase(0, at);
}

bool BodyReader::at_end() const {
  switch (framing_) {
    case Framing::kNone: return true;
    case Framing::kLength: return left_ == 0;
    case Framing::kChunked: return has_ended_;
    case Framing::kUntilClose: return false;
  }
  return false;
}

std::string Chunk(std::string_view data) {
  char head[32];
  std::snprintf(head, sizeof head, "%zx\r\n", data.size());
  return std::string(head).append(data).append("\r\n");
}

}  // namespace tests::support
