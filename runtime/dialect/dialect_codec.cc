// Which dialect speaks how, and what their files share.
#include "runtime/dialect/dialect_codec.h"

#include "runtime/dialect/told_error.h"

namespace runtime::dialect {

const DialectCodec& CodecOf(Api api) {
  switch (api) {
    case Api::kPlain: break;
#define DIALECT(enumerator, path, Family, stream_shape, streams_by_default) \
  case Api::enumerator: return Family##Codec();
#include "runtime/dialect/dialects.def"
#undef DIALECT
  }
  return OllamaCodec();
}

bool IsSomething(const simdjson::dom::element& value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::NULL_VALUE: return false;
    case element_type::BOOL: return bool(value);
    case element_type::STRING: return !std::string_view(value).empty();
    case element_type::ARRAY:
      for (const simdjson::dom::element part : simdjson::dom::array(value)) {
        if (IsSomething(part)) return true;
      }
      return false;
    case element_type::OBJECT:  // a call without a name and arguments (Qwen) is none
      for (const auto [name, member] : simdjson::dom::object(value)) {
        if (IsSomething(member)) return true;
      }
      return false;
    case element_type::INT64: return int64_t(value) != 0;
    case element_type::UINT64: return uint64_t(value) != 0;
    case element_type::DOUBLE: return double(value) != 0;
    default: return true;
  }
}

bool TellsError(const simdjson::dom::element& value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::STRING: return !IsNoError(std::string_view(value));
    case element_type::INT64: return int64_t(value) != 0 && int64_t(value) != 200;
    case element_type::UINT64: return uint64_t(value) != 0;
    case element_type::DOUBLE: return double(value) != 0;
    case element_type::ARRAY:
      for (const simdjson::dom::element part : simdjson::dom::array(value)) {
        if (TellsError(part)) return true;
      }
      return false;
    case element_type::OBJECT:
      for (const auto [name, member] : simdjson::dom::object(value)) {
        if (TellsError(member)) return true;
      }
      return false;
    default: return IsSomething(value);
  }
}

std::string_view ReasonOf(const simdjson::dom::element& value) {
  simdjson::dom::element type;  // SGLang's own: {"type": "abort", "message": …}
  const bool is_object = value.is_object() && value["type"].get(type) == simdjson::SUCCESS;
  const std::string_view reason = TextOf(is_object ? type : value);
  return reason.empty() || IsNoReason(reason) ? std::string_view() : reason;
}

std::string_view OpenAiErrorType(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    default: return status >= 400 && status < 500 ? "invalid_request_error" : "server_error";
  }
}

bool AppendText(const std::string& name, const Json& value, Json* object) {
  Json& held = (*object)[name];
  if (value.is_null()) return held.is_null() || held.is_string();
  if (!value.is_string() || !(held.is_null() || held.is_string())) return false;
  held = held.is_null() ? value.get<std::string>() : held.get<std::string>().append(value.get<std::string>());
  return true;
}

}  // namespace runtime::dialect
