// See settings.h. Everything here is made from settings.def.
#include "examples/flaky_ollama/settings.h"

#include <cmath>

namespace examples::flaky_ollama {
namespace {

std::string Shown(double value) {
  return value == std::floor(value) && std::fabs(value) < 1e15 ? std::to_string(static_cast<int64_t>(value))
                                                               : nlohmann::json(value).dump();
}

const SettingInfo* Find(std::string_view name) {
  for (const SettingInfo& info : AllSettings()) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

}  // namespace

const std::vector<SettingInfo>& AllSettings() {
  static const std::vector<SettingInfo> all = {
#define SETTING(type, member, default_value, least, most, doc) \
  {#member, static_cast<double>(default_value), least, most, std::is_same_v<type, Count>, doc},
#include "examples/flaky_ollama/settings.def"
#undef SETTING
  };
  return all;
}

std::string Set(std::string_view name, double value, Settings* settings) {
  const SettingInfo* info = Find(name);
  if (info == nullptr) return "there is no setting '" + std::string(name) + "'; GET /control shows all of them";
  if (!(value >= info->least && value <= info->most)) {  // also refuses NaN
    return std::string(name) + " = " + Shown(value) + " is outside " + Shown(info->least) + " to " + Shown(info->most);
  }
  if (info->is_count && value != std::floor(value)) {
    return std::string(name) + " = " + Shown(value) + " must be a whole number";
  }
#define SETTING(type, member, default_value, least, most, doc) \
  if (name == #member) settings->member = static_cast<type>(value);
#include "examples/flaky_ollama/settings.def"
#undef SETTING
  return "";
}

std::string Merge(const nlohmann::json& changes, Settings* settings) {
  if (!changes.is_object()) return "the body must be a JSON object, such as {\"oom_rate\": 0.1}";
  Settings merged = *settings;
  for (const auto& [name, value] : changes.items()) {
    if (Find(name) != nullptr && !value.is_number()) return name + " must be a number";
    std::string problem = Set(name, value.is_number() ? value.get<double>() : 0, &merged);
    if (!problem.empty()) return problem;
  }
  std::string problem = Validate(merged);
  if (problem.empty()) *settings = merged;
  return problem;
}

std::string Validate(const Settings& settings) {
  const double sum = settings.oom_rate + settings.busy_rate + settings.reset_rate + settings.cut_rate +
                     settings.hang_rate + settings.stream_error_rate + settings.truncate_rate;
  if (sum > 1.0 + 1e-9) return "the rates add up to " + Shown(sum) + "; together they can be 1 at most";
  return "";
}

nlohmann::ordered_json ToJson(const Settings& settings) {
  nlohmann::ordered_json json;
#define SETTING(type, member, default_value, least, most, doc) json[#member] = settings.member;
#include "examples/flaky_ollama/settings.def"
#undef SETTING
  return json;
}

}  // namespace examples::flaky_ollama
