// Expressions, texts with values, times and sizes as print.h prints them; blocks are in print.cc.
#include <cstdio>

#include "compiler/model/print.h"
#include "compiler/model/print_parts.h"

namespace compiler::model {
namespace {

std::string PrintLiteral(const Literal& literal) {
  switch (literal.type) {
    case abi::BaseType::kBool: return literal.integer != 0 ? "true" : "false";
    case abi::BaseType::kInt: return std::to_string(literal.integer);
    case abi::BaseType::kStatus: return "status " + std::to_string(literal.integer);
    case abi::BaseType::kNumber: return "number " + PrintNumber(literal.number);
    case abi::BaseType::kPercent: return PrintNumber(literal.number * 100) + "%";
    case abi::BaseType::kDuration: return PrintDuration(literal.integer);
    case abi::BaseType::kSize: return PrintSize(literal.integer);
    case abi::BaseType::kString: return Quote(literal.text);
    case abi::BaseType::kJson: return "json " + literal.text;
    case abi::BaseType::kMethod: return std::string(abi::Name(static_cast<abi::Method>(literal.integer)));
    case abi::BaseType::kError: return std::string(abi::Name(static_cast<abi::ErrorKind>(literal.integer)));
    case abi::BaseType::kSecret: return "<secret>";
    case abi::BaseType::kNone: return "none";
    case abi::BaseType::kInvalid: return "?";
  }
  return "";
}

const char* OperatorOf(CompareOp op) {
  switch (op) {
    case CompareOp::kEq: return "==";
    case CompareOp::kNe: return "!=";
    case CompareOp::kLt: return "<";
    case CompareOp::kLe: return "<=";
    case CompareOp::kGt: return ">";
    case CompareOp::kGe: return ">=";
  }
  return "";
}

const char* OperatorOf(StringTest test) {
  switch (test) {
    case StringTest::kStartsWith: return "starts_with";
    case StringTest::kEndsWith: return "ends_with";
    case StringTest::kContains: return "contains";
  }
  return "";
}

std::string JoinOperands(const Expr& expr, std::string_view separator) {
  std::string out = "(";
  for (size_t i = 0; i < expr.operands.size(); ++i) {
    if (i > 0) out += separator;
    out += Print(expr.operands[i]);
  }
  return out + ")";
}

std::string PrintHash(const HashOf& hash) {
  std::string out = "hash(";
  for (size_t i = 0; i < hash.values.size(); ++i) out += (i > 0 ? ", " : "") + Print(hash.values[i]);
  return out + ")";
}

}  // namespace

std::string Quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '"' || c == '\\') (out += '\\') += c;
    else out += c;
  }
  return out + "\"";
}

std::string PrintNumber(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.17g", value);
  return buffer;
}

std::string PrintTemplate(const Template& text) {
  std::string out;
  for (const Template::Part& part : text.parts) {
    if (!out.empty()) out += " + ";
    if (const auto* literal = std::get_if<std::string>(&part)) out += text.is_secret ? "<secret>" : Quote(*literal);
    else if (const auto* value = std::get_if<Expr>(&part)) out += Print(*value);
    else out += PrintHash(std::get<HashOf>(part));
  }
  return out.empty() ? "\"\"" : out;
}

std::string Print(const WindowMeasure& measure) {
  const abi::WindowMeasureInfo& info = abi::WindowMeasures()[static_cast<size_t>(measure.kind)];
  const std::string window = PrintDuration(measure.window.count());
  const std::string name(info.name);
  switch (info.arguments) {
    case abi::WindowArguments::kNone: break;
    case abi::WindowArguments::kWindow: return name + "(" + window + ")";
    case abi::WindowArguments::kWindowAndOver: return name + "(" + window + ", over: " + PrintDuration(measure.over.count()) + ")";
    case abi::WindowArguments::kPercentileAndWindow: return name + "(p" + std::to_string(measure.percentile) + ", " + window + ")";
  }
  return name;
}

