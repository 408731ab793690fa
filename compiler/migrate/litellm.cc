#include "compiler/migrate/litellm.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/migrate/litellm_config.h"
#include "compiler/migrate/litellm_policy.h"
#include "compiler/migrate/policy_text.h"
#include "compiler/migrate/yaml_reader.h"

namespace compiler::migrate {
namespace {

struct Provider {
  std::string_view name;
  std::string_view base;  // where it is without an api_base; "" if it must be written
};
// Those that speak OpenAI's API, under the names that LiteLLM has for them.
constexpr Provider kProviders[] = {
    {"openai", "https://api.openai.com/v1"},
    {"text-completion-openai", "https://api.openai.com/v1"},
    {"custom_openai", ""},
    {"openai_like", ""},
    {"hosted_vllm", ""},
    {"vllm", ""},
    {"lm_studio", ""},
    {"llamafile", ""},
    {"llamacpp", ""},
    {"xinference", ""},
    {"litellm_proxy", ""},
    {"docker_model_runner", ""},
    {"lemonade", ""},
    {"groq", "https://api.groq.com/openai/v1"},
    {"openrouter", "https://openrouter.ai/api/v1"},
    {"together_ai", "https://api.together.xyz/v1"},
    {"deepseek", "https://api.deepseek.com/v1"},
    {"mistral", "https://api.mistral.ai/v1"},
    {"fireworks_ai", "https://api.fireworks.ai/inference/v1"},
    {"deepinfra", "https://api.deepinfra.com/v1/openai"},
    {"perplexity", "https://api.perplexity.ai"},
    {"xai", "https://api.x.ai/v1"},
    {"nvidia_nim", "https://integrate.api.nvidia.com/v1"},
    {"cerebras", "https://api.cerebras.ai/v1"},
    {"sambanova", "https://api.sambanova.ai/v1"},
    {"moonshot", "https://api.moonshot.ai/v1"},
    {"dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"},
    {"siliconflow", "https://api.siliconflow.cn/v1"},
    {"ollama", "http://localhost:11434"},
    {"ollama_chat", "http://localhost:11434"},
};
// What a model without a provider is of, by how its name begins.
constexpr std::pair<std::string_view, std::string_view> kBareModels[] = {
    {"gpt-", "openai"},  {"chatgpt-", "openai"},  {"o1", "openai"},     {"o3", "openai"},  {"o4", "openai"},
    {"text-", "openai"}, {"dall-e", "openai"},    {"whisper", "openai"}, {"tts-", "openai"}, {"claude", "anthropic"},
    {"gemini", "gemini"}, {"command", "cohere"},
};
// Others of which it is known that their API is their own.
constexpr std::string_view kOtherApis[] = {
    "anthropic", "azure",   "azure_ai",  "bedrock",   "vertex_ai",  "vertex_ai_beta", "gemini",    "cohere",        "cohere_chat", "sagemaker",
    "palm",      "replicate", "huggingface", "watsonx", "databricks", "cloudflare",     "ai21",      "aleph_alpha",   "predibase",   "petals",
    "triton",    "voyage",  "jina_ai",   "clarifai",  "nlp_cloud",  "oobabooga",      "baseten",   "snowflake",     "github_copilot"};

// Keys of a deployment that change nothing of what is sent.
constexpr std::string_view kSilent[] = {"tpm", "rpm", "input_cost_per_token", "output_cost_per_token", "stream", "drop_params", "use_in_pass_through",
                                        "custom_llm_provider", "merge_reasoning_content_in_choices", "model_info", "tags"};

// A key that stands for none: servers of one's own take anything.
bool IsDummy(std::string_view key) {
  constexpr std::string_view kDummies[] = {"",     "none",   "null",    "na",       "n/a",    "empty",     "dummy",     "fake",    "fake-key",
                                           "anything", "no-key", "no_key", "not-needed", "not_needed", "ollama", "lm-studio", "sk-local", "sk-dummy",
                                           "sk-fake",  "sk-no-key-required", "sk-xxx", "xxx", "unused", "local", "test", "sk-1234", "vllm", "placeholder"};
  std::string small(key);
  for (char& c : small) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(std::begin(kDummies), std::end(kDummies), small) != std::end(kDummies);
}

constexpr std::string_view kEnvironment = "os.environ/";

// "300", "300.5", "5m" as the language writes it; LiteLLM's numbers are seconds.
std::optional<std::string> Seconds(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  const std::string& text = node.Scalar();
  char* end = nullptr;
  const double seconds = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || *end != '\0') return DurationText(text);
  if (!(seconds > 0) || seconds > 86'400) return std::nullopt;
  const double ms = std::round(seconds * 1000);
  if (std::fmod(ms, 1000) != 0) return std::to_string(static_cast<long long>(ms)) + "ms";
  return std::to_string(static_cast<long long>(seconds)) + "s";
}

std::optional<int> Whole(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  char* end = nullptr;
  const long value = std::strtol(node.Scalar().c_str(), &end, 10);
  if (end == node.Scalar().c_str() || *end != '\0' || value < 0 || value > 100'000) return std::nullopt;
  return static_cast<int>(value);
}

bool IsEmpty(const YAML::Node& node) {
  if (!node.IsDefined() || node.IsNull()) return true;
  if (node.IsScalar()) return node.Scalar().empty();
  return node.size() == 0;
}

int LineOf(const YAML::Node& node) { return node.Mark().line + 1; }

std::string JsonOf(const YAML::Node& node) {
  if (node.IsMap()) {
    std::string out = "{ ";
    for (const auto& entry : node) out += (out.size() > 2 ? ", " : "") + JsonText(entry.first.Scalar()) + ": " + JsonOf(entry.second);
    return out + " }";
  }
  if (node.IsSequence()) {
    std::string out = "[";
    for (const auto& item : node) out += (out.size() > 1 ? ", " : "") + JsonOf(item);
    return out + "]";
  }
  if (node.IsNull()) return "null";
  const std::string& text = node.Scalar();
  if (node.Tag() == "!") return JsonText(text);  // in quotes
  if (text == "true" || text == "false" || text == "null") return text;
  char* end = nullptr;
  std::strtod(text.c_str(), &end);
  const bool is_number = !text.empty() && *end == '\0' && text.find_first_not_of("0123456789.-") == std::string::npos &&
                         text.back() != '.' && text.front() != '.' && (text.front() != '0' || text.size() == 1 || text[1] == '.');
  return is_number ? text : JsonText(text);
}

class Reader {
 public:
  LiteLlmConfig Run(const YAML::Node& document) {
    const YAML::Node router = document["router_settings"];
    const YAML::Node general = document["general_settings"];
    const YAML::Node litellm = document["litellm_settings"];
    for (const auto& entry : document) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (key == "model_list" || key == "router_settings" || key == "general_settings" || key == "litellm_settings") continue;
      if (!IsEmpty(entry.second)) Lost(entry.first, "`" + OneLine(key) + "` has no place in a policy");
    }
    ReadDefaults(router);
    ReadDefaults(litellm);
    ReadDefaults(general);
    const YAML::Node list = document["model_list"];
    if (!list.IsSequence() || list.size() == 0) {
      Lost(list, "`model_list` is a list of models");
      config_.is_broken = true;
      return std::move(config_);
    }
    for (const auto& entry : list) ReadModel(entry);
    for (const YAML::Node& settings : {router, litellm, general}) ReadFallbacks(settings);
    ReadAliases(router);
    ReadRest(router, "router_settings");
    ReadRest(litellm, "litellm_settings");
    ReadRest(general, "general_settings");
    return std::move(config_);
  }

 private:
  void Lost(const YAML::Node& at, std::string what) { config_.problems.push_back({LineOf(at), at.Mark().column + 1, std::move(what)}); }
  void Chose(int line, std::string what) { config_.choices.push_back({line, std::move(what)}); }

  // What holds for all models. The router's word comes first.
  void ReadDefaults(const YAML::Node& settings) {
    if (!settings.IsDefined() || !settings.IsMap()) return;
    const auto take = [&](const char* key, auto* out, auto read) {
      const YAML::Node node = settings[key];
      if (!node.IsDefined() || node.IsNull() || out->has_value()) return;
      *out = read(node);
      if (!out->has_value()) Lost(node, std::string("`") + key + "` is not what was expected: " + Describe(node));
    };
    take("num_retries", &config_.retries, Whole);
    take("timeout", &config_.timeout, Seconds);
    take("request_timeout", &config_.timeout, Seconds);
    take("stream_timeout", &config_.stream_timeout, Seconds);
    take("allowed_fails", &config_.allowed_fails, Whole);
    take("cooldown_time", &config_.cooldown, Seconds);
  }

  static bool MergesFrom(const YAML::Node& map) { return map["<<"].IsDefined() && map["<<"].IsMap(); }
  // A member of a map, or of what it merges (`<<: *defaults`).
  static YAML::Node Member(const YAML::Node& map, const char* key) {
    const YAML::Node own = map[key];
    if (own.IsDefined() || !MergesFrom(map)) return own;
    return map["<<"][key];
  }

  void ReadModel(const YAML::Node& entry) {
    if (!entry.IsMap()) return Lost(entry, "an entry of `model_list` is a map, not " + Describe(entry));
    const YAML::Node name = Member(entry, "model_name");
    const YAML::Node params = Member(entry, "litellm_params");
    if (!name.IsDefined() || !name.IsScalar()) return Lost(entry, "a model needs a `model_name`");
    if (!params.IsDefined() || !params.IsMap()) return Lost(entry, "`" + OneLine(name.Scalar()) + "` needs `litellm_params`");
    LiteLlmModel* model = config_.Find(name.Scalar());
    if (model == nullptr) {
      config_.models.push_back({name.Scalar(), LineOf(name), {}, {}});
      model = &config_.models.back();
    }
    const YAML::Node target = Member(params, "model");
    if (!target.IsDefined() || !target.IsScalar()) return Lost(params, "`" + OneLine(name.Scalar()) + "` needs `litellm_params.model`");
    auto deployment = DeploymentOf(name.Scalar(), params, target);
    if (!deployment) return;
    model->deployments.push_back(config_.deployments.size());
    config_.deployments.push_back(std::move(*deployment));
  }

  struct Target {
    std::string provider;
    std::string model;
    std::string url;  // as the policy writes it
  };

  // nullopt, with a problem, if no request could be passed to it.
  std::optional<Target> TargetOf(const YAML::Node& params, const YAML::Node& at) {
    const std::string written = at.Scalar();
    const YAML::Node base = Member(params, "api_base").IsDefined() ? Member(params, "api_base") : Member(params, "base_url");
    const YAML::Node custom = Member(params, "custom_llm_provider");
    if (written.starts_with(kEnvironment)) {
      Lost(at, "the model's name stands in a variable (" + OneLine(written) + "): which provider it is of is not known here");
      return std::nullopt;
    }
    Target target;
    const size_t slash = written.find('/');
    const std::string first = slash == std::string::npos ? "" : written.substr(0, slash);
    const auto is_known = [](std::string_view name) {
      return std::any_of(std::begin(kProviders), std::end(kProviders), [&](const Provider& p) { return p.name == name; }) ||
             std::find(std::begin(kOtherApis), std::end(kOtherApis), name) != std::end(kOtherApis);
    };
    if (custom.IsDefined() && custom.IsScalar()) {
      target.provider = custom.Scalar();
      target.model = first == target.provider ? written.substr(slash + 1) : written;
    } else if (is_known(first)) {
      target.provider = first;
      target.model = written.substr(slash + 1);
    } else {
      target.model = written;
      for (const auto& [prefix, provider] : kBareModels) {
        if (target.provider.empty() && written.starts_with(prefix)) target.provider = provider;
      }
      // With an address of its own it is taken for a server that speaks OpenAI's API, as LiteLLM does.
      if (target.provider.empty() && base.IsDefined()) target.provider = "openai";
    }
    const auto* provider = std::find_if(std::begin(kProviders), std::end(kProviders), [&](const Provider& p) { return p.name == target.provider; });
    if (provider == std::end(kProviders)) {
      Lost(at, "`" + OneLine(written) + "`: " + (target.provider.empty() ? "its provider is not known" : "the API of " + target.provider + " is another one than the client's") +
                   ", and the gateway translates nothing: no request goes there");
      return std::nullopt;
    }
    if (target.provider == "ollama_chat" || target.provider == "ollama") {
      Lost(at, "`" + target.provider + "/`: LiteLLM translates to " + (target.provider == "ollama" ? "/api/generate" : "/api/chat") +
                   "; the gateway does not: a request for /v1/chat/completions goes to that path of the Ollama, which has it as well");
    }
    if (base.IsDefined() && base.IsScalar() && !base.Scalar().empty()) {
      std::string address = base.Scalar();
      if (address.starts_with(kEnvironment)) {
        const std::string variable = address.substr(kEnvironment.size());
        target.url = "env(" + StringText(variable, false) + ", default: \"http://127.0.0.1:8000/v1\")";
        Chose(LineOf(base), variable + " names the server; without it: http://127.0.0.1:8000/v1");
      } else {
        while (address.ends_with('/')) address.pop_back();
        // A path of a model's API is what the client asks for, behind the base.
        for (const std::string_view tail : {"/chat/completions", "/completions", "/api/chat", "/api/generate"}) {
          if (address.ends_with(tail)) address.resize(address.size() - tail.size());
        }
        if (address.find("://") == std::string::npos) address.insert(0, "http://");
        target.url = StringText(address, false);
      }
    } else if (!provider->base.empty()) {
      target.url = StringText(provider->base, false);
    } else {
      Lost(at, "`" + OneLine(written) + "` needs an `api_base`: where its server is is not known");
      return std::nullopt;
    }
    return target;
  }

  std::optional<LiteLlmDeployment> DeploymentOf(const std::string& name, const YAML::Node& params, const YAML::Node& at) {
    const auto target = TargetOf(params, at);
    if (!target) return std::nullopt;
    if (target->model.find('*') != std::string::npos && target->model != "*") {
      Lost(at, "`" + OneLine(at.Scalar()) + "`: a name is not made of a pattern; write a route for each model");
      return std::nullopt;
    }
    LiteLlmDeployment deployment;
    deployment.name = name;
    deployment.line = LineOf(at);
    deployment.url = target->url;
    if (target->model != "*") deployment.patch = "\"model\": " + JsonText(target->model);
    deployment.timeout = config_.timeout;
    deployment.first_token = config_.stream_timeout;
    std::optional<int> retries = config_.retries;
    for (const auto& entry : params) {
      const std::string key = entry.first.Scalar();
      const YAML::Node& value = entry.second;
      if (key == "model" || key == "api_base" || key == "base_url" || key == "<<" || IsEmpty(value)) continue;
      if (key == "api_key") {
        ReadKey(value, &deployment);
      } else if (key == "timeout" || key == "request_timeout") {
        if (auto seconds = Seconds(value)) deployment.timeout = seconds;
        else Lost(value, "`" + key + "` is a number of seconds, not " + Describe(value));
      } else if (key == "stream_timeout") {
        if (auto seconds = Seconds(value)) deployment.first_token = seconds;
        else Lost(value, "`stream_timeout` is a number of seconds, not " + Describe(value));
      } else if (key == "max_retries" || key == "num_retries") {
        retries = Whole(value);
      } else if (key == "max_parallel_requests") {
        if (const auto places = Whole(value); places && *places > 0) deployment.max_in_flight = places;
      } else if (key == "order") {
        deployment.order = Whole(value).value_or(0);
      } else if (key == "organization" && value.IsScalar()) {
        deployment.headers.emplace_back("OpenAI-Organization", StringText(value.Scalar(), false));
      } else if ((key == "extra_headers" || key == "headers") && value.IsMap()) {
        for (const auto& header : value) deployment.headers.emplace_back(header.first.Scalar(), StringText(header.second.Scalar(), false));
      } else if (key == "extra_body" && value.IsMap()) {
        for (const auto& member : value)
          deployment.patch += (deployment.patch.empty() ? "" : ", ") + JsonText(member.first.Scalar()) + ": " + JsonOf(member.second);
      } else if (key == "rpm" || key == "tpm" || key == "weight") {
        Lost(entry.first, "`" + key + "`: upstreams have no rate and no weight; `max_in_flight` bounds how many they work on at once");
      } else if (std::find(std::begin(kSilent), std::end(kSilent), key) == std::end(kSilent)) {
        Lost(entry.first, "`" + OneLine(key) + "` is not taken over: what LiteLLM puts into a request that lacks it the client must send");
      }
    }
    deployment.retries = config_.retries.value_or(0) > 0 && retries.value_or(0) > 0;
    // An attempt, or what a stream may take to its first content: `attempt_timeout` bounds that, too.
    const int64_t attempt = Milliseconds(deployment.timeout.value_or("300s"));
    if (deployment.first_token && Milliseconds(*deployment.first_token) >= attempt) {
      if (Milliseconds(*deployment.first_token) > attempt)
        Lost(at, "`stream_timeout` " + *deployment.first_token + " is longer than `timeout`, which holds for streams, too");
      deployment.first_token.reset();
    }
    return deployment;
  }

  void ReadKey(const YAML::Node& key, LiteLlmDeployment* deployment) {
    if (!key.IsScalar() || IsDummy(key.Scalar())) return;
    std::string variable;
    if (key.Scalar().starts_with(kEnvironment)) {
      variable = key.Scalar().substr(kEnvironment.size());
    } else {
      variable = Names().Give(deployment->name) + "_api_key";
      for (char& c : variable) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
      Lost(key, "a key stands in the file; the policy reads it from the variable " + variable + ", or the file that " + variable + "_FILE names");
    }
    deployment->headers.emplace_back("Authorization", "\"Bearer ${secret(" + StringText(variable, false) + ")}\"");
  }

  // fallbacks: [{"a": ["b", "c"]}]   default_fallbacks: ["b"]
  void ReadFallbacks(const YAML::Node& settings) {
    if (!settings.IsDefined() || !settings.IsMap()) return;
    if (const YAML::Node list = settings["fallbacks"]; list.IsDefined() && list.IsSequence()) {
      for (const auto& entry : list) {
        if (!entry.IsMap()) {
          Lost(entry, "a fallback names a model and those that stand in for it: `- a: [b]`");
          continue;
        }
        for (const auto& pair : entry) AddFallbacks(pair.first.Scalar(), pair.first, pair.second);
      }
    }
    if (const YAML::Node list = settings["default_fallbacks"]; list.IsDefined() && list.IsSequence()) {
      for (const LiteLlmModel& model : config_.models) {
        if (!config_.fallbacks.contains(model.name)) AddFallbacks(model.name, list, list);
      }
    }
    for (const char* key : {"context_window_fallbacks", "content_policy_fallbacks"}) {
      if (const YAML::Node node = settings[key]; node.IsDefined() && !IsEmpty(node))
        Lost(node, std::string("`") + key + "` is not taken over: a route moves on by failure, not by what the answer says; `next when error == prompt_too_long` is near to it");
    }
  }

  void AddFallbacks(const std::string& name, const YAML::Node& at, const YAML::Node& list) {
    const bool is_pattern = name == "*";
    if (!is_pattern && config_.Find(name) == nullptr) return Lost(at, "`" + OneLine(name) + "` is no `model_name`: its fallbacks stand in for nothing");
    const auto add = [&](const YAML::Node& item) {
      if (!item.IsScalar()) return Lost(item, "a fallback is the name of a model, not " + Describe(item));
      if (config_.Find(item.Scalar()) == nullptr) return Lost(item, "`" + OneLine(item.Scalar()) + "` is no `model_name`: nothing stands in there");
      for (LiteLlmModel& model : config_.models) {
        if ((is_pattern || model.name == name) && model.name != item.Scalar()) config_.fallbacks[model.name].push_back({item.Scalar(), LineOf(item)});
      }
    };
    if (list.IsSequence()) {
      for (const auto& item : list) add(item);
    } else {
      add(list);
    }
  }

  void ReadAliases(const YAML::Node& router) {
    if (!router.IsDefined() || !router.IsMap()) return;
    const YAML::Node aliases = router["model_group_alias"];
    if (!aliases.IsDefined() || !aliases.IsMap()) return;
    for (const auto& entry : aliases) {
      const std::string alias = entry.first.Scalar();
      YAML::Node target = entry.second;
      if (target.IsMap()) target.reset(target["model"]);
      // Not what LiteLLM documents, and written nevertheless: several models for one alias.
      if (target.IsSequence()) {
        std::vector<std::string> known;
        for (const auto& item : target) {
          if (item.IsScalar() && config_.Find(item.Scalar()) != nullptr) known.push_back(item.Scalar());
        }
        if (known.empty()) {
          Lost(entry.first, "`" + OneLine(alias) + "` names no model of the list");
          continue;
        }
        Lost(entry.first, "`" + OneLine(alias) + "` names several models: the first one is asked, and the others stand in for it");
        LiteLlmModel group{alias, LineOf(entry.first), {}, {}};
        for (const std::string& name : known) {
          const LiteLlmModel* model = config_.Find(name);
          group.deployments.insert(group.deployments.end(), model->deployments.begin(), model->deployments.end());
        }
        config_.groups.push_back(std::move(group));
        continue;
      }
      LiteLlmModel* model = target.IsDefined() && target.IsScalar() ? config_.Find(target.Scalar()) : nullptr;
      if (model == nullptr) Lost(entry.first, "`" + OneLine(alias) + "` names no model of the list");
      else model->aliases.push_back(alias);
    }
  }

  // Whatever else stands there, line by line.
  void ReadRest(const YAML::Node& settings, const std::string& where) {
    if (!settings.IsDefined() || IsEmpty(settings)) return;
    if (!settings.IsMap()) return Lost(settings, "`" + where + "` is a map");
    constexpr std::string_view kRead[] = {"num_retries", "timeout", "request_timeout", "stream_timeout", "allowed_fails", "cooldown_time",
                                          "fallbacks", "default_fallbacks", "context_window_fallbacks", "content_policy_fallbacks", "model_group_alias"};
    constexpr std::string_view kNothing[] = {"set_verbose", "debug_level", "json_logs", "drop_params", "enable_pre_call_checks", "disable_cooldowns"};
    for (const auto& entry : settings) {
      const std::string key = entry.first.Scalar();
      const bool is_read = std::find(std::begin(kRead), std::end(kRead), key) != std::end(kRead);
      const bool is_nothing = std::find(std::begin(kNothing), std::end(kNothing), key) != std::end(kNothing);
      if (is_read || is_nothing || IsEmpty(entry.second)) continue;
      if (key == "routing_strategy") {
        Lost(entry.first, "`routing_strategy`: deployments of one name are asked in their order, not by " + (entry.second.IsScalar() ? OneLine(entry.second.Scalar()) : "a strategy"));
      } else if (key == "master_key") {
        Lost(entry.first, "`master_key`: the gateway has no keys of its own; write in each route `when request.header[\"Authorization\"] == …`, or keep it on a private address");
      } else {
        Lost(entry.first, "`" + where + "." + OneLine(key) + "` has no place in a policy");
      }
    }
  }

  LiteLlmConfig config_;
};

}  // namespace

bool IsLiteLlm(const YAML::Node& document) { return document.IsMap() && document["model_list"].IsDefined(); }

Migration MigrateLiteLlm(const YAML::Node& document) { return PolicyOf(Reader().Run(document)); }

}  // namespace compiler::migrate
