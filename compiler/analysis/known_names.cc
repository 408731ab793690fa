#include "compiler/analysis/known_names.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/cidr.h"
#include "compiler/analysis/context.h"

// clang-format off: tables of names, several in a line
namespace compiler::analysis {
namespace {

template <typename Names>
bool IsOneOf(std::string_view name, const Names& names) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

}  // namespace

bool IsCredentialHeader(std::string_view header) {
  static constexpr std::string_view kNames[] = {"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie",
                                                "x-auth-token", "x-access-token", "x-goog-api-key", "x-amz-security-token"};
  return IsOneOf(header, kNames);
}

bool TellsNoCaller(std::string_view header) {
  static constexpr std::string_view kNames[] = {
      "accept", "accept-charset", "accept-encoding", "accept-language", "user-agent", "content-type", "content-length",
      "content-encoding", "host", "origin", "referer", "connection", "cache-control", "pragma", "te", "transfer-encoding",
      "upgrade", "upgrade-insecure-requests", "via", "dnt", "range", "expect", "if-none-match", "if-modified-since",
      "x-requested-with", "anthropic-version", "anthropic-beta", "openai-beta", "x-stainless-lang", "x-stainless-os",
      "x-stainless-package-version", "x-stainless-runtime", "sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "priority",
      "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "x-model", "x-debug", "baggage"};
  return IsOneOf(header, kNames) || IsOfOneRequest(header) || header.starts_with("sec-ch-");
}

bool IsOfOneRequest(std::string_view header) {
  static constexpr std::string_view kNames[] = {
      "x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-trace-id", "trace-id", "traceparent",
      "x-b3-traceid", "x-b3-spanid", "b3", "x-amzn-trace-id", "x-cloud-trace-context", "x-datadog-trace-id", "cf-ray",
      "x-amz-cf-id", "x-client-request-id", "x-ms-client-request-id", "idempotency-key", "x-idempotency-key", "date",
      "x-request-start", "tracestate", "x-timestamp", "timestamp", "x-nonce", "nonce", "x-signature", "uber-trace-id", "sentry-trace", "x-vercel-id", "x-azure-ref", "fly-request-id"};
  return IsOneOf(header, kNames);
}

bool IsForwardingHeader(std::string_view header) {
  static constexpr std::string_view kNames[] = {
      "x-forwarded-for", "forwarded", "x-real-ip", "x-client-ip", "client-ip", "true-client-ip", "cf-connecting-ip",
      "x-cluster-client-ip", "x-originating-ip", "x-remote-ip", "x-remote-addr", "fastly-client-ip", "x-forwarded",
      "forwarded-for", "x-envoy-external-address", "x-original-forwarded-for"};
  return IsOneOf(header, kNames);
}

bool IsPrivilegeHeader(std::string_view header) {
  static constexpr std::string_view kNames[] = {
      "remote-user", "x-remote-user", "x-forwarded-user", "x-auth-user", "x-bypass", "x-scope", "x-scopes", "x-original-url",
      "x-rewrite-url", "referer", "x-access-level", "origin", "x-forwarded-proto", "x-auth-request-user", "x-auth-request-groups", "x-auth-request-email"};
  if (IsOneOf(header, kNames)) return true;
  return !IsOfOneRequest(header) && HoldsPrivilege(header);
}

bool HoldsPrivilege(std::string_view name) {
  // A word of its own within the name: X-Is-Admin, X-Team-Role.
  static constexpr std::string_view kWords[] = {
      "admin", "administrator", "superuser", "root", "internal", "privileged", "authenticated", "authorized", "trusted",
      "role", "roles", "permission", "permissions", "entitlements", "groups", "sudo"};
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find_first_of("-_", begin), name.size());
    if (IsOneOf(name.substr(begin, end - begin), kWords)) return true;
    begin = end + 1;
  }
  return false;
}

