// What can be set, by flags and by POST /control. The list is settings.def.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace examples::flaky_ollama {

using Number = double;
using Count = int64_t;

struct Settings {
#define SETTING(type, member, default_value, least, most, doc) type member = static_cast<type>(default_value);
#include "examples/flaky_ollama/settings.def"
#undef SETTING
};

struct SettingInfo {
  std::string_view name;  // "time_scale"
  double default_value;
  double least;
  double most;
  bool is_count;
  std::string_view doc;
};
const std::vector<SettingInfo>& AllSettings();

// Sets one setting. Returns why not, or "".
std::string Set(std::string_view name, double value, Settings* settings);

// Sets every member of a JSON object, all or none of them. Returns why not, or "".
std::string Merge(const nlohmann::json& changes, Settings* settings);

// What no single value shows: rates that add up to more than 1. Returns what is wrong, or "".
std::string Validate(const Settings& settings);

nlohmann::ordered_json ToJson(const Settings& settings);

}  // namespace examples::flaky_ollama
