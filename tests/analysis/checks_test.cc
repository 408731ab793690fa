// The checks of compiler/analysis/checks.def, each by a table of policies: cases/<code>.txt. A case begins with
//   --- bad WHERE THE VALUE COMES FROM, what it is | the words that the finding points at | flags
//   --- near, what keeps it safe | flags
// and goes on to the next one; edition and gateway are put in front where they are missing. A bad case must have this finding and no
// other, a near miss none. Flags: a code that is found as well; nofix, where no fix is offered.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/codes.h"
#include "compiler/diagnostics/render.h"
#include "compiler/fix.h"

namespace {

namespace fs = std::filesystem;
using compiler::diagnostics::Diagnostic;
using compiler::diagnostics::Diagnostics;

// The codes that have a table here. The others are held by dangers.txt, in more spellings (dangers_test.cc).
const std::vector<std::string_view> kChecks = [] {
  std::set<std::string_view> codes = {
#define CHECK(code, Function) code,
#include "compiler/analysis/checks.def"
#undef CHECK
  };
  std::erase_if(codes, [](std::string_view code) {
    return !fs::exists(fs::path(BREAKWATER_CASES_DIR) / (std::string(code) + ".txt"));
  });
  return std::vector<std::string_view>(codes.begin(), codes.end());
}();

struct Case {
  std::string code;
  std::string name;
  bool is_bad = false;
  std::string words;           // that the finding points at
  std::set<std::string> more;  // other codes
  bool has_fix = true;
  std::string policy;
};

std::string Trim(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \n") + 1 - begin);
}

Case CaseOf(const std::string& code, const std::string& head) {
  Case c;
  c.code = code;
  std::vector<std::string> fields;
  std::istringstream in(head);
  for (std::string field; std::getline(in, field, '|');) fields.push_back(Trim(field));
  c.name = fields.at(0);
  c.is_bad = c.name.starts_with("bad ");
  size_t next = 1;
  if (c.is_bad) c.words = fields.at(next++);
  for (; next < fields.size(); ++next) {
    if (fields[next] == "nofix") c.has_fix = false;
    else if (!fields[next].empty()) c.more.insert(fields[next]);
  }
  return c;
}

std::vector<Case> ReadCases() {
  std::vector<Case> cases;
  for (const std::string_view code : kChecks) {
    std::ifstream in(fs::path(BREAKWATER_CASES_DIR) / (std::string(code) + ".txt"));
    EXPECT_TRUE(in) << code << " has no table";
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("--- ")) cases.push_back(CaseOf(std::string(code), line.substr(4)));
      else cases.back().policy += line + "\n";
    }
  }
  for (Case& c : cases) {
    const bool has_gateway = c.policy.starts_with("gateway");
    c.policy = std::string("edition 1\n\n") + (has_gateway ? "" : "gateway { listen = \"127.0.0.1:8080\" }\n\n") +
               Trim(c.policy) + "\n";
  }
  return cases;
}

const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = ReadCases();
  return cases;
}

Diagnostics Check(const std::string& policy, std::set<std::string_view> without = {}) {
  compiler::CompileOptions options;
  options.without_checks = std::move(without);
  Diagnostics diagnostics;
  compiler::CheckPolicy(policy, options, &diagnostics);
  return diagnostics;
}

std::string Show(const Case& c, const Diagnostics& found) {
  return c.code + " " + c.name + "\n" + c.policy +
         compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("case", c.policy), found);
}

std::set<std::string> CodesOf(const Diagnostics& found) {
  std::set<std::string> codes;
  for (const Diagnostic& item : found.items()) codes.emplace(item.code);
  return codes;
}

TEST(Checks, BadFormsAreFoundAndNearMissesAreNot) {
  for (const Case& c : Cases()) {
    const Diagnostics found = Check(c.policy);
    std::set<std::string> expected = c.more;
    if (c.is_bad) expected.insert(c.code);
    EXPECT_EQ(CodesOf(found), expected) << Show(c, found);
  }
}

