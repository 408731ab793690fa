// The live page of the admin address: a page, its style and its script, as they were when the gateway was built (runtime/proxy/live/).
// They say nothing of this gateway; what they show they ask for at /admin/state, with the token.
#pragma once

#include <optional>
#include <string_view>

#include "runtime/http/message.h"
#include "runtime/proxy/local_answer.h"

namespace runtime::proxy {

// The answer for a path of the page; nothing for any other path.
std::optional<LocalAnswer> AnswerLivePage(const http::RequestHead& head, std::string_view path);

}  // namespace runtime::proxy
