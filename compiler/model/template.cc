// Templates to text. What a value is written as is part of every cache key, so it must never depend on locale or time.
#include "compiler/model/template.h"

#include <charconv>
#include <system_error>

#include "compiler/abi/fact_table.h"
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

// RFC 8259 7: quote, backslash and the control characters are escaped; all else stands as it is.
void AppendJsonString(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out->push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"': out->append("\\\""); break;
      case '\\': out->append("\\\\"); break;
      case '\n': out->append("\\n"); break;
      case '\r': out->append("\\r"); break;
      case '\t': out->append("\\t"); break;
      default:
        if (byte < 0x20) {
          out->append("\\u00");
          out->push_back(kHex[byte >> 4]);
          out->push_back(kHex[byte & 15]);
        } else {
          out->push_back(c);
        }
    }
  }
  out->push_back('"');
}

void AppendJson(const abi::JsonValue& json, std::string* out) {
  switch (json.kind) {
    case JsonKind::kAbsent:
    case JsonKind::kNull: break;
    case JsonKind::kBool: out->append(json.integer != 0 ? "true" : "false"); break;
    case JsonKind::kInteger: AppendNumber(json.integer, out); break;
    case JsonKind::kNumber: AppendNumber(json.number, out); break;
    case JsonKind::kString: AppendJsonString(json.text.view(), out); break;
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

}  // namespace

void Render(const Template& text, const abi::Facts& facts, std::string* out) {
  for (const Template::Part& part : text.parts) {
    if (const auto* constant = std::get_if<std::string>(&part)) {
      out->append(*constant);
    } else {
      AppendValue(Evaluate(std::get<Expr>(part), facts), out);
    }
  }
}

}  // namespace compiler::model