bool IsModelPath(std::string_view path) {
  static constexpr std::string_view kPaths[] = {
      "/api/chat", "/api/generate", "/api/embed", "/api/embeddings", "/v1/chat/completions", "/v1/completions",
      "/v1/embeddings", "/v1/rerank", "/v1/messages", "/v1/responses", "/v1/images/generations", "/v1/audio/speech",
      "/v1/audio/transcriptions", "/v1/audio/translations", "/v1/moderations", "/api/v1/chat/completions",
      "/chat/completions", "/completions", "/embeddings", "/generate", "/generate_stream", "/completion", "/rerank", "/embed"};
  return IsOneOf(path, kPaths);
}

bool StreamsAnswers(std::string_view path) {
  static constexpr std::string_view kEnds[] = {"/api/chat", "/api/generate", "/chat/completions", "/completions",
                                               "/messages", "/responses", "/generate_stream", "/completion"};
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return std::any_of(std::begin(kEnds), std::end(kEnds), [&](std::string_view end) { return path.ends_with(end); });
}

bool ChangesServer(std::string_view path) {
  static constexpr std::string_view kPaths[] = {"/api/pull", "/api/create", "/api/delete", "/api/copy", "/api/push", "/api/show"};
  return IsOneOf(path, kPaths);
}

bool IsListPath(std::string_view path) {
  static constexpr std::string_view kPaths[] = {"/api/tags", "/api/ps",  "/api/version", "/v1/models", "/models", "/health",
                                                "/healthz",  "/metrics", "/ping",        "/version",   "/",       "/favicon.ico",
                                                "/ready",    "/readyz",  "/livez",       "/robots.txt"};
  return IsOneOf(path, kPaths) || path.starts_with("/v1/models/");
}

bool IsSetting(std::string_view member) {
  static constexpr std::string_view kNames[] = {
      "model", "stream", "stream_options", "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens",
      "max_output_tokens", "n", "seed", "user", "options", "keep_alive", "format", "response_format", "stop", "stop_sequences",
      "presence_penalty", "frequency_penalty", "repeat_penalty", "think", "reasoning", "reasoning_effort", "metadata",
      "service_tier", "store", "logprobs", "top_logprobs", "logit_bias", "parallel_tool_calls", "tool_choice", "raw", "truncate",
      "dimensions", "encoding_format", "priority", "system", "tools", "functions", "function_call", "template", "suffix", "instructions",
      "modalities", "audio"};
  return IsOneOf(member, kNames);
}

bool IsQuestion(std::string_view member) {
  static constexpr std::string_view kNames[] = {"messages", "prompt", "input", "contents", "query", "documents"};
  return IsOneOf(member, kNames);
}

bool IsNumberMember(std::string_view member) {
  static constexpr std::string_view kNames[] = {
      "temperature", "top_p", "top_k", "min_p", "max_tokens", "max_completion_tokens", "max_output_tokens", "n", "seed",
      "presence_penalty", "frequency_penalty", "repeat_penalty", "num_ctx", "num_predict", "top_logprobs", "dimensions"};
  return IsOneOf(member, kNames);
}

bool IsFlagMember(std::string_view member) {
  static constexpr std::string_view kNames[] = {"stream", "raw", "parallel_tool_calls", "echo", "background", "store", "truncate"};
  return IsOneOf(member, kNames);
}

bool IsTextMember(std::string_view member) { return member == "model" || member == "user"; }

namespace {

// The word before `key` or `token` makes another thing of it: a key of a cache, a token of a text.
bool IsOtherKey(std::string_view lower, size_t at) {
  static constexpr std::string_view kBefore[] = {
      "cache", "primary", "sort", "partition", "routing", "idempotency", "public", "foreign", "group", "hash", "shard", "dedup",
      "stop", "start", "eos", "bos", "pad", "end", "max", "min", "mask", "num", "per"};
  if (at < 2) return false;
  const size_t gap = lower.find_last_of("_-.", at - 2);
  const size_t begin = gap == std::string_view::npos ? 0 : gap + 1;
  return IsOneOf(lower.substr(begin, at - 1 - begin), kBefore);
}

}  // namespace

