// What is wrong with a server and what is sent to it: two APIs in one `to`, one server twice, the gateway itself, secrets in clear text,
// rewrites that take away what was asked.
#include <algorithm>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/known_names.h"
#include "compiler/analysis/region.h"
#include "compiler/analysis/requests.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/model/setting_words.h"

namespace compiler::analysis {
namespace {

using abi::FamilyId;
using abi::FieldId;
using model::UpstreamDialect;

// Whether a server of that API has the path; nullopt for a path of which that is not known.
std::optional<bool> Has(UpstreamDialect dialect, std::string_view path) {
  const bool is_ollama = path.starts_with("/api/");
  const bool is_messages = path == "/v1/messages" || path.starts_with("/v1/messages/");
  const bool is_responses = path == "/v1/responses" || path.starts_with("/v1/responses/");
  const bool is_openai = path.starts_with("/v1/") && !is_messages && !is_responses;
  if (!is_ollama && !is_messages && !is_responses && !is_openai) return std::nullopt;
  switch (dialect) {
    case UpstreamDialect::kOllama: return true;  // it speaks those of OpenAI and Anthropic as well
    case UpstreamDialect::kOpenAi: return is_openai || is_responses;
    case UpstreamDialect::kAnthropic: return is_messages;
    case UpstreamDialect::kResponses: return is_responses;
    case UpstreamDialect::kAuto: break;
  }
  return std::nullopt;
}

constexpr std::string_view kTypicalPaths[] = {"/api/chat", "/v1/chat/completions", "/v1/messages", "/v1/responses"};

// Whether the route takes a path that one of the two has and the other has not.
bool TellsApart(const Region& taken, UpstreamDialect a, UpstreamDialect b) {
  const auto differs = [&](std::string_view path) {
    const auto first = Has(a, path);
    const auto second = Has(b, path);
    return first && second && *first != *second;
  };
  return std::any_of(taken.cells().begin(), taken.cells().end(), [&](const Cell& cell) {
    const TextSet paths = cell.Of(Subject::Of(FieldId::k_request_path)).text;
    if (paths.only) return std::any_of(paths.only->begin(), paths.only->end(), differs);
    return std::any_of(std::begin(kTypicalPaths), std::end(kTypicalPaths),
                       [&](std::string_view path) { return paths.Contains(path) && differs(path); });
  });
}

void ForEachUpstream(const Context& context,
                     const std::function<void(UpstreamId, const model::UpstreamSettings&)>& look) {
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    look(id, context.Upstream(id));
  }
}

bool IsOfThisMachine(const std::string& host) {
  const auto address = base::ParseIp(host);
  return Lower(host) == "localhost" ||
         (address && (address->ToString() == "::1" || address->ToString() == "::" ||
                      address->ToString().starts_with("127.") || address->ToString() == "0.0.0.0"));
}

bool IsAll(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

// Whether a connection to the upstream's address arrives at one that the gateway listens on.
bool ArrivesAt(const model::Url& url, const model::ListenAddress& listens) {
  if (url.port != listens.port || !url.unix_path.empty() || listens.port == 0) return false;
  if (Lower(url.host) == Lower(listens.host)) return true;
  return IsOfThisMachine(url.host) &&
         (IsAll(listens.host) ||
          (IsOfThisMachine(listens.host) &&
           (Lower(url.host) == "localhost" || Lower(listens.host) == "localhost" || IsAll(url.host))));
}

// A member of a JSON object and its value as written; "" for a value that is not constant.
struct Member {
  std::string name;
  std::string value;
};

// The members at the top of an object. What stands deeper is in their values.
std::vector<Member> MembersOf(const std::string& text) {
  std::vector<Member> members;
  int depth = 0;
  size_t name_begin = std::string::npos;
  size_t value_begin = std::string::npos;
  const auto end_value = [&](size_t at) {
    if (value_begin == std::string::npos || members.empty()) return;
    std::string value = text.substr(value_begin, at - value_begin);
    value.erase(0, value.find_first_not_of(" \t\r\n"));
    value.erase(value.find_last_not_of(" \t\r\n") + 1);
    members.back().value = value;
    value_begin = std::string::npos;
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const size_t begin = i;
      for (++i; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\';
      if (depth == 1 && value_begin == std::string::npos) {
        name_begin = begin + 1;
        members.push_back({text.substr(name_begin, i - name_begin), ""});
      }
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 1) end_value(i);
      --depth;
    } else if (c == ':' && depth == 1 && value_begin == std::string::npos) {
      value_begin = i + 1;
    } else if (c == ',' && depth == 1) {
      end_value(i);
    }
  }
  return members;
}

// With what stands deeper as well.
std::vector<Member> AllMembersOf(const std::string& text) {
  std::vector<Member> all;
  for (const Member& member : MembersOf(text)) {
    all.push_back(member);
    if (!member.value.starts_with('{')) continue;
    for (Member& inner : AllMembersOf(member.value)) all.push_back(std::move(inner));
  }
  return all;
}

// One patch of an upstream: what is written as `rewrite = …`, or in a block with a condition.
struct Patch {
  std::string text;  // a value that is not constant is \x01
  const model::SettingOrigin* written;
  SourceRange statement;
  const model::Expr* when;  // null: every request
};

std::string TextOf(const model::Template& patch) {
  std::string text;
  for (const model::Template::Part& part : patch.parts) {
    const auto* constant = std::get_if<std::string>(&part);
    text += constant != nullptr ? *constant : "\x01";
  }
  return text;
}

std::vector<Patch> PatchesOf(const Context& context, UpstreamId id) {
  const model::UpstreamSettings& upstream = context.Upstream(id);
  const BlockOrigin& block = context.OriginOf(id);
  std::vector<Patch> patches;
  if (const model::SettingOrigin* written = block.Setting("rewrite"); written != nullptr && upstream.rewrite)
    patches.push_back({TextOf(*upstream.rewrite), written, written->statement, nullptr});
  auto conditional = upstream.rewrites.begin();
  for (const BlockOrigin& inner : block.blocks) {
    if (inner.kind != "rewrite" || conditional == upstream.rewrites.end()) continue;
    const model::ConditionalRewrite& rewrite = *conditional++;
    if (const model::SettingOrigin* written = inner.Setting("patch"))
      patches.push_back({TextOf(rewrite.patch), written, inner.whole, &context.policy.predicates[rewrite.when].expr});
  }
  return patches;
}

bool IsText(const std::string& json) {
  return json.size() > 2 && json.front() == '"' && json.find('\x01') == std::string::npos;
}

// Whether each request that is sent there, and fulfils the condition, has `stream` with that value.
bool AlwaysStreams(const Context& context, UpstreamId id, const model::Expr* when, bool wanted) {
  const auto& slots = context.policy.slots.request_json;
  const auto stream = std::find(slots.begin(), slots.end(), std::vector<std::string>{"stream"});
  if (stream == slots.end()) return false;
  const Subject subject = Subject::Of(FamilyId::k_request_json, static_cast<int32_t>(stream - slots.begin()));
  return std::all_of(context.routes_to[id].begin(), context.routes_to[id].end(), [&](RouteId route) {
    const Region taken = when == nullptr ? RegionOf(context, route) : RegionOf(context, route).And(Region::Of(*when));
    return std::all_of(taken.cells().begin(), taken.cells().end(), [&](const Cell& cell) {
      const Domain asked = cell.Of(subject);
      return asked.flag.Contains(wanted ? 1 : 0) && !asked.flag.Contains(wanted ? 0 : 1);
    });
  });
}

// env(…) of a value becomes secret(…); one in a `let` is read elsewhere, too.
void OfferSecret(const Context& context, const model::SettingOrigin& written, Diagnostic& diagnostic) {
  for (const model::WordOrigin& word : written.words) {
    if (context.origins.TextOf(word.range) != "env") continue;
    diagnostic.Change(word.range, "secret").Unsafe();
    return;
  }
}

}  // namespace

