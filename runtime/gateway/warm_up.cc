#include "runtime/gateway/warm_up.h"

#include <algorithm>
#include <optional>
#include <variant>

#include <nlohmann/json.hpp>

namespace runtime::gateway {
namespace {

using compiler::model::UpstreamId;
using compiler::model::UpstreamSettings;

// The model that a patch writes into every body; nothing where it depends on the request.
std::optional<std::string> ModelOf(const compiler::model::Template& patch) {
  std::string text;
  for (const auto& part : patch.parts) {
    const auto* constant = std::get_if<std::string>(&part);
    if (constant == nullptr) return std::nullopt;
    text += *constant;
  }
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("model") || !json["model"].is_string()) return std::nullopt;
  return json["model"].get<std::string>();
}

bool IsSameServer(const compiler::model::Url& one, const compiler::model::Url& other) {
  return one.host == other.host && one.port == other.port && one.unix_path == other.unix_path;
}

}  // namespace

std::vector<ColdModel> ColdModels(const proxy::GatewayState& next, const proxy::GatewayState& before,
                                  base::TimePoint now) {
  std::vector<ColdModel> cold;
  const auto& upstreams = next.policy().upstreams;
  const auto& old_upstreams = before.policy().upstreams;
  for (size_t i = 0; i < upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const UpstreamSettings& upstream = upstreams[id];
    if (!upstream.cold_load || next.objects.is_drained(id)) continue;
    std::vector<std::string> models;
    const auto add = [&](const std::string& model) {
      if (std::find(models.begin(), models.end(), model) == models.end()) models.push_back(model);
    };
    if (upstream.rewrite) {
      if (const auto model = ModelOf(*upstream.rewrite)) add(*model);
    }
    for (const auto& conditional : upstream.rewrites) {
      if (const auto model = ModelOf(conditional.patch)) add(*model);
    }
    const engine::ModelLoads* known = nullptr;  // of the same server
    for (size_t j = 0; j < old_upstreams.size(); ++j) {
      const UpstreamId old_id(static_cast<int32_t>(j));
      const engine::ModelLoads* const loads = before.objects.loads(old_id);
      if (old_upstreams[old_id].name != upstream.name || loads == nullptr) continue;
      if (IsSameServer(old_upstreams[old_id].url, upstream.url)) {
        known = loads;
      } else {
        for (const std::string& model : loads->Warm(now)) add(model);
      }
    }
    for (std::string& model : models) {
      const bool is_cold =
          known == nullptr ? next.objects.loads(id)->WouldWait(model, now) : known->WouldWait(model, now);
      if (is_cold) cold.push_back({id, std::move(model)});
    }
  }
  return cold;
}

}  // namespace runtime::gateway
