// Bodies of requests that came compressed (RFC 9110 8.4; zstd: RFC 8878), decoded whole: model servers read none. Bounded: in what
// comes out, and in the memory that it takes. The only user of zlib and libzstd.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/http/message.h"

namespace runtime::http {

enum class ContentCoding : uint8_t { kNone, kGzip, kDeflate, kZstd, kUnknown };

// What all Content-Encoding lines say together; "identity", "none" and an empty one are no coding. Several codings, or one on several
// lines, are kUnknown: servers differ in what they undo.
ContentCoding CodingOf(const Headers& headers);

enum class DecodeProblem : uint8_t {
  kNone,
  kBroken,    // not of that coding, cut short, or something follows
  kTooLarge,  // more than `limit` bytes
};

inline constexpr int kMaxZstdWindowLog = 23;  // 8 MiB, as RFC 8878 3.1.1.1.2 asks of decoders; more is kTooLarge

// Appends what `bytes` stands for to *out. Precondition: kGzip, kDeflate or kZstd.
DecodeProblem DecodeBody(ContentCoding coding, std::string_view bytes, size_t limit, std::string* out);

}  // namespace runtime::http