void CheckDialects(Context& context) {
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const std::vector<UpstreamId>& to = context.Route(id).to;
    for (size_t n = 1; n < to.size(); ++n) {
      const model::UpstreamSettings& a = context.Upstream(to[0]);
      const model::UpstreamSettings& b = context.Upstream(to[n]);
      if (a.dialect == b.dialect || !TellsApart(RegionOf(context, id), a.dialect, b.dialect)) continue;
      context.diagnostics
          ->Emit(Kind::kTwoApis, context.At(context.OriginOf(id), "to"),
                 {a.name, model::WordOf(a.dialect), b.name, model::WordOf(b.dialect)})
          .At(context.At(context.OriginOf(to[n]), "dialect"), "the other API");
      break;
    }
  }
}

void CheckRewrites(Context& context) {
  ForEachUpstream(context, [&](UpstreamId id, const model::UpstreamSettings& upstream) {
    for (const Patch& patch : PatchesOf(context, id)) {
      for (const Member& member : MembersOf(patch.text)) {
        const bool is_constant = member.value.find('\x01') == std::string::npos;
        const bool is_flag = member.value == "true" || member.value == "false";
        if (member.name == "stream" && is_constant &&
            !(is_flag && AlwaysStreams(context, id, patch.when, member.value == "true")))
          context.diagnostics->Emit(Kind::kRewritesStream, patch.written->value, {member.value, upstream.name})
              .Change(patch.statement, "")
              .Unsafe();
        // An empty name is no model, and no token is no answer.
        const bool is_no_model = member.name == "model" && member.value == "\"\"";
        constexpr std::string_view kLengths[] = {"max_tokens", "max_completion_tokens", "max_output_tokens"};
        const bool is_no_answer = member.value == "0" && std::find(std::begin(kLengths), std::end(kLengths),
                                                                   member.name) != std::end(kLengths);
        if (is_no_model || is_no_answer)
          context.diagnostics->Emit(
              Kind::kRewritesQuestion, patch.written->value,
              {member.name, upstream.name, is_no_model ? "no name of a model" : "a request for no answer"});
        if (!IsQuestion(member.name) || !is_constant) continue;
        const bool is_gone = member.value == "null";
        context.diagnostics
            ->Emit(Kind::kRewritesQuestion, patch.written->value,
                   {member.name, upstream.name, is_gone ? "a request without it" : "always the same"})
            .Change(patch.statement, "")
            .Unsafe();
      }
    }
  });
}

