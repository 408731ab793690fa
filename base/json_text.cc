#include "base/json_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/text.h"

namespace base {
namespace {

using Token = JsonReader::Token;

void AppendCanonicalString(std::string_view quoted, bool has_escape, std::string* out) {
  if (!has_escape) {
    out->append(quoted);
    return;
  }
  const std::string_view inside = quoted.substr(1, quoted.size() - 2);
  std::string text;
  *out += '"';
  // Half of a pair stays as it is written: a backslash of text would be written twice, so nothing else looks like it.
  if (UnescapeJson(inside, &text)) AppendJsonEscaped(text, out);
  else *out += inside;
  *out += '"';
}

// A text as its tokens, read once: what a value is made of stands behind it, up to `next`.
struct Step {
  Token token;
  bool has_escape;
  uint32_t begin;
  uint32_t end;
  uint32_t next;  // behind the value
};

class Tape {
 public:
  explicit Tape(std::string_view text) : text_(text) {}

  bool Read() {
    if (text_.size() > UINT32_MAX) return false;
    JsonReader reader(text_);
    std::vector<uint32_t> open;
    for (;;) {
      const Token token = reader.Next();
      if (token == Token::kProblem) return false;
      if (token == Token::kEnd) return true;
      const auto at = static_cast<uint32_t>(steps_.size());
      if (token == Token::kObjectEnd || token == Token::kArrayEnd) {
        steps_[open.back()].next = at;
        open.pop_back();
        continue;
      }
      const bool is_text = token == Token::kName || token == Token::kString;
      steps_.push_back({token, is_text && reader.has_escape(), static_cast<uint32_t>(reader.begin()),
                        static_cast<uint32_t>(reader.end()), at + 1});
      if (token == Token::kObject || token == Token::kArray) open.push_back(at);
    }
  }

  // False: an object names a member twice.
  bool AppendCanonical(uint32_t at, std::span<const std::string_view> without, std::string* out) const {
    const Step& step = steps_[at];
    switch (step.token) {
      case Token::kObject: return AppendObject(at, without, out);
      case Token::kArray: {
        *out += '[';
        for (uint32_t item = at + 1; item < step.next; item = steps_[item].next) {
          if (item > at + 1) *out += ',';
          if (!AppendCanonical(item, {}, out)) return false;
        }
        *out += ']';
        return true;
      }
      case Token::kString: AppendCanonicalString(TextOf(step), step.has_escape, out); return true;
      default: out->append(TextOf(step)); return true;
    }
  }

 private:
  std::string_view TextOf(const Step& step) const { return text_.substr(step.begin, step.end - step.begin); }

  bool AppendObject(uint32_t at, std::span<const std::string_view> without, std::string* out) const {
    std::vector<std::pair<std::string, uint32_t>> members;  // canonical name, value
    for (uint32_t name = at + 1; name < steps_[at].next; name = steps_[name + 1].next) {
      const Step& step = steps_[name];
      std::string canonical;
      AppendCanonicalString(TextOf(step), step.has_escape, &canonical);
      const std::string_view inside = std::string_view(canonical).substr(1, canonical.size() - 2);
      if (std::find(without.begin(), without.end(), inside) != without.end()) continue;
      members.emplace_back(std::move(canonical), name + 1);
    }
    std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    *out += '{';
    for (size_t i = 0; i < members.size(); ++i) {
      if (i > 0 && members[i].first == members[i - 1].first) return false;
      if (i > 0) *out += ',';
      out->append(members[i].first).append(":");
      if (!AppendCanonical(members[i].second, {}, out)) return false;
    }
    *out += '}';
    return true;
  }

  std::string_view text_;
  std::vector<Step> steps_;
};

struct Span {
  size_t begin = 0;
  size_t end = 0;
};

struct Member {
  Span name;  // with its quotes
  Span value;
  std::string plain;  // the name as it is meant
};

std::string_view TextOf(std::string_view text, Span span) { return text.substr(span.begin, span.end - span.begin); }

// The members of an object, `object` in `text`, which is known to be one.
std::vector<Member> MembersOf(std::string_view text, Span object) {
  std::vector<Member> members;
  JsonReader reader(TextOf(text, object));
  reader.Next();
  while (reader.Next() == Token::kName) {
    Member member;
    member.name = {object.begin + reader.begin(), object.begin + reader.end()};
    if (reader.has_escape()) UnescapeJson(reader.inside(), &member.plain);
    else member.plain = reader.inside();
    const Token first = reader.Next();
    member.value.begin = object.begin + reader.begin();
    reader.SkipRest(first);
    member.value.end = object.begin + reader.end();
    members.push_back(std::move(member));
  }
  return members;
}

struct Value {
  std::string_view text;
  Span span;

  char kind() const { return text[span.begin]; }
};

// The members of a patch by their names in any letters. A patch may hold an object of a client's, with as many members as it likes.
class Changes {
 public:
  explicit Changes(Value patch) : members_(MembersOf(patch.text, patch.span)) {
    if (members_.size() > kFew) {
      for (size_t i = 0; i < members_.size(); ++i) by_name_.emplace(FoldedName(members_[i].plain), i);
    }
  }

  size_t size() const { return members_.size(); }
  const Member& operator[](size_t i) const { return members_[i]; }

  // The first that `name` is in other letters, or as it is; size() if there is none.
  size_t Find(std::string_view name) const {
    if (members_.size() > kFew) {
      const auto found = by_name_.find(FoldedName(name.substr(0, name.find('\0'))));  // as FoldsTo does
      return found == by_name_.end() ? size() : found->second;
    }
    const auto found =
        std::find_if(members_.begin(), members_.end(), [&](const Member& c) { return FoldsTo(name, c.plain); });
    return static_cast<size_t>(found - members_.begin());
  }

