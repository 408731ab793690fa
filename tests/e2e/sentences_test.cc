// Each sentence of a test, through the executable: `breakwater test` passes where it says what is so, and fails where it says otherwise.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/e2e/shell.h"
#include "tests/e2e/story.h"

namespace tests::e2e {
namespace {

const std::string kPolicy = R"(edition 1

gateway { listen = "127.0.0.1:8080" }

upstream large {
  url           = "http://large:11434/v1"
  repeat_safe   = true
  max_in_flight = 1
  timeouts { connect = 1s }
  breaker { open when failures(60s) >= 5 }
  header["X-Team"] = "search"
  rewrite = json { "model": "qwen3" }
}

upstream small { url = "http://small:11434" }

route chat { when request.path == "/v1/chat/completions"  to = [large, small]  fallback = [busy] }
route rest { reply = none_such }

reply busy { status = 503  header["Retry-After"] = "15"  text = "Busy." }
reply none_such { status = 404  text = "No." }

)";
const std::string kAsk = "send POST \"/v1/chat/completions\" json { \"model\": \"any\", \"stream\": true, \"messages\": [] } ";

struct Sentence {
  const char* name;
  std::string given;   // with what is sent
  std::string right;   // what is so
  std::string wrong;   // what is not
  std::string before;  // at the top of the file
};
const std::vector<Sentence> kSentences = {
    {"sent json", "given large streams 1 tokens every 1ms " + kAsk, "expect sent(large).json.model == \"qwen3\"",
     "expect sent(large).json.model == \"any\"", ""},
    {"sent header", "given large streams 1 tokens every 1ms " + kAsk,
     "expect sent(large).header[\"X-Team\"] == \"search\"", "expect sent(large).header[\"X-Team\"] == none", ""},
    {"sent path", "given large streams 1 tokens every 1ms " + kAsk,
     "expect sent(large).path == \"/v1/chat/completions\"", "expect sent(large).path == \"/v1/v1/chat/completions\"",
     ""},
    {"sent body", "given large streams 1 tokens every 1ms " + kAsk, "expect sent(large).body contains \"messages\"",
     "expect sent(large).body contains \"prompt\"", ""},
    {"sent method", "given large streams 1 tokens every 1ms " + kAsk, "expect sent(large).method == \"POST\"",
     "expect sent(large).method == \"GET\"", ""},
    {"at a time",
     "given large streams 1 tokens every 1s always given small streams 1 tokens every 1ms always " + kAsk +
         " 3 at a time",
     "expect attempts(small) == 2", "expect attempts(small) == 0", ""},
    {"leaves", "given large streams 20 tokens every 1s " + kAsk + " leaves after 3s", "expect ended == left",
     "expect ended == complete", ""},
    {"first token", "given large streams 3 tokens every 1s after 2s " + kAsk, "expect first_token == 3s",
     "expect first_token < 2s", ""},
    {"fails before content", "given large streams 0 tokens then fails given small streams 1 tokens every 1ms " + kAsk,
     "expect served_by == small", "expect served_by == large", ""},
    {"connect timeout", "given large connect_timeout given small streams 1 tokens every 1ms " + kAsk,
     "expect elapsed == 1001ms", "expect elapsed == 1s", ""},
    {"dns failure", "given large dns_failure given small streams 1 tokens every 1ms " + kAsk,
     "expect attempts(small) == 1", "expect served_by == large", ""},
    {"thinking", "given large streams 2 tokens every 1s thinking 3 tokens " + kAsk, "expect first_token == 4s",
     "expect first_token == 1s", ""},
    {"never used", "given large streams 1 tokens every 1ms " + kAsk, "expect status == 200",
     "given small refuses  expect status == 200", ""},
    {"unknown label", "given large streams 1 tokens every 1ms " + kAsk,
     "expect metric(\"upstream_retry_total\", upstream: \"large\") == 0",
     "expect metric(\"upstream_retry_total\", upstrem: \"large\") == 0", ""},
    {"unknown metric", "given large streams 1 tokens every 1ms " + kAsk, "expect metric(\"upstream_retry_total\") == 0",
     "expect metric(\"upstream_rtry_total\") == 0", ""},
    {"text reply",
     "given large replies 200 text \"Hello there\" send POST \"/v1/chat/completions\" json { \"model\": \"any\", "
     "\"messages\": [] }",
     "expect body contains \"Hello there\"", "expect body contains \"t1\"", ""},
    {"body json", "given large replies 200 json { \"object\": \"chat.completion\", \"choices\": [] } " + kAsk,
     "expect body.json.object == \"chat.completion\"", "expect body.json.object == none", ""},
    {"refuses", "given large refuses given small streams 1 tokens every 1ms " + kAsk, "expect served_by == small",
     "expect served_by == large", ""},
    {"resets", "given large resets after 2s given small streams 1 tokens every 1ms " + kAsk, "expect elapsed >= 2s",
     "expect elapsed < 2s", ""},
    {"hangs", "given large hangs given small streams 1 tokens every 1ms " + kAsk, "expect elapsed > 1min",
     "expect elapsed < 10s", ""},
    {"status and reply", "given large refuses given small refuses " + kAsk, "expect status == 503",
     "expect status == 200", ""},
    {"header", "given large refuses given small refuses " + kAsk, "expect header[\"Retry-After\"] == \"15\"",
     "expect header[\"Retry-After\"] == none", ""},
    {"fallback", "given large refuses given small refuses " + kAsk, "expect fallback == busy",
     "expect fallback == none", ""},
    {"route", "send GET \"/other\"", "expect route == rest", "expect route == chat", ""},
    {"breaker", "given large streams 1 tokens every 1ms " + kAsk, "expect breaker(large) == closed",
     "expect breaker(large) == open", ""},
    {"common", kAsk, "expect served_by == small", "expect served_by == large",
     "common { given large refuses always  given small streams 1 tokens every 1ms always }\n"},
};

void PrintTo(const Sentence& sentence, std::ostream* out) { *out << sentence.name; }

class Sentences : public testing::TestWithParam<Sentence> {
 protected:
  Ran Test(const std::string& text, const std::string& name = "some.policy") {
    return Shell(std::string("'") + BREAKWATER_EXECUTABLE + "' test '" + folder_.Write(name, text) + "'");
  }
  support::TempDir folder_;
};

TEST_P(Sentences, HoldsWhereItIsSoAndFailsWhereItIsNot) {
  const Sentence& sentence = GetParam();
  const auto file = [&](const std::string& last) {
    return kPolicy + sentence.before + "test \"" + sentence.name + "\" {\n  " + sentence.given + "\n  " + last + "\n}\n";
  };
  const Ran right = Test(file(sentence.right));
  EXPECT_EQ(right.code, 0) << right.output;
  const Ran wrong = Test(file(sentence.wrong));
  EXPECT_EQ(wrong.code, 1) << wrong.output;
}

// In a file of their own.
TEST_P(Sentences, HoldInAFileThatNamesThePolicyToo) {
  const Sentence& sentence = GetParam();
  folder_.Write("chat.policy", kPolicy);
  const auto file = [&](const std::string& last) {
    return "edition 1\ntests_of = \"chat.policy\"\n" + sentence.before + "test \"" + sentence.name + "\" {\n  " + sentence.given + "\n  " + last + "\n}\n";
  };
  const Ran right = Test(file(sentence.right), "chat_tests.policy");
  EXPECT_EQ(right.code, 0) << right.output;
  const Ran wrong = Test(file(sentence.wrong), "chat_tests.policy");
  EXPECT_EQ(wrong.code, 1) << wrong.output;
}

// So what is added to the tables of acts and subjects needs a sentence here.
TEST(SentencesOfTests, EachActAndEachSubjectHasOne) {
  const auto said = [](const std::string& part, auto member) {
    return std::any_of(kSentences.begin(), kSentences.end(),
                       [&](const Sentence& sentence) { return Holds(sentence.*member, part); });
  };
#define ACT(id, word, doc) EXPECT_TRUE(said(std::string(" ") + word, &Sentence::given)) << word;
#include "compiler/model/test_acts.def"
#define SUBJECT(id, name, takes, type, doc)                                                                            \
  {                                                                                                                    \
    const std::string subject = name;                                                                                  \
    const bool is_sent = subject.starts_with("sent.");                                                                 \
    EXPECT_TRUE(said(is_sent ? "sent(large)" + subject.substr(4) : "expect " + subject, &Sentence::right)) << subject; \
  }
#include "compiler/model/test_subjects.def"
}

// The next policy stands beside the file of the test, wherever it is started from.
class ReloadSentence : public testing::Test {
 protected:
  Ran Test(const std::string& text) {
    return Shell(std::string("'") + BREAKWATER_EXECUTABLE + "' test '" + folder_.Write("some.policy", text) + "'");
  }
  support::TempDir folder_;
};

TEST_F(ReloadSentence, ReadsAPolicyBesideItsFile) {
  const auto file = [](const std::string& path, const std::string& last) {
    return kPolicy + "test \"another policy\" {\n  given large refuses always\n  given small refuses always\n  " +
           kAsk + "\n  expect body contains \"Busy.\"\n  reload \"" + path + "\"\n  " + kAsk + "\n  " + last + "\n}\n";
  };
  folder_.Write("next.policy", support::ReplaceAll(kPolicy, "Busy.", "Later."));
  EXPECT_EQ(Test(file("next.policy", "expect body contains \"Later.\"")).code, 0);
  const Ran wrong = Test(file("next.policy", "expect body contains \"Busy.\""));
  EXPECT_EQ(wrong.code, 1);
  EXPECT_TRUE(Holds(wrong.output, "reload \"next.policy\"")) << "the story tells of it\n" << wrong.output;
  const Ran missing = Test(file("gone.policy", "expect status == 503"));
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(Holds(missing.output, "gone.policy: no such file")) << missing.output;
  folder_.Write("broken.policy", support::ReplaceAll(kPolicy, "[large, small]", "[large, smal]"));
  const Ran broken = Test(file("broken.policy", "expect status == 503"));
  EXPECT_EQ(broken.code, 1);
  EXPECT_TRUE(Holds(broken.output, "the gateway would refuse this reload")) << broken.output;
  EXPECT_TRUE(Holds(broken.output, "smal")) << broken.output;
  const Ran unquoted =
      Test(support::ReplaceAll(file("next.policy", "expect status == 503"), "\"next.policy\"", "next"));
  EXPECT_EQ(unquoted.code, 2);
  EXPECT_TRUE(Holds(unquoted.output, "reload \"next.policy\"")) << unquoted.output;
}

INSTANTIATE_TEST_SUITE_P(All, Sentences, testing::ValuesIn(kSentences), [](const auto& test) {
  std::string name = test.param.name;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
});

}  // namespace
}  // namespace tests::e2e
