#include "compiler/migrate/migrate.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "compiler/diagnostics/diagnostic.h"
#include "compiler/format/format.h"
#include "compiler/migrate/litellm.h"
#include "compiler/migrate/policy_text.h"
#include "compiler/migrate/yaml_reader.h"

namespace compiler::migrate {
namespace {

// With these an upstream may say when it will have room (PL0305).
constexpr std::string_view kBusy[] = {"429", "503", "4xx", "5xx"};

// What `retry_on` may name, and what the language calls it.
constexpr std::pair<std::string_view, std::string_view> kRetryErrors[] = {
    {"connect_failure", "connect_failure"}, {"connect-failure", "connect_failure"}, {"refused", "refused"},
    {"reset", "reset"},                     {"timeout", "timeout"},                 {"connect_timeout", "connect_timeout"},
    {"dns_failure", "dns_failure"},
};

// What a `cache_key` may read.
constexpr std::string_view kKeyParts[] = {"request.body", "request.path", "request.method", "request.host", "client.ip"};

bool ReadsCaller(std::string_view key) { return key.find("${client.ip}") != std::string_view::npos; }

// Whether a text begins with a brace whose partner is its last character, blanks aside.
bool IsOneObject(std::string_view text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      if (text[i] == '\\') ++i;
      else in_string = text[i] != '"';
      continue;
    }
    in_string = text[i] == '"';
    if (text[i] == '{') ++depth;
    else if (text[i] == '}') --depth;
    if (depth == 0) return text[0] == '{' && text.find_first_not_of(" \t\r\n", i + 1) == std::string_view::npos;
  }
  return false;
}

// Whether a file holds no document, one, or more. YAML::LoadAll isn't asked: of a file that begins with a comma it takes nothing and
// makes empty documents without end.
struct Documents : YAML::EventHandler {
  int count = 0;  // at most 2
  YAML::Mark last = YAML::Mark::null_mark();  // where the last one begins

  void Count(const std::string& yaml) {
    std::istringstream text(yaml);
    YAML::Parser parser(text);
    while (count < 2 && parser.HandleNextDocument(*this)) {}
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++count == 2 && mark.pos == last.pos) throw YAML::ParserException(mark, "no document begins with this");
    last = mark;
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

struct Fallback {
  std::string name;  // in the policy
  bool is_mock = false;
};

class Migrator {
 public:
  Migration Run(std::string_view yaml) {
    Migration result;
    YAML::Node document;
    Documents documents;
    try {
      documents.Count(std::string(yaml));
      document = YAML::Load(std::string(yaml));
    } catch (const YAML::Exception& error) {
      result.is_yaml = false;
      problems_.Add(error.mark, "this is not YAML: " + OneLine(error.msg), true);
      result.problems = std::move(problems_.list);
      return result;
    }
    const bool is_litellm = documents.count == 1 && IsLiteLlm(document);
    if (is_litellm) {
      result = MigrateLiteLlm(document);
      problems_.list = std::move(result.problems);
      problems_.fatal = result.policy.empty();
      policy_ = std::move(result.policy);
      choices_ = std::move(result.choices);
    } else if (documents.count == 1) Read(document);
    else if (documents.count == 0) problems_.Add(YAML::Mark::null_mark(), "the file is empty", true);
    else problems_.Add(documents.last, "a second document begins here: give each gateway a file of its own", true);
    std::stable_sort(problems_.list.begin(), problems_.list.end(),
                     [](const Problem& a, const Problem& b) { return std::pair(a.line, a.column) < std::pair(b.line, b.column); });
    if (!problems_.fatal) {
      diagnostics::Diagnostics findings;
      std::string refusal;
      const auto formatted = format::FormatPolicy(policy_, &findings, &refusal);
      if (formatted) result.policy = *formatted;
      else problems_.Add(YAML::Mark::null_mark(), "the policy could not be written: " + (findings.empty() ? refusal : findings.items()[0].message), true);
    }
    result.problems = std::move(problems_.list);
    result.choices = std::move(choices_);
    return result;
  }

