// What ErrorStrategy says of words from elsewhere, of statements that begin wrongly, and of JSON.
#include <algorithm>
#include <optional>
#include <string_view>

#include "PolicyParser.h"
#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/characters.h"
#include "compiler/parse/mistakes/error_strategy.h"

namespace compiler::parse {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

namespace {

struct ForeignWord {
  std::string_view text;
  std::string_view instead;  // what to write; "" if nothing stands for it
  std::string_view help;
};
constexpr ForeignWord kForeignWords[] = {
    {"&&", "and", "conditions are joined with `and`"},
    {"||", "or", "conditions are joined with `or`"},
    {"!", "not", "a condition is turned around with `not`"},
    {"===", "==", "values are compared with `==`"},
    {"!==", "!=", "values are compared with `!=`"},
    {"<>", "!=", "values are compared with `!=`"},
    {"=>", ">=", "values are compared with `>=`"},
    {":=", "=", "a setting is written with `=`"},
    {"=~", "matches", "text is tested with `matches`, `starts_with`, `ends_with` or `contains`"},
    {"->", "", "a route names where it goes with `to = name`"},
    {";", "", "remove it: a statement ends where the next one begins"},
};

struct ForeignCharacter {
  char32_t character;
  std::string_view help;
};
constexpr ForeignCharacter kForeignCharacters[] = {
    {'$', "a variable of the environment is written `env(\"NAME\")`"},
    {'~', "text is tested with `matches /…/`, `starts_with`, `ends_with` or `contains`"},
    {'*', "there are no wildcards: write `starts_with \"/api/\"`, or `matches /…/`"},
    {'+', "text is put together in a string: `\"${request.path} ${request.body}\"`"},
    {'&', "conditions are joined with `and`"},
    {'|', "conditions are joined with `or`"},
};

// What is meant by a variable of nginx, HAProxy or Caddy, without its `$`: `request.header["X-Team"]` for `http_x_team`; "" if that is
// not known.
std::string MeantByVariable(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kVariables[] = {
      {"request_uri", "request.path"},   {"uri", "request.path"},          {"document_uri", "request.path"}, {"url", "request.path"},
      {"path", "request.path"},          {"host", "request.host"},         {"http_host", "request.host"},    {"server_name", "request.host"},
      {"request_method", "request.method"}, {"method", "request.method"}, {"remote_addr", "client.ip"},     {"binary_remote_addr", "client.ip"},
      {"src", "client.ip"},              {"https", "client.tls"},          {"request_body", "request.body"}, {"status", "status"},
      {"upstream_status", "status"}};
  const auto* found = std::find_if(std::begin(kVariables), std::end(kVariables), [&](const auto& row) { return row.first == name; });
  if (found != std::end(kVariables)) return std::string(found->second);
  for (const auto& [prefix, root] : {std::pair<std::string_view, std::string_view>{"http_", "request.header"},
                                     {"sent_http_", "response.header"}, {"upstream_http_", "response.header"}, {"arg_", "request.query"}}) {
    if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
    std::string key(name.substr(prefix.size()));
    if (root != "request.query") {
      bool begins = true;
      for (char& c : key) {
        c = c == '_' ? '-' : begins && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        begins = c == '-';
      }
    }
    return std::string(root) + "[\"" + key + "\"]";
  }
  return {};
}

// Words that stand between two values, or behind one, elsewhere.
struct JoiningWord {
  std::string_view word;
  std::string_view help;
};
constexpr JoiningWord kJoiningWords[] = {
    {"then", "what a condition leads to stands beside it in the block: `when …`, and on its own line `to = name`"},
    {"do", "what a condition leads to stands beside it in the block: `when …`, and on its own line `to = name`"},
    {"goto", "what a condition leads to stands beside it in the block: `when …`, and on its own line `to = name`"},
    {"xor", "there is no `xor`: write `(a and not b) or (not a and b)`"},
    {"nor", "there is no `nor`: write `not (a or b)`"},
    {"nand", "there is no `nand`: write `not (a and b)`"},
    {"but", "conditions are joined with `and`"},
    {"also", "conditions are joined with `and`"},
    {"plus", "conditions are joined with `and`"},
    {"unless", "conditions are joined with `and not (…)`"},
    {"except", "conditions are joined with `and not (…)`"},
    {"else", "conditions are joined with `or`; another way is another route"},
    {"exists", "whether it is there is asked by `… != none`"},
    {"exist", "whether it is there is asked by `… != none`"},
    {"present", "whether it is there is asked by `… != none`"},
    {"defined", "whether it is there is asked by `… != none`"},
    {"set", "whether it is there is asked by `… != none`"},
    {"missing", "whether it is there is asked by `… == none`"},
    {"absent", "whether it is there is asked by `… == none`"},
    {"empty", "whether it is there is asked by `… == none`"},
    {"between", "write both ends: `x >= 500 and x <= 504`, or of statuses `in 5xx`"},
    {"isnt", "values are compared with `!=`"},
    {"ne", "values are compared with `!=`"},
    {"neq", "values are compared with `!=`"},
    {"gt", "values are compared with `>`"},
    {"gte", "values are compared with `>=`"},
    {"ge", "values are compared with `>=`"},
    {"lt", "values are compared with `<`"},
    {"lte", "values are compared with `<=`"},
    {"le", "values are compared with `<=`"},
    {"has", "text is tested with `contains`; whether a header is there is asked by `request.header[\"X\"] != none`"},
    {"have", "text is tested with `contains`"},
    {"includes", "text is tested with `contains`"},
    {"include", "text is tested with `contains`"},
    {"contain", "text is tested with `contains`"},
    {"like", "text is tested with `matches /…/`, `starts_with`, `ends_with` or `contains`"},
    {"match", "text is tested with `matches /…/`, `starts_with`, `ends_with` or `contains`"},
    {"begins", "text is tested with `starts_with`"},
    {"times", "remove it: a count is a number alone"},
    {"every", "a count looks back over a time of its own: `failures(60s) >= 5`"},
    {"per", "a count looks back over a time of its own: `failures(60s) >= 5`; there are no rates"},
    {"within", "a count looks back over a time of its own: `failures(60s) >= 5`"},
    {"over", "a count looks back over a time of its own: `failures(60s) >= 5`"},
    {"during", "a count looks back over a time of its own: `failures(60s) >= 5`"},
    {"for", "a condition holds or not at one moment; a count looks back over a time of its own: `failures(60s) >= 5`"},
    {"failures", "a count stands before the sign: `failures(60s) >= 5`"},
    {"errors", "a count stands before the sign: `failures(60s) >= 5`"},
    {"requests", "a count stands before the sign: `requests(60s) >= 5`"},
    {"is", "values are compared with `==`, and looked for in a set with `in { … }`"},
    {"one_of", "a value is looked for in a set with `in { … }`"},
    {"any_of", "a value is looked for in a set with `in { … }`"},
    {"any", "a value is looked for in a set with `in { … }`"},
    {"than", "numbers are compared with `>`, `>=`, `<` and `<=`: `failures(60s) > 3`"},
    {"more", "numbers are compared with `>` and `>=`: `failures(60s) > 3`"},
    {"less", "numbers are compared with `<` and `<=`: `elapsed < 2s`"},
    {"at", "numbers are compared with `>=` and `<=`: `failures(60s) >= 3`"},
    {"on", "a line with a condition begins with `when`"},
    {"by", "who answered is told by one word: `served_by == name`"},
    {"from",
     "who answered is told by `served_by == name`; the address of a client stands behind `from` in double quotes"},
    {"of", "what a name belongs to stands in parentheses: `attempts(name)`, `breaker(name)`"},
    {"was", "how often an upstream was asked is told by `attempts(name) == 1`"},
    {"round_robin", "there is one way to choose: the upstreams are asked in the order of `to = [first, second]`"},
    {"least_conn", "there is one way to choose: the upstreams are asked in the order of `to = [first, second]`"},
    {"random", "there is one way to choose: the upstreams are asked in the order of `to = [first, second]`"},
    {"weight", "upstreams have no weights: a route asks them in the order of `to = [first, second]`"},
    {"backup", "the last of a list is asked last: `to = [first, second]`"},
};

// Conditions of an outcome, as they stand behind `when`.
bool IsFact(std::string_view word) {
  return word == "status" || word == "error" || word == "attempt" || word == "elapsed";
}

}  // namespace

// "" if the word joins nothing elsewhere.
std::string_view ErrorStrategy::HelpOfJoiningWord(std::string_view word) {
  const auto* found = std::find_if(std::begin(kJoiningWords), std::end(kJoiningWords), [&](const JoiningWord& w) { return w.word == word; });
  return found == std::end(kJoiningWords) ? std::string_view() : found->help;
}

// `to => a`, `a => b` in a condition, `x => 5`.
bool ErrorStrategy::ExplainArrow(size_t index) {
  const std::string text = At(index).getText();
  if (text != "=>" && text != "->") return false;
  size_t head = index;
  while (head > 0 && SameLine(head - 1, head)) --head;
  if (head + 1 == index && TypeAt(head) == PolicyParser::NAME) {
    Emit(Kind::kSettingOperator, index, {text}).Replace("=");
    return true;
  }
  const bool compares = text == "=>" && (TypeAt(index + 1) == PolicyParser::NUMBER || TypeAt(index + 1) == PolicyParser::LPAREN);
  if (compares) return false;
  Emit(Kind::kArrowToUpstream, index, {text});
  return true;
}

// `$remote_addr`, `${request.path}`, `to = $big`.
void ErrorStrategy::ExplainDollar(size_t index) {
  if (TypeAt(index + 1) == PolicyParser::LBRACE && Touches(index + 1)) {
    const bool is_variable = TypeAt(index + 2) == PolicyParser::NAME && TypeAt(index + 3) == PolicyParser::RBRACE &&
                             At(index + 2).getText().find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
    if (is_variable) {
      const std::string meant = "env(\"" + At(index + 2).getText() + "\")";
      Emit(Kind::kShellVariable, index, {meant}).Change(offsets_.RangeOf(At(index), At(index + 3)), meant);
      return;
    }
    Emit(Kind::kInterpolationOutside, index);
    return;
  }
  if (TypeAt(index + 1) != PolicyParser::NAME || !Touches(index + 1)) {
    Emit(Kind::kBareDollar, index);
    return;
  }
  const std::string name = At(index + 1).getText();
  const SourceRange range = offsets_.RangeOf(At(index), At(index + 1));
  std::string meant = MeantByVariable(name);
  std::string help = "write `" + meant + "`";
  if (meant.empty() && name.find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos) {
    meant = "env(\"" + name + "\")";
    help = "a variable of the environment is written `" + meant + "`";
  } else if (meant.empty()) {
    meant = name;
    help = "a name is written without `$`: `" + name + "`";
  }
  Emit(Kind::kUnknownCharacter, index, {"$", help}).Change(range, meant);
}

bool ErrorStrategy::ExplainWord(size_t index) {
  const std::string text = At(index).getText();
  switch (TypeAt(index)) {
    case PolicyParser::OPEN_STRING: {
      const SourceRange range = offsets_.RangeOf(At(index));
      Emit(Kind::kOpenString, index, {}).Change({range.end, range.end}, "\"").Unsafe();
      return true;
    }
    case PolicyParser::OPEN_REGEX: Emit(Kind::kOpenRegex, index, {}); return true;
    case PolicyParser::FOREIGN: {
      if (ExplainArrow(index)) return true;
      const auto* word = std::find_if(std::begin(kForeignWords), std::end(kForeignWords),
                                      [&](const ForeignWord& w) { return w.text == text; });
      if (text == ";" && index > 0 && SameLine(index - 1, index) && SameLine(index, index + 1) && !BeginsStatement(tokens_, index + 1)) {
        // {"/a"; "/b"}
        int depth = 0;
        for (size_t i = index; i > 0 && SameLine(i - 1, index) && depth <= 0; --i) {
          const size_t type = TypeAt(i - 1);
          if (type == PolicyParser::RBRACE || type == PolicyParser::RBRACKET || type == PolicyParser::RPAREN) --depth;
          const bool is_set = type == PolicyParser::LBRACE && i >= 2 && TypeAt(i - 2) == PolicyParser::IN;
          if (type == PolicyParser::LBRACKET || type == PolicyParser::LPAREN || is_set) ++depth;
          else if (type == PolicyParser::LBRACE) break;
        }
        if (depth > 0) {
          Emit(Kind::kSemicolonInList, index).Replace(",");
          return true;
        }
      }
      if (word != std::end(kForeignWords)) {
        auto& diagnostic = Emit(Kind::kForeignOperator, index, {text, word->help});
        if (!word->instead.empty() || text == ";") diagnostic.Replace(std::string(word->instead));
        // A word needs a space that a sign does not: `!x`, `a&&b`.
        const SourceRange range = offsets_.RangeOf(At(index));
        const bool is_word = text == "!" || text == "&&" || text == "||" || text == "=~";
        if (is_word && index + 1 < tokens_.size() && offsets_.RangeOf(At(index + 1)).begin == range.end)
          diagnostic.Change({range.end, range.end}, " ");
        if (is_word && index > 0 && offsets_.RangeOf(At(index - 1)).end == range.begin)
          diagnostic.Change({range.begin, range.begin}, " ");
      } else if (text.starts_with("//")) {
        const SourceRange range = offsets_.RangeOf(At(index));
        Emit(Kind::kSlashComment, index).Change({range.begin, range.begin + 2}, "#");
      } else {
        auto& diagnostic = Emit(Kind::kOtherQuotes, index, {text.substr(0, 1)});
        if (text.find_first_of("\"\\") == std::string::npos)
          diagnostic.Replace("\"" + text.substr(1, text.size() - 2) + "\"");
      }
      return true;
    }
    case PolicyParser::UNKNOWN: {
      size_t at = 0;
      const char32_t c = base::NextCodePoint(text, &at).value_or(0);
      const std::string code_point = CodePointName(c);
      const bool printable = c > 0x20 && c != 0x7F;
      const std::optional<std::string_view> like = c < 0x80 ? std::nullopt : Lookalike(c);
      if (like && like->empty()) {
        Emit(Kind::kHiddenCharacter, index, {code_point, "remove it"}).Replace("");
      } else if (like && *like == " ") {
        Emit(Kind::kConfusingBlank, index, {code_point}).Replace(" ");
      } else if (like && *like == ";") {
        Emit(Kind::kConfusingCharacter, index, {text, code_point, *like}).Replace("").help =
            "remove it: a statement ends where the next one begins";
      } else if (like) {
        Emit(Kind::kConfusingCharacter, index, {text, code_point, *like}).Replace(std::string(*like));
      } else if (const auto* foreign = std::find_if(std::begin(kForeignCharacters), std::end(kForeignCharacters),
                                                    [c](const ForeignCharacter& f) { return f.character == c; });
                 foreign != std::end(kForeignCharacters)) {
        if (c == '$') ExplainDollar(index);
        else Emit(Kind::kUnknownCharacter, index, {text, SignMeans(index, foreign->help)});
      } else {
        Emit(Kind::kUnknownCharacter, index,
             {printable ? std::string_view(text) : std::string_view(code_point),
              c < 0x80 ? "remove it" : "names are plain letters, digits and `_`; text stands in double quotes"})
            .Change(offsets_.RangeOf(At(index)), "")
            .Unsafe();
      }
      return true;
    }
    default: return false;
  }
}

// A sign that means something in one place: `cors = *`, `listen = *:8080`, `status in 5**`, `to = *big`, `to = &big`, `50 %`.
std::string_view ErrorStrategy::SignMeans(size_t index, std::string_view otherwise) {
  const std::string sign = At(index).getText();
  const std::string before = index >= 2 && TypeAt(index - 1) == PolicyParser::ASSIGN ? At(index - 2).getText() : "";
  if (sign == "*" && (before == "listen" || before == "admin" || (index > 0 && At(index - 1).getText() == "bind")))
    return "an address stands in double quotes: `\"0.0.0.0:8080\"` for all addresses of the machine";
  if (sign == "*" && before == "cors") return "it stands in double quotes: `cors = \"*\"`";
  if (sign == "*" && index > 0 && TypeAt(index - 1) == PolicyParser::WHEN) return "a route without `when` takes everything that is left";
  if (sign == "*" && index > 0 && TypeAt(index - 1) == PolicyParser::NUMBER && Touches(index)) return "a class of statuses is written `in 5xx`";
  if (sign == "*" && index > 0 && TypeAt(index - 1) == PolicyParser::IMPORT) return "write for example `import \"shared.policy\" as shared`";
  if ((sign == "*" || sign == "&" || sign == "@") && TypeAt(index + 1) == PolicyParser::NAME && Touches(index + 1) && index > 0 &&
      (TypeAt(index - 1) == PolicyParser::ASSIGN || TypeAt(index - 1) == PolicyParser::LBRACKET || TypeAt(index - 1) == PolicyParser::COMMA))
    return "a name is written without a sign";
  if (sign == "+" && TypeAt(index + 1) == PolicyParser::ASSIGN) return "nothing is added to: write the whole value with `=`, lists as `[a, b]`";
  if (sign == "+" && TypeAt(index + 1) == PolicyParser::NAME && At(index + 1).getText() == "secret")
    return "text is put together in a string: `\"Bearer ${secret(\"NAME\")}\"`";
  return otherwise;
}

// `store status == 200`, `status in 5xx or …` at the beginning of a line: a condition without its word.
bool ErrorStrategy::ExplainMissingWhen(size_t begin) {
  const bool has_word = TypeAt(begin + 1) == PolicyParser::NAME && SameLine(begin, begin + 1);
  const size_t operand = has_word ? begin + 1 : begin;
  // What makes it a condition and no setting: `name == value` alone was meant to set something.
  bool compares = false;
  bool joins = false;
  int depth = 0;
  for (size_t i = operand + 1; i < tokens_.size() && TypeAt(i) != Token::EOF; ++i) {
    const size_t type = TypeAt(i);
    if (depth == 0 && (type == PolicyParser::ASSIGN || type == PolicyParser::WHEN || type == PolicyParser::RBRACE))
      break;
    if (depth == 0 && BeginsStatement(tokens_, i) && !SameLine(i - 1, i)) break;
    if (depth == 0 && type == PolicyParser::LBRACE && TypeAt(i - 1) != PolicyParser::IN) {
      if (!compares) return false;  // `server small.local {` is a block
      break;
    }
    const bool opens = type == PolicyParser::LBRACE || type == PolicyParser::LPAREN || type == PolicyParser::LBRACKET;
    const bool closes = type == PolicyParser::RBRACE || type == PolicyParser::RPAREN || type == PolicyParser::RBRACKET;
    depth += opens ? 1 : closes ? -1 : 0;
    if (depth < 0) break;
    if (depth > 0) continue;
    joins = joins || type == PolicyParser::AND || type == PolicyParser::OR || type == PolicyParser::DOT ||
            type == PolicyParser::IN || (IsComparator(type) && type != PolicyParser::EQ);
    compares = compares || IsComparator(type);
  }
  if (!joins && !(compares && (has_word || IsFact(At(begin).getText())))) return false;
  const SourceRange range = offsets_.RangeOf(At(operand));
  // Words of other languages for the same.
  constexpr std::string_view kWhens[] = {"whenever", "filter", "on",   "for",  "case",     "match",
                                         "where",    "rule",   "only", "cond", "condition"};
  if (has_word && std::find(std::begin(kWhens), std::end(kWhens), At(begin).getText()) != std::end(kWhens)) {
    Emit(Kind::kUnexpected, begin, {Describe(At(begin)), "a line with a condition begins with `when`"}).Replace("when");
    return true;
  }
  const std::string help =
      has_word ? "write `" + At(begin).getText() + " when …`" : "a line with a condition begins with `when`";
  Emit(Kind::kUnexpected, operand, {Describe(At(operand)), help}).Change({range.begin, range.begin}, "when ");
  return true;
}

bool ErrorStrategy::ExplainStatementHead(size_t begin, size_t index) {
  const Token& first = At(begin);
  const size_t type = TypeAt(index);
  if (first.getType() == PolicyParser::LET) {
    if (index == begin + 1) {
      if (IsKeyword(type)) Emit(Kind::kReservedWord, index, {At(index).getText()});
      else if (!SameLine(begin, index)) ExplainMissing(index);
      else if (type == PolicyParser::ASSIGN) ExplainMissing(index);
      else Emit(Kind::kBadName, index, {At(index).getText()});
      if (type == PolicyParser::ASSIGN) skipped_names_.emplace_back();  // a name that nobody knows
      return true;
    }
    if (index == begin + 2) {
      const bool is_compare = type == PolicyParser::EQ;
      if (is_compare) Emit(Kind::kCompareInSetting, index, {}).Replace("=");
      else
        Emit(Kind::kMissingAssign, SameLine(index - 1, index) ? index : index - 1,
             {At(begin + 1).getText(), Describe(At(index))});
      return true;
    }
    return false;
  }
  if (first.getType() != PolicyParser::NAME) return false;
  if (index > begin && ExplainMissingWhen(begin)) return true;
  if (type == PolicyParser::BECAUSE && index == begin + 1) {
    const uint32_t at = offsets_.RangeOf(first).begin;
    Emit(Kind::kAnswerIsAllow, begin, {Describe(first)}).Change({at, at}, "allow ");
    return true;
  }
  // kind name {: what stands between the kind and its brace?
  size_t brace = begin + 1;
  while (brace < tokens_.size() && SameLine(begin, brace) && TypeAt(brace) != PolicyParser::LBRACE &&
         TypeAt(brace) != PolicyParser::ASSIGN && TypeAt(brace) != Token::EOF) {
    ++brace;
  }
  if (TypeAt(brace) == PolicyParser::LBRACE && SameLine(begin, brace) && brace > begin + 1 && index > begin &&
      index < brace) {
    if (brace == begin + 2 && type == PolicyParser::STRING) {
      std::string bare = At(index).getText();
      bare = bare.substr(1, bare.size() - 2);
      const bool is_name = bare.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
      if (is_name) Emit(Kind::kQuotedName, index, {}).Replace(bare);
      else Emit(Kind::kBadName, index, {At(index).getText()});
    } else if (brace == begin + 2 && IsKeyword(type)) {
      Emit(Kind::kReservedWord, index, {At(index).getText()});
    } else {
      const SourceRange range = offsets_.RangeOf(At(begin + 1), At(brace - 1));
      std::string text;
      for (size_t i = begin + 1; i < brace; ++i)
        text += (i > begin + 1 && At(i - 1).getStopIndex() + 1 < At(i).getStartIndex() ? " " : "") + At(i).getText();
      diagnostics_->Emit(Kind::kBadName, range, {text});
    }
    return true;
  }
  if (type == PolicyParser::EQ) {
    Emit(Kind::kCompareInSetting, index, {}).Replace("=");
    return true;
  }
  if (type == PolicyParser::COLON && index > begin && !SameLine(index, index + 1)) {
    Emit(Kind::kBlockNeedsBrace, index - 1, {At(index - 1).getText()});
    return true;
  }
  if (type == PolicyParser::COLON) {
    const bool touches = index > 0 && offsets_.RangeOf(At(index - 1)).end == offsets_.RangeOf(At(index)).begin;
    Emit(Kind::kColonInSetting, index, {}).Replace(touches ? " =" : "=");
    return true;
  }
  if (index == begin) return false;
  std::string written;
  for (size_t i = begin; i < index && i < begin + 8; ++i) {
    if (i > begin + 0 && (TypeAt(i) == PolicyParser::NAME)) break;
    written += At(i).getText();
  }
  size_t place = SameLine(index - 1, index) ? index : index - 1;
  // `cors ["a", "b"]`: a list behind a setting, not a key.
  const bool is_list = TypeAt(begin + 1) == PolicyParser::LBRACKET && (type == PolicyParser::COMMA || place != index);
  if (is_list) {
    place = begin + 1;
    written = At(begin).getText();
  }
  // A word alone on its line.
  if (TypeAt(begin + 1) == PolicyParser::NAME && !SameLine(begin, begin + 1)) place = begin;
  if (TypeAt(begin + 1) == PolicyParser::NAME && SameLine(begin, begin + 1)) {
    // `max_retries two`, `open wen failures(60s) >= 5`: nothing that begins with two names but a block.
    Emit(Kind::kMissingAssign, begin + 1, {written, Describe(At(begin + 1))});
    return true;
  }
  // `header "Retry-After": "30"`: a key without its brackets.
  const bool has_key = index == begin + 1 && type == PolicyParser::STRING && SameLine(begin, begin + 2) &&
                       (TypeAt(begin + 2) == PolicyParser::COLON || TypeAt(begin + 2) == PolicyParser::ASSIGN);
  if (has_key) {
    Emit(Kind::kKeyInBrackets, index, {Describe(At(index)), written, At(index).getText()})
        .Change({offsets_.RangeOf(first).end, offsets_.RangeOf(At(index)).begin}, "[")
        .Change({offsets_.RangeOf(At(index)).end, offsets_.RangeOf(At(begin + 2)).end}, "] =");
    return true;
  }
  auto& diagnostic =
      Emit(Kind::kMissingAssign, place, {written, Describe(At(is_list ? place : std::min(index, begin + 1)))});
  const bool is_value = type == PolicyParser::NUMBER || type == PolicyParser::STRING || type == PolicyParser::LBRACKET;
  if (is_list || (place == index && index == begin + 1 && is_value)) {
    const uint32_t at = offsets_.RangeOf(At(place)).begin;
    diagnostic.Change({at, at}, "= ");
  }
  return true;
}

bool ErrorStrategy::ExplainMissingFunction(antlr4::ParserRuleContext* context, size_t index) {
  const size_t type = TypeAt(index);
  if (context->getRuleIndex() != PolicyParser::RulePrimary || context->start == nullptr ||
      context->start->getType() != PolicyParser::LPAREN)
    return false;
  if (type != PolicyParser::COMMA && type != PolicyParser::COLON) return false;
  const size_t opener = context->start->getTokenIndex();
  Emit(Kind::kNoFunctionName, opener);
  return true;
}

void ErrorStrategy::ExplainJson(size_t rule, size_t index) {
  const size_t type = TypeAt(index);
  const size_t before = TypeAt(index - 1);
  const bool closes = type == PolicyParser::RBRACE || type == PolicyParser::RBRACKET;
  if (before == PolicyParser::COMMA && closes) {
    Emit(Kind::kJsonTrailingComma, index - 1).Change(offsets_.RangeOf(At(index - 1)), "");
    return;
  }
  if (rule == PolicyParser::RuleJsonMember || rule == PolicyParser::RuleJsonObject) {
    if (before == PolicyParser::STRING && rule == PolicyParser::RuleJsonMember) {
      Emit(Kind::kJsonNeedsColon, SameLine(index - 1, index) ? index : index - 1);
      return;
    }
    if (before == PolicyParser::LBRACE || before == PolicyParser::COMMA) {
      auto& diagnostic = Emit(Kind::kJsonNameQuotes, index);
      if (type == PolicyParser::NAME) diagnostic.Replace("\"" + At(index).getText() + "\"");
      return;
    }
  }
  if (rule == PolicyParser::RuleJsonValue || before == PolicyParser::COLON) {
    const bool missing = closes || type == PolicyParser::COMMA || type == Token::EOF;
    Emit(missing ? Kind::kJsonNoValue : Kind::kJsonBadValue, missing ? index - 1 : index);
    return;
  }
  const uint32_t end = offsets_.RangeOf(At(index - 1)).end;
  Emit(Kind::kJsonNeedsComma, SameLine(index - 1, index) ? index : index - 1).Change({end, end}, ",");
}

}  // namespace compiler::parse
