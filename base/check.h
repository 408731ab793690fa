// Assertions. A bug here stops the program, in release, too: an exchange that goes on from a state that can't be would answer
// wrongly and tell nobody. Nothing that comes from outside (a peer, a policy, a file) may ever reach one: that is a value, and
// somebody decides about it.
//
//   BW_CHECK(stage == Stage::kBody, "a body without a head: ", Name(stage));
//
// What follows the condition are pieces of text (std::string_view), made only if it fails: name the state and what came. The
// message goes to stderr, then the process aborts.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <string_view>

namespace base {

[[noreturn, gnu::cold, gnu::noinline]] inline void CheckFailed(const char* file, int line, const char* condition,
                                                               std::initializer_list<std::string_view> detail = {}) {
  std::fprintf(stderr, "%s:%d: check failed: %s", file, line, condition);
  bool first = true;
  for (const std::string_view piece : detail) {
    std::fprintf(stderr, "%s%.*s", first ? ": " : "", static_cast<int>(piece.size()), piece.data());
    first = false;
  }
  std::fputc('\n', stderr);
  std::abort();
}

}  // namespace base

// Always on: for what costs a comparison.
#define BW_CHECK(condition, ...)                             \
  (__builtin_expect(static_cast<bool>(condition), 1) ? void() \
                                                     : ::base::CheckFailed(__FILE__, __LINE__, #condition __VA_OPT__(, {__VA_ARGS__})))

// In Debug only: for what walks over data.
#ifdef NDEBUG
#define BW_DCHECK(condition, ...) static_cast<void>(sizeof(static_cast<bool>(condition)))
#else
#define BW_DCHECK(condition, ...) BW_CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif
