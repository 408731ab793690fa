#include "tests/field/judge.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace tests::field {
namespace {

using Json = nlohmann::json;

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// Null in all its spellings: nothing is said by it.
bool SaysNothing(const Json& value) {
  if (value.is_null() || value == false || value == 0 || value == "") return true;
  if (value.is_string()) {
    const std::string word = Lower(value.get<std::string>());
    return word == "null" || word == "none" || word == "nil" || word == "undefined";
  }
  if (value.is_array() || value.is_object()) return std::all_of(value.begin(), value.end(), SaysNothing);
  return false;
}

std::string Reason(const Json& object, const char* name) {
  Json reason = object.value(name, Json());
  if (reason.is_object()) reason = Json(reason.value("type", Json()));
  return reason.is_string() && !SaysNothing(reason) ? Lower(reason.get<std::string>()) : std::string();
}

bool BrokeOff(const std::string& reason) {
  static const std::set<std::string> kReasons = {"error", "abort", "aborted", "network_error", "network-error", "error_finish",
                                                 "insufficient_system_resource", "cancelled", "failed", "timeout"};
  return kReasons.count(reason) > 0;
}

struct Event {
  std::string name, data;
  bool is_error = false;
  bool has_data = false;
};

// Braces of an object, strings left out.
bool IsBalanced(const std::string& text) {
  if (text.empty() || text.front() != '{' || text.back() != '}') return false;
  int open = 0;
  for (size_t i = 0, quoted = 0; i < text.size(); ++i) {
    if (quoted != 0 && text[i] == '\\') ++i;
    else if (text[i] == '"') quoted = 1 - quoted;
    else if (quoted == 0) open += text[i] == '{' || text[i] == '[' ? 1 : text[i] == '}' || text[i] == ']' ? -1 : 0;
  }
  return open == 0;
}

// https://html.spec.whatwg.org/multipage/server-sent-events.html, but for what stands behind the last blank line, which counts, and
// for the ways of some servers to tell an error.
std::vector<Event> EventsIn(std::string_view body) {
  if (body.substr(0, 3) == "\xEF\xBB\xBF") body.remove_prefix(3);
  std::vector<Event> events;
  Event event;
  bool has_any = false, has_status = false;
  Event carried;  // a name that stood by itself is that of the next
  std::string bare;
  std::string name_of_data;
  bool data_is_error = false;
  const auto dispatch = [&] {
    if (!event.has_data && !bare.empty()) {
      Json json = Json::parse(bare, nullptr, false);
      if (json.is_array() && json.size() == 1) json = Json(json[0]);
      if (event.is_error || (json.is_object() && !SaysNothing(json.value("error", Json())))) {
        event.is_error = true;
        event.data = bare;
      }
    }
    // Lines that are whole by themselves are events, whose blank lines the server left out.
    std::vector<std::string> parts;
    if (event.has_data && event.data.find('\n') != std::string::npos && Json::parse(event.data, nullptr, false).is_discarded()) {
      std::string part;
      for (std::string_view rest = event.data; !rest.empty();) {
        const size_t end = std::min(rest.find('\n'), rest.size());
        part += (part.empty() ? "" : "\n") + std::string(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (part == "[DONE]" || (part.find('\n') == std::string::npos && IsBalanced(part))) parts.push_back(std::exchange(part, ""));
      }
      if (!part.empty()) parts.push_back(part);
    }
    if (event.has_data && event.name.empty() && !carried.name.empty()) {
      event.name = carried.name;
      event.is_error |= carried.is_error;
    }
    const bool is_name_alone = has_any && !event.has_data && bare.empty() && !event.name.empty() && !has_status;
    if (is_name_alone) carried = event;
    else if (event.has_data) carried = Event();
    for (const std::string& part : parts) {
      Event one = event;
      one.data = part;
      events.push_back(one);
    }
    if (parts.empty() && has_any && !is_name_alone && (event.has_data || event.is_error)) events.push_back(event);
    event = Event();
    has_status = false;
    has_any = false;
    bare.clear();
  };
  std::string line;
  const auto take = [&] {
    if (line.empty()) return dispatch();
    has_any = true;
    // JSON over several lines, outside of any field.
    if (!bare.empty() && line.rfind("data:", 0) != 0 && !Json::accept(bare)) {
      bare += "\n" + line;
      return line.clear();
    }
    if (const size_t at = line.find(":HTTP_STATUS/"); at != std::string::npos) {
      if (std::atoi(line.c_str() + at + 13) >= 400) event.is_error = has_status = true;
      line.resize(at);
    }
    const size_t colon = line.find(':');
    const std::string field = line.substr(0, colon);
    std::string value = colon == std::string::npos ? "" : line.substr(colon + 1);
    if (!value.empty() && value.front() == ' ') value.erase(0, 1);
    if (field == "data") {
      // A line of data that is whole by itself, and more of it: the blank line between two events was left out. A name in between is the
      // next one's.
      const size_t last = event.data.rfind('\n');
      const std::string last_line = last == std::string::npos ? event.data : event.data.substr(last + 1);
      if (event.has_data && !data_is_error && (IsBalanced(last_line) || last_line == "[DONE]")) {
        Event next;
        if (event.name != name_of_data) next.name = event.name;
        next.is_error = std::exchange(event.is_error, false);
        event.name = name_of_data;
        events.push_back(std::exchange(event, next));
      }
      name_of_data = event.name;
      data_is_error = event.is_error;
      if (event.has_data) event.data += "\n";
      event.data += value;
      event.has_data = true;
    } else if (field == "event") {
      event.name = value;
      if (Lower(value) == "error") event.is_error = true;
    } else if (field == "error") {
      event.is_error = true;
      bare = value;
    } else if (!line.empty() && (line.front() == '{' || (line.front() == '[' && line.rfind("[DONE]", 0) != 0))) {
      bare = line;
    }
    line.clear();
  };
  for (size_t i = 0; i < body.size(); ++i) {
    if (body[i] == '\n' || body[i] == '\r') {
      if (body[i] == '\r' && i + 1 < body.size() && body[i + 1] == '\n') ++i;
      take();
      line.clear();
    } else {
      line += body[i];
    }
  }
  if (!line.empty()) take();
  dispatch();
  if (carried.is_error) events.push_back(carried);
  return events;
}

// What is known of an answer while it comes.
struct Story {
  Verdict verdict;
  std::map<int64_t, bool> finished;  // of each choice
  bool had_reason = false;
  bool reasons_lie = false;  // something followed one
  bool complains = false;    // its last object is none of the API, and has a message
  bool says_thinking = false;
  bool has_mark = false;
  bool has_error = false;

  void Say(int64_t choice, const std::string& text, bool answers, bool thinks) {
    if (answers || thinks) {
      complains = false;
      if (finished[choice]) reasons_lie = true;
      finished[choice] = false;
    }
    verdict.text += text;
    verdict.says_answer |= answers;
    says_thinking |= thinks;
  }
  void Begin(int64_t choice) { finished.try_emplace(choice, false); }
  void Finish(int64_t choice) {
    finished[choice] = true;
    had_reason = true;
    complains = false;
  }

  Verdict End(const Bytes& bytes) {
    // As many as were asked for; which numbers they have is the server's to say.
    const bool all = static_cast<int>(finished.size()) >= bytes.choices &&
                     std::all_of(finished.begin(), finished.end(), [](const auto& choice) { return choice.second; });
    const bool says_something = verdict.says_answer || says_thinking;
    if (has_error) verdict.taken = Taken::kError;
    else if (has_mark && !says_something && !had_reason) verdict.taken = Taken::kTruncated;
    else if (has_mark) verdict.taken = all || reasons_lie ? Taken::kComplete : complains ? Taken::kError : Taken::kUnfinished;
    else if (all && !reasons_lie) verdict.taken = Taken::kComplete;
    else if (reasons_lie && bytes.is_clean_end) verdict.taken = Taken::kComplete;
    else verdict.taken = Taken::kTruncated;
    return verdict;
  }
};

std::string TextOf(const Json& object, const char* name) {
  const Json text = object.value(name, Json());
  return text.is_string() ? text.get<std::string>() : std::string();
}

void ReadOpenAi(bool is_chat, const Json& json, Story* story) {
  if (json.value("object", Json()) == "error" || !SaysNothing(json.value("error", Json()))) story->has_error = true;
  if (json.value("type", Json()) == "error" || !SaysNothing(json.value("error_code", Json()))) story->has_error = true;
  const Json base = json.value("base_resp", Json());
  if (base.is_object() && base.value("status_code", Json(0)) != 0) story->has_error = true;
  const Json groq = json.value("x_groq", Json());
  if (groq.is_object() && !SaysNothing(groq.value("error", Json()))) story->has_error = true;
  const Json choices = json.value("choices", Json());
  if (!choices.is_array()) return;
  for (const Json& choice : choices) {
    if (!choice.is_object()) continue;
    const Json index = choice.value("index", Json(0));
    const int64_t number = index.is_number_integer() ? index.get<int64_t>() : 0;
    story->Begin(number);
    Json said = is_chat ? choice.value("delta", Json()) : choice;
    if (!said.is_object()) said = choice.value("message", Json::object());
    if (!said.is_object()) said = Json::object();
    std::string text = TextOf(said, is_chat ? "content" : "text");
    bool answers = !text.empty(), thinks = false;
    const Json parts = is_chat ? said.value("content", Json()) : Json();
    if (parts.is_array()) {
      for (const Json& part : parts) {
        const std::string type = part.is_object() ? TextOf(part, "type") : "?";
        if (type == "thinking" || type == "reasoning") thinks |= !SaysNothing(part.value(type, Json()));
        else if (type == "text") text += TextOf(part, "text"), answers |= !TextOf(part, "text").empty();
        else answers |= !SaysNothing(part);
      }
    }
    if (is_chat) {
      for (const auto& [name, value] : said.items()) {
        if (SaysNothing(value) || name == "role" || name == "content") continue;
        if (name == "tool_calls" && value.is_array()) {
          for (Json call : value) {
            if (call.is_object()) for (const char* label : {"index", "id", "type"}) call.erase(label);
            answers |= !SaysNothing(call);
          }
          continue;
        }
        if (name == "reasoning" || name == "reasoning_content" || name == "reasoning_details") thinks = true;
        else answers = true;
      }
    }
    story->Say(number, text, answers, thinks);
    std::string reason = Reason(choice, "finish_reason");
    if (reason.empty()) reason = Reason(choice, "finishReason");
    const Json details = choice.value("finish_details", Json());
    if (reason.empty() && details.is_object()) reason = Reason(details, "type");
    if (!reason.empty()) story->Finish(number);
    if (BrokeOff(reason) || BrokeOff(Reason(choice, "native_finish_reason"))) story->has_error = true;
    if (!SaysNothing(choice.value("error", Json()))) story->has_error = true;
  }
}

void ReadOllama(const Json& json, Story* story) {
  if (!SaysNothing(json.value("error", Json()))) story->has_error = true;
  const Json message = json.value("message", Json());
  const Json& said = message.is_object() ? message : json;
  const std::string text = message.is_object() ? TextOf(said, "content") : TextOf(said, "response");
  const bool calls = message.is_object() && !SaysNothing(message.value("tool_calls", Json()));
  story->Say(0, text, !text.empty() || calls, !TextOf(said, "thinking").empty());
  if (json.value("done", Json()) == true) {
    story->Finish(0);
    story->has_mark = true;
    if (BrokeOff(Reason(json, "done_reason"))) story->has_error = true;
  }
}

void ReadAnthropicBlock(const Json& block, Story* story) {
  if (!block.is_object()) return;
  const std::string type = TextOf(block, "type");
  const std::string text = TextOf(block, "text");
  const bool is_words = type == "text" || type == "text_delta";
  const bool thinks = type == "thinking_delta" || type == "thinking" || type == "signature_delta" || type == "redacted_thinking";
  const bool says = is_words ? !text.empty() : !thinks;
  story->Say(0, text, says, thinks && (type != "thinking" || !TextOf(block, "thinking").empty()));
}

void ReadAnthropic(const Json& json, const std::string& name, Story* story) {
  std::string type = TextOf(json, "type");
  if (type.empty()) type = name;
  if (type == "error" || !SaysNothing(json.value("error", Json()))) story->has_error = true;
  if (type == "content_block_start") ReadAnthropicBlock(json.value("content_block", Json()), story);
  if (type == "content_block_delta") ReadAnthropicBlock(json.value("delta", Json()), story);
  if (type == "message_delta" || type == "message") {
    const Json& holder = type == "message" ? json : json.value("delta", Json::object());
    if (type == "message") {
      for (const Json& block : json.value("content", Json::array())) ReadAnthropicBlock(block, story);
    }
    const std::string reason = holder.is_object() ? Reason(holder, "stop_reason") : std::string();
    if (!reason.empty()) story->Finish(0);
    if (BrokeOff(reason)) story->has_error = true;
  }
  if (type == "message_stop") story->has_mark = true;
  // What is yet to come says something if it has a part of an answer.
  static const std::set<std::string> kKnown = {"error", "message", "message_start", "content_block_start", "content_block_delta", "content_block_stop",
                                               "message_delta", "message_stop", "ping"};
  if (!type.empty() && kKnown.count(type) == 0 && (json.contains("delta") || json.contains("content_block"))) story->Say(0, "", true, false);
}

void ReadItems(const Json& response, bool with_text, Story* story) {
  for (const Json& item : response.value("output", Json::array())) {
    const std::string type = TextOf(item, "type");
    if (type == "message") {
      for (const Json& part : item.value("content", Json::array())) {
        const std::string text = TextOf(part, "text");
        story->Say(0, with_text ? text : std::string(), !text.empty(), false);
      }
    } else if (type != "reasoning") {
      story->Say(0, "", true, false);
    }
  }
}

void ReadResponses(const Json& json, const std::string& name, Story* story) {
  std::string type = TextOf(json, "type");
  if (type.empty()) type = name;
  if (type == "error" || type == "response.failed" || !SaysNothing(json.value("error", Json()))) story->has_error = true;
  if (type == "response.output_text.delta") story->Say(0, TextOf(json, "delta"), !TextOf(json, "delta").empty(), false);
  else if (type.rfind("response.reasoning", 0) == 0 && type.size() > 6 && type.compare(type.size() - 6, 6, ".delta") == 0) story->Say(0, "", false, true);
  else if (type.size() > 6 && type.compare(type.size() - 6, 6, ".delta") == 0) story->Say(0, "", !SaysNothing(json.value("delta", Json())), false);
  if (type == "response.output_item.added" && TextOf(json.value("item", Json::object()), "type") != "message" &&
      TextOf(json.value("item", Json::object()), "type") != "reasoning") {
    story->Say(0, "", true, false);
  }
  if (type == "response.completed" || type == "response.incomplete") {
    const Json response = json.value("response", Json::object());
    ReadItems(response, false, story);
    if (!SaysNothing(response.value("error", Json()))) story->has_error = true;
    story->Finish(0);
    story->has_mark = true;
  }
}

void Read(std::string_view api, const Json& json, const std::string& name, Story* story) {
  if (api == "openai_chat" || api == "openai_completions") ReadOpenAi(api == "openai_chat", json, story);
  else if (api == "anthropic_messages") ReadAnthropic(json, name, story);
  else if (api == "openai_responses") ReadResponses(json, name, story);
  else ReadOllama(json, story);
}

// An object that says what went wrong, and nothing that an answer has.
bool Complains(const Json& json) {
  for (const char* member : {"response", "delta", "message_delta", "done"}) {
    if (json.contains(member)) return false;
  }
  for (const char* member : {"choices", "usage"}) {
    if (json.contains(member) && json[member].is_structured() && !json[member].empty()) return false;
  }
  if (json.contains("choices") && (json.contains("error") || json.value("code", Json()) == 0)) return false;
  for (const auto& [name, value] : json.items()) {
    static const std::set<std::string> kSaid = {"detail", "message", "msg", "error_msg", "error_message", "error", "err", "exception", "faultstring"};
    static const std::set<std::string> kHolders = {"fault", "status", "output", "error", "errors", "detail"};
    const std::string lower = Lower(name);
    if (kSaid.count(lower) != 0 && value.is_string() && !SaysNothing(value)) return true;
    const bool is_exception = lower.size() > 9 && lower.compare(lower.size() - 9, 9, "exception") == 0;
    if (kHolders.count(lower) == 0 && !is_exception) continue;
    if (value.is_object() && Complains(value)) return true;
    if (value.is_array() && std::any_of(value.begin(), value.end(), [](const Json& part) { return part.is_object() && Complains(part); })) return true;
  }
  return false;
}

// What stands where JSON should: an error in words, or one in JSON behind an event that was cut.
bool IsErrorText(const std::string& data) {
  const std::string words = Lower(data);
  for (const char* begin : {"error:", "[error]", "<html", "<!doctype html", "upstream connect error", "{'error", "{\"error\""}) {
    if (words.rfind(begin, 0) == 0) return true;
  }
  const size_t line = data.rfind('\n');
  if (line == std::string::npos) return false;
  const Json last = Json::parse(data.substr(line + 1), nullptr, false);
  return last.is_object() && (last.value("type", Json()) == "error" || !SaysNothing(last.value("error", Json())));
}

bool IsLines(std::string_view api) { return api.substr(0, 6) == "ollama"; }

}  // namespace

Verdict JudgeStream(const Bytes& bytes) {
  Story story;
  if (IsLines(bytes.api)) {
    std::string_view rest = bytes.body;
    while (!rest.empty() && !story.has_mark && !story.has_error) {
      const size_t end = rest.find('\n');
      const Json json = Json::parse(rest.substr(0, end), nullptr, false);
      if (json.is_object()) Read(bytes.api, json, "", &story);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    }
    return story.End(bytes);
  }
  for (const Event& event : EventsIn(bytes.body)) {
    if (event.is_error) {
      story.has_error = true;
      break;
    }
    if (event.data.rfind("[DONE]", 0) == 0) {
      if (bytes.api == "openai_chat" || bytes.api == "openai_completions") story.has_mark = true;
    } else {
      const Json json = Json::parse(event.data, nullptr, false);
      if (json.is_object()) {
        if (Complains(json)) story.complains = true;
        Read(bytes.api, json, event.name, &story);
      } else if (json.is_discarded() && IsErrorText(event.data)) {
        story.has_error = true;
      } else if (json.is_discarded() && !event.data.empty() && std::isalnum(static_cast<unsigned char>(event.data.front())) &&
                 event.data.find(' ') != std::string::npos) {
        // Words of somebody in between, unless they only say that he lives.
        const std::string words = Lower(event.data);
        bool lives = false;
        for (const char* sign : {"alive", "ping", "heartbeat", "processing", "waiting", "queue", "loading"}) {
          lives |= words.find(sign) != std::string::npos;
        }
        for (const char* wrong : {"timeout", "timed out", "unavailable", "overload", "rate limit", "too many", "quota", "out of memory", "cuda", "exception"}) {
          story.complains |= !lives && words.find(wrong) != std::string::npos;
        }
      }
    }
    if (story.has_mark || story.has_error) break;  // whatever follows is not of this answer
  }
  return story.End(bytes);
}

Verdict JudgeWhole(std::string_view api, std::string_view body) {
  Verdict none;
  none.taken = Taken::kNoAnswer;
  while (body.substr(0, 3) == "\xEF\xBB\xBF") body.remove_prefix(3);
  Json json = Json::parse(body, nullptr, false);
  if (json.is_array() && json.size() == 1) json = Json(json[0]);
  if (!json.is_object()) return none;
  Story story;
  if (api == "openai_responses") {
    if (json.value("object", Json()) != "response" && SaysNothing(json.value("error", Json()))) return none;
    if (!SaysNothing(json.value("error", Json())) || json.value("status", Json()) == "failed") story.has_error = true;
    ReadItems(json, true, &story);
  } else {
    const char* const kMembers[] = {"choices", "message", "response", "done", "content", "usage"};
    Read(api, json, "", &story);
    const bool is_known = std::any_of(std::begin(kMembers), std::end(kMembers), [&json](const char* name) { return json.contains(name) && (!json[name].is_string() || std::string(name) == "response"); });
    if (!is_known && !story.has_error) return none;
    if (api.substr(0, 6) == "openai" && !story.has_error && SaysNothing(json.value("choices", Json())) && Complains(json)) return none;
  }
  Verdict verdict = story.verdict;
  verdict.taken = story.has_error ? Taken::kError : Taken::kComplete;
  if (IsLines(api) && !story.has_error && json.value("done", Json()) != true) verdict.taken = Taken::kTruncated;
  return verdict;
}

std::string_view Name(Taken taken) {
  switch (taken) {
    case Taken::kComplete: return "complete";
    case Taken::kUnfinished: return "unfinished";
    case Taken::kTruncated: return "truncated";
    case Taken::kError: return "error";
    case Taken::kNoAnswer: return "no_answer";
  }
  return {};
}

}  // namespace tests::field