TEST(Checks, FindingsPointAtTheWordsThatMustChange) {
  for (const Case& c : Cases()) {
    if (!c.is_bad) continue;
    const Diagnostics found = Check(c.policy);
    std::vector<std::string> at;
    for (const Diagnostic& item : found.items()) {
      if (item.code == c.code) at.push_back(c.policy.substr(item.range.begin, item.range.end - item.range.begin));
    }
    EXPECT_EQ(at, std::vector<std::string>{c.words}) << Show(c, found);
  }
}

TEST(Checks, EachHasATableOrDangers) {
  std::ifstream in(BREAKWATER_DANGERS);
  std::ostringstream dangers;
  dangers << in.rdbuf();
  for (const std::string_view code : {
#define CHECK(code, Function) std::string_view(code),
#include "compiler/analysis/checks.def"
#undef CHECK
       }) {
    const bool has_table = std::find(kChecks.begin(), kChecks.end(), code) != kChecks.end();
    EXPECT_TRUE(has_table || dangers.str().find("| " + std::string(code) + " |") != std::string::npos) << code;
  }
}

TEST(Checks, EachHasThreeBadFormsAndThreeNearMisses) {
  std::map<std::string, std::set<std::string>> forms;
  std::map<std::string, int> near;
  for (const Case& c : Cases()) {
    if (!c.is_bad) ++near[c.code];
    for (const char* form : {"literal", "let", "default"}) {
      if (c.name.starts_with(std::string("bad ") + form)) forms[c.code].insert(form);
    }
  }
  for (const std::string_view code : kChecks) {
    EXPECT_EQ(forms[std::string(code)].size(), 3u) << code;
    EXPECT_GE(near[std::string(code)], 3) << code;
  }
}

// Without its check a bad form is as clean as a near miss, and nothing else is different.
TEST(Checks, OneThatIsSwitchedOffLosesItsFindingsAndNoOthers) {
  const auto lines = [](const Diagnostics& found, std::string_view without) {
    std::multiset<std::string> out;
    for (const Diagnostic& item : found.items()) {
      if (item.code != without) out.insert(std::string(item.code) + " " + item.message);
    }
    return out;
  };
  std::vector<Diagnostics> all;
  for (const Case& c : Cases()) all.push_back(Check(c.policy));
  for (const std::string_view code : kChecks) {
    int lost = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      const Case& c = Cases()[i];
      const Diagnostics& with = all[i];
      const Diagnostics off = Check(c.policy, {code});
      lost += CodesOf(with).count(std::string(code)) > 0 && CodesOf(off).count(std::string(code)) == 0;
      // Two codes are shared with the checker, whose findings stay.
      EXPECT_EQ(lines(off, ""), lines(with, code)) << code << " switched off: " << Show(c, off);
    }
    EXPECT_GE(lost, 3) << code;
  }
}

TEST(Checks, AllowOfOneThatIsSwitchedOffIsNotTakenForUseless) {
  const std::string policy = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a { url = \"http://a\" }\n"
                             "allow PL0503 because \"it is\"\n";
  EXPECT_EQ(CodesOf(Check(policy)), std::set<std::string>{"PL0102"}) << "nothing here counts attempts";
  EXPECT_EQ(CodesOf(Check(policy, {"PL0503"})), std::set<std::string>());
}

TEST(Checks, FixesTakeTheFindingAwayAndBringNoOther) {
  using compiler::diagnostics::FixKind;
  for (const Case& c : Cases()) {
    const FixKind kind = compiler::diagnostics::FindCode(c.code)->fix;
    if (!c.is_bad || kind == FixKind::kNone) continue;
    const Diagnostics before = Check(c.policy);
    const auto own = std::find_if(before.items().begin(), before.items().end(),
                                  [&](const Diagnostic& item) { return item.code == c.code; });
    if (own == before.items().end()) continue;  // another test says so
    EXPECT_EQ(own->fix.has_value(), c.has_fix) << Show(c, before);
    EXPECT_FALSE(kind == FixKind::kOffered && own->fix && own->fix->safe) << Show(c, before);
    if (!c.has_fix) continue;
    compiler::FixOptions options;
    options.unsafe = true;
    auto fixed = compiler::FixPolicy(c.policy, options);
    // What it leaves without a use is for the next run.
    if (!fixed.applied.empty() && !fixed.diagnostics.empty()) fixed = compiler::FixPolicy(fixed.text, options);
    std::set<std::string> left;  // a note says what is so, and asks for nothing
    for (const Diagnostic& item : fixed.diagnostics.items()) {
      if (item.severity != compiler::diagnostics::Severity::kNote) left.emplace(item.code);
    }
    EXPECT_EQ(left.count(c.code), 0u) << Show(c, before) << fixed.text;
    EXPECT_TRUE(std::includes(c.more.begin(), c.more.end(), left.begin(), left.end()))
        << Show(c, before) << fixed.text
        << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("fixed", fixed.text), fixed.diagnostics);
  }
}