// What is put into none of the requests that come there.
void CheckRewritesReached(Context& context) {
  ForEachUpstream(context, [&](UpstreamId id, const model::UpstreamSettings& upstream) {
    auto conditional = upstream.rewrites.begin();
    for (const BlockOrigin& inner : context.OriginOf(id).blocks) {
      if (inner.kind != "rewrite" || conditional == upstream.rewrites.end()) continue;
      const abi::PredicateId when = (conditional++)->when;
      for (const Context::Line& line : context.Lines(inner, "", when)) {
        const auto& routes = context.routes_to[id];
        const Region wanted = Region::Of(*line.expr);
        const bool comes = std::any_of(routes.begin(), routes.end(),
                                       [&](RouteId route) { return !wanted.And(RegionOf(context, route)).empty(); });
        if (comes || routes.empty() || context.WasTold(Kind::kNeverEqual, line.origin->predicate)) continue;
        context.diagnostics->Emit(Kind::kWhenNeverHolds, line.origin->predicate).Change(inner.whole, "").Unsafe();
      }
    }
  });
}

namespace {

// A base of /v1 is where OpenAI's paths begin anyway.
std::string_view BaseOf(const model::Url& url) {
  const std::string_view path = url.path == "/" ? std::string_view() : std::string_view(url.path);
  return url.is_base && path.ends_with("/v1") ? path.substr(0, path.size() - 3) : path;
}

}  // namespace

void CheckSameServers(Context& context) {
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const std::vector<UpstreamId>& to = context.Route(RouteId(static_cast<int32_t>(i))).to;
    for (size_t n = 1; n < to.size(); ++n) {
      for (size_t m = 0; m < n; ++m) {
        const model::UpstreamSettings& first = context.Upstream(to[m]);
        const model::UpstreamSettings& second = context.Upstream(to[n]);
        const bool is_same = Lower(first.url.host) == Lower(second.url.host) && first.url.port == second.url.port &&
                             BaseOf(first.url) == BaseOf(second.url) && first.url.unix_path == second.url.unix_path &&
                             first.url.is_tls == second.url.is_tls;
        // Another model, or another account, is another thing to ask for.
        const bool is_other = first.rewrite.has_value() != second.rewrite.has_value() || first.rewrite ||
                              !first.rewrites.empty() || !second.rewrites.empty() || !first.headers.empty() ||
                              !second.headers.empty();
        if (!is_same || is_other || to[m] == to[n]) continue;
        context.diagnostics
            ->Emit(Kind::kSameServer, context.At(context.OriginOf(to[n]), "url"), {second.name, first.name})
            .At(context.At(context.OriginOf(to[m]), "url"), "the same server");
      }
    }
  }
}

