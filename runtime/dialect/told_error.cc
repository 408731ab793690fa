#include "runtime/dialect/told_error.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include <nlohmann/json.hpp>

namespace runtime::dialect {
namespace {

using Json = nlohmann::json;

constexpr int kMaxDepth = 4;           // of what is said about one error: errors within errors within details
constexpr size_t kMaxMessageBytes = 4 << 10;

// Lower case, `_` and `-` as blanks, runs of blanks as one: spellings of the same words.
std::string Plain(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (const char c : text) {
    const bool is_blank = c == '_' || c == '-' || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '`' || c == '"';
    if (!is_blank) plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (!plain.empty() && plain.back() != ' ') plain += ' ';
  }
  return plain;
}

// Whether `plain` has one of the alternatives. An empty one is always there.
bool HasOneOf(std::string_view plain, std::string_view alternatives) {
  while (true) {
    const size_t end = alternatives.find('|');
    if (plain.find(alternatives.substr(0, end)) != std::string_view::npos) return true;
    if (end == std::string_view::npos) return false;
    alternatives.remove_prefix(end + 1);
  }
}

// Rates and quotas are counted in tokens, too.
constexpr std::string_view kAboutRates =
    "per minute|per min|per hour|per day|per second|tpm|rate limit|too many requests|throttl|quota|concurren|wait before";

bool IsNumber(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

int StatusIn(const Json& value) {
  int64_t status = 0;
  if (value.is_number_integer()) status = value.get<int64_t>();
  if (value.is_string() && IsNumber(value.get_ref<const std::string&>()) && value.get_ref<const std::string&>().size() == 3)
    status = std::atoi(value.get_ref<const std::string&>().c_str());
  return status >= 400 && status <= 599 ? static_cast<int>(status) : 0;
}

// Names under which something is said about an error. What a client sent (FastAPI repeats it under `input`) is not.
constexpr std::string_view kNamesOfMessages[] = {"message",  "msg",      "detail",       "error_message", "error_msg", "errormsg",
                                                "errormessage", "error_description", "status_msg", "reason",    "title",     "description",   "faultstring"};
constexpr std::string_view kNamesOfCodes[] = {"code", "type", "error_code", "errorcode", "status", "status_code", "statuscode",
                                             "http_code", "http_status", "error_type", "object", "name"};
constexpr std::string_view kNamesOfMore[] = {"error", "errors", "err", "response", "base_resp", "metadata", "raw", "details", "innererror",
                                            "inner_error", "cause", "exception", "last_error", "incomplete_details", "failure",
                                            "fault", "output", "choices", "delta", "status", "responsemetadata", "x_groq"};

// … whose text is what is wrong.
constexpr std::string_view kNamesOfErrors[] = {"error", "errors", "err", "exception", "fault"};

template <size_t kCount>
bool IsOneOf(const std::string& name, const std::string_view (&names)[kCount]) {
  std::string lower = name;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(std::begin(names), std::end(names), lower) != std::end(names);
}

// … or that says so at its end, and holds what it says: internalServerException (Bedrock).
bool NamesException(const std::string& name) {
  constexpr std::string_view kEnd = "exception";
  if (name.size() < kEnd.size()) return false;
  return std::equal(kEnd.begin(), kEnd.end(), name.end() - kEnd.size(), [](char end, unsigned char c) { return end == std::tolower(c); });
}

struct Said {
  int status = 0;
  std::string message;
  std::string code;
  std::string all;  // every word that is about the error
};

void Add(std::string* all, const std::string& words) {
  if (all->size() < kMostErrorBytes) all->append(words).append("\n");
}

void Collect(const Json& value, int depth, bool is_error, Said* said) {
  if (depth > kMaxDepth) return;
  if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    // An error within the text of one, as proxies hand them on.
    if (const size_t brace = text.find('{'); brace != std::string::npos && depth < kMaxDepth) {
      const Json inner = Json::parse(text.substr(brace), nullptr, false);
      if (inner.is_object()) Collect(inner, depth + 1, true, said);
    }
    Add(&said->all, text);
    if (is_error && said->message.empty()) said->message = text;
    return;
  }
  if (value.is_array()) {
    for (const Json& part : value) Collect(part, depth + 1, is_error, said);
    return;
  }
  if (!value.is_object()) return;
  // The outer message is what a person shall read; inner ones only say more about the kind.
  for (const auto& [name, member] : value.items()) {
    if (!IsOneOf(name, kNamesOfMessages)) continue;
    if (member.is_string()) {
      const auto& text = member.get_ref<const std::string&>();
      Add(&said->all, text);
      if (said->message.empty()) said->message = text;
    }
    Collect(member, depth + 1, false, said);
  }
  for (const auto& [name, member] : value.items()) {
    if (!IsOneOf(name, kNamesOfCodes)) continue;
    if (const int status = StatusIn(member); status != 0) {
      if (said->status == 0) said->status = status;
      continue;
    }
    if (!member.is_string()) continue;
    const auto& text = member.get_ref<const std::string&>();
    if (text.empty() || text == "error" || text == "failed" || text == "response.failed" || text == "response") continue;
    Add(&said->all, text);
    if (said->code.empty() || said->code.find(' ') != std::string::npos) said->code = text;
  }
  for (const auto& [name, member] : value.items()) {
    if (member.is_object() && NamesException(name)) {
      Add(&said->all, name);
      Collect(member, depth + 1, true, said);
    } else if (IsOneOf(name, kNamesOfMore) && (member.is_structured() || !IsOneOf(name, kNamesOfCodes))) {
      Collect(member, depth + 1, IsOneOf(name, kNamesOfErrors), said);
    }
  }
}

// All that a body says of an error: the members of an object, or the words that it is.
Said WhatIsSaid(std::string_view body) {
  if (body.starts_with("\xEF\xBB\xBF")) body.remove_prefix(3);
  Said said;
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_discarded() || json.is_string()) {
    said.all = json.is_string() ? json.get<std::string>() : std::string(body);
    said.message = said.all;
  } else {
    Collect(json, 0, true, &said);
  }
  return said;
}

int KindOf(std::string_view words) {
  const std::string plain = Plain(words);
#define ERROR_KIND_OF(status, alternatives) \
  if (HasOneOf(plain, alternatives)) return status;
#include "runtime/dialect/error_kinds.def"
#undef ERROR_KIND_OF
  return 0;
}

}  // namespace

