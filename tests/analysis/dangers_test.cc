// Dangerous policies and their clean twins (dangers.txt), each written in many ways: with names for values and conditions, in shared
// blocks, negated twice, turned round. What a policy means must be found however it is written, and what is clean must stay so.
//   dangers_test --gtest_filter=Dangers.Table prints how many forms of each are found.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "tests/analysis/edited_policy.h"

namespace {

using compiler::diagnostics::Diagnostic;
using compiler::diagnostics::Diagnostics;
using compiler::diagnostics::Severity;
using namespace tests::analysis;  // NOLINT: this is one of its tests

constexpr std::string_view kMark = "◂";

struct Danger {
  std::string name;
  std::string code;
  std::vector<Edit> danger;
  std::vector<Edit> clean;

  Lines Policy(bool is_clean) const {
    Lines lines = Split(kBase);
    std::set<std::string> fresh;
    for (const Edit& edit : danger) Apply(edit, &fresh, &lines);
    fresh.clear();
    if (!is_clean) return lines;
    for (const Edit& edit : clean) Apply(edit, &fresh, &lines);
    for (std::string& line : lines) {
      if (const size_t mark = line.find(kMark); mark != std::string::npos) line.erase(mark - 1);
    }
    return lines;
  }
};

const std::vector<Danger>& Dangers() {
  static const std::vector<Danger> dangers = [] {
    std::vector<Danger> rows;
    std::ifstream in(BREAKWATER_DANGERS);
    EXPECT_TRUE(in) << BREAKWATER_DANGERS;
    std::vector<Edit>* edits = nullptr;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("--- ")) {
        std::istringstream head(line.substr(4));
        std::string name;
        std::string code;
        std::getline(head, name, '|');
        std::getline(head, code, '|');
        rows.push_back({Trim(name), Trim(code), {}, {}});
        edits = &rows.back().danger;
      } else if (line == "clean") {
        edits = &rows.back().clean;
      } else if (edits != nullptr && !line.empty()) {
        ReadEdit(line, edits);
      }
    }
    return rows;
  }();
  return dangers;
}

// ---- forms ----------------------------------------------------------------------------------------------------------

using Form = std::function<std::optional<Lines>(Lines)>;

// The statement of a line with the mark, without it; nothing for another line.
std::optional<std::string> Marked(const std::string& line) {
  const size_t mark = line.find(kMark);
  if (mark == std::string::npos) return std::nullopt;
  return line.substr(0, line.find_last_not_of(' ', mark - 1) + 1);
}

std::string Mark(const std::string& line) { return line + " " + std::string(kMark); }

// Changes the condition of each line with `when` that has the mark, or of all of them in a clean policy.
Form Conditions(const std::function<std::optional<std::string>(const std::string&)>& change) {
  return [change](Lines lines) -> std::optional<Lines> {
    bool changed = false;
    const bool any = std::none_of(lines.begin(), lines.end(), [](const auto& line) { return Marked(line); });
    for (std::string& line : lines) {
      const auto marked = Marked(line);
      const std::string text = marked ? *marked : line;
      const size_t when = text.find("when ");
      if ((!marked && !any) || when == std::string::npos || text.find('{', 0) < when) continue;
      const auto condition = change(text.substr(when + 5));
      if (!condition) continue;
      changed = true;
      line = text.substr(0, when + 5) + *condition;
      if (marked) line = Mark(line);
    }
    return changed ? std::optional(lines) : std::nullopt;
  };
}