void CheckLoops(Context& context) {
  ForEachUpstream(context, [&](UpstreamId id, const model::UpstreamSettings& upstream) {
    const auto tell = [&](const model::ListenAddress& address, const char* setting) {
      if (!ArrivesAt(upstream.url, address)) return false;
      context.diagnostics->Emit(Kind::kLoop, context.At(context.OriginOf(id), "url"),
                                {upstream.url.text, std::string(setting) + " " + address.ToString()});
      return true;
    };
    for (const model::ListenAddress& address : context.policy.gateway.listen) {
      if (tell(address, "listen")) return;
    }
    for (const model::ListenAddress& address : context.policy.gateway.listen_tls) {
      if (tell(address, "listen")) return;
    }
    if (context.policy.gateway.admin) tell(*context.policy.gateway.admin, "admin");
  });
}

void CheckSecretsInClear(Context& context) {
  ForEachUpstream(context, [&](UpstreamId id, const model::UpstreamSettings& upstream) {
    if (upstream.url.is_tls || !upstream.url.unix_path.empty() || IsPrivateHost(upstream.url.host)) return;
    const bool has_secret =
        std::any_of(upstream.headers.begin(), upstream.headers.end(), [](const model::HeaderSetting& header) {
          return header.value.is_secret || IsCredentialHeader(Lower(header.name));
        });
    if (!has_secret) return;
    context.diagnostics->Emit(Kind::kSecretInClear, context.At(context.OriginOf(id), "url"),
                              {upstream.name, upstream.url.text});
  });
}

// What a file may not hold, in whatever it is sent.
void CheckKeysInTexts(Context& context) {
  ForEachUpstream(context, [&](UpstreamId id, const model::UpstreamSettings& upstream) {
    for (const Patch& patch : PatchesOf(context, id)) {
      for (const Member& member : AllMembersOf(patch.text)) {
        if (!IsText(member.value)) continue;
        const std::string_view text = std::string_view(member.value).substr(1, member.value.size() - 2);
        const std::string_view kind = KindOfKey(text);
        if (kind.empty() && !NamesCredential(member.name)) continue;
        const SourceRange at = patch.written->value;
        context.diagnostics->Emit(Kind::kKeyInText, at, {kind.empty() ? "`" + member.name + "`" : std::string(kind)})
            .Conceal(at);
      }
    }
    auto header = upstream.headers.begin();
    for (const model::SettingOrigin& written : context.OriginOf(id).settings) {
      if (written.name != "header") continue;
      const model::HeaderSetting& sent = *header++;
      if (IsCredentialHeader(Lower(sent.name)) || sent.value.is_secret || sent.value.parts.size() != 1) continue;
      const auto* text = std::get_if<std::string>(&sent.value.parts[0]);
      if (text == nullptr || !context.Variables(written).empty()) continue;
      const std::string_view kind = KindOfKey(*text);
      if (kind.empty() && !NamesCredential(sent.name)) continue;
      if (kind.empty() && text->size() < 16) continue;
      context.diagnostics
          ->Emit(Kind::kKeyInText, written.value, {kind.empty() ? "`" + sent.name + "`" : std::string(kind)})
          .Conceal(written.value);
    }
  });
}

