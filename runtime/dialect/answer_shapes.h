// One answer in both shapes of its API: an object made of a stream, and a stream made of an object. What is kept of an answer can
// so be given to every client of the API. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "runtime/dialect/dialect.h"

namespace runtime::dialect {

// The whole answer, as one JSON object, that an upstream of `api` gave with status 200 as `body`: its object, or its stream folded
// into one. Nothing where an answer in the other shape would say less or something else: it isn't complete, it has more than text
// and thinking of one choice, or members that the other shape has no place for.
std::optional<std::string> WholeAnswerOf(Api api, std::string_view content_type, std::string_view body);

// An object that WholeAnswerOf gave, as a stream for this client. `client_body`: its request, which may ask for usage in a stream.
std::string StreamOf(const ClientDialect& client, std::string_view client_body, std::string_view object);

}  // namespace runtime::dialect