// Gives a name to what `pattern` finds in its first group, on lines with the mark.
Form Named(const std::string& pattern, int steps) {
  return [pattern, steps](Lines lines) -> std::optional<Lines> {
    Lines lets;
    const std::regex finds(pattern);
    const bool any = std::none_of(lines.begin(), lines.end(), [](const auto& line) { return Marked(line); });
    for (std::string& line : lines) {
      const auto marked = Marked(line);
      if (!marked && !any) continue;
      const std::string text = marked ? *marked : line;
      std::smatch found;
      if (!std::regex_search(text, found, finds) || found[1].str() == "[answers, busy]") continue;
      const std::string name = "named_" + std::to_string(lets.size());
      std::string let = "let " + name + " = " + found[1].str();
      line = text.substr(0, static_cast<size_t>(found.position(1))) + name +
             text.substr(static_cast<size_t>(found.position(1) + found.length(1)));
      if (marked) let = Mark(let), line = Mark(line);
      for (int i = 1; i < steps; ++i) {
        lets.push_back(let);
        let = "let " + name + "_" + std::to_string(i) + " = " + name + (i > 1 ? "_" + std::to_string(i - 1) : "");
        const std::string before = i > 1 ? name + "_" + std::to_string(i - 1) : name;
        line = std::regex_replace(line, std::regex(before + "\\b"), name + "_" + std::to_string(i));
      }
      lets.push_back(let);
    }
    if (lets.empty()) return std::nullopt;
    lines.insert(lines.begin(), lets.begin(), lets.end());
    return lines;
  };
}

Form Replaced(const std::string& pattern, const std::string& with) {
  return [pattern, with](Lines lines) -> std::optional<Lines> {
    const std::regex finds(pattern);
    bool changed = false;
    for (std::string& line : lines) {
      const std::string after = std::regex_replace(line, finds, with);
      changed = changed || after != line;
      line = after;
    }
    return changed ? std::optional(lines) : std::nullopt;
  };
}

// The retry or breaker of an upstream becomes a block of the file, which the upstream names.
std::optional<Lines> Shared(Lines lines) {
  Lines shared;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string key = KeyOf(lines[i]);
    if (!lines[i].starts_with("  ") || lines[i].starts_with("   ") || (key != "breaker" && key != "retry")) continue;
    if (lines[i].find('{') == std::string::npos) continue;
    const size_t end = EndOf(lines, i);
    for (size_t j = i; j < end; ++j) shared.push_back(lines[j].substr(2));
    shared[shared.size() - (end - i)].replace(0, key.size(), key + " common_" + key);
    lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(i), lines.begin() + static_cast<std::ptrdiff_t>(end));
    lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(i), "  " + key + " = common_" + key);
  }
  if (shared.empty()) return std::nullopt;
  lines.insert(lines.begin(), shared.begin(), shared.end());
  return lines;
}

// The statements of each block of the file the other way round, but for `when` lines, whose order counts.
std::optional<Lines> TurnedRound(const Lines& lines) {
  Lines turned;
  for (size_t i = 0; i < lines.size();) {
    const size_t end = EndOf(lines, i);
    std::vector<Lines> statements;
    for (size_t j = i + 1; j + 1 < end;) {
      const size_t next = EndOf(lines, j);
      statements.emplace_back(lines.begin() + static_cast<std::ptrdiff_t>(j), lines.begin() + static_cast<std::ptrdiff_t>(next));
      j = next;
    }
    turned.push_back(lines[i]);
    for (auto it = statements.rbegin(); it != statements.rend(); ++it) turned.insert(turned.end(), it->begin(), it->end());
    if (end > i + 1) turned.push_back(lines[end - 1]);
    i = end;
  }
  return turned;
}

std::optional<Lines> Commented(const Lines& lines) {
  Lines more;
  for (const std::string& line : lines) {
    more.push_back("");
    more.push_back("# what follows is: " + std::string(line.find('"') == std::string::npos ? "plain" : "text"));
    more.push_back(line);
  }
  return more;
}

