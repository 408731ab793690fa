#include "compiler/migrate/litellm_policy.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/migrate/policy_text.h"

namespace compiler::migrate {
namespace {

class Writer {
 public:
  explicit Writer(LiteLlmConfig config) : config_(std::move(config)), read_choices_(std::move(config_.choices)) {}

  Migration Run() {
    text_ += "edition 1\n\n# Made from LiteLLM's config.yaml. Comments say what it left unsaid.\n\n";
    text_ += "gateway {\nlisten = \"0.0.0.0:4000\"  # LiteLLM's port\n}\n\n";
    Chose(0, "where the gateway listens: 0.0.0.0:4000, LiteLLM's port");
    WriteRetry();
    choices_.insert(choices_.end(), read_choices_.begin(), read_choices_.end());
    if (!config_.is_broken) {
      for (const LiteLlmDeployment& deployment : config_.deployments) WriteUpstream(deployment);
      WriteRoutes();
    }
    Migration result;
    std::stable_sort(config_.problems.begin(), config_.problems.end(),
                     [](const Problem& a, const Problem& b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); });
    if (!config_.is_broken) result.policy = std::move(text_);
    result.problems = std::move(config_.problems);
    result.choices = std::move(choices_);
    return result;
  }

 private:
  void Chose(int line, std::string what) { choices_.push_back({line, std::move(what)}); }

  // In ms, of all upstreams.
  int64_t LongestAttempt() const {
    int64_t longest = 0;
    for (const LiteLlmDeployment& deployment : config_.deployments) {
      const int64_t attempt = Milliseconds(deployment.timeout.value_or("300s"));
      longest = std::max(longest, deployment.first_token ? std::min(attempt, Milliseconds(*deployment.first_token)) : attempt);
    }
    return longest;
  }

  // One for all upstreams.
  void WriteRetry() {
    if (config_.retries.value_or(0) > 0) {
      text_ += "retry again {\nmax_retries = " + std::to_string(std::min(*config_.retries, 10)) +
               "\nwhen error in {connect_failure, refused, reset} or status in {429, 500, 502, 503, 504}\n"
               "wait = exponential(from: 500ms, factor: 2, cap: 8s, jitter: 25%)\nhonour = retry_after(cap: 8s)\nbudget = 20%\n}\n\n";
      Chose(0, "what is tried again (`num_retries`): what never reached a server, 429 and 5xx, within a budget of 20%");
    }
    if (!config_.allowed_fails && !config_.cooldown) return;
    const bool is_short = Milliseconds(config_.cooldown.value_or("5s")) < LongestAttempt();
    const std::string answer = is_short ? "allow PL0506 because \"LiteLLM's cooldown is shorter than an attempt may be\"\n" : "";
    // LiteLLM cools a deployment down once more than so many fail in a minute.
    const int fails = std::max(config_.allowed_fails.value_or(3) + 1, 2);
    text_ += "breaker cooldown {\nopen when failed_requests(60s) >= " + std::to_string(fails) + "\nopen_for = " + config_.cooldown.value_or("5s") + "\n" + answer + "}\n\n";
    if (!config_.allowed_fails) Chose(0, "how many failures cool a deployment down: more than 3 in a minute");
    if (!config_.cooldown) Chose(0, "how long a deployment is left alone: 5s, LiteLLM's default");
  }

  void WriteUpstream(const LiteLlmDeployment& deployment) {
    upstreams_.push_back(names_.Give(deployment.name));
    text_ += "upstream " + upstreams_.back() + " {\nurl = " + deployment.url + "\n";
    for (const auto& [name, value] : deployment.headers) text_ += "header[" + StringText(name, false) + "] = " + value + "\n";
    if (deployment.max_in_flight) text_ += "max_in_flight = " + std::to_string(*deployment.max_in_flight) + "\n";
    if (!deployment.patch.empty()) text_ += "rewrite = json { " + deployment.patch + " }\n";
    if (deployment.timeout) text_ += "attempt_timeout = " + *deployment.timeout + "\n";
    if (deployment.first_token) text_ += "timeouts { first_token = " + *deployment.first_token + " }\n";
    if (deployment.retries) text_ += "retry = again\n";
    if (config_.allowed_fails || config_.cooldown) text_ += "breaker = cooldown\n";
    text_ += "}\n\n";
  }

