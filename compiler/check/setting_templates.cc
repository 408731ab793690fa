// The settings of SettingReader that are text with values in it: keys, headers, bodies, merge patches.
#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "compiler/check/setting_reader.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/model/print.h"

namespace compiler::check {

using expr::IsLiteral;

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;

namespace {

bool IsConstant(const model::Template& text) {
  return std::all_of(text.parts.begin(), text.parts.end(),
                     [](const auto& part) { return std::holds_alternative<std::string>(part); });
}

model::Body BodyOf(model::BodyKind kind, model::Template text) {
  model::Body body{kind, {}, {}};
  if (!IsConstant(text)) body.values = std::move(text);
  else if (!text.parts.empty()) body.text = std::get<std::string>(text.parts[0]);
  return body;
}

}  // namespace

// RFC 9110 5.5: what a field value may hold. Line ends would begin another header.
bool SettingReader::IsHeaderText(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F); });
}

std::optional<model::HashOf> SettingReader::HashAt(const ast::Expr& call, std::string_view leak) {
  model::HashOf hash;
  for (const ast::Argument& argument : call.arguments) {
    if (argument.name) {
      diagnostics_->Emit(Kind::kHashArgument, argument.name->range, {argument.name->text});
      return std::nullopt;
    }
    auto value = expressions_->CheckValue(*argument.value, Place());
    if (!value) return std::nullopt;
    if (value->type.base == BaseType::kSecret) {
      diagnostics_->Emit(Kind::kSecretLeak, argument.value->range, {leak.empty() ? "a hash" : leak});
      return std::nullopt;
    }
    if (value->type.base == BaseType::kNone) {
      Mismatch(*argument.value, "values", "none", "remove it");
      return std::nullopt;
    }
    hash.values.push_back(std::move(*value));
  }
  if (hash.values.empty()) {
    diagnostics_->Emit(Kind::kHashOfNothing, call.range);
    return std::nullopt;
  }
  return hash;
}

std::optional<model::Template> SettingReader::TemplateAt(const ast::Expr& at, model::TextPlace place,
                                                         std::string_view leak) {
  model::Template result;
  result.place = place;
  std::string text;
  const auto flush = [&] {
    if (!text.empty()) result.parts.emplace_back(std::move(text));
    text.clear();
  };
  const auto add = [&](const ast::Expr& part) {
    if (part.kind == ExprKind::kCall && part.operands[0].kind == ExprKind::kName && part.operands[0].text == "hash") {
      auto hash = HashAt(part, leak);
      if (!hash) return false;
      flush();
      result.parts.emplace_back(std::move(*hash));
      return true;
    }
    auto found = expressions_->CheckValue(part, Place());
    if (!found) return false;
    const BaseType type = found->type.base;
    if (type == BaseType::kSecret && !leak.empty()) {
      diagnostics_->Emit(Kind::kSecretLeak, part.range, {leak});
      return false;
    }
    if (type == BaseType::kNone) {
      Mismatch(part, "text", "none", "remove it");
      return false;
    }
    if (type == BaseType::kSecret) result.is_secret = true;
    if (IsLiteral(*found)) {
      const std::string constant =
          type == BaseType::kString || type == BaseType::kSecret ? found->literal.text : model::Print(*found);
      if (place == model::TextPlace::kJsonString) base::AppendJsonEscaped(constant, &text);
      else text += constant;
      return true;
    }
    flush();
    result.parts.emplace_back(std::move(*found));
    return true;
  };
  const bool is_json = at.kind == ExprKind::kJson && place == model::TextPlace::kJsonString;
  if (at.kind == ExprKind::kString || is_json) {
    for (const ast::StringPart& part : at.parts) {
      if (!part.value) text += part.text;
      else if (!add(*part.value)) return std::nullopt;
    }
    if (is_json && at.parts.empty()) text = at.text;
  } else if (at.kind == ExprKind::kList || at.kind == ExprKind::kJson) {
    Mismatch(at, "a String", at.kind == ExprKind::kList ? "a list" : "JSON", "write it in double quotes");
    return std::nullopt;
  } else if (at.kind == ExprKind::kNumber) {
    Mismatch(at, "a String", "a number", "write it in double quotes: \"" + at.text + "\"");
    return std::nullopt;
  } else if (!add(at)) {
    return std::nullopt;
  }
  flush();
  return result;
}

void SettingReader::AddHeader(std::vector<model::HeaderSetting>& out, std::string_view leak) {
  const auto header_name = HeaderNameAt(*setting_->key);
  auto text = TemplateAt(value(), model::TextPlace::kHeader, leak);
  if (!header_name || !text) return;
  for (const model::Template::Part& part : text->parts) {
    const auto* literal = std::get_if<std::string>(&part);
    if (literal != nullptr && !IsHeaderText(*literal)) {
      diagnostics_->Emit(Kind::kHeaderLineEnd, value().range, {*header_name});
      return;
    }
  }
  out.push_back({*header_name, std::move(*text)});
}

void SettingReader::ReadHeader(std::vector<model::HeaderSetting>& out) { AddHeader(out, ""); }
void SettingReader::ReadAnswerHeader(std::vector<model::HeaderSetting>& out) { AddHeader(out, "a client"); }

void SettingReader::ReadToken(std::optional<model::Template>& out) {
  auto token = TemplateAt(value(), model::TextPlace::kText, "");
  if (!token) return;
  const bool is_empty = token->parts.empty();
  if (!is_empty && IsConstant(*token)) {
    out = std::move(*token);
    return;
  }
  if (is_empty && expressions_->used_stand_in()) return;
  diagnostics_->Emit(Kind::kNeedsSecret, value().range, {name()});
}

void SettingReader::ReadKey(model::Template& out) {
  auto key = TemplateAt(value(), model::TextPlace::kKey, "the key of a cache");
  if (key) out = std::move(*key);
}

std::optional<model::Template> SettingReader::JsonAt(const ast::Expr& at, std::string_view help) {
  if (at.kind == ExprKind::kError) return std::nullopt;
  if (at.kind != ExprKind::kJson) {
    Mismatch(at, "a JSON object", at.kind == ExprKind::kString ? "a String" : "this", help);
    return std::nullopt;
  }
  return TemplateAt(at, model::TextPlace::kJsonString, "a body");
}

void SettingReader::ReadJsonBody(model::Body& out) {
  auto text = JsonAt(value(), "write `json { … }`, or use `text = \"…\"` for plain text");
  if (text) out = BodyOf(model::BodyKind::kJson, std::move(*text));
}

void SettingReader::ReadTextBody(model::Body& out) {
  auto text = TemplateAt(value(), model::TextPlace::kText, "a client");
  if (text) out = BodyOf(model::BodyKind::kText, std::move(*text));
}

void SettingReader::ReadPatch(model::Template& out) {
  std::optional<model::Template> patch;
  ReadMergePatch(patch);
  if (patch) out = std::move(*patch);
}

void SettingReader::ReadMergePatch(std::optional<model::Template>& out) {
  auto patch = JsonAt(value(), "write for example `json { \"model\": \"qwen3:8b\" }`");
  if (patch) out = std::move(patch);
}

}  // namespace compiler::check
