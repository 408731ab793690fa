#include "compiler/diagnostics/codes.h"

namespace compiler::diagnostics {
namespace {

constexpr CodeInfo kCodes[] = {
#define CODE(code, title, fix, why) {code, title, FixKind::fix, why},
#include "compiler/diagnostics/codes.def"
#undef CODE
};

}  // namespace

std::span<const CodeInfo> Codes() { return kCodes; }

const CodeInfo* FindCode(std::string_view code) {
  for (const CodeInfo& info : kCodes) {
    if (info.code == code) return &info;
  }
  return nullptr;
}

}  // namespace compiler::diagnostics
