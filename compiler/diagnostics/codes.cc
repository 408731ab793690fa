#include "compiler/diagnostics/codes.h"

namespace compiler::diagnostics {
namespace {

constexpr CodeInfo kCodes[] = {
#define CODE(code, title, traits, fix, why) {code, title, traits, FixKind::fix, why},
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

bool HasTrait(std::string_view code, CodeTraits trait) {
  const CodeInfo* info = FindCode(code);
  return info != nullptr && (info->traits & trait) != 0;
}

}  // namespace compiler::diagnostics