 private:
  void Write(const std::string& text, const std::string& comment = "") {
    policy_ += text + (comment.empty() ? "" : "  # " + OneLine(comment)) + "\n";
  }
  void Unsaid(int line, std::string text) { choices_.push_back({line, std::move(text)}); }
  void KeepUnknown(MapReader* map) {
    for (const std::string& line : map->TellUnknown()) Write("# not taken over: " + line);
  }

  void Read(const YAML::Node& document) {
    MapReader root(document, "", &problems_);
    auto upstreams = root.Map("upstream");
    auto breakers = root.Map("circuit_breaker");
    auto fallbacks = root.Map("fallbacks");
    Write("edition 1\n");
    Write("# Made from gateway.yaml. Comments say what the YAML left unsaid.\n");
    KeepUnknown(&root);
    if (!upstreams || upstreams->Entries().empty()) {
      if (!problems_.fatal) root.Missing("upstream", "{ name: { url: \"http://server:11434\" } }");
      return;
    }
    WriteGateway();
    for (const auto& [name, node] : upstreams->Entries()) upstream_names_[name] = names_.Give(name);
    if (fallbacks) {
      for (const auto& [name, node] : fallbacks->Entries())
        fallbacks_[name] = {names_.Give(name), name == "mock_response"};
    }
    if (breakers) {
      for (const auto& [name, node] : breakers->Entries()) {
        if (upstream_names_.count(name) == 0)
          problems_.Add(node.Mark(), "`circuit_breaker." + OneLine(name) + "` belongs to no upstream", true);
      }
    }
    for (const auto& [name, node] : upstreams->Entries()) {
      std::optional<MapReader> breaker;
      if (breakers) breaker = breakers->Map(name.c_str());
      WriteUpstream(name, node, std::move(breaker));
    }
    policy_ += caches_;
    if (fallbacks) {
      for (const auto& [name, node] : fallbacks->Entries()) WriteFallback(name, node);
    }
    WriteRoutes(*upstreams);
  }

  void WriteGateway() {
    Write("gateway {");
    Write("listen = \"0.0.0.0:8080\"", "unsaid");
    Write("admin = \"0.0.0.0:8080\"", "unsaid; /health/… and /metrics beside the traffic");
    Write("metrics_prefix = \"clawdbot\"", "so that dashboards find the metrics that they know");
    Write("}\n");
    Unsaid(0, "where the gateway listens: 0.0.0.0:8080, with health and metrics at the same address");
    Unsaid(0, "what the names of metrics begin with: clawdbot, as before");
  }

  void WriteUpstream(const std::string& yaml_name, const YAML::Node& node, std::optional<MapReader> breaker) {
    const std::string path = "upstream." + OneLine(yaml_name);
    const std::string name = upstream_names_[yaml_name];
    MapReader map(node, path, &problems_);
    if (!node.IsMap()) return;
    const int line = map.line();
    if (name != yaml_name) Unsaid(line, "names are small letters, digits and _: `" + OneLine(yaml_name) + "` is called `" + name + "`");

    Write("upstream " + name + " {");
    const auto url = map.Text("url");
    if (url) Write("url = " + StringText(url->value, false));
    else map.Missing("url", "\"http://server:11434/api/chat\"");
    if (const auto timeout = map.Duration("timeout")) {
      Write("attempt_timeout = " + timeout->value, "each try, not the whole request");
      Unsaid(timeout->mark.line + 1, "whether `timeout` is for one try or for all: for each try");
    } else {
      Unsaid(line, "how long a try may take: 10min, the default");
    }
    const auto retries = map.Int("max_retries", 0, 100);
    const auto retry_on = map.Text("retry_on");
    const auto backoff = map.Text("retry_backoff");
    const auto cap = map.Duration("retry_max_delay");
    auto cache = map.Map("cache_fallback");
    const bool has_retry = retries ? retries->value > 0 : retry_on || backoff || cap;
    if (has_retry) {
      Write("repeat_safe = true", "unsaid; without it a POST would not be sent again");
      Unsaid(line, "whether a request may be sent twice: it may, since `max_retries` would do nothing otherwise");
    }
    KeepUnknown(&map);
    if (has_retry) WriteRetry(line, retries, retry_on, backoff, cap);
    else if (retries) Unsaid(retries->mark.line + 1, "`max_retries: 0`: nothing is tried again, so there is no retry block");

    std::vector<std::string> chain;
    if (cache) {
      if (const auto cache_name = WriteCache(&*cache)) chain.push_back(*cache_name);
    }
    if (breaker) {
      if (const auto fallback = WriteBreaker(&*breaker)) chain.push_back(*fallback);
    } else {
      Unsaid(line, "when `" + name + "` is left alone: never, as `circuit_breaker` has no entry for it");
    }
    if (!chain.empty()) {
      std::string list;
      for (const std::string& item : chain) list += (list.empty() ? "" : ", ") + item;
      Write("\nfallback = [" + list + "]");
      if (chain.size() > 1)
        Unsaid(line, "whether the cache is asked before or after the upstream: after it has failed, and before `" + chain[1] + "`");
    }
    Write("}\n");
  }

