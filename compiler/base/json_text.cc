#include "compiler/base/json_text.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "compiler/base/text.h"

namespace compiler::base {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool SameInAnyCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

// The four digits behind \u at text[i], or -1.
int32_t CodeUnit(std::string_view text, size_t i) {
  if (i + 4 > text.size()) return -1;
  int32_t unit = 0;
  for (size_t k = i; k < i + 4; ++k) {
    const int digit = HexValue(text[k]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

// What the inside of a string stands for; nullopt for half of a surrogate pair, which stands for nothing. `raw` is known to
// follow the grammar.
std::optional<std::string> Unescape(std::string_view raw) {
  std::string out;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] != '\\') {
      out += raw[i];
      continue;
    }
    switch (raw[++i]) {
      case 'b': out += '\b'; break;
      case 'f': out += '\f'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 't': out += '\t'; break;
      case 'u': {
        int32_t unit = CodeUnit(raw, i + 1);
        i += 4;
        if (unit >= 0xDC00 && unit <= 0xDFFF) return std::nullopt;
        if (unit >= 0xD800 && unit <= 0xDBFF) {
          const int32_t low = raw.substr(i + 1, 2) == "\\u" ? CodeUnit(raw, i + 3) : -1;
          if (low < 0xDC00 || low > 0xDFFF) return std::nullopt;
          unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
          i += 6;
        }
        AppendUtf8(static_cast<char32_t>(unit), &out);
        break;
      }
      default: out += raw[i];  // a quote, a backslash, a slash
    }
  }
  return out;
}

struct Span {
  size_t begin = 0;
  size_t end = 0;
};

struct Member {
  Span name;  // with its quotes
  Span value;
};

// Walks over a text once. Each function reads what stands at *at and moves behind it; false: it is not there.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool too_deep() const { return too_deep_; }
  std::string_view Text(Span span) const { return text_.substr(span.begin, span.end - span.begin); }
  // Without the quotes, unescaped where that is possible.
  std::string NameOf(const Member& member) const {
    const std::string_view raw = text_.substr(member.name.begin + 1, member.name.end - member.name.begin - 2);
    return Unescape(raw).value_or(std::string(raw));
  }

  void SkipBlanks(size_t* at) const {
    while (*at < text_.size() && std::string_view(" \t\r\n").find(text_[*at]) != std::string_view::npos) ++*at;
  }

  // One value, blanks around it, and nothing else.
  bool Whole(Span* value) {
    size_t at = 0;
    SkipBlanks(&at);
    value->begin = at;
    if (!Value(&at, 0)) return false;
    value->end = at;
    SkipBlanks(&at);
    return at == text_.size();
  }

  bool Value(size_t* at, int depth) {
    if (*at >= text_.size()) return false;
    switch (text_[*at]) {
      case '{': return Object(at, depth, nullptr);
      case '[': return Array(at, depth, nullptr);
      case '"': return String(at);
      case 't': return Word(at, "true");
      case 'f': return Word(at, "false");
      case 'n': return Word(at, "null");
      default: return Number(at);
    }
  }

  bool Object(size_t* at, int depth, std::vector<Member>* members) {
    return Sequence(at, depth, '{', '}', [&] {
      Member member;
      member.name.begin = *at;
      if (!String(at)) return false;
      member.name.end = *at;
      SkipBlanks(at);
      if (!Take(at, ':')) return false;
      SkipBlanks(at);
      member.value.begin = *at;
      if (!Value(at, depth + 1)) return false;
      member.value.end = *at;
      if (members != nullptr) members->push_back(member);
      return true;
    });
  }

  bool Array(size_t* at, int depth, std::vector<Span>* items) {
    return Sequence(at, depth, '[', ']', [&] {
      Span item{*at, 0};
      if (!Value(at, depth + 1)) return false;
      item.end = *at;
      if (items != nullptr) items->push_back(item);
      return true;
    });
  }

 private:
  bool Take(size_t* at, char c) const {
    if (*at >= text_.size() || text_[*at] != c) return false;
    ++*at;
    return true;
  }

  template <typename ReadItem>
  bool Sequence(size_t* at, int depth, char open, char close, ReadItem read_item) {
    if (depth >= kMaxJsonDepth) {
      too_deep_ = true;
      return false;
    }
    if (!Take(at, open)) return false;
    SkipBlanks(at);
    if (Take(at, close)) return true;
    for (;;) {
      if (!read_item()) return false;
      SkipBlanks(at);
      if (Take(at, close)) return true;
      if (!Take(at, ',')) return false;
      SkipBlanks(at);
    }
  }

  bool String(size_t* at) const {
    if (!Take(at, '"')) return false;
    while (*at < text_.size()) {
      const char c = text_[(*at)++];
      if (c == '"') return true;
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c != '\\') continue;
      if (*at >= text_.size()) return false;
      const char escape = text_[(*at)++];
      if (escape == 'u') {
        if (CodeUnit(text_, *at) < 0) return false;
        *at += 4;
      } else if (std::string_view("\"\\/bfnrt").find(escape) == std::string_view::npos) {
        return false;
      }
    }
    return false;
  }

  bool Word(size_t* at, std::string_view word) const {
    if (text_.substr(*at, word.size()) != word) return false;
    *at += word.size();
    return true;
  }

  // RFC 8259 6: -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
  bool Number(size_t* at) const {
    const auto digits = [&] {
      const size_t begin = *at;
      while (*at < text_.size() && text_[*at] >= '0' && text_[*at] <= '9') ++*at;
      return *at - begin;
    };
    Take(at, '-');
    if (!Take(at, '0') && digits() == 0) return false;
    if (Take(at, '.') && digits() == 0) return false;
    if (Take(at, 'e') || Take(at, 'E')) {
      if (!Take(at, '+')) Take(at, '-');
      return digits() > 0;
    }
    return true;
  }

  std::string_view text_;
  bool too_deep_ = false;
};

