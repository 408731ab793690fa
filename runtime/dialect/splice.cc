#include "runtime/dialect/splice.h"

#include <algorithm>

#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/dialect_codec.h"

namespace runtime::dialect {
namespace {

// From this length on a text that is repeated from its beginning is an echo, not a coincidence.
constexpr size_t kEchoBytes = 4;
// An answer that begins with this much of the first one and then differs is another answer.
constexpr size_t kOtherAnswerBytes = 16;
constexpr size_t kShortestWord = 3;

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
                             a.begin());
}

// The letters that a text ends with.
std::string_view LastWord(std::string_view text) {
  size_t from = text.size();
  while (from > 0 && IsLetter(text[from - 1])) --from;
  return text.substr(from);
}

// The word that might be said twice at the seam; "" if a repetition would mean nothing: it is short, or the text repeats
// itself anyway ("la la la").
std::string_view WordAtSeam(std::string_view text) {
  const std::string_view word = LastWord(text);
  if (word.size() < kShortestWord) return {};
  std::string_view before = text.substr(0, text.size() - word.size());
  while (!before.empty() && !IsLetter(before.back())) before.remove_suffix(1);
  return LastWord(before) == word ? std::string_view() : word;
}

// How many bytes at the beginning of `next` repeat what `text` ends with. Nothing: more of it is needed.
std::optional<size_t> RepeatedAtSeam(std::string_view text, std::string_view next, bool is_end) {
  const bool ends_with_space = text.ends_with(' ');
  const std::string_view word = WordAtSeam(ends_with_space ? text.substr(0, text.size() - 1) : text);
  if (!word.empty()) {
    const size_t from = !ends_with_space && next.starts_with(' ') ? 1 : 0;
    const std::string_view rest = next.substr(from);
    const size_t common = CommonPrefix(rest, word);
    if (common == word.size()) {
      if (rest.size() == common && !is_end) return std::nullopt;
      if (rest.size() == common || !IsLetter(rest[common])) {
        const bool space_too = ends_with_space && rest.size() > common && rest[common] == ' ';
        return from + common + (space_too ? 1 : 0);
      }
    } else if (common == rest.size() && !is_end) {
      return std::nullopt;
    }
  }
  const char before = text.size() < 2 ? 'x' : text[text.size() - 2];
  const bool single_space = ends_with_space && before != ' ' && before != '\n';
  if (single_space && next.starts_with(' ')) {
    if (next.size() == 1) return is_end ? std::optional<size_t>(1) : std::nullopt;
    if (next[1] != ' ') return 1;
  }
  return 0;
}

}  // namespace

void Blocks::Observe(BlockStep step, int64_t number) {
  if (step == BlockStep::kNone) return;
  open = step == BlockStep::kEnds ? BlockStep::kNone : step;
  if (step != BlockStep::kEnds) last = number;
}

void SentAnswer::Observe(std::string_view data, const FrameReading& reading) {
  if (reading.is_opaque) is_special_ = true;  // the client may read in it what nobody here can
  if (!reading.is_data) return;
  if (first_frame_.empty() && !data.empty()) first_frame_ = data;
  if (!reading.is_plain) is_special_ = true;
  blocks_.Observe(reading.block, reading.block_number);
  Add(reading.thinking, reading.text);
}

void SentAnswer::Forget() {
  is_special_ = true;
  std::string().swap(thinking_);
  std::string().swap(text_);
}

void SentAnswer::Add(std::string_view thinking, std::string_view text) {
  if (is_special_) return;
  if (!thinking.empty() && !text_.empty()) is_special_ = true;  // thinking between the words: its order would be lost
  thinking_.append(thinking);
  text_.append(text);
  if (thinking_.size() + text_.size() > kMaxBytes) is_special_ = true;
}

bool Splicer::SkipSent(std::string_view part, const std::string& sent, size_t* matched, std::string* fresh) {
  const std::string_view expected = std::string_view(sent).substr(*matched);
  const size_t common = CommonPrefix(part, expected);
  if (common < part.size() && common < expected.size()) return false;
  *matched += common;
  fresh->append(part.substr(common));
  return true;
}

