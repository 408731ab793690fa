// The policy that a LiteLlmConfig stands for.
#pragma once

#include "compiler/migrate/litellm_config.h"
#include "compiler/migrate/migrate.h"

namespace compiler::migrate {

// Not formatted yet; empty, with a problem, if there is nothing that could be passed to anybody.
Migration PolicyOf(LiteLlmConfig config);

// A text in JSON; what JSON has no plain form for is escaped. `${` stays text.
std::string JsonText(std::string_view text);

}  // namespace compiler::migrate
