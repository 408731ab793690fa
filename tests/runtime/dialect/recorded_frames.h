// Answers as servers send them, each with the place that says so: the documentation of Ollama and Anthropic, and what the
// code of Ollama and vLLM writes. Values are shortened; members and their order are not.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "runtime/dialect/dialect.h"

namespace runtime::dialect {

struct Recorded {
  std::string_view source;
  Api api;
  std::string_view body;
  std::vector<std::string> frames;  // as answer_reader_test describes them
  bool is_complete = true;
};

inline const std::vector<Recorded> kRecorded = {
    {"github.com/ollama/ollama docs/api.md, Generate a chat completion, Chat request (streaming)", Api::kOllamaChat,
     "{\"model\":\"llama3.2\",\"created_at\":\"2023-08-04T08:52:19.385406455-07:00\",\"message\":{\"role\":\"assistant\","
     "\"content\":\"The\",\"images\":null},\"done\":false}\n"
     "{\"model\":\"llama3.2\",\"created_at\":\"2023-08-04T19:22:45.499127Z\",\"message\":{\"role\":\"assistant\","
     "\"content\":\"\"},\"done\":true,\"total_duration\":4883583458,\"load_duration\":1334875,\"prompt_eval_count\":26,"
     "\"prompt_eval_duration\":342546000,\"eval_count\":282,\"eval_duration\":4535599000}\n",
     {"text:The", "last usage:26/282"}},

    {"github.com/ollama/ollama docs/capabilities/thinking.mdx and api/types.go (Message.Thinking)", Api::kOllamaChat,
     "{\"model\":\"qwen3\",\"created_at\":\"2025-05-30T10:00:00.1Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\","
     "\"thinking\":\"Okay\"},\"done\":false}\n"
     "{\"model\":\"qwen3\",\"created_at\":\"2025-05-30T10:00:00.2Z\",\"message\":{\"role\":\"assistant\",\"content\":\"\","
     "\"thinking\":\", so\"},\"done\":false}\n"
     "{\"model\":\"qwen3\",\"created_at\":\"2025-05-30T10:00:00.3Z\",\"message\":{\"role\":\"assistant\","
     "\"content\":\"4\"},\"done\":false}\n"
     "{\"model\":\"qwen3\",\"created_at\":\"2025-05-30T10:00:00.4Z\",\"message\":{\"role\":\"assistant\","
     "\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true,\"total_duration\":1,\"load_duration\":1,"
     "\"prompt_eval_count\":11,\"prompt_eval_duration\":1,\"eval_count\":3,\"eval_duration\":1}\n",
     {"thinking:Okay", "thinking:, so", "text:4", "last usage:11/3"}},

    {"github.com/ollama/ollama docs/api.md, Chat request (Streaming with tools)", Api::kOllamaChat,
     "{\"model\":\"llama3.2\",\"created_at\":\"2025-07-07T20:22:19.184789Z\",\"message\":{\"role\":\"assistant\","
     "\"content\":\"\",\"tool_calls\":[{\"function\":{\"name\":\"get_weather\",\"arguments\":{\"city\":\"Tokyo\"}}}]},"
     "\"done\":false}\n"
     "{\"model\":\"llama3.2\",\"created_at\":\"2025-07-07T20:22:19.19314Z\",\"message\":{\"role\":\"assistant\","
     "\"content\":\"\"},\"done_reason\":\"stop\",\"done\":true,\"total_duration\":182242375,\"load_duration\":41295167,"
     "\"prompt_eval_count\":169,\"prompt_eval_duration\":24573166,\"eval_count\":15,\"eval_duration\":115959084}\n",
     {"other special", "last usage:169/15"}},

    {"github.com/ollama/ollama docs/api.md, Generate a completion, Generate request (Streaming)", Api::kOllamaGenerate,
     "{\"model\":\"llama3.2\",\"created_at\":\"2023-08-04T08:52:19.385406455-07:00\",\"response\":\"The\","
     "\"done\":false}\n"
     "{\"model\":\"llama3.2\",\"created_at\":\"2023-08-04T19:22:45.499127Z\",\"response\":\"\",\"done\":true,"
     "\"context\":[1,2,3],\"total_duration\":10706818083,\"load_duration\":6338219291,\"prompt_eval_count\":26,"
     "\"prompt_eval_duration\":130079000,\"eval_count\":259,\"eval_duration\":4232710000}\n",
     {"text:The", "last usage:26/259"}},

    {"github.com/ollama/ollama docs/api.md, Pull a model", Api::kOllamaPull,
     "{\"status\":\"pulling manifest\"}\n"
     "{\"status\":\"pulling digestname\",\"digest\":\"digestname\",\"total\":2142590208,\"completed\":241970}\n"
     "{\"status\":\"verifying sha256 digest\"}\n"
     "{\"status\":\"writing manifest\"}\n"
     "{\"status\":\"removing any unused layers\"}\n"
     "{\"status\":\"success\"}\n",
     {"other special", "other special", "other special", "other special", "other special", "other special last"}},

    {"github.com/ollama/ollama server/routes.go, streamResponse: an error while the answer streams", Api::kOllamaChat,
     "{\"model\":\"m\",\"created_at\":\"2025-05-30T10:00:00Z\",\"message\":{\"role\":\"assistant\",\"content\":\"Hel\"},"
     "\"done\":false}\n"
     "{\"error\":\"an error was encountered while running the model: unexpected EOF\"}\n",
     {"text:Hel", "error"},
     false},

    {"github.com/ollama/ollama middleware/openai.go and openai/openai.go (ToChunk, stream_options.include_usage)",
     Api::kOpenAiChat,
     "data: {\"id\":\"chatcmpl-954\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"qwen3\","
     "\"system_fingerprint\":\"fp_ollama\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\","
     "\"reasoning\":\"Okay\"},\"finish_reason\":null}]}\n\n"
     "data: {\"id\":\"chatcmpl-954\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"qwen3\","
     "\"system_fingerprint\":\"fp_ollama\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\","
     "\"content\":\"4\"},\"finish_reason\":null}]}\n\n"
     "data: {\"id\":\"chatcmpl-954\",\"object\":\"chat.completion.chunk\",\"created\":1748600001,\"model\":\"qwen3\","
     "\"system_fingerprint\":\"fp_ollama\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
     "\"finish_reason\":\"stop\"}]}\n\n"
     "data: {\"id\":\"chatcmpl-954\",\"object\":\"chat.completion.chunk\",\"created\":1748600001,\"model\":\"qwen3\","
     "\"system_fingerprint\":\"fp_ollama\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":3,"
     "\"total_tokens\":14}}\n\n"
     "data: [DONE]\n\n",
     {"thinking:Okay", "text:4", "terminal", "usage:11/3", "last"}},

    {"github.com/vllm-project/vllm vllm/entrypoints/openai/chat_completion/serving.py, chat_completion_stream_generator",
     Api::kOpenAiChat,
     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"Qwen/Qwen3-8B\","
     "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
     "\"finish_reason\":null}],\"prompt_token_ids\":null}\n\n"
     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"Qwen/Qwen3-8B\","
     "\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"Hm\"},\"logprobs\":null,\"finish_reason\":null,"
     "\"token_ids\":null}]}\n\n"
     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"Qwen/Qwen3-8B\","
     "\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"id\":\"chatcmpl-tool-1\",\"type\":\"function\",\"index\":0,"
     "\"function\":{\"name\":\"get_weather\",\"arguments\":\"\"}}]},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"Qwen/Qwen3-8B\","
     "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"logprobs\":null,\"finish_reason\":\"tool_calls\","
     "\"stop_reason\":null}]}\n\n"
     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"Qwen/Qwen3-8B\","
     "\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"total_tokens\":25,\"completion_tokens\":16}}\n\n"
     "data: [DONE]\n\n",
     {"no content", "thinking:Hm", "other special", "terminal", "usage:9/16", "last"}},

    {"github.com/vllm-project/vllm vllm/entrypoints/openai/engine/serving.py, create_streaming_error_response",
     Api::kOpenAiChat,
     "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1748600000,\"model\":\"m\","
     "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n"
     "data: {\"error\":{\"message\":\"Internal server error\",\"type\":\"InternalServerError\",\"param\":null,"
     "\"code\":500}}\n\n"
     "data: [DONE]\n\n",
     {"text:Hel", "error", "last"},
     false},

    {"github.com/vllm-project/vllm vllm/entrypoints/openai/completion/serving.py, completion_stream_generator",
     Api::kOpenAiCompletions,
     "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1748600000,\"model\":\"m\",\"choices\":[{"
     "\"index\":0,\"text\":\" Hello\",\"logprobs\":null,\"finish_reason\":null,\"stop_reason\":null}],\"usage\":null}\n\n"
     "data: {\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"created\":1748600000,\"model\":\"m\",\"choices\":[{"
     "\"index\":0,\"text\":\"\",\"logprobs\":null,\"finish_reason\":\"length\",\"stop_reason\":null}],\"usage\":null}\n\n"
     "data: [DONE]\n\n",
     {"text: Hello", "terminal", "last"}},

    {"docs.anthropic.com/en/api/messages-streaming, Full HTTP stream response", Api::kAnthropicMessages,
     "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\","
     "\"role\":\"assistant\",\"content\":[],\"model\":\"claude\",\"stop_reason\":null,\"stop_sequence\":null,"
     "\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\n\n"
     "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{"
     "\"type\":\"thinking\",\"thinking\":\"\"}}\n\n"
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
     "\"type\":\"thinking_delta\",\"thinking\":\"Hm\"}}\n\n"
     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
     "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\","
     "\"text\":\"\"}}\n\n"
     "event: ping\ndata: {\"type\":\"ping\"}\n\n"
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\","
     "\"text\":\"Hello\"}}\n\n"
     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\n"
     "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{"
     "\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"get_weather\",\"input\":{}}}\n\n"
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{"
     "\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\"\"}}\n\n"
     "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\n"
     "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\","
     "\"stop_sequence\":null},\"usage\":{\"output_tokens\":15}}\n\n"
     "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
     {"usage:25/1", "no content", "thinking:Hm", "no content", "no content", "no content", "text:Hello",
      "no content", "other special", "other special", "no content", "terminal usage:-1/15", "last"}},

    {"docs.anthropic.com/en/api/messages-streaming, Error events", Api::kAnthropicMessages,
     "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
     "\"text\":\"Hel\"}}\n\n"
     "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
     {"text:Hel", "error"},
     false},
};

}  // namespace runtime::dialect
