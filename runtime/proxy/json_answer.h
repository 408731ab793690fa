// Answers in JSON of the gateway's own pages: health and what operators ask for.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "runtime/proxy/local_answer.h"

namespace runtime::proxy {

// `body` and a newline; bytes that are not UTF-8 become U+FFFD. Nobody may keep it.
LocalAnswer JsonAnswer(int status, const nlohmann::ordered_json& body);
// {"error": why}
LocalAnswer JsonRefusal(int status, std::string_view why);

// "there are: a, b", or "there is none in this policy".
std::string Listed(const std::vector<std::string>& names);

}  // namespace runtime::proxy
