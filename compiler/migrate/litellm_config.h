// What a config.yaml of LiteLLM says, as far as a policy can: between the reading of YAML (litellm.cc) and the writing of the policy
// (litellm_policy.cc). Plain data; times are as the language writes them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/migrate/migrate.h"

namespace compiler::migrate {

// One server with one model: an upstream.
struct LiteLlmDeployment {
  std::string name;                                          // of the model, as clients call it
  int line = 0;
  int order = 0;                                             // the smaller first
  std::string url;                                           // with its quotes, or env(…)
  std::vector<std::pair<std::string, std::string>> headers;  // their values as the policy writes them
  std::string patch;                                         // members of a JSON object: of each request
  std::optional<int> max_in_flight;
  std::optional<std::string> timeout;
  std::optional<std::string> first_token;
  bool retries = false;
};

// What clients call a model: a route.
struct LiteLlmModel {
  std::string name;
  int line = 0;
  std::vector<size_t> deployments;  // of LiteLlmConfig::deployments
  std::vector<std::string> aliases;
};

struct LiteLlmFallback {
  std::string model;
  int line = 0;
};

struct LiteLlmConfig {
  std::vector<LiteLlmDeployment> deployments;
  std::vector<LiteLlmModel> models;
  std::vector<LiteLlmModel> groups;  // aliases of several models
  std::map<std::string, std::vector<LiteLlmFallback>> fallbacks;  // by model
  std::optional<int> retries;
  std::optional<std::string> timeout;
  std::optional<std::string> stream_timeout;
  std::optional<int> allowed_fails;
  std::optional<std::string> cooldown;
  std::vector<Problem> problems;  // what has no place
  std::vector<Choice> choices;    // what was left unsaid
  bool is_broken = false;         // no policy can be made

  const LiteLlmModel* Find(const std::string& name) const {
    for (const LiteLlmModel& model : models) {
      if (model.name == name) return &model;
    }
    return nullptr;
  }
  LiteLlmModel* Find(const std::string& name) { return const_cast<LiteLlmModel*>(std::as_const(*this).Find(name)); }
};

}  // namespace compiler::migrate