std::string PrintRule(const Expr& rule, const std::vector<WindowMeasure>& measures) {
  std::string text = Print(rule);
  for (size_t i = 0; i < measures.size(); ++i) {
    const std::string slot = "window[" + std::to_string(i) + "]";
    const std::string written = Print(measures[i]);
    for (size_t at = text.find(slot); at != std::string::npos; at = text.find(slot, at + written.size())) text.replace(at, slot.size(), written);
  }
  return text;
}

std::string Print(const Expr& e) {
  switch (e.kind) {
    case ExprKind::kLiteral: return PrintLiteral(e.literal);
    case ExprKind::kField: return std::string(abi::Fields()[static_cast<size_t>(e.field)].name);
    case ExprKind::kSlot:
      return std::string(abi::Families()[static_cast<size_t>(e.family)].name) + "[" + std::to_string(e.slot) + "]";
    case ExprKind::kWindow: return "window[" + std::to_string(e.slot) + "]";
    case ExprKind::kNot: return "(not " + Print(e.operands[0]) + ")";
    case ExprKind::kAnd: return JoinOperands(e, " and ");
    case ExprKind::kOr: return JoinOperands(e, " or ");
    case ExprKind::kCompare:
      return "(" + Print(e.operands[0]) + " " + OperatorOf(e.compare) + " " + Print(e.operands[1]) + ")";
    case ExprKind::kIsNone: return "(" + Print(e.operands[0]) + " == none)";
    case ExprKind::kIn: {
      std::string out = "(" + Print(e.operands[0]) + " in {";
      for (size_t i = 0; i < e.set.size(); ++i) {
        if (i > 0) out += ", ";
        out += PrintLiteral(e.set[i].low);
        if (e.set[i].low.type == abi::BaseType::kStatus && e.set[i].high != e.set[i].low.integer)
          out += ".." + std::to_string(e.set[i].high);
      }
      for (const base::Cidr& network : e.networks) out += (out.ends_with('{') ? "" : ", ") + network.ToString();
      return out + "})";
    }
    case ExprKind::kStringTest:
      return "(" + Print(e.operands[0]) + " " + OperatorOf(e.string_test) + " " + Print(e.operands[1]) + ")";
    case ExprKind::kMatches: return "(" + Print(e.operands[0]) + " matches /" + std::string(e.pattern->source()) + "/)";
    case ExprKind::kCoalesce: return "(" + Print(e.operands[0]) + " ?? " + Print(e.operands[1]) + ")";
  }
  return "";
}

std::string PrintDuration(int64_t ns) {
  if (ns == 0) return "0s";
  struct Unit {
    const char* name;
    int64_t size;
  };
  constexpr Unit kUnits[] = {{"h", 3'600'000'000'000}, {"min", 60'000'000'000}, {"s", 1'000'000'000},
                             {"ms", 1'000'000},        {"us", 1'000},           {"ns", 1}};
  std::string out = ns < 0 ? "-" : "";
  uint64_t rest = ns < 0 ? ~static_cast<uint64_t>(ns) + 1 : static_cast<uint64_t>(ns);
  for (const Unit& unit : kUnits) {
    const uint64_t count = rest / static_cast<uint64_t>(unit.size);
    rest %= static_cast<uint64_t>(unit.size);
    if (count > 0) out += std::to_string(count) + unit.name;
  }
  return out;
}

std::string PrintSize(int64_t bytes) {
  if (bytes != 0 && bytes % (int64_t{1} << 30) == 0) return std::to_string(bytes >> 30) + "GiB";
  if (bytes != 0 && bytes % (1 << 20) == 0) return std::to_string(bytes >> 20) + "MiB";
  if (bytes != 0 && bytes % (1 << 10) == 0) return std::to_string(bytes >> 10) + "KiB";
  return std::to_string(bytes) + "B";
}

}  // namespace compiler::model
