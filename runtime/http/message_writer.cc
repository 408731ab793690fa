// Bytes of heads and chunks. Numbers are written by hand: this runs for each message and allocates nothing of its own.
#include "runtime/http/message_writer.h"

#include <charconv>

namespace runtime::http {
namespace {

void AppendNumber(uint64_t value, int base, std::string* out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value, base).ptr;
  out->append(digits, static_cast<size_t>(end - digits));
}

}  // namespace

void AppendRequestLine(std::string_view method, std::string_view target, std::string* out) {
  out->append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
}

void AppendStatusLine(int status, std::string* out) {
  out->append("HTTP/1.1 ");
  AppendNumber(static_cast<uint64_t>(status), 10, out);
  out->append(" ").append(ReasonPhrase(status)).append("\r\n");
}

void AppendHeader(std::string_view name, std::string_view value, std::string* out) {
  out->append(name).append(": ").append(value).append("\r\n");
}

void AppendHeader(std::string_view name, uint64_t value, std::string* out) {
  out->append(name).append(": ");
  AppendNumber(value, 10, out);
  out->append("\r\n");
}

void AppendEndOfHead(std::string* out) { out->append("\r\n"); }

void AppendChunkHead(size_t size, std::string* out) {
  AppendNumber(size, 16, out);
  out->append("\r\n");
}

void HeadWriter::Flush() {
  out_->append(text_, size_);
  size_ = 0;
}

void HeadWriter::PutLarge(std::string_view text) {
  Flush();
  if (text.size() > kRoom) {
    out_->append(text);
  } else {
    Put(text);
  }
}

void HeadWriter::HeaderLarge(std::string_view name, std::string_view value) {
  Flush();
  AppendHeader(name, value, out_);
}

void HeadWriter::StatusLine(int status) {
  if (status == 200) return Put("HTTP/1.1 200 OK\r\n");
  std::string line;
  AppendStatusLine(status, &line);
  Put(line);
}

std::string_view ReasonPhrase(int status) {
  switch (status) {
#define REASON(code, phrase) \
  case code:                 \
    return phrase;
#include "runtime/http/reason_phrases.def"
#undef REASON
    default: return "";  // the phrase may be empty, the space before it not (RFC 9112 4)
  }
}

}  // namespace runtime::http