  void WriteRetry(int line, const std::optional<Found<int>>& retries, const std::optional<Found<std::string>>& retry_on,
                  const std::optional<Found<std::string>>& backoff, const std::optional<Found<std::string>>& cap) {
    Write("\nretry {");
    const int count = retries ? retries->value : 2;
    Write("max_retries = " + std::to_string(count),
          std::string(retries ? "" : "unsaid; ") + "so at most " + std::to_string(count + 1) + " tries");
    if (!retries) Unsaid(line, "how often a request is tried again: twice");
    if (!retry_on) Unsaid(line, "what is tried again: 5xx, connect_failure and refused");
    const std::string when = Condition(retry_on ? retry_on->value : "5xx,connect_failure,refused", retry_on);
    Write("when " + when);
    if (backoff && backoff->value != "exponential")
      problems_.Add(backoff->mark, "`retry_backoff` is exponential, not `" + OneLine(backoff->value) + "`", true);
    const std::string most = cap ? cap->value : "2s";
    const std::string from = Milliseconds(most) < 500 ? most : "500ms";
    Write("wait = exponential(from: " + from + ", factor: 2, cap: " + most + ")", "the first wait and the factor were unsaid");
    Unsaid(line, "the first wait and by what it grows: " + from + ", doubled each time");
    if (!cap) Unsaid(line, "the longest wait: 2s");
    const bool retries_busy = std::any_of(std::begin(kBusy), std::end(kBusy), [&](std::string_view status) {
      return when.find(status) != std::string::npos;
    });
    if (retries_busy) {
      Write("allow PL0305 because \"the YAML knew no Retry-After\"");
      Unsaid(line, "what becomes of a Retry-After: nothing, a retry comes when its wait is over");
    }
    Write("}");
  }

  std::string Condition(const std::string& list, const std::optional<Found<std::string>>& at) {
    std::vector<std::string> statuses;
    std::vector<std::string> errors;
    for (size_t begin = 0; begin <= list.size();) {
      const size_t comma = std::min(list.find(',', begin), list.size());
      std::string word = list.substr(begin, comma - begin);
      begin = comma + 1;
      word.erase(0, word.find_first_not_of(' '));
      word.erase(word.find_last_not_of(' ') + 1);
      const bool is_class = word.size() == 3 && word[0] >= '1' && word[0] <= '5' && word.substr(1) == "xx";
      const bool is_status = word.size() == 3 && word[0] >= '1' && word[0] <= '5' &&
                             word.find_first_not_of("0123456789") == std::string::npos;
      if (is_class || is_status) {
        statuses.push_back(word);
        continue;
      }
      const auto* error = std::find_if(std::begin(kRetryErrors), std::end(kRetryErrors),
                                       [&](const auto& known) { return known.first == word; });
      if (error != std::end(kRetryErrors)) errors.emplace_back(error->second);
      else if (at) problems_.Add(at->mark, "`retry_on` does not know `" + OneLine(word) + "`", true);
    }
    const auto joined = [](const std::vector<std::string>& words) {
      std::string out;
      for (const std::string& word : words) out += (out.empty() ? "{" : ", ") + word;
      return out + "}";
    };
    std::string out;
    if (statuses.size() == 1) out = std::string("status ") + (statuses[0].ends_with('x') ? "in " : "== ") + statuses[0];
    else if (!statuses.empty()) out = "status in " + joined(statuses);
    if (errors.empty()) return out;
    if (!out.empty()) out += " or ";
    if (errors.size() > 1) return out + "error in " + joined(errors);
    return out + "error " + (errors[0] == "timeout" ? "in " : "== ") + errors[0];
  }

