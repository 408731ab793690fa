// PL08: credentials that stand in the file.
#include <algorithm>
#include <string>
#include <string_view>
#include <variant>

#include "compiler/analysis/context.h"
#include "compiler/analysis/known_names.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

// What clients prove with who they are means nothing in an answer, so only what is sent to an upstream is looked at.
// Of RFC 9110 11.1, as they are mostly written. Another word before a blank may be a part of the credential.
constexpr std::string_view kSchemes[] = {"Bearer", "Basic", "Digest", "Token", "ApiKey"};

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") + 1 - begin);
}

// "" if it begins with none.
std::string_view SchemeOf(std::string_view value) {
  const std::string first = Lower(value.substr(0, value.find_first_of(" \t")));
  const auto* found = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                   [&](std::string_view scheme) { return Lower(scheme) == first; });
  return found == std::end(kSchemes) ? std::string_view() : *found;
}

// The whole value as it is sent, if it is the same for every request and known from the file alone; else "".
std::string ConstantOf(const Context& context, const model::Template& value, const model::SettingOrigin& written) {
  if (value.is_secret || !context.Find(written.words, "env").empty()) return {};
  std::string text;
  for (const model::Template::Part& part : value.parts) {
    const auto* constant = std::get_if<std::string>(&part);
    if (constant == nullptr) return {};
    text += *constant;
  }
  return text;
}

// Keeps the credential out of what is shown, and names the lets that it comes from.
void Conceal(const Context& context, Diagnostic* diagnostic, SourceRange value, const std::vector<WordOrigin>& words) {
  if (context.origins.TextOf(value).starts_with('"')) diagnostic->Conceal({value.begin + 1, value.end - 1});
  for (const WordOrigin& word : words) {
    const auto let = context.origins.lets.find(context.origins.TextOf(word.range));
    if (let == context.origins.lets.end()) continue;
    diagnostic->At(let->second.value, "it stands here");
    Conceal(context, diagnostic, let->second.value, let->second.words);
  }
}

// The token of admin actions: whoever has it may stop the gateway.
void CheckAdminToken(Context& context) {
  const model::SettingOrigin* written = context.origins.gateway.Setting("admin_token");
  const auto& token = context.policy.gateway.admin_token;
  if (written == nullptr || !token || token->is_secret) return;
  if (const auto variables = context.Variables(*written); !variables.empty()) {
    context.diagnostics->Emit(Kind::kSecretInHeader, written->value, {variables[0]});
    return;
  }
  Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kCredentialInFile, written->value,
                                                     {"admin_token", "gateway", "secret(\"NAME\")"});
  Conceal(context, &diagnostic, written->value, written->words);
}

}  // namespace

void CheckCredentials(Context& context) {
  CheckAdminToken(context);
  for (size_t i = 0; i < context.policy.upstreams.size(); ++i) {
    const UpstreamId id(static_cast<int32_t>(i));
    auto header = context.Upstream(id).headers.begin();
    for (const model::SettingOrigin& written : context.OriginOf(id).settings) {
      if (written.name != "header") continue;
      const model::HeaderSetting& sent = *header++;  // in the order of the text
      const std::string name = Lower(sent.name);
      const std::string text = ConstantOf(context, sent.value, written);
      const std::string_view value = Trim(text);
      const std::string_view scheme = SchemeOf(value);
      // A key that looks like one is a key in any header.
      if (!IsCredentialHeader(name) && KindOfKey(Trim(value.substr(scheme.size()))).empty()) continue;
      if (Trim(value.substr(scheme.size())).empty()) continue;
      const std::string_view secret = "secret(\"NAME\")";
      const std::string instead =
          scheme.empty() ? std::string(secret) : "\"" + std::string(scheme) + " ${" + std::string(secret) + "}\"";
      Diagnostic& diagnostic = context.diagnostics->Emit(Kind::kCredentialInFile, written.value,
                                                         {sent.name, context.Upstream(id).name, instead});
      Conceal(context, &diagnostic, written.value, written.words);
    }
  }
}

}  // namespace compiler::analysis
