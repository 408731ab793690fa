// What a policy wants to know of answers: worked out once, asked for each of them.
#pragma once

#include "compiler/model/policy.h"

namespace runtime::proxy {

struct AnswerUse {
  explicit AnswerUse(const compiler::model::Policy& policy);

  bool judges_emptiness = false;  // a predicate reads empty_answer: answers are held until that is known
  bool judges_length = false;     // … prompt_too_long: refusals are read
};

}  // namespace runtime::proxy
