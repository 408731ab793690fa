#include "compiler/check/expr_checker.h"

#include <algorithm>
#include <utility>

#include "compiler/base/text.h"
#include "compiler/check/number.h"
#include "compiler/model/print.h"

namespace compiler::check {

using abi::BaseType;
using abi::Phase;
using ast::ExprKind;
using diagnostics::Kind;
using source::SourceRange;

namespace {

// Words of the language that stand for nothing in this version.
constexpr std::string_view kNotHonouredFunctions[] = {"failure_ratio", "slow_ratio", "latency", "consecutive_failures", "hash", "retry_after", "attempts"};

model::Expr Literal(BaseType type, int64_t integer, double number = 0, std::string text = "") {
  model::Expr expr;
  expr.kind = model::ExprKind::kLiteral;
  expr.type = {type, false};
  expr.literal = {type, integer, number, std::move(text)};
  return expr;
}

bool IsLiteral(const model::Expr& expr) { return expr.kind == model::ExprKind::kLiteral; }

std::string OneOf(std::string_view word, const std::vector<std::string_view>& candidates, std::string otherwise) {
  const auto nearest = base::Nearest(word, candidates);
  return nearest ? "did you mean `" + std::string(*nearest) + "`?" : otherwise;
}

void OfferNearest(diagnostics::Diagnostic* diagnostic, std::string_view word, const std::vector<std::string_view>& candidates) {
  if (const auto nearest = base::Nearest(word, candidates)) diagnostic->Replace(std::string(*nearest));
}

// RFC 9110 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

template <typename Key>
int32_t Intern(std::vector<Key>* keys, Key key) {
  const auto found = std::find(keys->begin(), keys->end(), key);
  if (found != keys->end()) return static_cast<int32_t>(found - keys->begin());
  keys->push_back(std::move(key));
  return static_cast<int32_t>(keys->size() - 1);
}

}  // namespace

std::string DescribeType(abi::Type type) {
  std::string text;
  switch (type.base) {
    case BaseType::kInt: text = "an Int"; break;
    case BaseType::kError: text = "an Error"; break;
    case BaseType::kJson: text = "a JSON value"; break;
    case BaseType::kSecret: text = "a secret"; break;
    case BaseType::kNone: return "none";
    default: text = "a " + std::string(abi::Name(type.base));
  }
  return text;
}

std::string DescribeValue(const model::Expr& expr) {
  if (IsLiteral(expr) && expr.type.base == BaseType::kString) return "the String \"" + expr.literal.text.substr(0, 40) + "\"";
  if (IsLiteral(expr) && (expr.type.base == BaseType::kInt || expr.type.base == BaseType::kDuration || expr.type.base == BaseType::kSize)) {
    return DescribeType(expr.type) + " (" + model::Print(expr) + ")";
  }
  return DescribeType(expr.type);
}

std::optional<model::Expr> ExprChecker::CheckPredicate(const ast::Expr& expr, const ExprPlace& place) {
  place_ = place;
  nodes_ = 0;
  too_large_ = false;
  Value value = Check(expr);
  if (!IsBool(expr, value)) return std::nullopt;
  return std::move(value.expr);
}

std::optional<model::Expr> ExprChecker::CheckValue(const ast::Expr& expr, const ExprPlace& place) {
  place_ = place;
  nodes_ = 0;
  too_large_ = false;
  used_stand_in_ = false;
  Value value = Check(expr);
  if (value.is_group()) {
    diagnostics_->Emit(Kind::kIsAGroup, expr.range, {value.group_name});
    return std::nullopt;
  }
  if (!value.ok()) return std::nullopt;
  return std::move(value.expr);
}

void ExprChecker::CheckLets() {
  for (auto& [name, entity] : scope_->entities()) {
    if (entity.kind != EntityKind::kLet || entity.state != LetState::kUnchecked) continue;
    ast::Expr use;
    use.kind = ExprKind::kName;
    use.text = name;
    use.range = entity.range;
    const bool used = entity.used;
    place_ = {};
    nodes_ = 0;
    too_large_ = false;
    CheckLet(use, &entity);
    entity.used = used;
  }
}

bool ExprChecker::Spend(SourceRange range) {
  if (too_large_) return false;
  if (++nodes_ <= kMaxPredicateNodes) return true;
  too_large_ = true;
  diagnostics_->Emit(Kind::kPredicateTooLarge, range, {std::to_string(kMaxPredicateNodes)});
  return false;
}

bool ExprChecker::IsBool(const ast::Expr& expr, const Value& value) {
  if (value.is_group()) {
    diagnostics_->Emit(Kind::kNotABool, expr.range, {"`" + value.group_name + "`, which stands for several values", "say what is in it: `… in " + value.group_name + "`"});
    return false;
  }
  if (!value.ok()) return false;
  if (value.expr.type == abi::Type{BaseType::kBool, false}) return true;
  std::string help = "compare it with something";
  if (value.expr.type.base == BaseType::kStatus || value.expr.type.base == BaseType::kInt) help = "compare it: `status in 5xx`, `attempt > 1`";
  if (value.expr.type.base == BaseType::kJson) help = "compare it: `… == true`";
  if (value.expr.type.base == BaseType::kError) help = "say which one: `error == refused`, or `error != none`";
  if (value.expr.type.optional && value.expr.type.base == BaseType::kString) help = "compare it: `… == \"text\"`, or `… != none` for whether it is there";
  diagnostics_->Emit(Kind::kNotABool, expr.range, {DescribeValue(value.expr), help});
  return false;
}

ExprChecker::Value ExprChecker::Check(const ast::Expr& expr) {
  if (!Spend(expr.range)) return Invalid();
  switch (expr.kind) {
    case ExprKind::kError: return Invalid();
    case ExprKind::kNumber: return CheckNumber(expr);
    case ExprKind::kString: return CheckString(expr);
    case ExprKind::kName: return CheckName(expr);
    case ExprKind::kMember:
    case ExprKind::kIndex: return CheckPath(expr);
    case ExprKind::kCall: return CheckCall(expr);
    case ExprKind::kNot:
    case ExprKind::kAnd:
    case ExprKind::kOr: return CheckLogic(expr);
    case ExprKind::kCompare: return CheckCompare(expr);
    case ExprKind::kIn: return CheckIn(expr);
    case ExprKind::kCoalesce: return CheckCoalesce(expr);
    case ExprKind::kList:
      diagnostics_->Emit(Kind::kNotAPath, expr.range, {"a list [ ] is no value of a condition", "a set is written with braces: `in {a, b}`"});
      return Invalid();
    case ExprKind::kSet:
      diagnostics_->Emit(Kind::kNotAPath, expr.range, {"a set stands only behind `in`", ""});
      return Invalid();
    case ExprKind::kJson:
      diagnostics_->Emit(Kind::kNotAPath, expr.range, {"json { } is a body, not a value of a condition", "compare a member of the body: `request.json.model == \"qwen3\"`"});
      return Invalid();
  }
  return Invalid();
}

ExprChecker::Value ExprChecker::CheckNumber(const ast::Expr& expr) {
  const Number number = ParseNumber(expr.text);
  switch (number.kind) {
    case NumberKind::kInt: return {Literal(BaseType::kInt, number.integer), {}, {}};
    case NumberKind::kDecimal: return {Literal(BaseType::kNumber, 0, number.value), {}, {}};
    case NumberKind::kDuration: return {Literal(BaseType::kDuration, number.integer), {}, {}};
    case NumberKind::kSize: return {Literal(BaseType::kSize, number.integer), {}, {}};
    case NumberKind::kPercent: return {Literal(BaseType::kPercent, 0, number.value), {}, {}};
    case NumberKind::kStatusClass: {
      Value value;
      value.expr.type = {BaseType::kStatus, false};
      value.group.push_back({Literal(BaseType::kStatus, number.integer * 100).literal, number.integer * 100 + 99});
      value.group_name = expr.text;
      return value;
    }
    case NumberKind::kRate: diagnostics_->Emit(Kind::kNotHonoured, expr.range, {expr.text, ""}); return Invalid();
    case NumberKind::kUnknownUnit: {
      auto& diagnostic = diagnostics_->Emit(Kind::kUnknownUnit, expr.range,
                                            {expr.text, "the units are ms s min h, B KiB MiB GiB, and %; classes of statuses are 1xx to 5xx"});
      if (!number.suggestion.empty()) diagnostic.Replace(number.suggestion);
      return Invalid();
    }
    case NumberKind::kMalformed: diagnostics_->Emit(Kind::kBadNumber, expr.range, {expr.text, "it has too many digits, or a fraction that its unit cannot hold"}); return Invalid();
  }
  return Invalid();
}

ExprChecker::Value ExprChecker::CheckString(const ast::Expr& expr) {
  std::string text;
  for (const ast::StringPart& part : expr.parts) {
    if (!part.value) {
      text += part.text;
      continue;
    }
    Value value = Check(*part.value);
    if (!value.ok() || value.is_group()) {
      if (value.is_group()) diagnostics_->Emit(Kind::kIsAGroup, part.value->range, {value.group_name});
      return Invalid();
    }
    if (!IsLiteral(value.expr) || value.expr.type.base != BaseType::kString) {
      diagnostics_->Emit(Kind::kNotAPath, part.value->range,
                         {"text that is put together when a request runs cannot stand here", "it may stand in the key of a cache and in a header of an upstream"});
      return Invalid();
    }
    text += value.expr.literal.text;
  }
  return {Literal(BaseType::kString, 0, 0, std::move(text)), {}, {}};
}

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
  if (const abi::Method method = abi::MethodOf(name); method != abi::Method::kOther) return {Literal(BaseType::kMethod, static_cast<int64_t>(method)), {}, {}};
  if (const abi::ErrorKind error = abi::ErrorKindOf(name); error != abi::ErrorKind::kNone) return {Literal(BaseType::kError, static_cast<int64_t>(error)), {}, {}};
  if (name == "timeout") {
    Value value;
    value.expr.type = {BaseType::kError, false};
    value.group_name = name;
#define ERROR_KIND(error_name, is_timeout, doc) \
  if (is_timeout) value.group.push_back({Literal(BaseType::kError, static_cast<int64_t>(abi::ErrorKind::k_##error_name)).literal, 0});
#include "compiler/abi/errors.def"
#undef ERROR_KIND
    return value;
  }
  if (entity != nullptr) {
    diagnostics_->Emit(Kind::kWrongKind, expr.range, {name, std::string(ArticleAndWord(entity->kind)), "a value", "text stands in double quotes"});
    return Invalid();
  }
  for (const abi::WindowMeasureInfo& info : abi::WindowMeasures()) {
    if (info.name != name) continue;
    diagnostics_->Emit(Kind::kNotAPath, expr.range, {"`" + name + "` needs a window", "write for example `" + name + "(60s)`"});
    return Invalid();
  }
  if (std::find(std::begin(kNotHonouredFunctions), std::end(kNotHonouredFunctions), name) != std::end(kNotHonouredFunctions)) {
    diagnostics_->Emit(Kind::kNotHonoured, expr.range, {name, ""});
    return Invalid();
  }
  if (name == "request" || name == "response" || name == "client" || name == "chunk") {
    diagnostics_->Emit(Kind::kNotAPath, expr.range, {"`" + name + "` has members; one of them is missing", "write for example `request.path` or `response.header[\"X\"]`"});
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
  if (scope_->LostALet() && !base::Nearest(name, candidates)) return Invalid();
  auto& diagnostic = diagnostics_->Emit(Kind::kUnknownName, expr.range, {name, OneOf(name, candidates, "text stands in double quotes")});
  OfferNearest(&diagnostic, name, candidates);
  return Invalid();
}

ExprChecker::Value ExprChecker::CheckLet(const ast::Expr& expr, Entity* entity) {
  entity->used = true;
  if (entity->state == LetState::kChecking) {
    std::string path;
    bool inside = false;
    for (const std::string& name : let_path_) {
      inside = inside || name == entity->name;
      if (inside) path += name + " → ";
    }
    diagnostics_->Emit(Kind::kCyclicLet, expr.range, {entity->name, path + entity->name}).At(entity->range, "it is defined here");
    return Invalid();
  }
  if (entity->state == LetState::kUnchecked) {
    if (let_path_.size() >= static_cast<size_t>(kMaxLetDepth)) {
      diagnostics_->Emit(Kind::kTooDeep, expr.range, {std::to_string(let_path_.size() + 1), std::to_string(kMaxLetDepth)});
      return Invalid();
    }
    const ExprPlace outer_place = place_;
    Entity* const outer_let = current_let_;
    const int outer_nodes = nodes_;
    const bool outer_large = too_large_;
    const bool outer_text = names_are_text_;
    std::vector<model::WindowMeasure> measures;
    place_ = {};
    place_.what = "a let";
    place_.measures = &measures;
    current_let_ = entity;
    nodes_ = 0;
    too_large_ = false;
    names_are_text_ = false;
    let_path_.push_back(entity->name);
    entity->state = LetState::kChecking;
    const Value value = Check(entity->let->value);
    entity->state = value.ok() && !value.is_group() ? LetState::kGood : LetState::kBad;
    if (value.is_group()) diagnostics_->Emit(Kind::kIsAGroup, entity->let->value.range, {value.group_name});
    let_path_.pop_back();
    place_ = outer_place;
    current_let_ = outer_let;
    nodes_ = outer_nodes;
    too_large_ = outer_large;
    names_are_text_ = outer_text;
  }
  if (entity->state == LetState::kBad) return Invalid();
  for (const LetRead& read : entity->reads) {
    if (current_let_ != nullptr) {
      current_let_->reads.push_back(read);
    } else if (place_.phase && !abi::IsReadable(read.phase, *place_.phase)) {
      ReportPhase(read.phase, read.name, expr.range);
      return Invalid();
    }
  }
  // Written out. What is wrong with it was said when it was checked by itself.
  diagnostics::Diagnostics muted;
  diagnostics::Diagnostics* const outer = std::exchange(diagnostics_, &muted);
  Entity* const outer_let = std::exchange(current_let_, nullptr);
  std::optional<Phase> phase = std::exchange(place_.phase, std::nullopt);
  const bool was_large = too_large_;
  Value value = Check(entity->let->value);
  place_.phase = phase;
  current_let_ = outer_let;
  diagnostics_ = outer;
  if (too_large_ && !was_large) diagnostics_->Emit(Kind::kPredicateTooLarge, expr.range, {std::to_string(kMaxPredicateNodes)});
  return value;
}

bool ExprChecker::Read(Phase phase, std::string_view name, SourceRange range) {
  if (current_let_ != nullptr) {
    current_let_->reads.push_back({phase, std::string(name)});
    return true;
  }
  if (!place_.phase || abi::IsReadable(phase, *place_.phase)) return true;
  return ReportPhase(phase, name, range);
}

bool ExprChecker::ReportPhase(Phase phase, std::string_view name, SourceRange range) {
  std::string_view help;
  switch (phase) {
    case Phase::kRoute: help = "`open when` and `close when` read counts such as failures(60s)"; break;
    case Phase::kAttempt:
      help = *place_.phase == Phase::kWindow ? "say with `failure when` what counts; `open when` and `close when` read counts such as failures(60s)"
                                             : "nothing was sent yet when this is decided; it can be read in `retry { when … }`, `failure when` and `store when`";
      break;
    case Phase::kStream: help = "it can be read in `failure when`"; break;
    case Phase::kAnswer: help = "it can be read in `store when`"; break;
    case Phase::kWindow: help = "counts are read in `open when` and `close when` of a breaker"; break;
  }
  diagnostics_->Emit(Kind::kPhase, range, {name, abi::Name(phase), place_.what, abi::Name(*place_.phase), help});
  return false;
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
    diagnostics_->Emit(Kind::kNotAPath, expr.range, {"this has no members", ""});
    return Invalid();
  }
  const std::string& name = root->text;
  if (name != "request" && name != "response" && name != "client" && name != "chunk") {
    if (Entity* entity = scope_->Find(name)) {
      entity->used = true;
      diagnostics_->Emit(Kind::kNotAPath, expr.range, {"`" + name + "` is " + std::string(ArticleAndWord(entity->kind)) + " and has no members", ""});
      return Invalid();
    }
    if (scope_->IsBroken(name)) return Invalid();
    const std::vector<std::string_view> roots = {"request", "response", "client"};
    for (const abi::FieldInfo& field : abi::Fields()) {
      if (field.name != name) continue;
      diagnostics_->Emit(Kind::kNotAPath, expr.range, {"`" + name + "` has no members", ""});
      return Invalid();
    }
    auto& diagnostic = diagnostics_->Emit(Kind::kUnknownName, root->range, {name, OneOf(name, roots, "members belong to `request`, `response` and `client`")});
    OfferNearest(&diagnostic, name, roots);
    return Invalid();
  }
  if (steps[0]->kind == ExprKind::kIndex) {
    diagnostics_->Emit(Kind::kNotAPath, steps[0]->range, {"`" + name + "` has members; one of them is missing", "write for example `request.header[\"X\"]`"});
    return Invalid();
  }
  const std::string full = name + "." + steps[0]->text;
  const SourceRange full_range = source::Join(root->range, steps[0]->word);
  if (full == "response.json" || name == "chunk") {
    diagnostics_->Emit(Kind::kNotHonoured, full_range, {full, ""});
    return Invalid();
  }
  for (const abi::FieldInfo& field : abi::Fields()) {
    if (field.name != full) continue;
    if (steps.size() > 1) {
      diagnostics_->Emit(Kind::kNotAPath, steps[1]->kind == ExprKind::kMember ? steps[1]->word : steps[1]->operands[1].range, {"`" + full + "` has no members", ""});
      return Invalid();
    }
    return Field(field, expr.range);
  }
  for (const abi::FamilyInfo& family : abi::Families()) {
    if (family.name != full) continue;
    if (steps.size() == 1) {
      const bool is_json = family.id == abi::FamilyId::k_request_json;
      diagnostics_->Emit(Kind::kNotAPath, expr.range, {"`" + full + "` needs to say which one", is_json ? "write for example `request.json.model`" : "write for example `" + full + "[\"X-Name\"]`"});
      return Invalid();
    }
    std::vector<std::string> keys;
    for (size_t i = 1; i < steps.size(); ++i) {
      if (steps[i]->kind == ExprKind::kMember) {
        keys.push_back(steps[i]->text);
        if (family.id == abi::FamilyId::k_request_json) continue;
        diagnostics_->Emit(Kind::kNotAPath, steps[i]->word, {"`" + full + "` takes its name in brackets", "write `" + full + "[\"" + steps[i]->text + "\"]`"});
        return Invalid();
      }
      const ast::Expr& key = steps[i]->operands[1];
      const Value value = Check(key);
      if (!value.ok()) return Invalid();
      if (!IsLiteral(value.expr) || value.expr.type.base != BaseType::kString) {
        diagnostics_->Emit(Kind::kNotAPath, key.range, {"a key is constant text", value.expr.type.base == BaseType::kInt ? "elements of arrays cannot be read" : "write it in double quotes"});
        return Invalid();
      }
      keys.push_back(value.expr.literal.text);
    }
    if (family.id != abi::FamilyId::k_request_json && steps.size() > 2) {
      diagnostics_->Emit(Kind::kNotAPath, steps[2]->kind == ExprKind::kMember ? steps[2]->word : steps[2]->operands[1].range, {"`" + full + "[…]` has no members", ""});
      return Invalid();
    }
    const bool is_header = family.id == abi::FamilyId::k_request_header || family.id == abi::FamilyId::k_response_header;
    if (is_header && !IsToken(keys[0])) {
      diagnostics_->Emit(Kind::kBadText, steps[1]->operands[1].range, {keys[0], "this cannot be the name of a header", "names hold letters, digits and `-`"});
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
    }
    return value;
  }
  std::vector<std::string_view> members;
  const auto add = [&](std::string_view candidate) {
    if (candidate.starts_with(name + ".")) members.push_back(candidate.substr(name.size() + 1));
  };
  for (const abi::FieldInfo& field : abi::Fields()) add(field.name);
  for (const abi::FamilyInfo& family : abi::Families()) add(family.name);
  std::string all;
  for (std::string_view member : members) all += (all.empty() ? "it has " : ", ") + std::string(member);
  auto& diagnostic = diagnostics_->Emit(Kind::kUnknownMember, steps[0]->word, {name, steps[0]->text, OneOf(steps[0]->text, members, all)});
  OfferNearest(&diagnostic, steps[0]->text, members);
  return Invalid();
}

ExprChecker::Value ExprChecker::CheckCall(const ast::Expr& expr) {
  const ast::Expr& callee = expr.operands[0];
  if (callee.kind != ExprKind::kName) {
    diagnostics_->Emit(Kind::kNotAPath, callee.range, {"this is no function", ""});
    return Invalid();
  }
  const std::string& name = callee.text;
  if (name == "env") return CheckEnv(expr);
  if (name == "secret") return CheckSecret(expr);
  for (const abi::WindowMeasureInfo& info : abi::WindowMeasures()) {
    if (info.name == name) return CheckWindow(expr, info);
  }
  if (std::find(std::begin(kNotHonouredFunctions), std::end(kNotHonouredFunctions), name) != std::end(kNotHonouredFunctions)) {
    diagnostics_->Emit(Kind::kNotHonoured, callee.range, {name, ""});
    return Invalid();
  }
  if (name == "exponential") {
    diagnostics_->Emit(Kind::kNotAPath, callee.range, {"`exponential` stands only in `wait`", ""});
    return Invalid();
  }
  std::vector<std::string_view> functions = {"env", "secret"};
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
  if (call.arguments.size() != 1 || call.arguments[0].name) {
    diagnostics_->Emit(Kind::kBadArguments, call.range, {"`" + std::string(info.name) + "` takes one window", "write for example `" + std::string(info.name) + "(60s)`"});
    return Invalid();
  }
  const ast::Expr& at = *call.arguments[0].value;
  const Value window = Check(at);
  if (!window.ok()) return Invalid();
  if (window.is_group() || !IsLiteral(window.expr) || window.expr.type.base != BaseType::kDuration) {
    if (IsLiteral(window.expr) && window.expr.type.base == BaseType::kInt) {
      const std::string digits = model::Print(window.expr);
      diagnostics_->Emit(Kind::kMissingUnit, at.range, {digits, "write `" + digits + "s` or `" + digits + "min`"});
    } else {
      diagnostics_->Emit(Kind::kBadArguments, at.range, {"a window is a constant Duration", "write for example `60s`"});
    }
    return Invalid();
  }
  constexpr int64_t kShortest = 1'000'000;
  constexpr int64_t kLongest = int64_t{24} * 3600 * 1'000'000'000;
  if (window.expr.literal.integer < kShortest || window.expr.literal.integer > kLongest) {
    diagnostics_->Emit(Kind::kWindowRange, at.range, {"a window of " + model::PrintDuration(window.expr.literal.integer) + " cannot be kept", "windows go from 1ms to 24h"});
    return Invalid();
  }
  Value value;
  value.expr.kind = model::ExprKind::kWindow;
  value.expr.type = info.type;
  value.expr.slot = 0;
  if (place_.measures != nullptr) {
    const model::Duration length(window.expr.literal.integer);
    auto& measures = *place_.measures;
    const auto found = std::find_if(measures.begin(), measures.end(), [&](const model::WindowMeasure& m) { return m.kind == info.kind && m.window == length; });
    value.expr.slot = static_cast<int32_t>(found - measures.begin());
    if (found == measures.end()) measures.push_back({info.kind, length, 1});
  }
  return value;
}

ExprChecker::Value ExprChecker::CheckEnv(const ast::Expr& call) {
  std::optional<std::string> name;
  std::optional<std::string> fallback;
  for (const ast::Argument& argument : call.arguments) {
    if (argument.name && argument.name->text != "default") {
      auto& diagnostic = diagnostics_->Emit(Kind::kUnknownArgument, argument.name->range, {"env", argument.name->text, "it has `default`"});
      if (base::EditDistance(argument.name->text, "default") <= 3) diagnostic.Replace("default");
      return Invalid();
    }
    const Value value = Check(*argument.value);
    if (!value.ok()) return Invalid();
    if (!IsLiteral(value.expr) || value.expr.type.base != BaseType::kString) {
      diagnostics_->Emit(Kind::kBadArguments, argument.value->range, {"`env` takes constant text", "write `env(\"NAME\", default: \"…\")`"});
      return Invalid();
    }
    (argument.name ? fallback : name) = value.expr.literal.text;
  }
  if (!name || name->empty() || call.arguments.size() > (fallback ? 2u : 1u)) {
    diagnostics_->Emit(Kind::kBadArguments, call.range, {"`env` takes the name of one variable", "write `env(\"NAME\", default: \"…\")`"});
    return Invalid();
  }
  if (const std::optional<std::string> set = options_.environment(*name)) return {Literal(BaseType::kString, 0, 0, *set), {}, {}};
  if (fallback) return {Literal(BaseType::kString, 0, 0, *fallback), {}, {}};
  if (options_.for_run) {
    diagnostics_->Emit(Kind::kVariableMissing, call.range, {*name, "set it, or give `env` a `default:`"});
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
    diagnostics_->Emit(Kind::kBadArguments, call.range, {"`secret` takes the name of one variable", "write `secret(\"API_KEY\")`"});
    return Invalid();
  }
  std::optional<std::string> text = options_.environment(*name);
  if (!text) text = options_.environment(*name + "_FILE") ? options_.secret_file(*options_.environment(*name + "_FILE")) : std::nullopt;
  if (!text && options_.for_run) {
    diagnostics_->Emit(Kind::kVariableMissing, call.range, {*name, "set it, or name a readable file that holds it in " + *name + "_FILE"});
    return Invalid();
  }
  if (!text) used_stand_in_ = true;
  return {Literal(BaseType::kSecret, 0, 0, text.value_or("stand-in")), {}, {}};
}

}  // namespace compiler::check
