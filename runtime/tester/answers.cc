#include "runtime/tester/answers.h"

#include "runtime/dialect/dialect.h"

namespace runtime::tester {
namespace {

using compiler::model::Body;
using compiler::model::BodyKind;
using dialect::ClientDialect;
using dialect::Shape;

ClientDialect AskedAs(const Question& question) {
  return dialect::Detect(question.method, question.path, question.upstream.url.path, question.body,
                         question.upstream.dialect);
}

// A frame of thinking, as the servers of that API send it: Ollama's `thinking`, OpenAI's `reasoning_content`, Anthropic's
// `thinking_delta`. Of an API that has none it is empty text.
std::string ThoughtFrame(const ClientDialect& client, int number) {
  const std::string thought = "th" + std::to_string(number) + " ";
  switch (client.api) {
    case dialect::Api::kOllamaChat:
      return R"({"model":"m","created_at":"2024-01-01T00:00:00Z","message":{"role":"assistant","content":"","thinking":")" + thought + "\"},\"done\":false}\n";
    case dialect::Api::kOllamaGenerate:
      return R"({"model":"m","created_at":"2024-01-01T00:00:00Z","response":"","thinking":")" + thought + "\",\"done\":false}\n";
    case dialect::Api::kAnthropicMessages:
      return "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"" + thought + "\"}}\n\n";
    default:
      return "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"" + thought + "\"},\"finish_reason\":null}]}\n\n";
  }
}

bool HasNoBody(int status) { return status == 204 || status == 304; }

}  // namespace

WholeAnswer AnswerOf(const compiler::model::Given& given, const Question& question) {
  if (HasNoBody(given.status)) return {};
  if (given.json) return {"application/json", *given.json};
  const bool is_well = given.status < 300;
  if (given.text && !is_well) return {"text/plain; charset=utf-8", *given.text};
  const ClientDialect client = AskedAs(question);
  if (is_well) {
    Body says{BodyKind::kText, given.text.value_or("answer of " + question.upstream.name)};
    const dialect::ShapedBody shaped = dialect::ShapeReply(says, client, question.time);
    return {shaped.content_type, shaped.body};
  }
  const std::string status = std::to_string(given.status);
  const dialect::ShapedBody shaped = dialect::ShapeError(client, given.status, "status_" + status,
                                                         "status " + status + " of " + question.upstream.name, "");
  return {shaped.content_type, shaped.body};
}

StreamedAnswer StreamOf(const compiler::model::Given& given, const Question& question) {
  // A whole stream of one token is taken apart, so that it is the dialect's business what stands around tokens.
  constexpr std::string_view kToken = "@breakwater-token@";
  ClientDialect client = AskedAs(question);
  if (!client.is_stream()) client.shape = dialect::StreamShapeOf(client.api);
  const dialect::ShapedBody whole =
      dialect::ShapeReply(Body{BodyKind::kText, std::string(kToken)}, client, question.time);
  const std::string_view separator = client.shape == Shape::kSse      ? "\n\n"
                                     : client.shape == Shape::kNdjson ? "\n"
                                                                      : std::string_view();
  size_t begin = whole.body.find(kToken);
  size_t end = begin + kToken.size();
  if (!separator.empty()) {
    const size_t before = whole.body.rfind(separator, begin);
    begin = before == std::string::npos ? 0 : before + separator.size();
    end = whole.body.find(separator, end) + separator.size();
  }
  StreamedAnswer answer;
  answer.content_type = whole.content_type;
  answer.begin = whole.body.substr(0, begin);
  answer.end = whole.body.substr(end);
  answer.error =
      dialect::ErrorFrame(client, "scripted", "the test lets this stream of " + question.upstream.name + " fail", "");
  const std::string frame = whole.body.substr(begin, end - begin);
  const size_t at = frame.find(kToken);
  for (int i = 1; i <= given.thoughts; ++i) answer.tokens.push_back(ThoughtFrame(client, i));
  for (int i = 1; i <= given.tokens; ++i)
    answer.tokens.push_back(std::string(frame).replace(at, kToken.size(), "t" + std::to_string(i) + " "));
  return answer;
}

}  // namespace runtime::tester