bool NamesCredential(std::string_view name) {
  const std::string lower = Lower(name);
  if (lower.ends_with("_pat") || lower.ends_with("-pat")) return true;  // a personal access token
  for (const std::string_view word : {"key", "token", "secret", "password", "passwd", "credential", "apikey", "bearer", "auth"}) {
    for (size_t at = lower.find(word); at != std::string::npos; at = lower.find(word, at + 1)) {
      const size_t end = at + word.size();
      const auto is_letter = [&](size_t i) { return lower[i] >= 'a' && lower[i] <= 'z'; };
      // As a word of its own: `max_tokens`, `keyboard` and `author` are none.
      const bool is_word = (at == 0 || !is_letter(at - 1)) && (end == lower.size() || !is_letter(end));
      if (is_word && !IsOtherKey(lower, at)) return true;
    }
  }
  return lower == "apikey" || lower == "authorization";
}

std::string_view KindOfKey(std::string_view text) {
  struct Known {
    std::string_view begin;
    size_t size;  // at least
    std::string_view kind;
  };
  static constexpr Known kKnown[] = {
      {"sk-ant-", 24, "of Anthropic"}, {"sk-or-", 24, "of OpenRouter"},  {"sk-", 20, "of OpenAI"},   {"hf_", 20, "of Hugging Face"},
      {"gsk_", 20, "of Groq"},         {"xai-", 20, "of xAI"},           {"ghp_", 30, "of GitHub"},  {"github_pat_", 30, "of GitHub"},
      {"glpat-", 20, "of GitLab"},     {"xoxb-", 20, "of Slack"},        {"xoxp-", 20, "of Slack"},  {"AKIA", 20, "of AWS"},
      {"AIza", 35, "of Google"},       {"nvapi-", 20, "of NVIDIA"},      {"r8_", 30, "of Replicate"}, {"pplx-", 20, "of Perplexity"},
      {"fw_", 20, "of Fireworks"},     {"tgp_v1_", 20, "of Together"},   {"eyJhbGciOi", 30, "a signed token (JWT)"}};
  const auto* found = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const Known& known) {
    return text.size() >= known.size && text.starts_with(known.begin) && text.find(' ') == std::string_view::npos;
  });
  return found == std::end(kKnown) ? std::string_view() : found->kind;
}

namespace {

bool IsPrivate(const base::IpAddress& address) {
  static const auto kNetworks = [] {
    std::vector<base::Cidr> networks;
    for (const char* text : {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
                             "100.64.0.0/10", "::1", "fc00::/7", "fe80::/10", "0.0.0.0"}) {
      base::CidrError error;
      if (const auto network = base::ParseCidr(text, &error)) networks.push_back(*network);
    }
    return networks;
  }();
  return std::any_of(kNetworks.begin(), kNetworks.end(),
                     [&](const base::Cidr& network) { return network.Contains(address); });
}

}  // namespace

// A name of one part is that of a neighbour: a container, a service of the cluster, a machine of the local network.
bool IsPrivateHost(const std::string& host) {
  if (const auto address = base::ParseIp(host)) return IsPrivate(*address);
  const std::string lower = Lower(host);
  if (lower.find('.') == std::string::npos) return true;
  constexpr std::string_view kEnds[] = {".local",    ".localhost", ".internal", ".lan",     ".home",   ".home.arpa",
                                        ".intranet", ".intra",     ".corp",     ".private", ".svc",    ".test",
                                        ".example",  ".invalid",   ".docker",   ".consul",  ".ts.net", ".localdomain"};
  return std::any_of(std::begin(kEnds), std::end(kEnds), [&](std::string_view end) { return lower.ends_with(end); });
}

}  // namespace compiler::analysis
