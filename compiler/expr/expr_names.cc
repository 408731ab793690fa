// The names of ExprChecker: facts and their families, members, groups of errors.
#include <algorithm>
#include <utility>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_checker.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/expr_words.h"
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
  if (IsNotHonoured(name)) {
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

}  // namespace compiler::expr
