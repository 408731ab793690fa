// The types of the language, as the fact table, the checker, the interpreter and the lowering name them.
// A type is a base and whether the value may be absent ("T?" in the language).
#pragma once

#include <cstdint>

namespace compiler::abi {

enum class BaseType : uint8_t {
  kBool,
  kInt,       // 64-bit signed
  kNumber,    // a JSON number after `??`; double
  kPercent,   // fraction, double
  kDuration,  // 64-bit nanoseconds
  kSize,      // 64-bit bytes
  kStatus,    // 100 … 599
  kString,
  kMethod,    // Method
  kError,     // ErrorKind
  kJson,      // any JSON value (JsonValue)
  kSecret,    // a String that must not reach a body, key or log
  kNone,      // the literal `none`
  kInvalid,   // after an error was reported; silences what follows from it
};

struct Type {
  BaseType base = BaseType::kInvalid;
  bool optional = false;

  constexpr bool operator==(const Type&) const = default;
};

// When a value exists. A predicate may read the facts of its own phase and of those that come before it (see
// IsReadable); the window phase stands alone.
enum class Phase : uint8_t { kRoute, kAttempt, kStream, kAnswer, kWindow };

constexpr bool IsReadable(Phase fact, Phase predicate) {
  switch (predicate) {
    case Phase::kRoute: return fact == Phase::kRoute;
    case Phase::kAttempt: return fact == Phase::kRoute || fact == Phase::kAttempt;
    case Phase::kStream: return fact == Phase::kRoute || fact == Phase::kAttempt || fact == Phase::kStream;
    case Phase::kAnswer: return fact == Phase::kRoute || fact == Phase::kAttempt || fact == Phase::kAnswer;
    case Phase::kWindow: return fact == Phase::kWindow;
  }
  return false;
}

}  // namespace compiler::abi
