// simdjson's on-demand reader skips what is not asked for without recursion, and without minding numbers that fit no type of ours.
#include "runtime/dialect/members.h"

#include <simdjson.h>

#include "runtime/dialect/scratch.h"

namespace runtime::dialect {
namespace {

namespace ondemand = simdjson::ondemand;

bool ReadMember(std::string_view name, ondemand::value value, Members* members) {
  ondemand::json_type type;
  if (name == "stream") {
    members->stream.reset();
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    if (type != ondemand::json_type::boolean) return true;
    bool stream = false;
    if (value.get_bool().get(stream) != simdjson::SUCCESS) return false;
    members->stream = stream;
  } else if (name == "model") {
    members->model.clear();
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    if (type != ondemand::json_type::string) return true;
    std::string_view model;
    if (value.get_string().get(model) != simdjson::SUCCESS) return false;
    members->model = model;
  } else if (name == "done") {
    members->has_done = true;
  } else if (name == "error") {
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    members->has_error = type != ondemand::json_type::null;
  }
  return true;
}

std::optional<Members> Read(ondemand::parser* parser, simdjson::padded_string_view text) {
  ondemand::document document;
  if (parser->iterate(text).get(document) != simdjson::SUCCESS) return std::nullopt;
  ondemand::object object;
  Members members;
  if (const auto error = document.get_object().get(object); error != simdjson::SUCCESS) {
    return error == simdjson::INCORRECT_TYPE ? std::optional(members) : std::nullopt;
  }
  members.is_object = true;
  for (auto member : object) {
    ondemand::field field;
    std::string_view name;
    if (std::move(member).get(field) != simdjson::SUCCESS || field.unescaped_key().get(name) != simdjson::SUCCESS ||
        !ReadMember(name, field.value(), &members)) {
      return std::nullopt;
    }
  }
  const char* behind = nullptr;
  if (document.current_location().get(behind) != simdjson::OUT_OF_BOUNDS) return std::nullopt;  // something follows
  return members;
}

}  // namespace

std::optional<Members> ReadMembers(std::string_view text) {
  static thread_local Scratch<ondemand::parser> scratch;
  const simdjson::padded_string_view padded = scratch.Take(text);
  const auto members = Read(&scratch.parser, padded);
  scratch.GiveBack();
  return members;
}

}  // namespace runtime::dialect