bool SaysPromptTooLong(std::string_view words) {
  const std::string plain = Plain(words.substr(0, kMostErrorBytes));
  if (HasOneOf(plain, kAboutRates)) return false;
#define PROMPT_TOO_LONG(alternatives, with_one_of, source) \
  if (HasOneOf(plain, alternatives) && HasOneOf(plain, with_one_of)) return true;
#include "runtime/dialect/prompt_too_long.def"
#undef PROMPT_TOO_LONG
  return false;
}

ToldError ReadError(std::string_view body, int told_status) {
  const Said said = WhatIsSaid(body.substr(0, kMostErrorBytes));
  ToldError error;
  error.message = said.message.substr(0, kMaxMessageBytes);
  while (!error.message.empty() && std::isspace(static_cast<unsigned char>(error.message.back())) != 0) error.message.pop_back();
  error.code = said.code;
  error.prompt_too_long = told_status != 429 && said.status != 429 && SaysPromptTooLong(said.all);
  if (error.prompt_too_long) {
    error.status = 400;  // whatever number stands beside it: llama.cpp says 500
  } else if (told_status >= 400 && told_status <= 599) {
    error.status = told_status;
  } else if (said.status != 0) {
    error.status = said.status;
  } else {
    error.status = KindOf(said.code);
    if (error.status == 0 || error.status == 500 || error.status == 400) {
      // The message is more exact than "server_error" or "invalid_request_error".
      if (const int by_message = KindOf(said.all); by_message != 0 && (error.status != 400 || by_message < 500))
        error.status = by_message;
    }
  }
  return error;
}

int StatusOfRequest(std::string_view body) {
  const Said said = WhatIsSaid(body.substr(0, kMostErrorBytes));
  if (said.status == 429) return 429;  // of a limit that counts tokens, too
  if (SaysPromptTooLong(said.all)) return 400;
  for (const int status : {400, 401, 403, 404, 413, 422}) {
    if (said.status == status) return status;
  }
  const std::string plain = Plain(said.all);
#define CLIENT_MISTAKE(words, source) \
  if (HasOneOf(plain, words)) return 400;
#include "runtime/dialect/client_mistakes.def"
#undef CLIENT_MISTAKE
  // Names of kinds only: what a message says of an argument may be CUDA's.
  const std::string kind = Plain(said.code);
  if (HasOneOf(kind, "response")) return 0;  // ResponseValidationError: what the server was about to answer is wrong
  return HasOneOf(kind, "invalid request|badrequest|bad request|invalid argument|invalidargument|invalid parameter|validationerror|validation error|"
                        "unprocessable|context length")
             ? 400
             : 0;
}

