// What of a request may be read, and what keeps it from being read in one way only.
#pragma once

#include <cstdint>
#include <string>
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

// application/json, text/json, or anything +json (RFC 6839 3.1), or a list with one of them; parameters don't matter.
bool IsJsonType(std::string_view content_type);

// Whether servers that heed the charset of Content-Type (Node's body-parser, Java's) read the JSON as those do that take it for the UTF-8
// that it must be (RFC 8259 8.1): UTF-8 or ASCII is named, or nothing, or a superset of ASCII and the body is ASCII.
bool IsReadAsUtf8(const RequestHead& head, std::string_view body);

// Whether several lines of a request header are one list (RFC 9110 5.3), by its name in any case.
bool IsListHeader(std::string_view name);

// The lines of that name as one value: with ", " between them, Cookie with "; " (RFC 9113 8.2.3).
std::string JoinedValue(const Headers& headers, std::string_view name);
std::string_view ListSeparator(std::string_view name);

}  // namespace runtime::http
