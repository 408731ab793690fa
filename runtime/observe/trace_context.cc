#include "runtime/observe/trace_context.h"

#include <algorithm>
#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/hex.h"

namespace runtime::observe {
namespace {

bool IsTraceId(std::string_view id) {
  if (id.size() != 32) return false;
  constexpr std::string_view kZeros = "00000000000000000000000000000000";
#ifdef __SSE2__
  const auto are_hex = [](const char* at) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const auto within = [&bytes](char low, char high) {
      return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(low - 1))),
                           _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(high + 1))));
    };
    return _mm_movemask_epi8(_mm_or_si128(within('0', '9'), within('a', 'f'))) == 0xffff;
  };
  const bool is_hex = are_hex(id.data()) && are_hex(id.data() + 16);
#else
  bool is_hex = true;
  for (const char c : id) is_hex = is_hex && ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
#endif
  return is_hex && id != kZeros;
}

// FNV-1a: any function of the id that spreads well will do.
uint64_t Hash(std::string_view text, uint64_t seed) {
  uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

void AppendTraceIdOf(std::string_view request_id, std::string* out) {
  if (IsTraceId(request_id)) {
    out->append(request_id);
    return;
  }
  base::AppendHex(Hash(request_id, 0), out);
  base::AppendHex(Hash(request_id, 0x9e3779b97f4a7c15ULL) | 1, out);
}

}  // namespace

TraceIdText TraceId(std::optional<std::string_view> traceparent, std::string_view request_id) {
  constexpr size_t kLength = 55;  // version 00; later ones begin in the same way
  TraceIdText id;
  const bool is_given = traceparent && traceparent->size() >= kLength && (*traceparent)[2] == '-' && (*traceparent)[35] == '-' &&
                        IsTraceId(traceparent->substr(3, id.size()));
  std::string made;
  std::string_view text = is_given ? traceparent->substr(3, id.size()) : request_id;
  if (!IsTraceId(text)) {
    AppendTraceIdOf(request_id, &made);
    text = made;
  }
  std::copy(text.begin(), text.end(), id.begin());
  return id;
}

TraceParentText TraceParent(std::string_view request_id, uint64_t parent) {
  TraceParentText text;
  char* const at = text.data();
  std::memcpy(at, "00-", 3);
  if (IsTraceId(request_id)) {
    std::memcpy(at + 3, request_id.data(), 32);
  } else {
    base::PutHex(Hash(request_id, 0), at + 3);
    base::PutHex(Hash(request_id, 0x9e3779b97f4a7c15ULL) | 1, at + 19);
  }
  at[35] = '-';
  base::PutHex(parent == 0 ? 1 : parent, at + 36);  // all zeros is no id
  std::memcpy(at + 52, "-01", 3);
  return text;
}

}  // namespace runtime::observe
