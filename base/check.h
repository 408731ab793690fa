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
#include <source_location>
#include <string_view>
#include <utility>

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

// *what, a pointer or an optional that is there by the state of its owner; where it is not the program stops, as BW_CHECK does.
//   Breaker& breaker = base::Existing(objects.breaker(id), "breaker", PhaseName(phase));
template <typename P>
decltype(auto) Existing(P&& what, std::string_view name, std::string_view state,
                        const std::source_location& at = std::source_location::current()) {
  if (__builtin_expect(!what, 0))
    CheckFailed(at.file_name(), static_cast<int>(at.line()), "it exists", {"state ", state, ": no ", name});
  return *std::forward<P>(what);
}

}  // namespace base

// Always on: for what costs a comparison.
#define BW_CHECK(condition, ...)                     \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? void()                                      \
       : ::base::CheckFailed(__FILE__, __LINE__, #condition __VA_OPT__(, {__VA_ARGS__})))

// In Debug only: for what walks over data.
#ifdef NDEBUG
#define BW_DCHECK(condition, ...) static_cast<void>(sizeof(static_cast<bool>(condition)))
#else
#define BW_DCHECK(condition, ...) BW_CHECK(condition __VA_OPT__(, ) __VA_ARGS__)
#endif