  // The cache's block goes behind the upstreams. Its name, unless it is switched off.
  std::optional<std::string> WriteCache(MapReader* map) {
    const auto enabled = map->Bool("enabled");
    const auto ttl = map->Duration("ttl");
    const auto key = map->Text("cache_key");
    if (enabled && !enabled->value) {
      KeepUnknown(map);
      Write("# not taken over: cache_fallback, which was switched off (enabled: false)");
      return std::nullopt;
    }
    if (!enabled) Unsaid(map->line(), "whether `cache_fallback` is switched on: it is");
    const std::string outer = std::exchange(policy_, "");
    const std::string name = names_.Give("cache_fallback");
    Write("cache " + name + " {");
    if (key) CheckKey(*key);
    else map->Missing("cache_key", "\"faq_${request.body}\"");
    if (key) Write("key = " + StringText(key->value, true));
    Write("ttl = " + (ttl ? ttl->value : "600s"), ttl ? "" : "unsaid");
    if (!ttl) Unsaid(map->line(), "how long an answer is kept: 600s");
    if (key && !ReadsCaller(key->value)) {
      Write("shared = true", "nothing in the key tells callers apart: the same answer for every user");
      Unsaid(key->mark.line + 1, "that two users who send the same share a cached answer: they do, as before; "
                                 "put ${client.ip} or a header into the key if they must not");
    }
    Write("store when status == 200 and not is_fallback", "which answers are kept was unsaid");
    Unsaid(map->line(), "which answers are kept: those with status 200 that an upstream gave");
    KeepUnknown(map);
    Write("}\n");
    caches_ += policy_;
    policy_ = outer;
    return name;
  }

  void CheckKey(const Found<std::string>& key) {
    for (size_t at = key.value.find("${"); at != std::string::npos; at = key.value.find("${", at + 2)) {
      const size_t end = key.value.find('}', at);
      const std::string part = end == std::string::npos ? "" : key.value.substr(at + 2, end - at - 2);
      if (std::find(std::begin(kKeyParts), std::end(kKeyParts), part) == std::end(kKeyParts))
        problems_.Add(key.mark, "`cache_key` reads `${" + OneLine(part) + "}`, which is not known", true);
    }
  }

