// Templates to text. What a value is written as is part of every cache key, so it must never depend on locale or time.
#include "compiler/model/template.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <span>
#include <string_view>
#include <system_error>
#include <vector>

#include "compiler/abi/fact_table.h"
#include "base/digest.h"
#include "base/json_text.h"
#include "compiler/model/value.h"

namespace compiler::model {
namespace {

using abi::BaseType;
using abi::JsonKind;

template <typename T>
void AppendNumber(T number, std::string* out) {
  char buffer[32];  // the shortest form of a double takes at most 24 characters
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), number);
  if (error == std::errc()) out->append(buffer, end);
}

void AppendJson(const abi::JsonValue& json, std::string* out) {
  switch (json.kind) {
    case JsonKind::kAbsent:
    case JsonKind::kNull: break;
    case JsonKind::kBool: out->append(json.integer != 0 ? "true" : "false"); break;
    // As it was written, where it came from a text: no digit of a large one is lost, and 1.0 stays no integer.
    case JsonKind::kInteger:
      if (json.text.has_value()) out->append(json.text.view());
      else AppendNumber(json.integer, out);
      break;
    case JsonKind::kNumber:
      if (json.text.has_value()) out->append(json.text.view());
      else AppendNumber(json.number, out);
      break;
    case JsonKind::kString:
      out->push_back('"');
      base::AppendJsonEscaped(json.text.view(), out);
      out->push_back('"');
      break;
    case JsonKind::kArray:
    case JsonKind::kObject: out->append(json.text.view()); break;
  }
}

void AppendDuration(int64_t nanoseconds, std::string* out) {
  constexpr int64_t kNanosecondsPerMillisecond = 1'000'000;
  if (nanoseconds % kNanosecondsPerMillisecond == 0) {
    AppendNumber(nanoseconds / kNanosecondsPerMillisecond, out);
  } else {
    AppendNumber(static_cast<double>(nanoseconds) / kNanosecondsPerMillisecond, out);
  }
}

void AppendValue(const Value& value, std::string* out) {
  if (!value.present) return;
  switch (value.base) {
    case BaseType::kBool: out->append(value.integer != 0 ? "true" : "false"); break;
    case BaseType::kInt:
    case BaseType::kSize:
    case BaseType::kStatus: AppendNumber(value.integer, out); break;
    case BaseType::kDuration: AppendDuration(value.integer, out); break;
    case BaseType::kNumber: AppendNumber(value.number, out); break;
    case BaseType::kPercent:
      AppendNumber(value.number * 100, out);
      out->push_back('%');
      break;
    case BaseType::kString:
    case BaseType::kSecret: out->append(value.text); break;
    case BaseType::kMethod: out->append(abi::Name(static_cast<abi::Method>(value.integer))); break;
    case BaseType::kError: out->append(abi::Name(static_cast<abi::ErrorKind>(value.integer))); break;
    case BaseType::kJson: AppendJson(value.json, out); break;
    case BaseType::kNone:
    case BaseType::kInvalid: break;
  }
}

// As AppendValue, but a JSON string without its quotes.
void AppendPlain(const Value& value, std::string* out) {
  const bool is_json_string = value.present && value.base == BaseType::kJson && value.json.kind == JsonKind::kString;
  if (is_json_string) out->append(value.json.text.view());
  else AppendValue(value, out);
}

void AppendPart(const Value& value, TextPlace place, std::string* out) {
  if (place == TextPlace::kKey) return AppendValue(value, out);
  std::string text;
  AppendPlain(value, &text);
  switch (place) {
    case TextPlace::kKey:
    case TextPlace::kText: break;
    case TextPlace::kHeader:
      std::replace_if(
          text.begin(), text.end(), [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7F; }, ' ');
      break;
    case TextPlace::kJsonString: return base::AppendJsonEscaped(text, out);
  }
  out->append(text);
}

// What a client may say differently without asking anything else: an answer's shape, and how long the model stays loaded.
constexpr std::string_view kNotOfTheQuestion[] = {"stream", "keep_alive"};

// Type, length and text of each value, so that no two lists of values are written alike.
std::string Digest(const HashOf& hash, const abi::Facts& facts) {
  std::string all;
  for (const Expr& expr : hash.values) {
    const Value value = Evaluate(expr, facts);
    std::string text;
    AppendValue(value, &text);
    const bool is_body = expr.kind == ExprKind::kField && expr.field == abi::FieldId::k_request_body;
    const bool is_json = value.base == BaseType::kJson;
    if (is_body || is_json) {
      const auto canonical =
          base::CanonicalJson(text, is_body ? std::span(kNotOfTheQuestion) : std::span<const std::string_view>());
      if (canonical) text = *canonical;
    }
    all.append(value.present ? abi::Name(value.base) : "none").append(" ");
    AppendNumber(text.size(), &all);
    all.append(":").append(text);
  }
  constexpr size_t kDigits = 32;
  return base::Sha256Hex(all, kDigits);
}

}  // namespace

