#include "compiler/expr/foreign_names.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/cidr.h"
#include "compiler/abi/fact_table.h"

namespace compiler::expr {

using abi::BaseType;

namespace {

struct ForeignRow {
  std::string_view root;
  std::string_view name;
  ForeignFact fact;
};
constexpr ForeignRow kForeignFacts[] = {
#define FOREIGN_FACT(root, name, meant) {#root, #name, {meant, ""}},
#define FOREIGN_HELP(root, name, help) {#root, #name, {"", help}},
#include "compiler/expr/foreign_facts.def"
};

std::string Lowered(std::string_view text) {
  std::string lowered(text);
  for (char& c : lowered) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lowered;
}

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

std::optional<ForeignFact> ForeignFactOf(std::string_view root, std::string_view name) {
  const std::string plain = Lowered(name);  // ECONNREFUSED, None
  const auto* found = std::find_if(std::begin(kForeignFacts), std::end(kForeignFacts),
                                   [&](const ForeignRow& row) { return row.root == root && row.name == plain; });
  if (found == std::end(kForeignFacts)) return std::nullopt;
  return found->fact;
}

std::string MeantBy(std::string_view name) {
  if (const auto foreign = ForeignFactOf("bare", name)) return std::string(foreign->meant);
  return FactEndingWith(name);
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
    {"eq", "{0} == {1}"},
    {"equal", "{0} == {1}"},
    {"neq", "{0} != {1}"},
    {"notequals", "{0} != {1}"},
    {"gt", "{0} > {1}"},
    {"gte", "{0} >= {1}"},
    {"lt", "{0} < {1}"},
    {"lte", "{0} <= {1}"},
    {"any", "{0} or {1}"},
    {"anyof", "{0} or {1}"},
    {"oneof", "{0} or {1}"},
    {"all", "{0} and {1}"},
    {"allof", "{0} and {1}"},
    {"not", "not {0}"},
};
// Of text, with nothing that stands for them: why.
struct MissingFunction {
  std::string_view name;  // as above
  std::string_view help;
};
constexpr MissingFunction kMissingFunctions[] = {
    {"lower", "a host is compared in lower case, paths and headers as they are; a pattern ignores case: `matches /(?i)…/`"},
    {"tolower", "a host is compared in lower case, paths and headers as they are; a pattern ignores case: `matches /(?i)…/`"},
    {"lowercase", "a host is compared in lower case, paths and headers as they are; a pattern ignores case: `matches /(?i)…/`"},
    {"casefold", "a host is compared in lower case, paths and headers as they are; a pattern ignores case: `matches /(?i)…/`"},
    {"upper", "a pattern ignores case: `matches /(?i)…/`"},
    {"toupper", "a pattern ignores case: `matches /(?i)…/`"},
    {"len", "no condition counts characters or members; `limits { body = 1MiB }` of the gateway bounds a body"},
    {"length", "no condition counts characters or members; `limits { body = 1MiB }` of the gateway bounds a body"},
    {"size", "no condition counts characters or members; `limits { body = 1MiB }` of the gateway bounds a body"},
    {"split", "text is tested with `starts_with`, `ends_with`, `contains` or `matches /…/`"},
    {"trim", "text is tested with `starts_with`, `ends_with`, `contains` or `matches /…/`"},
    {"strip", "text is tested with `starts_with`, `ends_with`, `contains` or `matches /…/`"},
    {"substr", "text is tested with `starts_with`, `ends_with`, `contains` or `matches /…/`"},
    {"replace", "text is tested with `starts_with`, `ends_with`, `contains` or `matches /…/`"},
    {"random", "no condition is decided by chance"},
    {"rand", "no condition is decided by chance"},
    {"now", "no condition reads the clock; `elapsed` is the time since the request came"},
    {"time", "no condition reads the clock; `elapsed` is the time since the request came"},
    {"range", "there are no ranges: write `in 5xx`, or `in {500, 502}`"},
    {"hdr", "a header is read by `request.header[\"X-Name\"]`"},
    {"reqhdr", "a header is read by `request.header[\"X-Name\"]`"},
    {"getheader", "a header is read by `request.header[\"X-Name\"]`"},
    {"header", "a header is read by `request.header[\"X-Name\"]`"},
    {"headers", "a header is read by `request.header[\"X-Name\"]`"},
    {"query", "a parameter is read by `request.query[\"name\"]`"},
    {"json", "a member of the body is read by `request.json.model`"},
    {"jsonpath", "a member of the body is read by `request.json.model`"},
    {"getenv", "a variable of the environment is written `env(\"NAME\")`"},
    {"environ", "a variable of the environment is written `env(\"NAME\")`"},
    {"vault", "a secret is written `secret(\"NAME\")`: of a variable, or of the file that NAME_FILE names"},
    {"file", "a secret is written `secret(\"NAME\")`: of a variable, or of the file that NAME_FILE names"},
    {"readfile", "a secret is written `secret(\"NAME\")`: of a variable, or of the file that NAME_FILE names"},
    {"duration", "a time is written with its unit: `15s`, `1min30s`"},
    {"seconds", "a time is written with its unit: `15s`, `1min30s`"},
    {"minutes", "a time is written with its unit: `15s`, `1min30s`"},
    {"hours", "a time is written with its unit: `15s`, `1min30s`"},
    {"timedelta", "a time is written with its unit: `15s`, `1min30s`"},
    {"rate", "a count looks back over a time of its own: `failures(60s) >= 5`, `failure_ratio(60s) > 50%`"},
    {"count", "a count looks back over a time of its own: `failures(60s) >= 5`, `failure_ratio(60s) > 50%`"},
    {"sum", "a count looks back over a time of its own: `failures(60s) >= 5`, `failure_ratio(60s) > 50%`"},
    {"increase", "a count looks back over a time of its own: `failures(60s) >= 5`, `failure_ratio(60s) > 50%`"},
    {"errors", "write `failures(60s)`"},
    {"errorrate", "write `failure_ratio(60s)`"},
    {"percentile", "a percentile is of times: `latency(p95, 60s)`"},
    {"quantile", "a percentile is of times: `latency(p95, 60s)`"},
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
constexpr std::string_view kPatternModules[] = {"re", "regex", "regexp", "string", "strings"};
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
  const bool is_module = std::find(std::begin(kPatternModules), std::end(kPatternModules), object) != std::end(kPatternModules);
  if (is_module) {  // re.match("^/api", request.path)
    if (operands.size() == 2) std::swap(operands[0], operands[1]);
    object = {};
  }
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

std::string WhyNoFunction(std::string_view name) {
  const std::string plain = Plain(name);
  // p95(60s)
  const bool is_percentile = plain.size() >= 2 && plain[0] == 'p' && plain.find_first_not_of("0123456789", 1) == std::string::npos;
  if (is_percentile) return "a percentile is of times: `latency(" + plain.substr(0, 3) + ", 60s)`";
  const auto* found = std::find_if(std::begin(kMissingFunctions), std::end(kMissingFunctions),
                                   [&](const MissingFunction& f) { return f.name == plain; });
  return found == std::end(kMissingFunctions) ? std::string() : std::string(found->help);
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

}  // namespace compiler::expr
