// The calls of ExprChecker: functions of a window, env(…), secret(…), and those that other languages have.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/expr_words.h"
#include "compiler/expr/foreign_names.h"
#include "compiler/model/print.h"

namespace compiler::expr {

using abi::BaseType;
using abi::Phase;
using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

std::string OneOf(std::string_view word, const std::vector<std::string_view>& candidates, std::string otherwise) {
  const auto nearest = base::Nearest(word, candidates);
  return nearest ? diagnostics::DidYouMean(*nearest) : otherwise;
}

void OfferNearest(diagnostics::Diagnostic* diagnostic, std::string_view word,
                  const std::vector<std::string_view>& candidates) {
  if (const auto nearest = base::Nearest(word, candidates)) diagnostic->Replace(std::string(*nearest));
}

std::string ExampleOf(const abi::WindowMeasureInfo& info) {
  const std::string name(info.name);
  switch (info.arguments) {
    case abi::WindowArguments::kNone: return name;
    case abi::WindowArguments::kWindow: return name + "(60s)";
    case abi::WindowArguments::kWindowAndOver: return name + "(60s, over: 5s)";
    case abi::WindowArguments::kPercentileAndWindow: return name + "(p95, 60s)";
  }
  return name;
}

int PercentileOf(const ast::Expr& at) {
  const bool is_name = at.kind == ExprKind::kName && at.text.size() >= 2 && at.text.size() <= 3 && at.text[0] == 'p' &&
                       at.text[1] >= '1' && at.text.find_first_not_of("0123456789", 1) == std::string::npos;
  return is_name ? std::stoi(at.text.substr(1)) : 0;
}

bool IsNotHonoured(std::string_view function) { return function == "attempts"; }

bool ExprChecker::ReportForeignFunction(const ast::Expr& call) {
  const ast::Expr& callee = call.operands[0];
  const bool is_method = callee.kind == ExprKind::kMember;
  if (!is_method && callee.kind != ExprKind::kName) return false;
  std::vector<std::string> arguments;
  for (const ast::Argument& argument : call.arguments) arguments.push_back(WrittenAt(argument.value->range));
  const std::string object = is_method ? WrittenAt(callee.operands[0].range) : std::string();
  const std::optional<MeantFunction> meant = MeantByFunction(callee.text, object, arguments);
  if (!meant) return false;
  auto& diagnostic = diagnostics_->Emit(Kind::kUnknownFunction, is_method ? callee.word : callee.range,
                                        {callee.text, "write `" + meant->text + "`"});
  if (meant->is_whole) diagnostic.Change(call.range, meant->text);
  return true;
}

// `request.header("X")`, `request.headers.get("X")`, `os.getenv("X")`: what stands before the parenthesis is no function.
void ExprChecker::ReportNoFunction(const ast::Expr& callee) {
  const std::string written = WrittenAt(callee.range);
  std::string help = callee.kind == ExprKind::kMember ? WhyNoFunction(callee.text) : std::string();
  const bool reads_header = written.find("header") != std::string::npos || written.find("hdr") != std::string::npos;
  const bool reads_query = written.find("query") != std::string::npos || written.find("args") != std::string::npos ||
                           written.find("param") != std::string::npos;
  if (reads_header) help = "a header is read by its name in brackets: `request.header[\"X-Name\"]`";
  else if (reads_query) help = "a parameter is read by its name in brackets: `request.query[\"name\"]`";
  else if (help.empty()) help = "conditions are made of values, comparisons, `and`, `or` and `not`";
  diagnostics_->Emit(Kind::kNotAFunction, callee.range, {help});
}

ExprChecker::Value ExprChecker::CheckCall(const ast::Expr& expr) {
  const ast::Expr& callee = expr.operands[0];
  if (callee.kind != ExprKind::kName) {
    if (!ReportForeignFunction(expr)) ReportNoFunction(callee);
    return Invalid();
  }
  const std::string& name = callee.text;
  if (name == "env") return CheckEnv(expr);
  if (name == "secret") return CheckSecret(expr);
  for (const abi::WindowMeasureInfo& info : abi::WindowMeasures()) {
    if (info.name == name) return CheckWindow(expr, info);
  }
  if (IsNotHonoured(name)) {
    diagnostics_->Emit(Kind::kNotHonoured, callee.range, {name, ""});
    return Invalid();
  }
  if (name == "exponential") {
    diagnostics_->Emit(Kind::kStrayExponential, callee.range);
    return Invalid();
  }
  if (name == "retry_after") {
    diagnostics_->Emit(Kind::kStrayRetryAfter, callee.range);
    return Invalid();
  }
  if (name == "hash") {
    diagnostics_->Emit(Kind::kStrayHash, callee.range);
    return Invalid();
  }
  if (ReportForeignFunction(expr)) return Invalid();
  if (const std::string why = WhyNoFunction(name); !why.empty()) {
    diagnostics_->Emit(Kind::kUnknownFunction, callee.range, {name, why});
    return Invalid();
  }
  std::vector<std::string_view> functions = {"env", "secret", "hash"};
  for (const abi::WindowMeasureInfo& info : abi::WindowMeasures()) functions.push_back(info.name);
  std::string all = "there are";
  for (std::string_view function : functions) all += (function == functions[0] ? " " : ", ") + std::string(function);
  auto& diagnostic = diagnostics_->Emit(Kind::kUnknownFunction, callee.range, {name, OneOf(name, functions, all)});
  OfferNearest(&diagnostic, name, functions);
  return Invalid();
}

ExprChecker::Value ExprChecker::CheckWindow(const ast::Expr& call, const abi::WindowMeasureInfo& info) {
  const SourceRange name_range = call.operands[0].range;
  if (!Read(Phase::kWindow, info.name, name_range)) return Invalid();
  const std::string example = ExampleOf(info);
  const auto refuse = [&](SourceRange at, Kind kind, std::string_view argument = "") {
    diagnostics_->Emit(kind, at, {info.name, example, argument});
    return Invalid();
  };
  std::vector<const ast::Expr*> plain;
  const ast::Expr* over = nullptr;
  for (const ast::Argument& argument : call.arguments) {
    if (!argument.name) {
      plain.push_back(argument.value.get());
    } else if (info.arguments == abi::WindowArguments::kWindowAndOver && argument.name->text == "over") {
      over = argument.value.get();
    } else {
      return refuse(argument.name->range, Kind::kWindowArgument, argument.name->text);
    }
  }
  model::WindowMeasure measure{info.kind, {}, 1};
  const SourceRange arguments = {name_range.end, call.range.end};
  switch (info.arguments) {
    case abi::WindowArguments::kNone: return refuse(call.range, Kind::kTakesNoArguments);
    case abi::WindowArguments::kWindow:
      if (plain.size() != 1) return refuse(arguments, Kind::kTakesAWindow);
      break;
    case abi::WindowArguments::kWindowAndOver: {
      if (plain.size() != 1 || over == nullptr) {
        return refuse(arguments, Kind::kTakesWindowAndOver);
      }
      const auto length = WindowLength(*over, "what counts as slow", example);
      if (!length) return Invalid();
      measure.over = *length;
      break;
    }
    case abi::WindowArguments::kPercentileAndWindow:
      if (plain.size() != 2) return refuse(arguments, Kind::kTakesPercentile);
      measure.percentile = PercentileOf(*plain[0]);
      if (measure.percentile == 0) return refuse(plain[0]->range, Kind::kNotAPercentile);
      break;
  }
  const auto window = WindowLength(*plain.back(), "a window", example);
  if (!window) return Invalid();
  measure.window = *window;
  return Measure(info, measure);
}

// A constant from 1ms to 24h.
std::optional<model::Duration> ExprChecker::WindowLength(const ast::Expr& at, std::string_view what,
                                                         const std::string& example) {
  const Value window = Check(at);
  if (!window.ok()) return std::nullopt;
  if (window.is_group() || !IsLiteral(window.expr) || window.expr.type.base != BaseType::kDuration) {
    if (IsLiteral(window.expr) && window.expr.type.base == BaseType::kInt) {
      const std::string digits = model::Print(window.expr);
      diagnostics_->Emit(Kind::kNeedsLongTime, at.range, {digits});
    } else {
      diagnostics_->Emit(Kind::kNotADuration, at.range, {std::string(what), example});
    }
    return std::nullopt;
  }
  constexpr int64_t kShortest = 1'000'000;
  constexpr int64_t kLongest = int64_t{24} * 3600 * 1'000'000'000;
  if (window.expr.literal.integer < kShortest || window.expr.literal.integer > kLongest) {
    diagnostics_->Emit(Kind::kWindowLength, at.range,
                       {std::string(what), model::PrintDuration(window.expr.literal.integer)});
    return std::nullopt;
  }
  return model::Duration(window.expr.literal.integer);
}

ExprChecker::Value ExprChecker::Measure(const abi::WindowMeasureInfo& info, const model::WindowMeasure& measure) {
  Value value;
  value.expr.kind = model::ExprKind::kWindow;
  value.expr.type = info.type;
  value.expr.slot = 0;
  if (place_.measures == nullptr) return value;
  auto& measures = *place_.measures;
  const auto found = std::find_if(measures.begin(), measures.end(), [&](const model::WindowMeasure& m) {
    return m.kind == measure.kind && m.window == measure.window && m.over == measure.over &&
           m.percentile == measure.percentile;
  });
  value.expr.slot = static_cast<int32_t>(found - measures.begin());
  if (found == measures.end()) measures.push_back(measure);
  return value;
}

ExprChecker::Value ExprChecker::CheckEnv(const ast::Expr& call) {
  std::optional<std::string> name;
  std::optional<std::string> fallback;
  for (const ast::Argument& argument : call.arguments) {
    if (argument.name && argument.name->text != "default") {
      auto& diagnostic = diagnostics_->Emit(Kind::kEnvArgument, argument.name->range, {argument.name->text});
      if (base::EditDistance(argument.name->text, "default") <= 3) diagnostic.Replace("default");
      return Invalid();
    }
    const Value value = Check(*argument.value);
    if (!value.ok()) return Invalid();
    if (!IsLiteral(value.expr) || value.expr.type.base != BaseType::kString) {
      diagnostics_->Emit(Kind::kEnvOfValue, argument.value->range);
      return Invalid();
    }
    (argument.name ? fallback : name) = value.expr.literal.text;
  }
  if (!name || name->empty() || call.arguments.size() > (fallback ? 2u : 1u)) {
    diagnostics_->Emit(Kind::kEnvOfOne, call.range);
    return Invalid();
  }
  if (options_.late_value) {
    used_stand_in_ = true;
    return {Literal(BaseType::kString, 0, 0, options_.late_value(call.range, *name, fallback, false)), {}, {}};
  }
  if (const std::optional<std::string> set = options_.environment(*name))
    return {Literal(BaseType::kString, 0, 0, *set), {}, {}};
  if (fallback) return {Literal(BaseType::kString, 0, 0, *fallback), {}, {}};
  if (options_.for_run) {
    diagnostics_->Emit(Kind::kEnvMissing, call.range, {*name});
    return Invalid();
  }
  used_stand_in_ = true;
  return {Literal(BaseType::kString, 0, 0, "stand-in"), {}, {}};
}

ExprChecker::Value ExprChecker::CheckSecret(const ast::Expr& call) {
  std::optional<std::string> name;
  if (call.arguments.size() == 1 && !call.arguments[0].name) {
    const Value value = Check(*call.arguments[0].value);
    if (!value.ok()) return Invalid();
    if (IsLiteral(value.expr) && value.expr.type.base == BaseType::kString) name = value.expr.literal.text;
  }
  if (!name || name->empty()) {
    diagnostics_->Emit(Kind::kSecretOfOne, call.range);
    return Invalid();
  }
  if (options_.late_value) {
    used_stand_in_ = true;
    return {Literal(BaseType::kSecret, 0, 0, options_.late_value(call.range, *name, std::nullopt, true)), {}, {}};
  }
  std::optional<std::string> text = options_.environment(*name);
  if (!text)
    text = options_.environment(*name + "_FILE") ? options_.secret_file(*options_.environment(*name + "_FILE"))
                                                 : std::nullopt;
  if (text && text->empty()) text.reset();  // an empty secret is a slip of deployment, not a value
  if (!text && options_.for_run) {
    const std::optional<std::string> path = options_.environment(*name + "_FILE");
    const bool is_empty = path && options_.secret_file(*path).has_value();
    diagnostics_->Emit(!path      ? Kind::kSecretMissing
                       : is_empty ? Kind::kSecretFileEmpty
                                  : Kind::kSecretFileUnreadable,
                       call.range, {*name, path.value_or("")});
    return Invalid();
  }
  if (!text) used_stand_in_ = true;
  return {Literal(BaseType::kSecret, 0, 0, text.value_or("stand-in")), {}, {}};
}

}  // namespace compiler::expr