  // Whether a name stands twice.
  bool HasDouble() const {
    if (members_.size() <= kFew) {
      for (size_t i = 1; i < members_.size(); ++i) {
        for (size_t k = 0; k < i; ++k) {
          if (members_[i].plain == members_[k].plain) return true;
        }
      }
      return false;
    }
    std::unordered_set<std::string_view> seen;
    return !std::all_of(members_.begin(), members_.end(), [&](const Member& m) { return seen.insert(m.plain).second; });
  }

 private:
  static constexpr size_t kFew = 16;  // so many are looked through
  std::vector<Member> members_;
  std::unordered_map<std::string, size_t> by_name_;
};

MergeOutcome AppendMerged(Value object, Value patch, std::string* out);

// The patch's value where the target has none: its own nulls say only what not to have.
MergeOutcome AppendNew(Value value, std::string* out) {
  if (value.kind() == '{') return AppendMerged({"{}", {0, 2}}, value, out);
  out->append(TextOf(value.text, value.span));
  return MergeOutcome::kMerged;
}

MergeOutcome AppendMerged(Value object, Value patch, std::string* out) {
  const std::vector<Member> members = MembersOf(object.text, object.span);
  const Changes changes(patch);
  if (changes.HasDouble()) return MergeOutcome::kDuplicate;
  std::vector<bool> done(changes.size());

  bool any = false;
  const auto put_name = [&](std::string_view between, std::string_view text) {
    std::copy_if(between.begin(), between.end(), std::back_inserter(*out), [&](char c) { return any || c != ','; });
    out->append(text);
    any = true;
  };
  size_t behind = object.span.begin + 1;  // the member before
  out->push_back('{');
  for (const Member& member : members) {
    const std::string_view between = TextOf(object.text, {behind, member.name.begin});
    behind = member.value.end;
    const size_t i = changes.Find(member.plain);
    if (i == changes.size()) {
      put_name(between, TextOf(object.text, {member.name.begin, member.value.end}));
      continue;
    }
    if (member.plain != changes[i].plain) return MergeOutcome::kFolded;
    if (done[i]) return MergeOutcome::kDuplicate;
    done[i] = true;
    const Value change{patch.text, changes[i].value};
    if (TextOf(change.text, change.span) == "null") continue;
    put_name(between, TextOf(patch.text, changes[i].name));
    out->append(TextOf(object.text, {member.name.end, member.value.begin}));
    const Value old{object.text, member.value};
    const bool both = change.kind() == '{' && old.kind() == '{';
    const MergeOutcome outcome = both ? AppendMerged(old, change, out) : AppendNew(change, out);
    if (outcome != MergeOutcome::kMerged) return outcome;
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    if (done[i] || TextOf(patch.text, changes[i].value) == "null") continue;
    put_name(",", TextOf(patch.text, changes[i].name));
    out->push_back(':');
    const MergeOutcome outcome = AppendNew({patch.text, changes[i].value}, out);
    if (outcome != MergeOutcome::kMerged) return outcome;
  }
  out->append(TextOf(object.text, {behind, object.span.end}));
  return MergeOutcome::kMerged;
}

// Where the one value of a text stands.
JsonProblem Whole(std::string_view text, Span* value) {
  JsonReader reader(text);
  const Token first = reader.Next();
  value->begin = reader.begin();
  if (reader.SkipRest(first)) {
    value->end = reader.end();
    reader.Next();
  }
  return reader.problem();
}

}  // namespace

void AppendJsonEscaped(std::string_view text, std::string* out) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (size_t i = 0; i < text.size();) {
    const size_t begin = i;
    const std::optional<char32_t> c = NextCodePoint(text, &i);
    if (!c) {
      out->append("\xEF\xBF\xBD");
      continue;
    }
    switch (*c) {
      case '"': out->append("\\\""); break;
      case '\\': out->append("\\\\"); break;
      case '\n': out->append("\\n"); break;
      case '\r': out->append("\\r"); break;
      case '\t': out->append("\\t"); break;
      default:
        if (*c < 0x20) {
          out->append("\\u00");
          out->push_back(kHex[*c >> 4]);
          out->push_back(kHex[*c & 15]);
        } else {
          out->append(text.substr(begin, i - begin));
        }
    }
  }
}

std::optional<std::string> CanonicalJson(std::string_view text, std::span<const std::string_view> without) {
  Tape tape(text);
  std::string out;
  out.reserve(text.size());
  if (!tape.Read() || !tape.AppendCanonical(0, without, &out)) return std::nullopt;
  return out;
}

MergeOutcome MergePatch(std::string_view target, std::string_view patch, std::string* out) {
  Span object;
  Span changes;
  if (Whole(patch, &changes) != JsonProblem::kNone || patch[changes.begin] != '{') return MergeOutcome::kNotAnObject;
  const JsonProblem problem = Whole(target, &object);
  if (problem == JsonProblem::kTooDeep) return MergeOutcome::kTooDeep;
  if (problem != JsonProblem::kNone || target[object.begin] != '{') return MergeOutcome::kNotAnObject;
  std::string merged;
  merged.reserve(target.size() + patch.size());
  const MergeOutcome outcome = AppendMerged({target, object}, {patch, changes}, &merged);
  if (outcome == MergeOutcome::kMerged) out->append(merged);
  return outcome;
}

}  // namespace base
