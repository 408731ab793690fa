// PL04: what answers when no upstream can, and what is kept of answers.
#include <algorithm>
#include <cctype>
#include <set>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/outcomes.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

bool SaysFallback(std::string_view text) {
  // As the name of a JSON member: "is_fallback": true.
  return text.find("fallback\":") != std::string_view::npos;
}

bool HasMark(const model::ReplySettings& reply) {
  for (const model::HeaderSetting& header : reply.headers) {
    std::string name = header.name;
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    if (name.find("fallback") != std::string::npos) return true;
  }
  if (SaysFallback(reply.body.text)) return true;
  if (!reply.body.values) return false;
  return std::any_of(reply.body.values->parts.begin(), reply.body.values->parts.end(), [](const auto& part) {
    const auto* text = std::get_if<std::string>(&part);
    return text != nullptr && SaysFallback(*text);
  });
}

bool HasHeader(const model::ReplySettings& reply, std::string_view lower) {
  return std::any_of(reply.headers.begin(), reply.headers.end(), [&](const model::HeaderSetting& header) {
    return std::equal(header.name.begin(), header.name.end(), lower.begin(), lower.end(),
                      [](unsigned char a, char b) { return std::tolower(a) == b; });
  });
}

// A member behind the last one of a JSON object.
void AddMember(const Context& context, Diagnostic* diagnostic, SourceRange object, const std::string& member) {
  const std::string_view text = context.origins.text;
  uint32_t at = object.end - 1;
  while (at > object.begin &&
         (text[at - 1] == ' ' || text[at - 1] == '\n' || text[at - 1] == '\r' || text[at - 1] == '\t'))
    --at;
  const bool is_empty = text[at - 1] == '{';
  const size_t line_begin = text.rfind('\n', at - 1) + 1;
  const size_t first = text.find_first_not_of(" \t", line_begin);
  const bool on_own_line = text.find('\n', at) < object.end;
  std::string added = is_empty      ? " "
                      : on_own_line ? ",\n" + std::string(text.substr(line_begin, first - line_begin))
                                    : ", ";
  added += member;
  if (is_empty) added += " ";
  diagnostic->Change({at, at}, added);
}

}  // namespace

void CheckFallbacksUsed(Context& context) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    const model::SettingOrigin* fallback = context.OriginOf(id).Setting("fallback");
    if (fallback == nullptr || context.routes_to[id].empty()) continue;
    const bool is_used = std::any_of(context.routes_to[id].begin(), context.routes_to[id].end(), [&](RouteId route) {
      return context.Route(route).to[0] == id && context.OriginOf(route).Setting("fallback") == nullptr;
    });
    if (is_used) continue;
    const RouteId route = context.routes_to[id][0];
    const bool is_first = context.Route(route).to[0] == id;
    context.diagnostics
        ->Emit(Kind::kFallbackNeverUsed, fallback->name_range,
               {context.Upstream(id).name, is_first ? "has its own" : "takes that of its first upstream"})
        .At(context.OriginOf(route).name, is_first ? "this route has its own" : "here it is not the first")
        .Change(fallback->statement, "");
  }
}

void CheckCachesStore(Context& context) {
  for (size_t i = 0; i < context.policy.caches.size(); ++i) {
    const model::CacheId id(static_cast<int32_t>(i));
    const auto lines = context.Lines(context.origins.caches[id], "store", context.policy.caches[id].store_when);
    for (const Context::Line& line : lines) {
      // What can be stored at all: an upstream's own complete answer with a status of success.
      const auto statuses = TellingStatuses(*line.expr, 200, 299);
      const bool can_hold = std::any_of(statuses.begin(), statuses.end(), [&](int status) {
        Known known = AtStatus(status);
        known.Set(abi::FieldId::k_first_token, 0, kMost).Set(abi::FieldId::k_is_fallback, 0, 0);
        known.Set(abi::FieldId::k_empty_answer, 0, 0)
            .Set(abi::FieldId::k_prompt_too_long, 0, 0);  // neither is ever stored
        return Evaluate(*line.expr, known) != Truth::kNever;
      });
      if (can_hold) continue;
      context.diagnostics->Emit(Kind::kStoresNothing, line.origin->predicate, {context.policy.caches[id].name})
          .Change(line.origin->statement, "");
    }
  }
}

void CheckFallbackReplies(Context& context) {
  std::set<int32_t> seen;
  for (const model::RouteSettings& route : context.policy.routes) {
    for (const model::FallbackRef& step : route.fallback) {
      const auto* id = std::get_if<model::ReplyId>(&step);
      if (id == nullptr || !seen.insert(id->value).second) continue;
      const model::ReplySettings& reply = context.policy.replies[*id];
      const BlockOrigin& block = context.origins.replies[*id];
      if (reply.status < 300 && !HasMark(reply)) {
        Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kUnmarkedFallback, context.At(block, "status"),
                                                           {reply.name, std::to_string(reply.status)});
        if (const model::SettingOrigin* body = block.Setting("body"))
          AddMember(context, &diagnostic, body->value, "\"is_fallback\": true");
        else context.Add(diagnostic, block, "header[\"X-Fallback\"] = \"" + reply.name + "\"");
      } else if (reply.status >= 400 && reply.status < 500 && reply.status != 408 && reply.status != 425 &&
                 reply.status != 429) {
        context.diagnostics
            ->Emit(Kind::kFallbackBlames, context.At(block, "status"), {reply.name, std::to_string(reply.status)})
            .Replace("503")
            .Unsafe();
      } else if ((reply.status >= 500 || reply.status == 429) && !HasHeader(reply, "retry-after")) {
        Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kNoRetryAfter, context.At(block, "status"),
                                                           {reply.name, std::to_string(reply.status)});
        context.Add(diagnostic, block, "header[\"Retry-After\"] = \"30\"");
      }
    }
  }
}

// The gateway gives a fallback the shape that the client reads; a type that was written stays what it is.
void CheckFallbackTypes(Context& context) {
  std::set<int32_t> seen;
  for (const model::RouteSettings& route : context.policy.routes) {
    for (const model::FallbackRef& step : route.fallback) {
      const auto* id = std::get_if<model::ReplyId>(&step);
      if (id == nullptr || !seen.insert(id->value).second) continue;
      const model::ReplySettings& reply = context.policy.replies[*id];
      const BlockOrigin& block = context.origins.replies[*id];
      // An answer that is an error is read as such before anybody looks for a stream.
      if (reply.status >= 300 || reply.body.kind == model::BodyKind::kNone) continue;
      // Where both are written, the header is what is sent.
      const model::SettingOrigin* type = context.HeaderOf(block, "content-type");
      std::string written(type == nullptr ? "" : context.origins.TextOf(type->value));
      std::erase(written, '"');
      if (type == nullptr) type = block.Setting("content_type");
      if (type == nullptr) continue;
      context.diagnostics
          ->Emit(Kind::kFallbackType, type->value, {reply.name, written.empty() ? *reply.content_type : written})
          .Change(type->statement, "")
          .Unsafe();
    }
  }
}

}  // namespace compiler::analysis
