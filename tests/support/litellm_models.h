// What the published configurations of tests/compiler/data/litellm say: which server, path and model a request for each of their models
// is to arrive at, and what stands in when that server is down.
#pragma once

#include <string>
#include <vector>

namespace tests::support {

struct LiteLlmModel {
  std::string file;
  std::string asked;     // what the client calls the model
  std::string upstream;  // in the policy
  std::string url;
  std::string sent;   // what the server calls it
  std::string other;  // the upstream that stands in; "": none
};

inline const std::string kOpenAi = "https://api.openai.com/v1";
inline const std::string kLodestar = "http://192.168.120.211:11434/v1";
inline const std::string kHost = "http://host.docker.internal:";
inline const std::string kUnset = "http://127.0.0.1:8000/v1";  // where a variable is not set
inline const std::string kGemma = "/models/gemma-4-12b-it-Q5_K_M.gguf";

inline const std::vector<LiteLlmModel> kLiteLlmModels = {
    {"ollama_farm", "local-chat", "local_chat", "http://ollama1:11434", "qwen3.5:0.8b", "local_chat_2"},
    {"lodestar", "gpt-3.5-turbo", "gpt_3_5_turbo", kLodestar, "qwen2.5-coder:3b", ""},
    {"lodestar", "local-llama", "local_llama", kLodestar, "llama3.2:1b", ""},
    {"lodestar", "local-reasoning", "local_reasoning", kLodestar, "deepseek-r1:1.5b", ""},
    {"lodestar", "gpt-4o", "gpt_4o", kOpenAi, "gpt-4o", ""},
    {"lodestar", "gpt-4o-mini", "gpt_4o_mini", kOpenAi, "gpt-4o-mini", ""},
    {"lodestar", "grok-beta", "grok_beta", "https://api.x.ai/v1", "grok-3-fast", ""},
    {"lodestar", "grok-3-mini", "grok_3_mini", "https://api.x.ai/v1", "grok-3-mini", ""},
    {"lodestar", "perplexity-sonar", "perplexity_sonar", "https://api.perplexity.ai", "sonar", ""},
    {"lodestar", "perplexity-sonar-pro", "perplexity_sonar_pro", "https://api.perplexity.ai", "sonar-pro", ""},
    {"victor", "dcs-codellama", "dcs_codellama", "http://localhost:11434", "codellama", "codellama"},
    {"victor", "dcs-llama3", "dcs_llama3", "http://localhost:11434", "llama3", "llama3"},
    {"victor", "codellama", "codellama", "http://localhost:11434", "codellama", ""},
    {"victor", "llama3", "llama3", "http://localhost:11434", "llama3", ""},
    {"victor", "dcs", "dcs_codellama", "http://localhost:11434", "codellama", "dcs_llama3"},
    {"victor", "general", "dcs_llama3", "http://localhost:11434", "llama3", "llama3"},
    {"local_gateway", "gpt-4o", "gpt_4o", kOpenAi, "gpt-4o", ""},
    {"local_gateway", "gpt-4o-mini", "gpt_4o_mini", kOpenAi, "gpt-4o-mini", ""},
    {"local_gateway", "groq-llama3", "groq_llama3", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile", ""},
    {"local_gateway", "openrouter-auto", "openrouter_auto", "https://openrouter.ai/api/v1", "auto", ""},
    {"local_gateway", "llama3-local", "llama3_local", kHost + "11434", "llama3", ""},
    {"local_gateway", "lmstudio-local", "lmstudio_local", kHost + "1234/v1", "local-model", ""},
    {"local_gateway", "llamacpp-local", "llamacpp_local", kHost + "8080/v1", "local", ""},
    {"local_gateway", "my-custom-endpoint", "my_custom_endpoint", "https://your-endpoint.example.com/v1",
     "<model-name-on-that-server>", ""},
    {"coprocessor", "claude-qwen-coding", "claude_qwen_coding", kUnset, "qwen3.6-27b-instruct", "claude_qwen_remote"},
    {"coprocessor", "claude-qwen-thinking", "claude_qwen_thinking", kUnset, "qwen3.6-27b-instruct",
     "claude_qwen_coding"},
    {"coprocessor", "claude-qwen-remote", "claude_qwen_remote", kUnset, "qwen3.6-35b-a3b", "claude_qwen_coding"},
    {"coprocessor", "claude-router-auto", "claude_router_auto", kUnset, "qwen3.6-27b-instruct", "claude_qwen_coding"},
    {"frugal", "auto", "auto", "http://100.80.59.45:8080/v1", kGemma, ""},
    {"frugal", "reasoning", "reasoning", "http://100.80.59.45:8080/v1", kGemma, ""},
    {"frugal", "local", "local", "http://127.0.0.1:11434", "hermes:latest", ""},
};

// Where a chat for the model arrives: a base of /v1 is not doubled, and any other stands in front.
inline std::string PathAt(const LiteLlmModel& model) {
  const size_t slash = model.url.find('/', model.url.find("://") + 3);
  std::string base = slash == std::string::npos ? "" : model.url.substr(slash);
  if (base.ends_with("/v1")) base.resize(base.size() - 3);
  return base + "/v1/chat/completions";
}

}  // namespace tests::support
