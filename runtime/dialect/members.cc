// One pass with the reader that conditions and rewrites have, too.
#include "runtime/dialect/members.h"

#include <algorithm>
#include <charconv>

#include "base/json_reader.h"
#include "base/short_text.h"

namespace runtime::dialect {
namespace {

using base::JsonReader;
using Token = JsonReader::Token;

constexpr int64_t kMaxChoices = 128;
constexpr int kAnyDepth = 1'000'000'000;  // what nobody reads may be as deep as it likes

// The elements of the array whose token was just read, where they are prompts of their own: texts, or lists of tokens; else 1. 0: a
// problem.
int64_t CountPrompts(JsonReader& reader) {
  int64_t count = 0;
  bool are_prompts = true;
  for (;;) {
    const Token token = reader.Next();
    if (token == Token::kArrayEnd) break;
    if (!reader.SkipRest(token)) return 0;
    if (count == 0) are_prompts = token == Token::kString || token == Token::kArrayEnd || reader.text() == "]";
    ++count;
  }
  return are_prompts ? std::clamp<int64_t>(count, 1, kMaxChoices) : 1;
}

// Those that are looked for; kOther is every other one.
enum class MemberId : uint8_t { kOther, kStream, kModel, kN, kPrompt, kDone, kError };
MemberId IdOfMember(std::string_view name) {
  const auto is = [name](std::string_view wanted) { return base::IsSameText(name.data(), wanted.data(), wanted.size()); };
  switch (name.size()) {
    case 1: return is("n") ? MemberId::kN : MemberId::kOther;
    case 4: return is("done") ? MemberId::kDone : MemberId::kOther;
    case 5: return is("model") ? MemberId::kModel : is("error") ? MemberId::kError : MemberId::kOther;
    case 6: return is("stream") ? MemberId::kStream : is("prompt") ? MemberId::kPrompt : MemberId::kOther;
    default: return MemberId::kOther;
  }
}

bool ReadMember(std::string_view name, JsonReader& reader, Members* members) {
  const Token token = reader.Next();
  const MemberId id = IdOfMember(name);
  if (id == MemberId::kStream) {
    members->stream.reset();
    if (token == Token::kTrue || token == Token::kFalse) members->stream = token == Token::kTrue;
  } else if (id == MemberId::kModel) {
    members->model.clear();
    if (token == Token::kString) base::UnescapeJson(reader.inside(), &members->model);
  } else if (id == MemberId::kN) {
    members->n = 1;
    if (token == Token::kNumber) {
      const std::string_view text = reader.text();
      int64_t n = 1;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
      if (error == std::errc() && end == text.data() + text.size()) members->n = std::clamp<int64_t>(n, 1, kMaxChoices);
    }
  } else if (id == MemberId::kPrompt && token == Token::kArray) {
    members->prompts = CountPrompts(reader);
    return members->prompts > 0;
  } else if (id == MemberId::kDone) {
    members->has_done = true;
  } else if (id == MemberId::kError) {
    members->has_error = token != Token::kNull;
  }
  return reader.SkipRest(token);
}

}  // namespace

std::optional<Members> ReadMembers(std::string_view text) {
  JsonReader reader(text, kAnyDepth);
  Members members;
  const Token first = reader.Next();
  if (first != Token::kObject) {
    if (!reader.SkipRest(first) || reader.Next() != Token::kEnd) return std::nullopt;
    return members;
  }
  members.is_object = true;
  std::string unescaped;
  for (;;) {
    const Token token = reader.Next();
    if (token == Token::kObjectEnd) break;
    if (token != Token::kName) return std::nullopt;
    std::string_view name = reader.inside();
    if (reader.has_escape()) {
      unescaped.clear();
      base::UnescapeJson(name, &unescaped);
      name = unescaped;
    }
    if (!ReadMember(name, reader, &members)) return std::nullopt;
  }
  if (reader.Next() != Token::kEnd) return std::nullopt;
  return members;
}

}  // namespace runtime::dialect
