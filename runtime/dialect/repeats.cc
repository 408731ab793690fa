#include "runtime/dialect/repeats.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

namespace runtime::dialect {
namespace {

using Json = nlohmann::json;

// Present, and neither null nor empty: SDKs send what is not set as one of these.
bool IsGiven(const Json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || member->is_null()) return false;
  return !(member->is_structured() || member->is_string()) || !member->empty();
}

// Tools that the client runs itself; all others run at the server while it answers: web_search, code_interpreter, mcp …
bool RunsAtClient(const Json& tool) {
  const auto type = tool.is_object() ? tool.find("type") : tool.end();
  if (!tool.is_object() || type == tool.end() || !type->is_string()) return false;
  for (const std::string_view known : {"function", "custom"}) {
    if (type->get_ref<const std::string&>() == known) return true;
  }
  return false;
}

bool IsKeptAtServer(const Json& body) {
  if (IsGiven(body, "conversation")) return true;
  const auto background = body.find("background");
  if (background != body.end() && !background->is_null() && *background != false) return true;
  const auto tools = body.find("tools");
  if (tools == body.end() || tools->is_null()) return false;
  return !tools->is_array() || !std::all_of(tools->begin(), tools->end(), RunsAtClient);
}

}  // namespace

bool MayRepeat(compiler::model::Repeats repeats, std::string_view body) {
  using compiler::model::Repeats;
  if (repeats == Repeats::kNever) return false;
  if (repeats == Repeats::kAlways) return true;
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return false;
  return repeats == Repeats::kUnlessTools ? !IsGiven(json, "mcp_servers") : !IsKeptAtServer(json);
}

}  // namespace runtime::dialect