  void WriteRoute(const LiteLlmModel& model) {
    std::vector<size_t> order = model.deployments;
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return config_.deployments[a].order < config_.deployments[b].order; });
    const size_t own = order.size();
    if (const auto found = config_.fallbacks.find(model.name); found != config_.fallbacks.end()) {
      for (const auto& [name, line] : found->second) {
        const LiteLlmModel* other = config_.Find(name);
        if (other->deployments.empty()) config_.problems.push_back({line, 0, "`" + OneLine(name) + "` cannot stand in for `" + OneLine(model.name) + "`: no request goes there"});
        order.insert(order.end(), other->deployments.begin(), other->deployments.end());
      }
    }
    std::vector<std::string> to;
    for (const size_t deployment : order) {
      const std::string& upstream = upstreams_[deployment];
      if (std::find(to.begin(), to.end(), upstream) == to.end()) to.push_back(upstream);
    }
    if (to.empty()) return;  // its line was told
    std::string condition;
    if (model.name == "*") {
      condition = "request.json.model != none";
    } else if (model.name.ends_with("/*") && model.aliases.empty()) {
      condition = "request.json.model starts_with " + StringText(model.name.substr(0, model.name.size() - 1), false);
    } else if (model.aliases.empty()) {
      condition = "request.json.model == " + StringText(model.name, false);
    } else {
      condition = "request.json.model in {" + StringText(model.name, false);
      for (const std::string& alias : model.aliases) condition += ", " + StringText(alias, false);
      condition += "}";
    }
    if (own > 1) {
      text_ += "# LiteLLM spreads requests over these; here the next is asked when one before it cannot answer.\n";
      Chose(model.line, "which deployment of `" + OneLine(model.name) + "` a request goes to: the first, and to the next when it cannot answer");
    }
    std::string list;
    for (const std::string& name : to) list += (list.empty() ? "" : ", ") + name;
    text_ += "route " + route_names_.Give(model.name) + " {\nwhen request.method == POST and " + condition + "\n";
    text_ += "to = " + (to.size() == 1 ? list : "[" + list + "]") + "\nfallback = [" + unavailable_ + "]\n}\n\n";
    ++routes_;
    if (model.name != "*") offered_.push_back(model.name);
    offered_.insert(offered_.end(), model.aliases.begin(), model.aliases.end());
  }

  void WriteRoutes() {
    unavailable_ = names_.Give("unavailable");
    const std::string models = names_.Give("models");
    const std::string unknown = names_.Give("no_such_model");
    // Whoever asks for any model comes last.
    for (const LiteLlmModel& model : config_.models) {
      if (model.name.find('*') == std::string::npos) WriteRoute(model);
    }
    for (const LiteLlmModel& group : config_.groups) WriteRoute(group);
    for (const LiteLlmModel& model : config_.models) {
      if (model.name.find('*') != std::string::npos && model.name != "*") WriteRoute(model);
    }
    for (const LiteLlmModel& model : config_.models) {
      if (model.name == "*") WriteRoute(model);
    }
    if (routes_ == 0) {
      config_.problems.push_back({0, 0, "there is no model that a request could be passed to"});
      config_.is_broken = true;
      return;
    }
    text_ += "route " + route_names_.Give("models") + " {\nwhen request.method == GET and request.path in {\"/v1/models\", \"/models\"}\nreply = " + models + "\n}\n\n";
    text_ += "route " + route_names_.Give("otherwise") + " { reply = " + unknown + " }\n\n";
    std::string data;
    for (const std::string& name : offered_)
      data += (data.empty() ? "" : ", ") + std::string("{ \"id\": ") + JsonText(name) + ", \"object\": \"model\", \"owned_by\": \"gateway\" }";
    text_ += "reply " + models + " {\nstatus = 200\nbody = json { \"object\": \"list\", \"data\": [" + data + "] }\n}\n\n";
    text_ += "reply " + unavailable_ + " {\nstatus = 503\nheader[\"Retry-After\"] = \"15\"\nbody = json { \"error\": { \"message\": \"No server of this model can answer at the moment.\", \"type\": \"server_error\", \"code\": \"unavailable\" } }\n}\n\n";
    text_ += "reply " + unknown + " {\nstatus = 404\nbody = json { \"error\": { \"message\": \"There is no such model or path.\", \"type\": \"invalid_request_error\", \"code\": \"model_not_found\" } }\n}\n";
    Chose(0, "what answers when no server of a model can: 503 in OpenAI's form; a model that is not known: 404");
  }

  LiteLlmConfig config_;
  const std::vector<Choice> read_choices_;
  std::string text_;
  std::vector<Choice> choices_;
  Names names_;
  Names route_names_;
  std::vector<std::string> upstreams_;  // names, by deployment
  std::vector<std::string> offered_;
  std::string unavailable_;
  int routes_ = 0;
};

}  // namespace

// A text in JSON; what JSON has no plain form for is escaped. `${` stays text.
std::string JsonText(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c == '$') out += "\\u0024";
    else if (static_cast<unsigned char>(c) < 0x20) out += ' ';
    else out += c;
  }
  return out + "\"";
}

Migration PolicyOf(LiteLlmConfig config) { return Writer(std::move(config)).Run(); }

}  // namespace compiler::migrate
