// LiteLLM's config.yaml to a policy: what it calls a model is a route, each deployment an upstream that gets its own model's name,
// and fallbacks are further upstreams. The gateway passes requests on as they are: a provider whose API is not that of OpenAI, and
// everything else that has no place, is a problem with its line, and none of it is guessed.
#pragma once

#include <yaml-cpp/yaml.h>

#include "compiler/migrate/migrate.h"

namespace compiler::migrate {

// Whether the root of a document is LiteLLM's: it has a `model_list`.
bool IsLiteLlm(const YAML::Node& document);

// The policy is not formatted yet; empty, with a problem, if there is nothing that could be passed to anybody.
Migration MigrateLiteLlm(const YAML::Node& document);

}  // namespace compiler::migrate
