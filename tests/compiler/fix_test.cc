// Fixes over all golden files and on their own: a fix takes its finding away, brings no error, and leaves the rest of the text as it
// was.
#include "compiler/fix.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "compiler/diagnostics/edits.h"
#include "compiler/diagnostics/render.h"

namespace {

namespace fs = std::filesystem;
using compiler::diagnostics::ApplyEdits;
using compiler::diagnostics::Diagnostics;

const std::string kHead = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\n";

compiler::FixResult Fix(const std::string& text, bool unsafe = false) {
  compiler::FixOptions options;
  options.unsafe = unsafe;
  return compiler::FixPolicy(text, options);
}

std::map<std::string, int> ErrorsOf(const Diagnostics& diagnostics) {
  std::map<std::string, int> errors;
  for (const auto& item : diagnostics.items()) {
    if (item.severity == compiler::diagnostics::Severity::kError) ++errors[std::string(item.code) + item.message];
  }
  return errors;
}

TEST(Fix, NoGoldenFileGetsANewErrorAndMostFindingsWithAFixGo) {
  int files = 0;
  size_t offered = 0;
  size_t applied = 0;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(BREAKWATER_GOLDEN_DIR) / "check")) {
    if (entry.path().extension() != ".policy") continue;
    std::ifstream in(entry.path());
    std::ostringstream whole;
    whole << in.rdbuf();
    const std::string text = whole.str();
    Diagnostics before;
    compiler::CheckPolicy(text, {}, &before);
    for (const auto& item : before.items()) offered += item.fix ? 1 : 0;
    const auto result = Fix(text, /*unsafe=*/true);
    applied += result.applied.size();
    auto known = ErrorsOf(before);
    for (const auto& [name, count] : ErrorsOf(result.diagnostics))
      EXPECT_LE(count, known[name]) << entry.path() << ": new: " << name << "\n" << result.text;
    if (result.applied.empty()) {
      EXPECT_EQ(result.text, text) << entry.path();
    }
    // What comes to light is for the next run, and after a few there is nothing left to do.
    auto again = Fix(result.text, true);
    for (int run = 0; run < 4 && !again.applied.empty(); ++run) {
      for (const auto& [name, count] : ErrorsOf(again.diagnostics)) EXPECT_LE(count, known[name]) << entry.path() << ": new: " << name;
      again = Fix(again.text, true);
    }
    EXPECT_TRUE(again.applied.empty()) << entry.path() << "\n" << again.text;
    ++files;
  }
  EXPECT_GT(files, 90);
  EXPECT_GT(offered, 50u);
  EXPECT_GE(applied * 10, offered * 9) << applied << " of " << offered;
}

TEST(Fix, CommentsAndLayoutStay) {
  const auto result = Fix(
      "edition 1\n\n# ours\ngateway {\n  listen = \"127.0.0.1:8080\"   # here\n}\n\n"
      "upstream a {\n  url = \"http://a:1\"\n  retry {\n    max_retries = 1\n    when status == 500 && error != none   # why\n  }\n}\n");
  EXPECT_NE(result.text.find("when status == 500 and error != none   # why\n"), std::string::npos) << result.text;
  EXPECT_NE(result.text.find("# ours\ngateway {\n  listen = \"127.0.0.1:8080\"   # here\n"), std::string::npos);
}

TEST(Fix, WhatIsRemovedLeavesNoHole) {
  const auto result = Fix(kHead + "\nlet a = client.tls\n\nupstream u { url = \"http://a:1\" }\n", /*unsafe=*/true);
  EXPECT_EQ(result.text, kHead + "\nupstream u { url = \"http://a:1\" }\n");
}

// A fix is judged on the text that people wrote. Once the route is reached the warning of a reply without a user appears: nobody has
// seen it yet, and so nothing goes.
TEST(Fix, WhatOneFixBringsToLightIsLeftToTheNextRun) {
  const std::string text = kHead + "upstream u { url = \"http://a:1\" }\nreply x { status = 404 }\nroute a { to = u }\nroute b { when client.tls reply = y }\nreply y { status = 403 }\n";
  for (const bool unsafe : {false, true}) {
    const auto result = Fix(text, unsafe);
    EXPECT_LT(result.text.find("route b"), result.text.find("route a")) << result.text;
    EXPECT_NE(result.text.find("reply x"), std::string::npos) << result.text;
    EXPECT_EQ(result.diagnostics.size(), 1u);
  }
}

