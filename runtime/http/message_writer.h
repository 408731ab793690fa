// Heads and chunks to bytes. Everything is appended to *out; nothing is checked here: names and values come from parsed
// messages or from a checked policy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace runtime::http {

void AppendRequestLine(std::string_view method, std::string_view target, std::string* out);  // always HTTP/1.1
void AppendStatusLine(int status, std::string* out);  // HTTP/1.1, the registered reason phrase (RFC 9110 15)
void AppendHeader(std::string_view name, std::string_view value, std::string* out);
void AppendHeader(std::string_view name, uint64_t value, std::string* out);
void AppendEndOfHead(std::string* out);

void AppendChunkHead(size_t size, std::string* out);         // "1f\r\n"
inline constexpr std::string_view kChunkEnd = "\r\n";        // after the data of a chunk
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

std::string_view ReasonPhrase(int status);

}  // namespace runtime::http
