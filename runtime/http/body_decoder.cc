#include "runtime/http/body_decoder.h"

#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <memory>

#include "runtime/http/text.h"

namespace runtime::http {
namespace {

constexpr size_t kStep = 64 << 10;

ContentCoding CodingNamed(std::string_view name) {
  if (EqualsIgnoreCase(name, "gzip") || EqualsIgnoreCase(name, "x-gzip")) return ContentCoding::kGzip;
  if (EqualsIgnoreCase(name, "deflate")) return ContentCoding::kDeflate;
  if (EqualsIgnoreCase(name, "zstd")) return ContentCoding::kZstd;
  return ContentCoding::kUnknown;
}

// gzip may be several members behind each other (RFC 1952 2.2). "deflate" is the zlib format, or what many take it for, without head.
DecodeProblem Inflate(std::string_view bytes, int window_bits, bool may_repeat, size_t limit, std::string* out) {
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) return DecodeProblem::kTooLarge;
  const auto end = [](z_stream* s) { inflateEnd(s); };
  const std::unique_ptr<z_stream, decltype(end)> ended(&stream, end);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::array<char, kStep> step;
  const size_t begin = out->size();
  for (;;) {
    stream.next_out = reinterpret_cast<Bytef*>(step.data());
    stream.avail_out = step.size();
    const int result = inflate(&stream, Z_NO_FLUSH);
    const size_t made = step.size() - stream.avail_out;
    if (out->size() - begin + made > limit) return DecodeProblem::kTooLarge;
    out->append(step.data(), made);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return DecodeProblem::kNone;
      if (!may_repeat || inflateReset(&stream) != Z_OK) return DecodeProblem::kBroken;
      continue;
    }
    if (result != Z_OK || (made == 0 && stream.avail_in == 0)) return DecodeProblem::kBroken;
  }
}

DecodeProblem Unzstd(std::string_view bytes, size_t limit, std::string* out) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(), ZSTD_freeDStream);
  if (stream == nullptr) return DecodeProblem::kTooLarge;
  ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, kMaxZstdWindowLog);
  std::array<char, kStep> step;
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  const size_t begin = out->size();
  size_t left = 1;  // 0: a frame has ended
  for (;;) {
    ZSTD_outBuffer made{step.data(), step.size(), 0};
    const size_t result = ZSTD_decompressStream(stream.get(), &made, &in);
    if (ZSTD_isError(result) != 0) {
      return ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge ? DecodeProblem::kTooLarge
                                                                                   : DecodeProblem::kBroken;
    }
    if (out->size() - begin + made.pos > limit) return DecodeProblem::kTooLarge;
    out->append(step.data(), made.pos);
    left = result;
    if (in.pos == in.size && made.pos < made.size) return left == 0 ? DecodeProblem::kNone : DecodeProblem::kBroken;
  }
}

}  // namespace

ContentCoding CodingOf(const Headers& headers) {
  ContentCoding coding = ContentCoding::kNone;
  int codings = 0;
  int lines = 0;
  for (const Header& line : headers.lines()) {
    if (!EqualsIgnoreCase(line.name, "content-encoding")) continue;
    ++lines;
    ForEachListItem(line.value, [&](std::string_view item) {
      if (item.empty() || EqualsIgnoreCase(item, "identity") || EqualsIgnoreCase(item, "none")) return;
      ++codings;
      coding = CodingNamed(item);
    });
  }
  return codings > 1 || (codings == 1 && lines > 1) ? ContentCoding::kUnknown : coding;
}

DecodeProblem DecodeBody(ContentCoding coding, std::string_view bytes, size_t limit, std::string* out) {
  if (bytes.size() > UINT32_MAX) return DecodeProblem::kTooLarge;
  constexpr int kGzipWindow = 15 + 16;
  constexpr int kZlibWindow = 15;
  const size_t before = out->size();
  DecodeProblem problem = DecodeProblem::kBroken;
  switch (coding) {
    case ContentCoding::kGzip: return Inflate(bytes, kGzipWindow, /*may_repeat=*/true, limit, out);
    case ContentCoding::kZstd: return Unzstd(bytes, limit, out);
    case ContentCoding::kDeflate:
      problem = Inflate(bytes, kZlibWindow, /*may_repeat=*/false, limit, out);
      if (problem != DecodeProblem::kBroken) return problem;
      out->resize(before);
      return Inflate(bytes, -kZlibWindow, /*may_repeat=*/false, limit, out);
    case ContentCoding::kNone:
    case ContentCoding::kUnknown: break;
  }
  return problem;
}

}  // namespace runtime::http
