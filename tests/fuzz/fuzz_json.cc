// Any bytes as a JSON body: no crash, and source texts of arrays and objects are JSON in their turn.
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "runtime/http/json_members.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using compiler::abi::JsonKind;
  using compiler::abi::JsonValue;
  using runtime::http::JsonMembers;
  static JsonMembers members({{"a"}, {"a", "b"}, {"c", "d", "e"}, {}});
  static JsonMembers inner({{"x"}});
  members.Read({reinterpret_cast<const char*>(data), size});
  for (const JsonValue& value : members.values()) {
    if (value.kind != JsonKind::kArray && value.kind != JsonKind::kObject) continue;
    if (inner.Read(value.text.view()) == JsonMembers::Outcome::kNotJson) std::abort();
  }
  return 0;
}
