#include "compiler/check/foreign_names.h"

#include <algorithm>
#include <iterator>

#include "compiler/abi/fact_table.h"
#include "compiler/base/cidr.h"

namespace compiler::check {

using abi::BaseType;

namespace {

struct ForeignName {
  std::string_view written;
  std::string_view meant;
};
constexpr ForeignName kForeignNames[] = {
    {"yes", "true"},
    {"on", "true"},
    {"no", "false"},
    {"off", "false"},
    {"null", "none"},
    {"nil", "none"},
    {"None", "none"},
    {"undefined", "none"},
    {"NULL", "none"},
    {"ECONNREFUSED", "refused"},
    {"ECONNRESET", "reset"},
    {"connection_refused", "refused"},
    {"connection_reset", "reset"},
};

}  // namespace

std::string FactEndingWith(std::string_view name) {
  for (const std::string_view root : {"request.", "client.", "response."}) {
    const std::string full = std::string(root) + std::string(name);
    for (const abi::FieldInfo& field : abi::Fields()) {
      if (field.name == full) return full;
    }
    for (const abi::FamilyInfo& family : abi::Families()) {
      if (family.name == full) return full;
    }
  }
  return {};
}

std::string MeantBy(std::string_view name) {
  const auto* foreign = std::find_if(std::begin(kForeignNames), std::end(kForeignNames),
                                     [&](const ForeignName& f) { return f.written == name; });
  return foreign != std::end(kForeignNames) ? std::string(foreign->meant) : FactEndingWith(name);
}

bool LooksLikeAVariable(std::string_view name) {
  return name.size() > 2 && name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string_view::npos;
}

std::string AsPattern(std::string_view text) {
  std::string pattern = "/";
  for (const char c : text) pattern += c == '/' ? std::string("\\/") : std::string(1, c);
  return pattern + "/";
}

std::string WithoutQuotes(const model::Expr& left, const model::Expr& member) {
  if (member.kind != model::ExprKind::kLiteral || member.type.base != BaseType::kString) return {};
  const std::string& text = member.literal.text;
  const bool is_class = left.type.base == BaseType::kStatus && text.size() == 3 && text[0] >= '1' && text[0] <= '5' &&
                        text.substr(1) == "xx";
  base::CidrError error;
  const bool is_network = left.type.base == BaseType::kString && base::ParseCidr(text, &error).has_value();
  return is_class || is_network ? text : std::string();
}

}  // namespace compiler::check
