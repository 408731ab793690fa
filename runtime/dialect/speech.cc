// Which dialect speaks how, and what their files share.
#include "runtime/dialect/speech.h"

namespace runtime::dialect {

const Speech& SpeechOf(Api api) {
  switch (api) {
    case Api::kPlain: break;
#define DIALECT(enumerator, path, Family, stream_shape, streams_by_default) \
  case Api::enumerator: return Family##Speech();
#include "runtime/dialect/dialects.def"
#undef DIALECT
  }
  return OllamaSpeech();
}

bool IsSomething(const simdjson::dom::element& value) {
  using simdjson::dom::element_type;
  switch (value.type()) {
    case element_type::NULL_VALUE: return false;
    case element_type::BOOL: return bool(value);
    case element_type::STRING: return !std::string_view(value).empty();
    case element_type::ARRAY: return simdjson::dom::array(value).size() > 0;
    case element_type::OBJECT: return simdjson::dom::object(value).size() > 0;
    default: return true;
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