void AppendCanonicalString(std::string_view quoted, std::string* out) {
  const std::string_view raw = quoted.substr(1, quoted.size() - 2);
  const std::optional<std::string> text = Unescape(raw);
  *out += '"';
  // Half of a pair stays as it is written: a backslash of text would be written twice, so nothing else looks like it.
  if (text && !FirstInvalidUtf8(*text)) AppendJsonEscaped(*text, out);
  else *out += raw;
  *out += '"';
}

bool AppendCanonical(Reader& reader, Span value, int depth, std::span<const std::string_view> without,
                     std::string* out) {
  const std::string_view text = reader.Text(value);
  size_t at = value.begin;
  if (text[0] == '[') {
    std::vector<Span> items;
    reader.Array(&at, depth, &items);
    *out += '[';
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) *out += ',';
      if (!AppendCanonical(reader, items[i], depth + 1, {}, out)) return false;
    }
    *out += ']';
    return true;
  }
  if (text[0] == '"') {
    AppendCanonicalString(text, out);
    return true;
  }
  if (text[0] != '{') {
    *out += text;
    return true;
  }
  std::vector<Member> members;
  reader.Object(&at, depth, &members);
  std::vector<std::pair<std::string, Span>> ordered;
  for (const Member& member : members) {
    const std::string name = reader.NameOf(member);
    if (std::find(without.begin(), without.end(), name) != without.end()) continue;
    std::string canonical;
    AppendCanonicalString(reader.Text(member.name), &canonical);
    ordered.emplace_back(std::move(canonical), member.value);
  }
  std::sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  *out += '{';
  for (size_t i = 0; i < ordered.size(); ++i) {
    if (i > 0 && ordered[i].first == ordered[i - 1].first) return false;
    if (i > 0) *out += ',';
    *out += ordered[i].first;
    *out += ':';
    if (!AppendCanonical(reader, ordered[i].second, depth + 1, {}, out)) return false;
  }
  *out += '}';
  return true;
}

// The target's object at `object`, merged. `reader` and `patch_reader` have walked over both before.
void AppendMerged(Reader& reader, Span object, Reader& patch_reader, Span patch, std::string* out);

// The patch's value where the target has none: its own nulls say only what not to have.
void AppendNew(Reader& patch_reader, Span value, std::string* out) {
  if (patch_reader.Text(value)[0] != '{') {
    out->append(patch_reader.Text(value));
    return;
  }
  Reader empty("{}");
  AppendMerged(empty, {0, 2}, patch_reader, value, out);
}

void AppendMerged(Reader& reader, Span object, Reader& patch_reader, Span patch, std::string* out) {
  std::vector<Member> members;
  std::vector<Member> changes;
  size_t at = object.begin;
  reader.Object(&at, 0, &members);
  at = patch.begin;
  patch_reader.Object(&at, 0, &changes);
  std::vector<std::string> names;
  for (const Member& change : changes) names.push_back(patch_reader.NameOf(change));
  std::vector<bool> done(changes.size());

  bool any = false;
  const auto put_name = [&](std::string_view between, std::string_view text) {
    std::copy_if(between.begin(), between.end(), std::back_inserter(*out), [&](char c) { return any || c != ','; });
    out->append(text);
    any = true;
  };
  size_t behind = object.begin + 1;  // the member before
  out->push_back('{');
  for (const Member& member : members) {
    const std::string_view between = reader.Text({behind, member.name.begin});
    behind = member.value.end;
    const std::string name = reader.NameOf(member);
    const auto found = std::find_if(names.begin(), names.end(), [&](const auto& n) { return SameInAnyCase(n, name); });
    if (found == names.end()) {
      put_name(between, reader.Text({member.name.begin, member.value.end}));
      continue;
    }
    const auto i = static_cast<size_t>(found - names.begin());
    const std::string_view change = patch_reader.Text(changes[i].value);
    const bool is_again = done[i];
    done[i] = true;
    if (is_again || change == "null") continue;
    put_name(between, patch_reader.Text(changes[i].name));
    out->append(reader.Text({member.name.end, member.value.begin}));
    if (change[0] == '{' && reader.Text(member.value)[0] == '{') {
      AppendMerged(reader, member.value, patch_reader, changes[i].value, out);
    } else {
      AppendNew(patch_reader, changes[i].value, out);
    }
  }
  for (size_t i = 0; i < changes.size(); ++i) {
    if (done[i] || patch_reader.Text(changes[i].value) == "null") continue;
    put_name(",", patch_reader.Text(changes[i].name));
    out->push_back(':');
    AppendNew(patch_reader, changes[i].value, out);
  }
  out->append(reader.Text({behind, object.end}));
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
  Reader reader(text);
  Span value;
  if (!reader.Whole(&value)) return std::nullopt;
  std::string out;
  out.reserve(text.size());
  if (!AppendCanonical(reader, value, 0, without, &out)) return std::nullopt;
  return out;
}

MergeOutcome MergePatch(std::string_view target, std::string_view patch, std::string* out) {
  Reader reader(target);
  Reader patch_reader(patch);
  Span object;
  Span changes;
  if (!patch_reader.Whole(&changes)) return MergeOutcome::kNotAnObject;
  const bool is_json = reader.Whole(&object);
  if (reader.too_deep()) return MergeOutcome::kTooDeep;
  if (!is_json || reader.Text(object)[0] != '{') return MergeOutcome::kNotAnObject;
  AppendMerged(reader, object, patch_reader, changes, out);
  return MergeOutcome::kMerged;
}

}  // namespace compiler::base