  // The name of its fallback, if it has one.
  std::optional<std::string> WriteBreaker(MapReader* map) {
    const auto failures = map->Int("failure_threshold", 1, 10'000);
    const auto failure_window = map->Duration("failure_window");
    const auto successes = map->Int("success_threshold", 1, 1000);
    const auto success_window = map->Duration("success_window");
    const auto fallback = map->Text("fallback");
    const int line = map->line();
    const std::string probes = std::to_string(successes ? successes->value : 3);
    Write("\nbreaker {");
    Write("open when failed_requests(" + (failure_window ? failure_window->value : "60s") + ") >= " +
          std::to_string(failures ? failures->value : 5));
    if (!failures) Unsaid(line, "how many failures open the breaker: 5");
    if (!failure_window) Unsaid(line, "in which time: 60s");
    Unsaid(line, "whether tries or requests count as failures: requests, after their last try");
    Write("open_for = 15s", "unsaid");
    Unsaid(line, "how long the breaker stays open: 15s");
    Write("probes = " + probes, "unsaid; at most so many requests in flight while half-open");
    Unsaid(line, "how many requests are let through while half-open: " + probes + ", as many as must succeed");
    Write("close when successes(" + (success_window ? success_window->value : "30s") + ") >= " + probes);
    if (!successes) Unsaid(line, "how many successes close the breaker: 3");
    if (!success_window) Unsaid(line, "in which time: 30s");
    KeepUnknown(map);
    Write("}");
    if (!fallback) {
      Unsaid(line, "what answers while the breaker is open: an error with status 503");
      return std::nullopt;
    }
    const auto found = fallbacks_.find(fallback->value);
    if (found == fallbacks_.end()) {
      problems_.Add(fallback->mark, "there is no fallback `" + OneLine(fallback->value) + "` under `fallbacks`", true);
      return std::nullopt;
    }
    used_.insert(fallback->value);
    return found->second.name;
  }

  void WriteFallback(const std::string& yaml_name, const YAML::Node& node) {
    const Fallback& fallback = fallbacks_[yaml_name];
    MapReader map(node, "fallbacks." + OneLine(yaml_name), &problems_);
    if (!node.IsMap()) return;
    const auto status = map.Int("status_code", 200, 599);
    const auto body = map.Text("body");
    const auto type = map.Text("content_type");
    Write((fallback.is_mock ? "mock " : "reply ") + fallback.name + " {");
    if (fallback.is_mock) Unsaid(map.line(), "`mock_response` is for development: a mock, which `--deny-mock` refuses");
    Write("status = " + std::to_string(status ? status->value : 200), status ? "" : "unsaid");
    if (!status) Unsaid(map.line(), "the status of `" + fallback.name + "`: 200");
    const bool is_json = !type || type->value.find("json") != std::string::npos;
    if (!body) map.Missing("body", "'{ \"is_fallback\": true }'");
    else if (is_json) WriteJson(*body);
    else Write("text = " + StringText(body->value, false));
    // What a JSON body says by itself need not be said.
    if (type && type->value != "application/json") {
      if (fallback.is_mock) problems_.Add(type->mark, "a mock has the Content-Type of its body; `content_type` is not taken over", false);
      else Write("content_type = " + StringText(type->value, false));
    }
    KeepUnknown(&map);
    Write("}\n");
    if (used_.count(yaml_name) == 0)
      Unsaid(map.line(), "what `" + fallback.name + "` is for: no circuit breaker names it; `breakwater check` will say so, too");
  }

  void WriteJson(const Found<std::string>& body) {
    // The parser is the judge of what JSON is.
    const std::string probe = "edition 1\nreply r { body = json " + body.value + "\n}\n";
    diagnostics::Diagnostics findings;
    std::string refusal;
    const size_t brace = body.value.find_first_not_of(" \t\r\n");
    const bool is_object = brace != std::string::npos && IsOneObject(std::string_view(body.value).substr(brace));
    if (!is_object || !format::FormatPolicy(probe, &findings, &refusal)) {
      problems_.Add(body.mark,
                    "`body` is no JSON object" + (findings.empty() ? std::string() : ": " + OneLine(findings.items()[0].message)) +
                        "; for plain text give a `content_type` such as text/plain",
                    true);
      return;
    }
    // One member on each line.
    Write("body = json {\n" + body.value.substr(brace + 1));
  }

  void WriteRoutes(const MapReader& upstreams) {
    if (upstreams.Entries().size() < 2) return;
    std::string list;
    for (const auto& [name, node] : upstreams.Entries()) list += (list.empty() ? "" : ", ") + upstream_names_[name];
    Write("# unsaid: which requests go to which upstream. Each stands in for those before it; write routes of your own.");
    Write("route all { to = [" + list + "] }");
    Unsaid(upstreams.line(), "which requests go to which upstream: all to the first, and to the next when it cannot answer");
  }

  Problems problems_;
  std::vector<Choice> choices_;
  std::string policy_;
  std::string caches_;
  Names names_;
  std::map<std::string, std::string> upstream_names_;  // in the YAML -> in the policy
  std::map<std::string, Fallback> fallbacks_;
  std::set<std::string> used_;
};

}  // namespace

Migration MigrateGatewayYaml(std::string_view yaml) { return Migrator().Run(yaml); }

}  // namespace compiler::migrate
