// The names of ExprChecker: facts and their families, groups of errors, functions of a window, env(…) and secret(…).
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/foreign_names.h"
#include "compiler/expr/header_names.h"
#include "compiler/model/print.h"

namespace compiler::expr {

using abi::BaseType;
using abi::Phase;
using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

namespace {

// Words of the language that stand for nothing in this version.
constexpr std::string_view kNotHonouredFunctions[] = {"attempts"};

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

// p1 … p99; 0 for anything else.
int PercentileOf(const ast::Expr& at) {
  const bool is_name = at.kind == ExprKind::kName && at.text.size() >= 2 && at.text.size() <= 3 && at.text[0] == 'p' &&
                       at.text[1] >= '1' && at.text.find_first_not_of("0123456789", 1) == std::string::npos;
  return is_name ? std::stoi(at.text.substr(1)) : 0;
}

template <typename Key>
int32_t Intern(std::vector<Key>* keys, Key key) {
  const auto found = std::find(keys->begin(), keys->end(), key);
  if (found != keys->end()) return static_cast<int32_t>(found - keys->begin());
  keys->push_back(std::move(key));
  return static_cast<int32_t>(keys->size() - 1);
}

}  // namespace

ExprChecker::Value ExprChecker::Field(const abi::FieldInfo& field, SourceRange range) {
  if (!Read(field.phase, field.name, range)) return Invalid();
  Value value;
  value.expr.kind = model::ExprKind::kField;
  value.expr.type = field.type;
  value.expr.field = field.id;
  if (place_.policy != nullptr && field.id == abi::FieldId::k_request_body) place_.policy->reads_request_body = true;
  return value;
}

ExprChecker::Value ExprChecker::CheckName(const ast::Expr& expr) {
  const std::string& name = expr.text;
  Entity* entity = scope_->Find(name);
  if (entity != nullptr && entity->kind == EntityKind::kLet) return CheckLet(expr, entity);
  if (entity != nullptr && names_are_text_) return {Literal(BaseType::kString, 0, 0, name), {}, {}};
  for (const abi::FieldInfo& field : abi::Fields()) {
    if (field.name == name) return Field(field, expr.range);
  }
  if (name == "true" || name == "false") return {Literal(BaseType::kBool, name == "true" ? 1 : 0), {}, {}};
  if (name == "none") return {Literal(BaseType::kNone, 0), {}, {}};
  if (const abi::Method method = abi::MethodOf(name); method != abi::Method::kOther)
    return {Literal(BaseType::kMethod, static_cast<int64_t>(method)), {}, {}};
  if (const abi::ErrorKind error = abi::ErrorKindOf(name); error != abi::ErrorKind::kNone)
    return {Literal(BaseType::kError, static_cast<int64_t>(error)), {}, {}};
  if (name == "timeout") {
    Value value;
    value.expr.type = {BaseType::kError, false};
    value.group_name = name;
#define ERROR_KIND(error_name, is_timeout, doc) \
  if (is_timeout)                               \
    value.group.push_back({Literal(BaseType::kError, static_cast<int64_t>(abi::ErrorKind::k_##error_name)).literal, 0});
#include "compiler/abi/errors.def"
#undef ERROR_KIND
    return value;
  }
  if (entity != nullptr) {
    diagnostics_->Emit(Kind::kBlockAsValue, expr.range, {name, std::string(ArticleAndWord(entity->kind))});
    return Invalid();
  }
  for (const abi::WindowMeasureInfo& info : abi::WindowMeasures()) {
    if (info.name != name) continue;
    if (info.arguments == abi::WindowArguments::kNone) {
      if (!Read(Phase::kWindow, info.name, expr.range)) return Invalid();
      return Measure(info, {info.kind, {}, 1});
    }
    diagnostics_->Emit(Kind::kNeedsWindow, expr.range, {name, ExampleOf(info)});
    return Invalid();
  }
  if (std::find(std::begin(kNotHonouredFunctions), std::end(kNotHonouredFunctions), name) !=
      std::end(kNotHonouredFunctions)) {
    diagnostics_->Emit(Kind::kNotHonoured, expr.range, {name, ""});
    return Invalid();
  }
  if (name == "request" || name == "response" || name == "client" || name == "chunk") {
    diagnostics_->Emit(Kind::kNeedsMember, expr.range, {name});
    return Invalid();
  }
  if (scope_->IsBroken(name)) return Invalid();
  std::vector<std::string_view> candidates = scope_->NamesOf({EntityKind::kLet});
  for (const abi::FieldInfo& field : abi::Fields()) candidates.push_back(field.name);
  for (const abi::WindowMeasureInfo& info : abi::WindowMeasures()) candidates.push_back(info.name);
  candidates.insert(candidates.end(), {"true", "false", "none", "timeout"});
#define ERROR_KIND(error_name, is_timeout, doc) candidates.push_back(#error_name);
#include "compiler/abi/errors.def"
#undef ERROR_KIND
#define METHOD(method_name, is_idempotent) candidates.push_back(#method_name);
#include "compiler/abi/methods.def"
#undef METHOD
  if (const std::string meant = MeantBy(name); !meant.empty()) {
    diagnostics_->Emit(Kind::kUnknownName, expr.range, {name, diagnostics::DidYouMean(meant)}).Replace(meant);
    return Invalid();
  }
  if (const auto foreign = ForeignFactOf("bare", name); foreign && foreign->meant.empty()) {
    diagnostics_->Emit(Kind::kUnknownName, expr.range, {name, foreign->help});
    return Invalid();
  }
  if (scope_->LostALet() && !base::Nearest(name, candidates)) return Invalid();
  const std::string otherwise = LooksLikeAVariable(name)
                                    ? "a variable of the environment is written `env(\"" + name + "\")`"
                                    : "text stands in double quotes";
  if (PercentileOf(expr) != 0) {
    diagnostics_->Emit(Kind::kPercentileAlone, expr.range, {name});
    return Invalid();
  }
  const auto nearest = base::Nearest(name, candidates);
  auto& diagnostic = diagnostics_->Emit(Kind::kUnknownName, expr.range,
                                        {name, nearest ? diagnostics::DidYouMean(*nearest) : otherwise});
  if (nearest) diagnostic.Replace(std::string(*nearest));
  return Invalid();
}

// `request.body.model`, `body["model"]`: the members of a body are those of its JSON. `first`: the step that names the first of them.
void ExprChecker::ReportBodyMember(const ast::Expr& root, const std::vector<const ast::Expr*>& steps, size_t first) {
  const bool is_response = root.text == "response";
  std::string meant = is_response ? "response.json" : "request.json";
  bool is_known = true;
  for (size_t i = first; i < steps.size(); ++i) {
    const ast::Expr& step = *steps[i];
    if (step.kind == ExprKind::kMember) {
      meant += "." + step.text;
    } else {
      const ast::Expr& key = step.operands[1];
      is_known = is_known && key.kind == ExprKind::kString;
      meant += "[" + WrittenAt(key.range) + "]";
    }
  }
  const ast::Expr& at = *steps[first];
  const std::string full = first == 0 ? root.text : root.text + "." + steps[0]->text;
  auto& diagnostic = diagnostics_->Emit(Kind::kMemberOfText,
                                        at.kind == ExprKind::kMember ? at.word : at.operands[1].range, {full, meant});
  if (is_known) diagnostic.Change({root.range.begin, steps.back()->range.end}, meant);
}

ExprChecker::Value ExprChecker::CheckPath(const ast::Expr& expr) {
  // From the outermost access to the root name, turned around.
  std::vector<const ast::Expr*> steps;
  const ast::Expr* root = &expr;
  while (root->kind == ExprKind::kMember || root->kind == ExprKind::kIndex) {
    steps.push_back(root);
    root = &root->operands[0];
  }
  std::reverse(steps.begin(), steps.end());
  if (root->kind != ExprKind::kName) {
    diagnostics_->Emit(Kind::kMemberOfValue, expr.range);
    return Invalid();
  }
  const std::string& name = root->text;
  if (name != "request" && name != "response" && name != "client" && name != "chunk") {
    if (Entity* entity = scope_->Find(name)) {
      entity->used = true;
      diagnostics_->Emit(Kind::kMemberOfBlock, expr.range, {name, std::string(ArticleAndWord(entity->kind))});
      return Invalid();
    }
    if (scope_->IsBroken(name)) return Invalid();
    const std::vector<std::string_view> roots = {"request", "response", "client", "chunk"};
    for (const abi::FieldInfo& field : abi::Fields()) {
      if (field.name != name) continue;
      diagnostics_->Emit(Kind::kMemberOfFact, expr.range, {name});
      return Invalid();
    }
    // `body.model`: what is read is a member of its JSON.
    if (name == "body" || name == "json" || name == "payload" || name == "data") {
      ReportBodyMember(*root, steps, 0);
      return Invalid();
    }
    if (const std::string meant = FactEndingWith(name); !meant.empty()) {
      diagnostics_->Emit(Kind::kUnknownName, root->range, {name, diagnostics::DidYouMean(meant)}).Replace(meant);
      return Invalid();
    }
    if (const auto foreign = ForeignFactOf("bare", name)) {
      auto& diagnostic = diagnostics_->Emit(
          Kind::kUnknownName, root->range,
          {name, foreign->meant.empty() ? std::string(foreign->help) : diagnostics::DidYouMean(foreign->meant)});
      if (!foreign->meant.empty()) diagnostic.Replace(std::string(foreign->meant));
      return Invalid();
    }
    if (base::Nearest(name, roots)) {
      auto& misspelt = diagnostics_->Emit(Kind::kUnknownName, root->range, {name, OneOf(name, roots, "")});
      OfferNearest(&misspelt, name, roots);
      return Invalid();
    }
    // `input.request.path`, `req.path`: what stands behind the root is known.
    const auto is_root = [](std::string_view word) {
      return word == "request" || word == "response" || word == "client" || word == "chunk";
    };
    if (steps[0]->kind == ExprKind::kMember && steps.size() > 1 && is_root(steps[0]->text)) {
      const source::SourceRange root_and_dot = {root->range.begin, steps[0]->word.begin};
      diagnostics_->Emit(Kind::kNeedlessRoot, root->range, {name, WrittenAt({steps[0]->word.begin, expr.range.end})})
          .Change(root_and_dot, "");
      return Invalid();
    }
    for (const ast::Expr* step : steps) {  // `req.http.host`
      if (step->kind != ExprKind::kMember) break;
      if (const std::string meant = FactEndingWith(step->text == "url" || step->text == "uri" ? "path" : step->text); !meant.empty()) {
        diagnostics_->Emit(Kind::kUnknownName, root->range, {name, diagnostics::DidYouMean(meant)})
            .Change({root->range.begin, step->word.end}, meant);
        return Invalid();
      }
    }
    diagnostics_->Emit(Kind::kUnknownRoot, root->range, {name});
    return Invalid();
  }
  if (steps[0]->kind == ExprKind::kIndex) {
    diagnostics_->Emit(Kind::kKeyOfRoot, steps[0]->range, {name});
    return Invalid();
  }
  const std::string full = name + "." + steps[0]->text;
  const SourceRange full_range = source::Join(root->range, steps[0]->word);
  for (const abi::FieldInfo& field : abi::Fields()) {
    if (field.name != full) continue;
    if (steps.size() > 1) {
      if (field.id == abi::FieldId::k_request_body || field.name == "response.body") {
        ReportBodyMember(*root, steps, 1);
        return Invalid();
      }
      diagnostics_->Emit(Kind::kMemberOfFact,
                         steps[1]->kind == ExprKind::kMember ? steps[1]->word : steps[1]->operands[1].range, {full});
      return Invalid();
    }
    return Field(field, expr.range);
  }
  for (const abi::FamilyInfo& family : abi::Families()) {
    if (family.name != full) continue;
    const bool is_json = family.type.base == BaseType::kJson;
    if (steps.size() == 1) {
      diagnostics_->Emit(Kind::kWhichMember, expr.range,
                         {full, !is_json                 ? "[\"X-Name\"]"
                                : full == "request.json" ? ".model"
                                                         : ".error.code"});
      return Invalid();
    }
    std::vector<std::string> keys;
    for (size_t i = 1; i < steps.size(); ++i) {
      if (steps[i]->kind == ExprKind::kMember) {
        keys.push_back(steps[i]->text);
        if (is_json) continue;
        const uint32_t end_of_before = i > 1 ? steps[i - 1]->range.end : full_range.end;
        diagnostics_->Emit(Kind::kNameInBrackets, steps[i]->word, {full, steps[i]->text})
            .Change({end_of_before, steps[i]->word.end}, "[\"" + steps[i]->text + "\"]")
            .Unsafe();
        return Invalid();
      }
      const ast::Expr& key = steps[i]->operands[1];
      const Value value = Check(key);
      if (!value.ok()) return Invalid();
      if (!IsLiteral(value.expr) || value.expr.type.base != BaseType::kString) {
        diagnostics_->Emit(value.expr.type.base == BaseType::kInt ? Kind::kArrayElement : Kind::kKeyNotText, key.range);
        return Invalid();
      }
      keys.push_back(value.expr.literal.text);
    }
    if (!is_json && steps.size() > 2) {
      diagnostics_->Emit(Kind::kMemberOfElement,
                         steps[2]->kind == ExprKind::kMember ? steps[2]->word : steps[2]->operands[1].range, {full});
      return Invalid();
    }
    const bool is_header =
        family.id == abi::FamilyId::k_request_header || family.id == abi::FamilyId::k_response_header;
    if (is_header && !IsToken(keys[0])) {
      diagnostics_->Emit(Kind::kBadHeaderName, steps[1]->operands[1].range, {keys[0]});
      return Invalid();
    }
    if (!Read(family.phase, full, full_range)) return Invalid();
    Value value;
    value.expr.kind = model::ExprKind::kSlot;
    value.expr.type = family.type;
    value.expr.family = family.id;
    value.expr.slot = 0;
    if (place_.policy == nullptr) return value;
    model::Slots& slots = place_.policy->slots;
    switch (family.id) {
      case abi::FamilyId::k_request_header: value.expr.slot = Intern(&slots.request_headers, Lower(keys[0])); break;
      case abi::FamilyId::k_response_header: value.expr.slot = Intern(&slots.response_headers, Lower(keys[0])); break;
      case abi::FamilyId::k_request_query: value.expr.slot = Intern(&slots.request_queries, keys[0]); break;
      case abi::FamilyId::k_request_json:
        value.expr.slot = Intern(&slots.request_json, keys);
        place_.policy->reads_request_body = true;
        break;
      case abi::FamilyId::k_response_json: value.expr.slot = Intern(&slots.response_json, keys); break;
      case abi::FamilyId::k_chunk_json: value.expr.slot = Intern(&slots.chunk_json, keys); break;
    }
    return value;
  }
  if (name == "request" && (steps[0]->text == "model" || steps[0]->text == "stream" || steps[0]->text == "messages" || steps[0]->text == "prompt")) {
    const std::string meant = "request.json." + steps[0]->text;
    diagnostics_->Emit(Kind::kMemberOfBody, steps[0]->word, {name, steps[0]->text, meant})
        .Change({root->range.begin, steps[0]->word.end}, meant);
    return Invalid();
  }
  if (const auto foreign = ForeignFactOf(name, steps[0]->text)) {
    auto& diagnostic = diagnostics_->Emit(
        Kind::kUnknownMember, steps[0]->word,
        {name, steps[0]->text,
         foreign->meant.empty() ? std::string(foreign->help)
                                : diagnostics::DidYouMean(name + "." + std::string(foreign->meant))});
    if (!foreign->meant.empty()) diagnostic.Replace(std::string(foreign->meant));
    return Invalid();
  }
  std::vector<std::string_view> members;
  const auto add = [&](std::string_view candidate) {
    if (candidate.starts_with(name + ".")) members.push_back(candidate.substr(name.size() + 1));
  };
  for (const abi::FieldInfo& field : abi::Fields()) add(field.name);
  for (const abi::FamilyInfo& family : abi::Families()) add(family.name);
  std::string all;
  for (std::string_view member : members) all += (all.empty() ? "it has " : ", ") + std::string(member);
  auto& diagnostic = diagnostics_->Emit(Kind::kUnknownMember, steps[0]->word,
                                        {name, steps[0]->text, OneOf(steps[0]->text, members, all)});
  OfferNearest(&diagnostic, steps[0]->text, members);
  return Invalid();
}

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
  if (std::find(std::begin(kNotHonouredFunctions), std::end(kNotHonouredFunctions), name) !=
      std::end(kNotHonouredFunctions)) {
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