// env() is for what everybody may see: `explain` prints it.
void CheckSecretsShown(Context& context) {
  ForEachUpstream(context, [&](UpstreamId id, const model::UpstreamSettings& upstream) {
    auto header = upstream.headers.begin();
    for (const model::SettingOrigin& written : context.OriginOf(id).settings) {
      const bool is_header = written.name == "header";
      const std::string name = is_header ? Lower((header++)->name) : "";
      if (!is_header && written.name != "rewrite") continue;
      for (const std::string& variable : context.Variables(written)) {
        if (!IsCredentialHeader(name) && !NamesCredential(name) && !NamesCredential(variable)) continue;
        Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kSecretInHeader, written.value, {variable});
        if (is_header) OfferSecret(context, written, diagnostic);
        break;
      }
    }
    for (const Patch& patch : PatchesOf(context, id)) {
      if (patch.when == nullptr) continue;
      for (const std::string& variable : context.Variables(*patch.written)) {
        if (!NamesCredential(variable)) continue;
        context.diagnostics->Emit(Kind::kSecretInBody, patch.written->value, {variable});
        break;
      }
    }
  });
  for (size_t i = 0; i < context.policy.replies.size(); ++i) {
    const model::ReplyId id(static_cast<int32_t>(i));
    if (!context.origins.replies.Has(id)) continue;  // the policy got it by itself
    const model::ReplySettings& reply = context.policy.replies[id];
    const BlockOrigin& block = context.origins.replies[id];
    for (const model::SettingOrigin& written : block.settings) {
      for (const std::string& variable : context.Variables(written)) {
        if (!NamesCredential(variable)) continue;
        context.diagnostics->Emit(Kind::kSecretInReply, written.value, {variable, reply.name});
        break;
      }
    }
    const auto reads_credential = [&](const model::Template& value) {
      return std::any_of(value.parts.begin(), value.parts.end(), [&](const model::Template::Part& part) {
        const auto* expr = std::get_if<model::Expr>(&part);
        const auto reads = [&](const auto& self, const model::Expr& e) -> bool {
          if (e.kind == model::ExprKind::kSlot && e.family == FamilyId::k_request_header &&
              IsCredentialHeader(context.policy.slots.request_headers[static_cast<size_t>(e.slot)]))
            return true;
          return std::any_of(e.operands.begin(), e.operands.end(), [&](const model::Expr& o) { return self(self, o); });
        };
        return expr != nullptr && reads(reads, *expr);
      });
    };
    const auto tell = [&](SourceRange at) { context.diagnostics->Emit(Kind::kCredentialsInReply, at, {reply.name}); };
    if (reply.body.values && reads_credential(*reply.body.values))
      tell(context.At(block, block.Setting("body") != nullptr ? "body" : "text"));
    for (const model::HeaderSetting& header : reply.headers) {
      const model::SettingOrigin* written = context.HeaderOf(block, Lower(header.name));
      if (reads_credential(header.value)) tell(written == nullptr ? block.name : written->value);
    }
  }
}

// A header that is set and taken out.
void CheckUndone(Context& context) {
  ForEachUpstream(context, [&](UpstreamId id, const model::UpstreamSettings& upstream) {
    for (const model::HeaderSetting& header : upstream.headers) {
      const std::string name = Lower(header.name);
      if (std::find(upstream.remove_headers.begin(), upstream.remove_headers.end(), name) ==
          upstream.remove_headers.end())
        continue;
      const SourceRange at = context.At(context.OriginOf(id), "remove_header");
      context.diagnostics->Emit(Kind::kSetAndRemoved, at, {header.name});
    }
  });
  const model::ClientLimits& limits = context.policy.gateway.limits;
  const BlockOrigin* block = context.origins.gateway.Block("limits");
  const auto within_head = [&](const char* name, int64_t size) {
    if (block == nullptr || block->Setting(name) == nullptr || size <= limits.header_bytes) return;
    context.diagnostics->Emit(Kind::kLineAboveHead, block->Setting(name)->value, {name});
  };
  within_head("header_line", limits.header_line);
  within_head("uri", limits.uri);
  context.ForEachLine([&](const Context::Place&, const Context::Line& line) {
    const auto look = [&](const auto& self, const model::Expr& expr) -> void {
      for (size_t i = 0; i < expr.set.size(); ++i) {
        const model::SetMember& inner = expr.set[i];
        if (inner.low.type != abi::BaseType::kStatus || inner.low.integer != inner.high) continue;
        for (const model::SetMember& outer : expr.set) {
          if (outer.low.integer == outer.high || inner.high < outer.low.integer || inner.high > outer.high) continue;
          const std::string text = std::to_string(inner.high);
          const auto words = context.Find(line.origin->words, text);
          context.diagnostics->Emit(Kind::kSetCovered, words.empty() ? line.origin->predicate : words[0].range,
                                    {text, std::to_string(outer.low.integer / 100) + "xx"});
        }
      }
      for (const model::Expr& operand : expr.operands) self(self, operand);
    };
    look(look, *line.expr);
  });
}

}  // namespace compiler::analysis