TEST(Fix, OfAPolicyThatCompilesNothingIsFixedUnasked) {
  for (const std::string& text : {
           kHead + "let a = client.tls\nupstream u { url = \"http://a:1\" }\n",
           kHead + "upstream u { url = \"http://a:1\" repeat_safe = true retry { max_retries = 1 when status == 503 } }\n",
           kHead + "upstream u { url = \"http://a:1\" }\nroute r { when request.path in {\"/a\", \"/a\"} to = u }\nroute s { to = u }\n",
       }) {
    const auto result = Fix(text);
    EXPECT_EQ(result.text, text);
    EXPECT_TRUE(result.applied.empty());
    EXPECT_FALSE(result.diagnostics.empty()) << text;
    EXPECT_NE(Fix(text, /*unsafe=*/true).text, text);
  }
}

// `small` has no user once one `big` is gone, and whoever wrote it knows of it.
TEST(Fix, ASafeFixEnablesNoRemoval) {
  const std::string text = kHead + "upstream big { url = \"http://a:1\" }\n# the small one\nupstream small { url = \"http://b:1\" }\nroute r { to = [big, big] }\n";
  for (const bool unsafe : {false, true}) {
    const auto result = Fix(text, unsafe);
    EXPECT_NE(result.text.find("# the small one\nupstream small"), std::string::npos) << result.text;
    EXPECT_NE(result.text.find("to = [big]"), std::string::npos) << result.text;
  }
}

TEST(Fix, AQuotedTimeIsUnquotedAndNotChanged) {
  const auto result = Fix(kHead + "upstream u {\n  url = \"http://a:1\"\n  breaker {\n    open when failed_requests(60s) >= 5\n    open_for = \"15s\"\n  }\n}\n");
  EXPECT_NE(result.text.find("open_for = 15s\n"), std::string::npos) << result.text;
}

TEST(Fix, AGlobBecomesNoPatternThatMatchesAnywhere) {
  const auto result = Fix(kHead + "upstream u { url = \"http://a:1\" }\nroute r { when request.path matches \"/api/*\" to = u }\nroute s { to = u }\n");
  EXPECT_NE(result.text.find("request.path starts_with \"/api/\""), std::string::npos) << result.text;
}

TEST(Fix, AUnsafeUnitIsTheSmallestOne) {
  const auto result = Fix(kHead + "upstream u { url = \"http://a:1\" replay_body = 1024 }\n", /*unsafe=*/true);
  EXPECT_NE(result.text.find("replay_body = 1024B"), std::string::npos) << result.text;
}

TEST(Fix, WhatIsRefusedSaysWhy) {
  const auto result = Fix(kHead + "upstream u { url = \"http://a:1\" attempt_timout = 15 }\n");
  ASSERT_EQ(result.refused.size(), 1u);
  EXPECT_NE(result.refused[0].finding.find("attempt_timout"), std::string::npos);
  EXPECT_NE(result.refused[0].because.find("`15` has no unit"), std::string::npos) << result.refused[0].because;
}

TEST(Fix, LineEndsStay) {
  const auto result = Fix("gateway { listen = \"127.0.0.1:8080\" }\r\nupstream u { url = \"http://a:1\" }\r\n");
  EXPECT_EQ(result.text, "edition 1\r\n\r\ngateway { listen = \"127.0.0.1:8080\" }\r\nupstream u { url = \"http://a:1\" }\r\n");
}

TEST(Fix, WhatOtherLanguagesTaughtIsWrittenAsThisOneWritesIt) {
  const auto result = Fix(R"(edition = 1

gateway { listen = 127.0.0.1:8080 }

upstream ollama {
  url             = http://127.0.0.1:11434
  attempt_timeout = 15 seconds

  "repeat_safe": true

  retry {
    max_retries = 2
    when status in 500, 502 or error in {connect-failure, ECONNREFUSED}
  }

  breaker { open if failed_requests(60s) >= 5 }

  fallback = [busy]
}

reply busy {
  status = 503
  header "Retry-After": "30"
  text   = 'busy'
}

route chat { when path starts with "/api" and request.path matches /chat/i  to = ollama }
route rest { to = ollama }
)", /*unsafe=*/true);
  EXPECT_EQ(result.text, R"(edition 1

gateway { listen = "127.0.0.1:8080" }

upstream ollama {
  url             = "http://127.0.0.1:11434"
  attempt_timeout = 15s

  repeat_safe = true

  retry {
    max_retries = 2
    when status in {500, 502} or error in {connect_failure, refused}
  }

  breaker { open when failed_requests(60s) >= 5 }

  fallback = [busy]
}

reply busy {
  status = 503
  header["Retry-After"] = "30"
  text   = "busy"
}

route chat { when request.path starts_with "/api" and request.path matches /(?i)chat/  to = ollama }
route rest { to = ollama }
)");
  EXPECT_TRUE(result.diagnostics.empty())
      << compiler::diagnostics::RenderAll(compiler::source::SourceBuffer("p", result.text), result.diagnostics);
}