void Render(const Template& text, const abi::Facts& facts, std::string* out) {
  for (const Template::Part& part : text.parts) {
    if (const auto* constant = std::get_if<std::string>(&part)) out->append(*constant);
    else if (const auto* value = std::get_if<Expr>(&part)) AppendPart(Evaluate(*value, facts), text.place, out);
    else out->append(Digest(std::get<HashOf>(part), facts));
  }
}

namespace {

// Whether the text ends with a quote that opens a string: within a patch values stand in strings only, so one that is not escaped
// right in front of a value does.
bool EndsWithOpeningQuote(std::string_view text) {
  if (!text.ends_with('"')) return false;
  size_t slashes = 0;
  while (slashes + 1 < text.size() && text[text.size() - 2 - slashes] == '\\') ++slashes;
  return slashes % 2 == 0;
}

// Whether it begins with the quote that ends a string which is no name.
bool EndsString(std::string_view text) {
  if (!text.starts_with('"')) return false;
  const size_t next = text.find_first_not_of(" \t\r\n", 1);
  return next == std::string_view::npos || text[next] != ':';
}

// The value as JSON of its own type; false: it is absent.
bool AppendTyped(const Value& value, std::string* out) {
  if (!value.present) return false;
  switch (value.base) {
    case BaseType::kBool:
    case BaseType::kInt:
    case BaseType::kSize:
    case BaseType::kStatus:
    case BaseType::kDuration: AppendValue(value, out); return true;
    case BaseType::kNumber:
      if (!std::isfinite(value.number)) return false;  // JSON has no way to write it
      AppendValue(value, out);
      return true;
    case BaseType::kJson:
      if (value.json.kind == JsonKind::kAbsent) return false;
      if (value.json.kind == JsonKind::kNumber && !value.json.text.has_value() && !std::isfinite(value.json.number)) return false;
      if (value.json.kind == JsonKind::kNull) out->append("null");
      else AppendJson(value.json, out);
      return true;
    default: break;
  }
  std::string text;
  AppendPlain(value, &text);
  out->push_back('"');
  base::AppendJsonEscaped(text, out);
  out->push_back('"');
  return true;
}

// The JSON without the values that begin at `absent` (ascending): members go with their names.
std::string WithoutValues(std::string_view json, const std::vector<size_t>& absent) {
  using Token = base::JsonReader::Token;
  base::JsonReader reader(json);
  std::string out;
  std::vector<bool> is_first = {true};
  std::string name;  // of the member whose value comes next
  for (Token token = reader.Next(); token != Token::kEnd; token = reader.Next()) {
    if (token == Token::kProblem) return std::string(json);  // whoever reads it says so
    if (token == Token::kName) {
      name = std::string(reader.text()) + ":";
      continue;
    }
    if (token == Token::kObjectEnd || token == Token::kArrayEnd) {
      is_first.pop_back();
      out.append(reader.text());
      continue;
    }
    if (std::binary_search(absent.begin(), absent.end(), reader.begin())) {
      name.clear();
      continue;
    }
    if (!is_first.back()) out.push_back(',');
    is_first.back() = false;
    out.append(name).append(reader.text());
    name.clear();
    if (token == Token::kObject || token == Token::kArray) is_first.push_back(true);
  }
  return out;
}

}  // namespace

void RenderPatch(const Template& patch, const abi::Facts& facts, std::string* out) {
  std::string json;
  std::vector<size_t> absent;
  bool skips_quote = false;
  for (size_t i = 0; i < patch.parts.size(); ++i) {
    const auto* constant = std::get_if<std::string>(&patch.parts[i]);
    if (constant != nullptr) {
      json.append(skips_quote ? constant->substr(1) : *constant);
      skips_quote = false;
      continue;
    }
    const auto* value = std::get_if<Expr>(&patch.parts[i]);
    const auto* before = i > 0 ? std::get_if<std::string>(&patch.parts[i - 1]) : nullptr;
    const auto* behind = i + 1 < patch.parts.size() ? std::get_if<std::string>(&patch.parts[i + 1]) : nullptr;
    const bool is_alone = value != nullptr && before != nullptr && behind != nullptr && EndsWithOpeningQuote(*before) && EndsString(*behind);
    if (!is_alone) {
      if (value != nullptr) AppendPart(Evaluate(*value, facts), patch.place, &json);
      else json.append(Digest(std::get<HashOf>(patch.parts[i]), facts));
      continue;
    }
    json.pop_back();  // its quote
    const size_t begin = json.size();
    if (!AppendTyped(Evaluate(*value, facts), &json)) {
      absent.push_back(begin);
      json.append("null");
    }
    skips_quote = true;
  }
  out->append(absent.empty() ? json : WithoutValues(json, absent));
}

Body Resolve(const Body& body, const abi::Facts& facts) {
  if (!body.values) return body;
  Body resolved{body.kind, {}, {}};
  Render(*body.values, facts, &resolved.text);
  return resolved;
}

}  // namespace compiler::model
