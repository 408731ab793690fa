// What of a request may be read, and what keeps it from being read in one way only.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/json_reader.h"
#include "base/json_text.h"
#include "runtime/http/message.h"

namespace runtime::http {

enum class ReadProblem : uint8_t {
  kNone,
#define READ_PROBLEM(name, doc) k_##name,
#include "runtime/http/read_problems.def"
#undef READ_PROBLEM
};
std::string_view Name(ReadProblem problem);     // "" for kNone
std::string_view Explain(ReadProblem problem);  // likewise

ReadProblem ProblemOf(base::JsonProblem problem);
ReadProblem ProblemOf(base::MergeOutcome outcome);

// Whether the body of such a request has members, if it isn't empty: POST, PUT or PATCH, and JSON by its type, or without one, or on a
// path on which servers read JSON whatever the type says.
bool MayHaveMembers(const RequestHead& head, bool is_json_api);

// application/json, text/json, or anything +json (RFC 6839 3.1); parameters don't matter.
bool IsJsonType(std::string_view content_type);

// Whether several lines of a request header are one list (RFC 9110 5.3), by its lower-case name.
bool IsListHeader(std::string_view name);

}  // namespace runtime::http