// What ships has no finding that is not answered with a reason.
TEST(Checks, ShippedPoliciesAreClean) {
  int files = 0;
  for (const char* folder : {"policies", "examples"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(BREAKWATER_SOURCE_DIR) / folder)) {
      if (entry.path().extension() != ".policy") continue;
      std::ifstream in(entry.path());
      std::ostringstream text;
      text << in.rdbuf();
      const Diagnostics found = Check(text.str());
      EXPECT_TRUE(found.empty()) << compiler::diagnostics::RenderAll(
          compiler::source::SourceBuffer(entry.path().string(), text.str()), found);
      ++files;
    }
  }
  EXPECT_GE(files, 10);
}

// ---- allow ----------------------------------------------------------------------------------------------------------

std::string Retrying(const std::string& in_retry, const std::string& in_upstream = "",
                     const std::string& in_file = "") {
  return "edition 1\n" + in_file +
         "\ngateway { listen = \"127.0.0.1:8080\" }\nupstream a {\n  url = \"http://a\"\n  repeat_safe = true\n  " +
         in_upstream + "\n  retry {\n    max_retries = 1\n    when status in {400, 503}\n    " + in_retry +
         "\n  }\n}\n";
}

TEST(Allow, SilencesOneCodeInItsBlock) {
  const std::set<std::string> both = {"PL0305", "PL0306"};
  EXPECT_EQ(CodesOf(Check(Retrying(""))), both);
  const std::string allow = "allow PL0305 because \"it never names a time\"";
  for (const std::string& policy : {Retrying(allow), Retrying("", allow), Retrying("", "", allow)})
    EXPECT_EQ(CodesOf(Check(policy)), std::set<std::string>{"PL0306"}) << policy;
}

TEST(Allow, IsAFindingWhereItSilencesNothing) {
  const std::string policy = Retrying("allow PL0304 because \"x\"");
  const Diagnostics found = Check(policy);
  EXPECT_EQ(CodesOf(found), (std::set<std::string>{"PL0102", "PL0305", "PL0306"}));
  // In another block it does not help.
  const std::string elsewhere =
      Retrying("") + "reply no { status = 404  allow PL0305 because \"x\" }\nroute r { to = a }\n";
  EXPECT_EQ(CodesOf(Check(elsewhere)).count("PL0305"), 1u);
  compiler::FixOptions options;
  options.unsafe = true;
  EXPECT_EQ(compiler::FixPolicy(policy, options).text.find("allow"), std::string::npos);
}

TEST(Allow, NeedsAKnownCodeOfAWarningAndAReason) {
  EXPECT_EQ(CodesOf(Check(Retrying("allow PL0305 because \" \""))), (std::set<std::string>{"PL0166"}));
  EXPECT_EQ(CodesOf(Check(Retrying("allow PL9999 because \"x\""))), (std::set<std::string>{"PL0101"}));
  EXPECT_EQ(CodesOf(Check(Retrying("allow PL0120 because \"x\""))), (std::set<std::string>{"PL0172"}));
}

}  // namespace
