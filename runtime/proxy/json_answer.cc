#include "runtime/proxy/json_answer.h"

namespace runtime::proxy {

using nlohmann::ordered_json;

LocalAnswer JsonAnswer(int status, const ordered_json& body) {
  LocalAnswer answer;
  answer.status = status;
  answer.content_type = "application/json";
  answer.body = body.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  answer.headers.emplace_back("Cache-Control", "no-store");
  return answer;
}

LocalAnswer JsonRefusal(int status, std::string_view why) { return JsonAnswer(status, {{"error", why}}); }

std::string Listed(const std::vector<std::string>& names) {
  if (names.empty()) return "there is none in this policy";
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return "there are: " + text;
}

}  // namespace runtime::proxy