bool Splicer::Take(std::string_view thinking, std::string_view text, std::string* new_thinking, std::string* new_text) {
  if (mode_ == Mode::kContinued) {
    // Some models think again before they go on: that is not part of the answer that was begun.
    if (is_settled_) {
      new_text->append(text);
      return true;
    }
    if (text.empty()) return true;
    kept_.append(text);
    return Decide(false, new_text);
  }
  if (!thinking.empty()) {
    std::string fresh;
    if (!SkipSent(thinking, thinking_, &thinking_matched_, &fresh)) return false;
    if (!fresh.empty() && (!text_.empty() || text_matched_ > 0)) return false;
    new_thinking->append(fresh);
  }
  if (text.empty()) return true;
  if (thinking_matched_ < thinking_.size()) return false;
  return SkipSent(text, text_, &text_matched_, new_text);
}

bool Splicer::Settle(std::string* new_text) {
  if (mode_ == Mode::kAfresh) return thinking_matched_ == thinking_.size() && text_matched_ == text_.size();
  return is_settled_ || Decide(true, new_text);
}

bool Splicer::Decide(bool is_end, std::string* new_text) {
  const std::string_view text = text_;
  const std::string_view next = kept_;
  const size_t common = CommonPrefix(next, text);
  size_t skipped = 0;
  if (common == text.size()) {  // all of it again
    if (text.size() < kEchoBytes) return false;
    skipped = common;
  } else if (common == next.size() && !next.empty()) {  // … perhaps
    if (!is_end) return true;
    if (common >= kOtherAnswerBytes) return false;
  } else if (common >= kOtherAnswerBytes && text.find(text.substr(0, common), 1) == std::string_view::npos) {
    return false;
  }
  if (skipped == 0) {
    const auto repeated = RepeatedAtSeam(text.substr(0, given_), next, is_end);
    if (!repeated) return true;
    // What the client has beyond that is white space, with which the second one may begin.
    const std::string_view rest = next.substr(*repeated);
    const size_t again = CommonPrefix(rest, text.substr(given_));
    if (again == rest.size() && again < text.size() - given_ && !is_end) return true;
    skipped = *repeated + again;
  }
  new_text->append(next.substr(skipped));
  kept_.clear();
  is_settled_ = true;
  return true;
}

std::string_view GivenBeginning(Api api, std::string_view text) {
  if (api != Api::kAnthropicMessages) return text;
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

std::optional<std::string> WithBeginning(Api api, std::string_view client_body, std::string_view text) {
  text = GivenBeginning(api, text);
  if (text.empty()) return std::nullopt;
  if (!ReadObject(api, client_body)) return std::nullopt;  // not JSON, or nested so deep that writing it is no option
  Json body = Json::parse(client_body, nullptr, false);
  if (!body.is_object()) return std::nullopt;
  switch (api) {
    case Api::kOllamaChat:
    case Api::kOpenAiChat:
    case Api::kAnthropicMessages: {
      if (!body.contains("messages") || !body["messages"].is_array()) return std::nullopt;
      Json& messages = body["messages"];
      // A client may have begun the answer itself.
      const bool is_begun =
          !messages.empty() && messages.back().is_object() && messages.back().value("role", Json()) == "assistant";
      Json* content = is_begun && messages.back().contains("content") ? &messages.back()["content"] : nullptr;
      if (content != nullptr && content->is_string()) {
        *content = content->get<std::string>().append(text);
      } else if (api == Api::kAnthropicMessages && content != nullptr && content->is_array()) {
        content->push_back({{"type", "text"}, {"text", text}});
      } else {
        messages.push_back({{"role", "assistant"}, {"content", text}});
      }
      if (api == Api::kOpenAiChat) {  // vLLM and SGLang begin a new turn without these
        body["add_generation_prompt"] = false;
        body["continue_final_message"] = true;
      }
      return Dump(body);
    }
    case Api::kOllamaGenerate:
      if (body.value("raw", Json()) != true)
        return std::nullopt;  // the prompt is wrapped in a template: it can't go on
      [[fallthrough]];
    case Api::kOpenAiCompletions:
      if (!body.value("prompt", Json()).is_string()) return std::nullopt;
      body["prompt"] = body["prompt"].get<std::string>().append(text);
      return Dump(body);
    default: return std::nullopt;
  }
}

std::string JoinedFrame(Api api, std::string_view data, const std::string& first_frame, std::string_view thinking,
                        std::string_view text, Blocks* blocks) {
  Json frame = Json::parse(data, nullptr, false);
  const Json first = Json::parse(first_frame, nullptr, false);
  if (!frame.is_object() || !first.is_object()) return {};
  return CodecOf(api).join(api, first, thinking, text, &frame, blocks);
}

}  // namespace runtime::dialect
