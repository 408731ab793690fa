#include "runtime/proxy/trace_context.h"

#include <algorithm>
#include <cstdio>

namespace runtime::proxy {
namespace {

bool IsTraceId(std::string_view id) {
  return id.size() == 32 && id.find_first_not_of('0') != std::string_view::npos &&
         std::all_of(id.begin(), id.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// FNV-1a: any function of the id that spreads well will do.
uint64_t Hash(std::string_view text, uint64_t seed) {
  uint64_t hash = 14695981039346656037ULL ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

}  // namespace

std::string TraceParent(std::string_view request_id, uint64_t parent) {
  char text[56];
  if (parent == 0) parent = 1;  // all zeros is no id
  if (IsTraceId(request_id)) {
    std::snprintf(text, sizeof text, "00-%.32s-%016llx-01", request_id.data(), static_cast<unsigned long long>(parent));
  } else {
    std::snprintf(text, sizeof text, "00-%016llx%016llx-%016llx-01",
                  static_cast<unsigned long long>(Hash(request_id, 0)),
                  static_cast<unsigned long long>(Hash(request_id, 0x9e3779b97f4a7c15ULL) | 1),
                  static_cast<unsigned long long>(parent));
  }
  return text;
}

}  // namespace runtime::proxy