TEST(Fix, ChoicesAreMadeOnlyWhenAskedFor) {
  const std::string text = kHead + "upstream u { url = \"http://a:1\" attempt_timeout = 15 }\n";
  const auto safe = Fix(text);
  EXPECT_EQ(safe.text, text);
  EXPECT_EQ(safe.diagnostics.size(), 1u);
  EXPECT_NE(Fix(text, true).text.find("attempt_timeout = 15s"), std::string::npos);
}

TEST(Fix, WhatTheMistakeHidIsFixedWithItOrBothStay) {
  const std::string text = kHead + "upstream u { url = \"http://a:1\" attempt_timout = 15 }\n";
  const auto safe = Fix(text);
  EXPECT_EQ(safe.text, text);
  EXPECT_EQ(safe.refused.size(), 1u);
  const auto all = Fix(text, true);
  EXPECT_NE(all.text.find("attempt_timeout = 15s"), std::string::npos) << all.text;
  EXPECT_TRUE(all.diagnostics.empty());
}

// Reading stops at the first mistake of a block; the second has nothing to do with its fix.
TEST(Fix, WhatTheMistakeHidInAnotherLineIsFixedAfterIt) {
  const std::string good = "upstream u {\n  url = \"http://a:1\"\n  attempt_timeout = 15s\n  repeat_safe = true\n}\n";
  const auto result =
      Fix(kHead + "upstream u {\n  url = \"http://a:1\"\n  attempt_timeout = 15 seconds\n  \"repeat_safe\": true\n}\n");
  EXPECT_EQ(result.text, kHead + good);
  EXPECT_TRUE(result.diagnostics.empty());
  EXPECT_TRUE(result.refused.empty());
}

TEST(Fix, WhatTheMistakeHidMayStayIfOnlyAHumanCanMendIt) {
  const auto result =
      Fix(kHead + "upstream u {\n  url = \"http://a:1\"\n  attempt_timeout = 15 seconds\n  repeat_safe =\n}\n");
  EXPECT_NE(result.text.find("attempt_timeout = 15s\n  repeat_safe =\n"), std::string::npos) << result.text;
  EXPECT_EQ(result.diagnostics.errors(), 1u);
  EXPECT_TRUE(result.refused.empty());
}

// The comma is a wrong guess, whose error has the words of one that was there: line 4 has it, and line 3 gets it.
TEST(Fix, AnErrorThatAnotherLineHasIsNotTakenForHidden) {
  const std::string text = kHead + "reply a { status = 404 body = json { \"a\": \"b\" \"c\" } }\n"
                                   "reply b { status = 404 body = json { \"a\" [] } }\nroute r { when client.tls reply = a }\n"
                                   "route s { reply = b }\n";
  EXPECT_EQ(Fix(text).text, text);
}

// What was missing is a bracket, not a comma: with one, the next word is where the first was.
TEST(Fix, AFixWhoseFindingOnlyMovesOnIsRefused) {
  const std::string text =
      kHead + "upstream u {\n  url = env(\"U\", default: \"http://a:1\"\n  attempt_timeout attempt_timeout 25s\n}\n";
  EXPECT_EQ(Fix(text).text, text);
}

TEST(Fix, AGuessThatBringsAnErrorIsRefused) {
  // The nearest name stands there already: it was not what was meant.
  const std::string text = kHead + "upstream u { url = \"http://a:1\" }\nroute a { to = [u, uu] }\n";
  const auto result = Fix(text);
  EXPECT_EQ(result.text, text);
  EXPECT_EQ(result.refused.size(), 1u);
}

TEST(Edits, AreAppliedInAnyOrder) {
  EXPECT_EQ(ApplyEdits("abcdef", {{{4, 5}, "X"}, {{1, 1}, "-"}, {{1, 2}, "B"}}), "a-BcdXf");
  EXPECT_EQ(ApplyEdits("", {{{0, 0}, "x"}}), "x");
}

TEST(Edits, RemovalsTakeTheirLineAndTheBlanksBefore) {
  EXPECT_EQ(ApplyEdits("a\n  b\nc\n", {{{4, 5}, ""}}), "a\nc\n");
  EXPECT_EQ(ApplyEdits("a\n\nb\n\nc\n", {{{3, 4}, ""}}), "a\n\nc\n");
  EXPECT_EQ(ApplyEdits("x  y z", {{{3, 4}, ""}}), "x z");
  EXPECT_EQ(ApplyEdits("b\nc", {{{0, 1}, ""}}), "c");
  EXPECT_EQ(ApplyEdits("  b # comment\n", {{{2, 3}, ""}}), "   # comment\n");
}

}  // namespace
