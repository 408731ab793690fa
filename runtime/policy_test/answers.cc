#include "runtime/policy_test/answers.h"

#include "runtime/dialect/dialect.h"

namespace runtime::policy_test {
namespace {

using compiler::model::Body;
using compiler::model::BodyKind;
using dialect::ClientDialect;
using dialect::Shape;

ClientDialect AskedAs(const Question& question) {
  return dialect::Detect(question.method, question.path, question.upstream.url.path, question.body,
                         question.upstream.dialect);
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
  for (int i = 1; i <= given.tokens; ++i)
    answer.tokens.push_back(std::string(frame).replace(at, kToken.size(), "t" + std::to_string(i) + " "));
  return answer;
}

}  // namespace runtime::policy_test
