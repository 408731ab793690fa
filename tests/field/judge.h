// What a client may take an answer for, read in the slow and obvious way. Includes nothing of runtime/dialect: it is the judge of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tests::field {

enum class Taken : uint8_t {
  kComplete,
  kUnfinished,  // its server says that all is over, but nothing says that it is whole
  kTruncated,
  kError,
  kNoAnswer,    // no answer of the API
};

struct Verdict {
  Taken taken = Taken::kTruncated;
  std::string text;         // that was said, of all choices in the order of arrival
  bool says_answer = false;  // more than nothing and thinking
};

struct Bytes {
  std::string_view api;  // as the tables name it
  std::string_view body;
  bool is_clean_end = true;  // of HTTP: the last chunk, or the length; else the connection broke
  int choices = 1;           // that were asked for
};

Verdict JudgeStream(const Bytes& bytes);
Verdict JudgeWhole(std::string_view api, std::string_view body);

std::string_view Name(Taken taken);

}  // namespace tests::field