// Splits at a word that stands outside of braces, parentheses and quotes.
std::vector<std::string> Parts(const std::string& text, const std::string& word) {
  std::vector<std::string> parts = {""};
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"' && (i == 0 || text[i - 1] != '\\')) quoted = !quoted;
    if (!quoted && (c == '{' || c == '(' || c == '[')) ++depth;
    if (!quoted && (c == '}' || c == ')' || c == ']')) --depth;
    if (depth == 0 && !quoted && text.compare(i, word.size(), word) == 0) {
      parts.emplace_back();
      i += word.size() - 1;
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::optional<std::string> DeMorgan(const std::string& condition) {
  for (const auto& [from, to] : {std::pair<std::string, std::string>{" or ", " and "}, {" and ", " or "}}) {
    const auto parts = Parts(condition, from);
    if (parts.size() < 2) continue;
    std::string turned;
    for (const std::string& part : parts) turned += (turned.empty() ? "" : to) + "not (" + part + ")";
    return "not (" + turned + ")";
  }
  return std::nullopt;
}

std::optional<std::string> Mirrored(const std::string& condition) {
  for (const std::string word : {" or ", " and "}) {
    auto parts = Parts(condition, word);
    if (parts.size() < 2) continue;
    std::string turned;
    for (auto it = parts.rbegin(); it != parts.rend(); ++it) turned += (turned.empty() ? "" : word) + *it;
    return turned;
  }
  return std::nullopt;
}

std::optional<std::string> Substituted(const std::string& text, const std::string& pattern, const std::string& with) {
  const std::string after = std::regex_replace(text, std::regex(pattern), with);
  return after == text ? std::nullopt : std::optional(after);
}

const std::vector<std::pair<std::string, Form>>& Forms() {
  static const std::vector<std::pair<std::string, Form>> forms = {
      {"as it is", [](const Lines& lines) { return std::optional(lines); }},
      {"value in a let", Named(R"(^ +[a-z_]+(?:\["[^"]*"\])? = (.*)$)", 1)},
      {"value in two lets", Named(R"(^ +[a-z_]+(?:\["[^"]*"\])? = (.*)$)", 2)},
      {"condition in a let", Named(R"(when ([^{}]*(?:\{[^}]*\}[^{}]*)*)$)", 1)},
      {"condition in two lets", Named(R"(when ([^{}]*(?:\{[^}]*\}[^{}]*)*)$)", 3)},
      {"number in a let", Named(R"([<>=]= (\d+[a-z%]*))", 1)},
      {"window in a let", Named(R"(\((\d+(?:ms|s|min)))", 1)},
      {"time of a block in a let", Named(R"((?:total|connect|interval|timeout|write_stall|idle) = (\d+[a-z]+))", 1)},
      {"text in a let", Named(R"((?:==|!=|starts_with|contains) ("(?:[^"\\]|\\.)*"))", 1)},
      {"not not", Conditions([](const std::string& c) { return std::optional("not (not (" + c + "))"); })},
      {"De Morgan", Conditions(DeMorgan)},
      {"not not, De Morgan", Conditions([](const std::string& c) {
         const auto turned = DeMorgan(c);
         return turned ? DeMorgan("(" + *turned + ") and (" + *turned + ")") : std::nullopt;
       })},
      {"mirrored", Conditions(Mirrored)},
      {"twice with or", Conditions([](const std::string& c) { return std::optional("(" + c + ") or (" + c + ")"); })},
      {"twice with and", Conditions([](const std::string& c) { return std::optional("(" + c + ") and (" + c + ")"); })},
      {"or a thing that never is", Conditions([](const std::string& c) {
         if (c.find("request.") == std::string::npos) return std::optional<std::string>();
         return std::optional("(" + c + ") or (client.tls and not client.tls)");
       })},
      {"== as in", Conditions([](const std::string& c) { return Substituted(c, R"( == ("(?:[^"\\]|\\.)*"|\d{3}\b))", " in {$1}"); })},
      {"!= as not in", Conditions([](const std::string& c) { return Substituted(c, R"( != ("(?:[^"\\]|\\.)*"))", " not in {$1}"); })},
      {"!= as not ==", Conditions([](const std::string& c) {
         return Substituted(c, R"((request\.[a-z]+(?:\["[^"]*"\])?) != ("(?:[^"\\]|\\.)*"))", "not ($1 == $2)");
       })},
      {"in as ==", Conditions([](const std::string& c) {
         return Substituted(c, R"(([a-z][a-z._]*) in \{([^,{}]*), ([^,{}x]*)\})", "($1 == $2 or $1 == $3)");
       })},
      {">= as >", Conditions([](const std::string& c) {
         return c.find(">= 5") == std::string::npos ? std::nullopt : Substituted(c, R"(>= 5\b)", "> 4");
       })},
      {">= as not <", Conditions([](const std::string& c) { return Substituted(c, R"(([a-z_]+(?:\([^)]*\))?) >= (\d+%?))", "not ($1 < $2)"); })},
      {"shared block", Shared},
      {"statements turned round", TurnedRound},
      {"with comments", Commented},
      {"other names", Replaced(R"(\b(big|small|busy|answers)\b(?=[^"]*$|[^"]*"[^"]*"[^"]*$))", "the_$1")},
      {"minutes as seconds", Replaced(R"(\b2min\b)", "120s")},
      {"seconds as milliseconds", Replaced(R"(\b(1|2|10|15|20|60)s\b)", "$1000ms")},
      {"another host", Replaced(R"(10\.0\.0\.1)", "192.168.7.1")},
      {"another path", [](const Lines& lines) {
         if (Join(lines).find("/api/generate\"") != std::string::npos) return std::optional<Lines>();
         return Replaced(R"(/api/chat")", "/api/generate\"")(lines);
       }},
  };
  return forms;
}

struct Written {
  std::string text;
  std::set<int> marks;  // numbers of lines
};

Written Finish(const Lines& lines) {
  Written written{"edition 1\n", {}};
  int number = 1;
  for (const std::string& line : lines) {
    ++number;
    const auto marked = Marked(line);
    if (marked) written.marks.insert(number);
    written.text += (marked ? *marked : line) + "\n";
  }
  return written;
}

Diagnostics Check(const std::string& policy) {
  compiler::CompileOptions options;
  options.environment = [](const std::string& name) { return std::optional("value_of_" + name); };
  Diagnostics found;
  compiler::CheckPolicy(policy, options, &found);
  return found;
}

std::string Show(const std::string& text, const Diagnostics& found) {
  return text + compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("policy", text), found);
}

int LineOf(const std::string& text, uint32_t at) {
  return 1 + static_cast<int>(std::count(text.begin(), text.begin() + at, '\n'));
}

enum class Result { kFound, kMissed, kElsewhere, kNoPolicy };

// Whether the finding is there, on a line with the mark. An error that is another one: the form is no policy.
Result Judge(const std::string& code, const Written& written, const Diagnostics& found) {
  bool elsewhere = false;
  for (const Diagnostic& item : found.items()) {
    if (item.severity == Severity::kNote) continue;
    if (item.code == code) {
      if (written.marks.count(LineOf(written.text, item.range.begin)) > 0) return Result::kFound;
      elsewhere = true;
    } else if (item.severity == Severity::kError) {
      return Result::kNoPolicy;
    }
  }
  return elsewhere ? Result::kElsewhere : Result::kMissed;
}

TEST(Dangers, AreFoundHoweverTheyAreWritten) {
  std::map<std::string, int> forms;
  for (const Danger& danger : Dangers()) {
    for (const auto& [name, form] : Forms()) {
      const auto lines = form(danger.Policy(false));
      if (!lines) continue;
      const Written written = Finish(*lines);
      const Diagnostics found = Check(written.text);
      const Result result = Judge(danger.code, written, found);
      if (result == Result::kNoPolicy && name != "as it is") continue;
      ++forms[danger.code];
      EXPECT_EQ(result, Result::kFound) << danger.name << " " << danger.code << ", " << name << "\n"
                                        << (name == "as it is" ? Show(written.text, found) : "");
    }
  }
  for (const auto& [code, count] : forms) EXPECT_GE(count, 7) << code;
}

TEST(Dangers, TheirCleanTwinsAreClean) {
  for (const Danger& danger : Dangers()) {
    for (const auto& [name, form] : Forms()) {
      const auto lines = form(danger.Policy(true));
      if (!lines) continue;
      const Written written = Finish(*lines);
      const Diagnostics found = Check(written.text);
      if (found.has_errors() && name != "as it is") continue;
      const bool is_clean = std::all_of(found.items().begin(), found.items().end(),
                                        [](const Diagnostic& item) { return item.severity == Severity::kNote; });
      // What is written twice on purpose may be found to be so.
      EXPECT_TRUE(is_clean) << danger.name << ", " << name << "\n" << Show(written.text, found);
    }
  }
}

// One group of spellings.txt.
struct Spellings {
  std::string title;
  std::vector<std::string> codes;
  std::vector<Edit> edits;
  Lines bad;
  Lines near;

  // With `spelling` in the place of each @, on a line with the mark.
  Lines Policy(const std::string& spelling) const {
    Lines lines = Split(kBase);
    std::set<std::string> fresh;
    for (Edit edit : edits) {
      for (std::string& line : edit.statement) {
        const size_t at = line.find('@');
        if (at != std::string::npos) line = Mark(line.substr(0, at) + spelling + line.substr(at + 1));
      }
      Apply(edit, &fresh, &lines);
    }
    return lines;
  }
};

std::vector<Spellings> ReadSpellings() {
  std::vector<Spellings> groups;
  std::ifstream in(BREAKWATER_SPELLINGS);
  EXPECT_TRUE(in) << BREAKWATER_SPELLINGS;
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("=== ")) {
      const size_t bar = line.find(" | ");
      groups.push_back({line.substr(bar + 3), {}, {}, {}, {}});
      std::istringstream codes(line.substr(4, bar - 4));
      for (std::string code; std::getline(codes, code, '/');) groups.back().codes.push_back(code);
    } else if (line.starts_with("bad  ")) {
      groups.back().bad.push_back(line.substr(5));
    } else if (line.starts_with("near ")) {
      groups.back().near.push_back(line.substr(5));
    } else if (!groups.empty() && !line.empty()) {
      ReadEdit(line, &groups.back().edits);
    }
  }
  return groups;
}

// In which ways each of them is written.
bool IsForSpellings(const std::string& form) {
  return form == "as it is" || form == "condition in a let" || form == "value in a let" || form == "not not" ||
         form == "De Morgan";
}

TEST(Spellings, OfDangersAreFoundAndNearMissesAreClean) {
  for (const Spellings& group : ReadSpellings()) {
    const auto look = [&](const std::string& spelling, bool is_bad) {
      for (const auto& [name, form] : Forms()) {
        if (!IsForSpellings(name)) continue;
        const auto lines = form(group.Policy(spelling));
        if (!lines) continue;
        const Written written = Finish(*lines);
        const Diagnostics found = Check(written.text);
        std::set<Result> results;
        for (const std::string& code : group.codes) {
          const bool anywhere = code.ends_with('*');
          const Result result = Judge(code.substr(0, 6), written, found);
          results.insert(anywhere && result == Result::kElsewhere ? Result::kFound : result);
        }
        const bool is_as_it_is = name == "as it is";
        if (results.count(Result::kNoPolicy) > 0 && results.count(Result::kFound) == 0 && !is_as_it_is) continue;
        const bool is_clean = std::all_of(found.items().begin(), found.items().end(),
                                          [](const Diagnostic& item) { return item.severity == Severity::kNote; });
        EXPECT_TRUE(is_bad ? results.count(Result::kFound) > 0 : is_clean)
            << group.title << (is_bad ? ": " : ", near: ") << spelling << " (" << name << ")\n"
            << (is_as_it_is ? Show(written.text, found) : "");
      }
    };
    for (const std::string& spelling : group.bad) look(spelling, true);
    for (const std::string& spelling : group.near) look(spelling, false);
  }
}

// The cases of checks_test.cc (cases/CODE.txt), which are written plainly there, in the same other ways. Counts all forms of each check.
struct FormCounts {
  int bad = 0;
  int near = 0;
};

void CountCases(std::map<std::string, FormCounts>* counted) {
  for (const auto& entry : std::filesystem::directory_iterator(BREAKWATER_CASES_DIR)) {
    const std::string code = entry.path().stem().string();
    std::ifstream in(entry.path());
    std::vector<std::pair<bool, Lines>> cases;  // bad or near
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("--- ")) cases.push_back({line.starts_with("--- bad "), {}});
      else cases.back().second.push_back(line);
    }
    for (auto& [is_bad, lines] : cases) {
      if (Join(lines).find("gateway") == std::string::npos)
        lines.insert(lines.begin(), "gateway { listen = \"127.0.0.1:8080\" }");
      for (const auto& [name, form] : Forms()) {
        const auto written = form(lines);
        if (!written) continue;
        const std::string text = "edition 1\n" + Join(*written);
        const Diagnostics found = Check(text);
        const auto is = [&](const Diagnostic& item) { return item.code == code && item.severity != Severity::kNote; };
        const bool is_found = std::any_of(found.items().begin(), found.items().end(), is);
        const bool is_no_policy = std::any_of(found.items().begin(), found.items().end(), [&](const Diagnostic& item) {
          return item.severity == Severity::kError && item.code != code;
        });
        if (is_no_policy && name != "as it is") continue;
        ++(is_bad ? (*counted)[code].bad : (*counted)[code].near);
        if (code == "PL0201") continue;  // a note
        EXPECT_EQ(is_found, is_bad) << code << ", " << name << "\n" << Show(text, found);
      }
    }
  }
}

TEST(Spellings, EachCheckIsTriedInTwentyFormsAndAsManyNearMisses) {
  std::map<std::string, FormCounts> counted;
  CountCases(&counted);
  const auto count = [&](const Lines& lines, const std::string& code, bool is_bad) {
    for (const auto& [name, form] : Forms()) {
      if (form(lines)) ++(is_bad ? counted[code].bad : counted[code].near);
    }
  };
  for (const Danger& danger : Dangers()) {
    count(danger.Policy(false), danger.code, true);
    count(danger.Policy(true), danger.code, false);
  }
  for (const Spellings& group : ReadSpellings()) {
    FormCounts& forms = counted[group.codes[0].substr(0, 6)];
    forms.bad += static_cast<int>(group.bad.size());
    forms.near += static_cast<int>(group.near.size());
  }
  for (const auto& [code, forms] : counted) {
    EXPECT_GE(forms.bad, 20) << code;
    EXPECT_GE(forms.near, 20) << code;
    std::printf("%s %d dangerous forms, %d near misses\n", code.c_str(), forms.bad, forms.near);
  }
}

// Policies rewritten from published configurations of other proxies (the first line names each): what people run has no finding.
TEST(Honest, PoliciesOfOtherProxiesAreClean) {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(BREAKWATER_HONEST_DIR)) {
    std::ifstream in(entry.path());
    std::ostringstream text;
    text << in.rdbuf();
    EXPECT_TRUE(text.str().starts_with("# From: ")) << entry.path();
    const Diagnostics found = Check(text.str());
    const bool is_clean = std::all_of(found.items().begin(), found.items().end(),
                                      [](const Diagnostic& item) { return item.severity == Severity::kNote; });
    EXPECT_TRUE(is_clean) << entry.path() << "\n" << Show(text.str(), found);
    ++files;
  }
  EXPECT_GE(files, 60);
}

// The snippets of a page: what stands behind ```policy and the word after it.
std::vector<std::string> SnippetsOf(const std::string& page, const std::string& word) {
  std::vector<std::string> snippets;
  const std::string fence = "```policy " + word;
  for (size_t at = page.find(fence); at != std::string::npos; at = page.find(fence, at + 1)) {
    const size_t line_end = page.find('\n', at);
    if (line_end - at != fence.size()) continue;  // with options
    snippets.push_back(page.substr(line_end + 1, page.find("\n```", line_end) - line_end));
  }
  return snippets;
}

std::string CodesOf(const Diagnostics& found) {
  std::set<std::string> codes;
  for (const Diagnostic& item : found.items()) codes.emplace(item.code);
  std::string text;
  for (const std::string& code : codes) text += (text.empty() ? "" : " ") + code;
  return text;
}

TEST(Pages, ExamplesOfChecksDoWhatTheyAreShownFor) {
  for (const auto& entry : std::filesystem::directory_iterator(BREAKWATER_DOCS_DIR "/checks")) {
    std::ifstream in(entry.path());
    std::ostringstream page;
    page << in.rdbuf();
    const std::string code = entry.path().stem().string();
    for (const std::string& bad : SnippetsOf(page.str(), "bad")) EXPECT_EQ(CodesOf(Check(bad)), code) << Show(bad, Check(bad));
    for (const std::string& good : SnippetsOf(page.str(), "good")) EXPECT_EQ(CodesOf(Check(good)), "") << code << Show(good, Check(good));
  }
}

// docs/dangerous-policies.md: a clean policy, and what is put into it: "```policy in big", "```policy without repeat_safe in big".
TEST(Pages, DangerousPoliciesAreStopped) {
  std::ifstream in(BREAKWATER_DOCS_DIR "/dangerous-policies.md");
  ASSERT_TRUE(in);
  struct Item {
    std::string title;
    std::vector<Edit> edits;
  };
  std::vector<Item> items;
  std::string base;
  std::string fence;
  bool is_open = false;
  for (std::string line; std::getline(in, line);) {
    const std::string text = Trim(line);
    if (text.starts_with("```")) {
      is_open = !is_open;
      fence = is_open ? text.substr(std::string("```policy ").size()) : "";
      if (!is_open || fence == "base") continue;
      const size_t without = fence.find(" in ");
      if (fence.starts_with("without "))
        items.back().edits.push_back({fence.substr(without + 4), true, {fence.substr(8, without - 8)}});
    } else if (!is_open) {
      if (!text.empty() && text[0] >= '1' && text[0] <= '9' && text.find(". ") < 4) items.push_back({text, {}});
    } else if (fence == "base") {
      base += line + "\n";
    } else {
      const std::string where = fence.starts_with("in ") ? fence.substr(3) : fence;
      const std::string statement = line.substr(3);
      if (statement.starts_with(' ') || statement.starts_with('}'))
        items.back().edits.back().statement.push_back(statement);
      else items.back().edits.push_back({where, false, {statement}});
    }
  }
  EXPECT_EQ(base, std::string("edition 1\n") + kBase);
  EXPECT_EQ(CodesOf(Check(base)), "");
  EXPECT_GE(items.size(), 50U);
  for (const Item& item : items) {
    Lines lines = Split(kBase);
    std::set<std::string> fresh;
    for (const Edit& edit : item.edits) Apply(edit, &fresh, &lines);
    const Written written = Finish(lines);
    const Diagnostics found = Check(written.text);
    const size_t bracket = item.title.rfind('[');
    const std::string code = item.title.substr(bracket + 1, 6);
    EXPECT_NE(CodesOf(found).find(code), std::string::npos) << item.title << "\n" << Show(written.text, found);
  }
}

TEST(Dangers, Table) {
  for (const Danger& danger : Dangers()) {
    std::string row;
    int found_forms = 0;
    int forms = 0;
    for (const auto& [name, form] : Forms()) {
      const auto lines = form(danger.Policy(false));
      if (!lines) continue;
      const Written written = Finish(*lines);
      const Result result = Judge(danger.code, written, Check(written.text));
      if (result == Result::kNoPolicy) continue;
      ++forms;
      if (result == Result::kFound) ++found_forms;
      else row += (row.empty() ? "" : "; ") + name + (result == Result::kElsewhere ? " (elsewhere)" : "");
    }
    std::printf("%-16s %s %2d of %2d  %s\n", danger.name.c_str(), danger.code.c_str(), found_forms, forms,
                found_forms == 0 ? "-" : row.c_str());
  }
}

}  // namespace
