// What a scripted upstream says, in the words of the API that it was asked by: whole answers, errors, and streams token by token.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "compiler/model/settings.h"
#include "compiler/model/tests.h"
#include "runtime/http/message.h"

namespace runtime::tester {

// Who answers what.
struct Question {
  const compiler::model::UpstreamSettings& upstream;
  compiler::abi::Method method{};
  std::string_view path;
  std::string_view body;
  std::string_view time;  // RFC 3339
};

struct WholeAnswer {
  std::string content_type;  // "": there is no body
  std::string body;
};
WholeAnswer AnswerOf(const compiler::model::Given& given, const Question& question);

struct StreamedAnswer {
  std::string content_type;
  std::string begin;                // before the first token; may be empty
  std::vector<std::string> tokens;  // each as it is sent: "t1 ", "t2 " …
  std::string end;                  // of an answer that is whole
  std::string error;                // instead of it
};
StreamedAnswer StreamOf(const compiler::model::Given& given, const Question& question);

}  // namespace runtime::tester
