// Which paths belong to the APIs of model servers, and at which path an upstream is asked.
#pragma once

#include <string>
#include <string_view>

#include "compiler/model/settings.h"

namespace compiler::model {

// Whether asking at an end point twice does no harm; the values are explained in model_paths.def.
enum class Repeats : uint8_t { kNever, kAlways, kUnlessTools, kUnlessKept };

// Whether a path ends as an end point does: "/api/chat", "/openai/deployments/x/chat/completions".
bool IsEndPoint(std::string_view path);

// Whether a base is where an API begins whose version it names itself, or has none: /api/v3 (Volcengine), /api/paas/v4 (Z.ai), /v1beta/openai
// (Gemini), /openai/deployments/NAME (Azure). The version of the request's path is not said once more behind it.
bool NamesVersion(std::string_view base);

// The path at which an upstream is asked for `path`: the request's own, with the base of the url in front (what both of them say,
// as "/v1", stands there once, as does a version: "/api/v3" and "/v1/models" are "/api/v3/models"), or the end point that the url names.
std::string PathAt(const Url& url, std::string_view path);

// What stands in front of the whole segments that both paths end with: "/v1" and "/api/v3" for "/v1/models" and "/api/v3/models".
struct Bases {
  std::string_view of_client;
  std::string_view of_upstream;
};
Bases BasesOf(std::string_view path, std::string_view path_at_upstream);

// Whether a POST for `path` may be sent to the upstream twice, as far as paths tell: exact paths behind the base only. Reading an
// answer by how a path ends is wider than this.
Repeats RepeatsAt(const Url& url, std::string_view path);

}  // namespace compiler::model
