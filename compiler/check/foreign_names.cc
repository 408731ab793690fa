#include "compiler/check/foreign_names.h"

#include <algorithm>
#include <iterator>

#include "compiler/abi/fact_table.h"
#include "base/cidr.h"

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

namespace {

// Functions of CEL, Rego, VCL, Lua, Traefik, Caddy and others.
struct ForeignFunction {
  std::string_view name;  // in small letters, without `_`
  std::string_view meant;  // {0}, {1}: what it is called on and with
};
constexpr ForeignFunction kForeignFunctions[] = {
    {"startswith", "{0} starts_with {1}"},
    {"hasprefix", "{0} starts_with {1}"},
    {"beginswith", "{0} starts_with {1}"},
    {"prefix", "{0} starts_with {1}"},
    {"strprefix", "{0} starts_with {1}"},
    {"endswith", "{0} ends_with {1}"},
    {"hassuffix", "{0} ends_with {1}"},
    {"suffix", "{0} ends_with {1}"},
    {"contains", "{0} contains {1}"},
    {"includes", "{0} contains {1}"},
    {"strcontains", "{0} contains {1}"},
    {"indexof", "{0} contains {1}"},
    {"equals", "{0} == {1}"},
    {"exists", "{0} != none"},
    {"exist", "{0} != none"},
    {"has", "{0} != none"},
    {"defined", "{0} != none"},
    {"isdefined", "{0} != none"},
    {"present", "{0} != none"},
    {"ispresent", "{0} != none"},
    {"isset", "{0} != none"},
    {"notempty", "{0} != none"},
    {"isnotnull", "{0} != none"},
    {"notnull", "{0} != none"},
    {"found", "{0} != none"},
    {"missing", "{0} == none"},
    {"absent", "{0} == none"},
    {"isabsent", "{0} == none"},
    {"ismissing", "{0} == none"},
    {"empty", "{0} == none"},
    {"isempty", "{0} == none"},
    {"isnull", "{0} == none"},
    {"undefined", "{0} == none"},
};
// With one argument, which is about the request.
constexpr ForeignFunction kMatchers[] = {
    {"pathprefix", "request.path starts_with {0}"},
    {"path", "request.path == {0}"},
    {"host", "request.host == {0}"},
    {"method", "request.method == {0}"},
    {"clientip", "client.ip in {0}"},
    {"header", "request.header[{0}] != none"},
    {"headers", "request.header[{0}] == {1}"},
    {"query", "request.query[{0}] == {1}"},
};
// A pattern is written otherwise than there.
constexpr std::string_view kPatternFunctions[] = {"matches",  "match",      "matchesregex", "regexmatch", "rematch",
                                                  "regex",    "ismatch",    "test",         "pathregexp", "pathregex"};

std::string Plain(std::string_view name) {
  std::string plain;
  for (const char c : name) {
    if (c != '_') plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return plain;
}

// Filled with the operands; `…` for what is not there.
std::string Filled(std::string_view pattern, const std::vector<std::string>& operands) {
  std::string text(pattern);
  for (const size_t n : {size_t{0}, size_t{1}}) {
    const std::string place = "{" + std::to_string(n) + "}";
    if (const size_t at = text.find(place); at != std::string::npos)
      text.replace(at, place.size(), n < operands.size() ? operands[n] : "…");
  }
  return text;
}

}  // namespace

std::optional<MeantFunction> MeantByFunction(std::string_view name, std::string_view object,
                                             const std::vector<std::string>& arguments) {
  std::vector<std::string> operands = arguments;
  if (!object.empty()) operands.insert(operands.begin(), std::string(object));
  const std::string plain = Plain(name);
  const auto is_it = [&](const ForeignFunction& f) { return f.name == plain; };
  if (const auto* found = std::find_if(std::begin(kForeignFunctions), std::end(kForeignFunctions), is_it);
      found != std::end(kForeignFunctions)) {
    const size_t wanted = found->meant.find("{1}") != std::string_view::npos ? 2 : 1;
    return MeantFunction{Filled(found->meant, operands), operands.size() == wanted};
  }
  if (const auto* found = std::find_if(std::begin(kMatchers), std::end(kMatchers), is_it);
      found != std::end(kMatchers) && object.empty()) {
    const size_t wanted = found->meant.find("{1}") != std::string_view::npos ? 2 : 1;
    std::string text = Filled(found->meant, operands);
    // A method is a word, a network has no quotes: only an example.
    const bool keeps_quotes = found->name != "method" && found->name != "clientip";
    return MeantFunction{std::move(text), operands.size() == wanted && keeps_quotes};
  }
  if (std::find(std::begin(kPatternFunctions), std::end(kPatternFunctions), plain) != std::end(kPatternFunctions))
    return MeantFunction{(operands.empty() ? std::string("request.path") : operands[0]) + " matches /…/", false};
  return std::nullopt;
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