namespace {

// Members that say how long, in their spellings without `_`; in milliseconds if they say so.
std::string WaitInMembers(const Json& value, int depth) {
  if (depth > kMaxDepth + 1) return {};
  if (value.is_array()) {
    for (const Json& part : value) {
      if (std::string wait = WaitInMembers(part, depth + 1); !wait.empty()) return wait;
    }
    return {};
  }
  if (!value.is_object()) return {};
  for (const auto& [name, member] : value.items()) {
    std::string plain;
    for (const char c : name) {
      if (c != '_' && c != '-') plain += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    for (const std::string_view known : {"retrydelay", "retryafter", "retryafterseconds", "retryafterms", "retryafterinseconds", "retryin",
                                         "resetafter", "resetsinseconds", "resetseconds", "resetsat", "xratelimitreset", "cooldowntime",
                                         "secondsuntilreset", "quotaresetdelay", "estimatedtime"}) {
      if (plain != known) continue;
      const bool is_number = member.is_number() && member.get<double>() >= 0;
      std::string wait = is_number ? member.dump() : member.is_string() ? member.get<std::string>() : std::string();
      if (wait.find_first_of("eE") != std::string::npos && is_number) wait.clear();
      if (!wait.empty() && plain.ends_with("ms") && std::isdigit(static_cast<unsigned char>(wait.back())) != 0) wait += "ms";
      if (!wait.empty()) return wait;
    }
  }
  for (const auto& [name, member] : value.items()) {
    if (std::string wait = WaitInMembers(member, depth + 1); !wait.empty()) return wait;
  }
  return {};
}

// "1 minute 7.66 seconds" at the beginning of a text, as 1m7.66s; "" without a unit.
std::string TimeAt(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kUnits[] = {
      {"milliseconds", "ms"}, {"millisecond", "ms"}, {"seconds", "s"}, {"second", "s"}, {"secs", "s"}, {"sec", "s"},
      {"minutes", "m"},       {"minute", "m"},       {"mins", "m"},    {"min", "m"},    {"hours", "h"}, {"hour", "h"},
      {"days", "d"},          {"day", "d"},          {"ms", "ms"},     {"s", "s"},      {"m", "m"},     {"h", "h"},
      {"d", "d"}};
  std::string time;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    std::string_view number = text.substr(0, digits);
    text.remove_prefix(digits);
    while (text.starts_with(' ')) text.remove_prefix(1);
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits), [text](const auto& u) {
      if (!text.starts_with(u.first)) return false;
      return text.size() == u.first.size() || std::isalpha(static_cast<unsigned char>(text[u.first.size()])) == 0;
    });
    if (unit == std::end(kUnits) || number.ends_with('.')) break;
    time.append(number).append(unit->second);
    text.remove_prefix(unit->first.size());
    while (text.starts_with(' ') || text.starts_with(',')) text.remove_prefix(1);
    if (text.starts_with("and ")) text.remove_prefix(4);
  }
  return time;
}

}  // namespace

std::string WaitTold(std::string_view body) {
  body = body.substr(0, kMostErrorBytes);
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_discarded()) {
    if (std::string wait = WaitInMembers(json, 0); !wait.empty()) return wait;
  }
  std::string words = WhatIsSaid(body).all;
  std::transform(words.begin(), words.end(), words.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const std::string_view lead : {"try again in ", "try again after ", "retry in ", "retry after ", "retry your request after ", "reset in ", "resets in ",
                                      "reset after ", "resets after ", "available in ", "wait for ", "wait "}) {
    for (size_t at = words.find(lead); at != std::string::npos; at = words.find(lead, at + 1)) {
      if (std::string time = TimeAt(std::string_view(words).substr(at + lead.size())); !time.empty()) return time;
    }
  }
  return {};
}

bool IsNoReason(std::string_view reason) {
  const std::string plain = Plain(reason);
  size_t from = plain.find_first_not_of(' ');
  if (from == std::string::npos) return true;
  const std::string_view word = std::string_view(plain).substr(from, plain.find_last_not_of(' ') - from + 1);
  for (const std::string_view none : {"null", "none", "nil", "undefined", "nan", "false", "not finished", "unfinished", "in progress",
                                      "unspecified", "finish reason unspecified", "continue", "generating", "streaming", "pending",
                                      "processing", "running", "ongoing", "n/a", "0"}) {
    if (word == none) return true;
  }
  return false;
}

bool IsNoError(std::string_view words) {
  if (IsNoReason(words)) return true;
  const std::string plain = Plain(words);
  for (const std::string_view none : {"ok", "success", "succeeded", "successful", "no error", "200"}) {
    if (plain == none) return true;
  }
  return false;
}

bool SaysBrokeOff(std::string_view reason) {
  const std::string plain = Plain(reason);
  if (plain.ends_with("error limit") || plain.ends_with("error toxic")) return false;  // Cohere: a length, a filter
  return HasOneOf(plain,
                  "error|abort|network|insufficient system|interrupt|disconnect|cancel|timeout|timed out|time out|exception|crash|fail|"
                  "unavailable|overload|killed|preempt|evicted|terminated|broken|reset|out of memory|engine dead|deadline|closed|"
                  "exhausted|rate limit|quota|incomplete generation");
}

}  // namespace runtime::dialect
