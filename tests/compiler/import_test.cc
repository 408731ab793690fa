// `import`, and `retry` and `breaker` blocks with a name: what they mean, what is said of them, and of which file.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/fix.h"
#include "compiler/expand/imports.h"
#include "compiler/model/print.h"

namespace {

using compiler::ImportedText;

const std::string kGateway = "edition 1\ngateway { listen = \"127.0.0.1:8080\" }\n";

compiler::ReadImport From(std::map<std::string, std::string> files) {
  return [files](const std::string& path) {
    const auto found = files.find(path);
    if (found == files.end()) return ImportedText{path, "", "No such file or directory"};
    return ImportedText{"lib/" + path, found->second, ""};
  };
}

struct Checked {
  std::string model;
  std::string findings;
  std::string hash;
};
Checked Check(const std::string& text, const std::map<std::string, std::string>& files = {}) {
  const auto source = compiler::ReadSource("p", text, From(files));
  compiler::diagnostics::Diagnostics diagnostics;
  const auto written = compiler::CheckWritten(source, {}, &diagnostics);
  Checked checked{"", compiler::diagnostics::RenderAll(*source, diagnostics), ""};
  if (written) checked.model = compiler::model::Print(written->policy), checked.hash = written->hash;
  return checked;
}
bool Holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST(NamedBlocks, MeanWhatTheSameBlockInTheUpstreamMeans) {
  const std::string retry = "{ max_retries = 2  when error == refused }";
  const std::string breaker = "{ open when failures(60s) >= 20  open_for = 6min }";
  const Checked named = Check(kGateway + "retry gentle " + retry + "\nbreaker usual " + breaker +
                              "\nupstream a { url = \"http://a\"  retry = gentle  breaker = usual }\n"
                              "upstream b { url = \"http://b\"  retry = gentle }\nroute r { to = [a, b] }\n");
  const Checked written = Check(kGateway + "upstream a { url = \"http://a\"  retry " + retry + "  breaker " + breaker +
                                " }\nupstream b { url = \"http://b\"  retry " + retry + " }\nroute r { to = [a, b] }\n");
  EXPECT_NE(named.model, "") << named.findings;
  EXPECT_EQ(named.model, written.model);
}

TEST(NamedBlocks, AMistakeInOneIsToldOnce) {
  const Checked checked = Check(kGateway + "retry gentle { max_retries = 2  when error == refusd }\n"
                                           "upstream a { url = \"http://a\"  retry = gentle }\n"
                                           "upstream b { url = \"http://b\"  retry = gentle }\nroute r { to = [a, b] }\n");
  EXPECT_TRUE(checked.findings.starts_with("p:3:47: error[PL0101]")) << checked.findings;
  EXPECT_EQ(checked.findings.find("error[", 20), std::string::npos) << checked.findings;
}

TEST(NamedBlocks, AreMissedByTheirNearestName) {
  const Checked checked = Check(kGateway + "retry gentle { max_retries = 2  when error == refused }\n"
                                           "upstream a { url = \"http://a\"  retry = gentel }\nroute r { to = a }\n");
  EXPECT_TRUE(Holds(checked.findings, "there is no retry `gentel`")) << checked.findings;
  EXPECT_TRUE(Holds(checked.findings, "write `gentle`")) << checked.findings;
}

TEST(NamedBlocks, ThatNobodyNamesAreToldAndCheckedAllTheSame) {
  const std::string rest = "upstream a { url = \"http://a\" }\nroute r { to = a }\n";
  EXPECT_TRUE(Holds(Check(kGateway + "breaker usual { open when failures(60s) >= 20 }\n" + rest).findings,
                    "warning[PL0102]: breaker `usual` is never used"));
  EXPECT_TRUE(Holds(Check(kGateway + "breaker usual { open when failures(60) >= 20 }\n" + rest).findings, "error[PL0206]"));
}

TEST(NamedBlocks, CantStandBesideOneOfTheUpstream) {
  const Checked checked = Check(kGateway + "retry gentle { max_retries = 2  when error == refused }\n"
                                           "upstream a { url = \"http://a\"  retry = gentle  retry { max_retries = 1  when error == reset } }\n"
                                           "route r { to = a }\n");
  EXPECT_TRUE(Holds(checked.findings, "error[PL0135]")) << checked.findings;
  EXPECT_TRUE(Holds(Check(kGateway + "retry a { max_retries = 2  when error == refused }\nretry a { max_retries = 1  when error == refused }\n"
                                     "upstream u { url = \"http://a\"  retry = a }\nroute r { to = u }\n")
                        .findings,
                    "error[PL0134]"));
}

const std::string kShared =
    "edition 1\n"
    "let transient = error in {refused, reset}\n"
    "retry gentle { max_retries = 2  when transient }\n"
    "reply busy { status = 503  header[\"Retry-After\"] = \"30\"  text = \"忙\" }\n"
    "cache answers { key = \"${request.body}\"  ttl = 5s  shared = true }\n";

TEST(Import, BringsNamedThingsUnderItsName) {
  const Checked imported = Check(kGateway + "import \"shared.policy\" as llm\n"
                                            "let often = llm.transient or status == 503\n"
                                            "upstream a { url = \"http://a\"  retry = llm.gentle }\n"
                                            "upstream b { url = \"http://b\"  retry { max_retries = 1  when often } }\n"
                                            "route r { to = [a, b]  cache = llm.answers  fallback = [llm.busy] }\n",
                                 {{"shared.policy", kShared}});
  EXPECT_NE(imported.model, "") << imported.findings;
  EXPECT_TRUE(Holds(imported.model, "reply llm.busy {")) << imported.model;
  EXPECT_TRUE(Holds(imported.model, "cache = llm.answers")) << imported.model;
  EXPECT_TRUE(Holds(imported.model, "max_retries = 2")) << imported.model;
  EXPECT_EQ(imported.findings.find("PL0102"), std::string::npos) << imported.findings;
}

TEST(Import, NamesOfTwoFilesDontMeet) {
  const Checked checked = Check(kGateway + "import \"a\" as a\nimport \"b\" as b\nreply busy { status = 500 text = \"x\" }\nupstream u { url = \"http://a\" }\n"
                                           "route r { when request.path == \"/a\"  reply = a.busy }\n"
                                           "route s { when request.path == \"/b\"  reply = b.busy }\nroute t { to = u  fallback = [busy] }\n",
                                {{"a", "edition 1\nlet text = 501\nreply busy { status = text }\n"}, {"b", "edition 1\nreply busy { status = 502 }\n"}});
  EXPECT_TRUE(Holds(checked.model, "status = 501")) << checked.findings;
  EXPECT_TRUE(Holds(checked.model, "status = 502"));
}

TEST(Import, FindingsNameTheFileThatTheyAreIn) {
  const Checked checked = Check(kGateway + "import \"shared.policy\" as llm\nupstream a { url = \"http://a\"  fallback = [llm.busy] }\n",
                                {{"shared.policy", "edition 1\n\nreply busy { status = 5003 }\n"}});
  EXPECT_TRUE(checked.findings.starts_with("lib/shared.policy:3:23: error[")) << checked.findings;
  EXPECT_TRUE(Holds(checked.findings, "3 | reply busy { status = 5003 }\n")) << checked.findings;
}

TEST(Import, AnUnreadableFileIsOneFinding) {
  const Checked checked = Check(kGateway + "import \"nowhere.policy\" as llm\nupstream a { url = \"http://a\"  retry = llm.gentle  fallback = [llm.busy] }\n");
  EXPECT_TRUE(Holds(checked.findings, "error[PL0175]: `nowhere.policy` cannot be imported: No such file or directory")) << checked.findings;
  EXPECT_EQ(checked.findings.find("error[", checked.findings.find("error[") + 1), std::string::npos) << checked.findings;
}

TEST(Import, OnlyWhatCanBeSharedIsImported) {
  const Checked checked = Check(kGateway + "import \"x\" as x\nupstream a { url = \"http://a\"  fallback = [x.busy] }\n",
                                {{"x", "edition 1\nimport \"y\" as y\nroute b { to = c }\nreply busy { status = 503 }\n"}});
  EXPECT_TRUE(Holds(checked.findings, "lib/x:2:1: error[PL0175]: this cannot be imported")) << checked.findings;
  EXPECT_TRUE(Holds(checked.findings, "lib/x:3:1: error[PL0175]: `route` cannot be imported")) << checked.findings;
}

TEST(Import, OfAFileWithoutAnEditionIsNone) {
  EXPECT_TRUE(Holds(Check(kGateway + "import \"x\" as x\nupstream a { url = \"http://a\"  fallback = [x.busy] }\n", {{"x", "reply busy { status = 503 }\n"}}).findings,
                    "p:3:8: error[PL0175]: `x` cannot be imported: it is no policy"));
}

TEST(Import, OneThatIsNotUsedIsTold) {
  const std::string text = kGateway + "import \"shared.policy\" as llm\nupstream a { url = \"http://a\" }\n";
  EXPECT_TRUE(Holds(Check(text, {{"shared.policy", kShared}}).findings, "warning[PL0102]: the import `llm` is never used"));
  compiler::FixOptions options;
  options.read_import = From({{"shared.policy", kShared}});
  options.unsafe = true;
  EXPECT_EQ(compiler::FixPolicy(text, options).text.find("import"), std::string::npos);
}

TEST(Import, FixesChangeNothingInOtherFiles) {
  const std::string text = kGateway + "import \"x\" as x\nupstream a { url = \"http://a\"  fallback = [x.busy] }\n";
  compiler::FixOptions options;
  options.read_import = From({{"x", "edition 1\nreply busy { staus = 503 }\n"}});
  const compiler::FixResult result = compiler::FixPolicy(text, options);
  EXPECT_EQ(result.text, text);
  EXPECT_TRUE(result.applied.empty());
}

TEST(Import, AnotherTextOfAnImportedFileIsAnotherPolicy) {
  const std::string text = kGateway + "import \"x\" as x\nupstream a { url = \"http://a\"  fallback = [x.busy] }\n";
  EXPECT_NE(Check(text, {{"x", "edition 1\nreply busy { status = 503  header[\"Retry-After\"] = \"1\" }\n"}}).hash,
            Check(text, {{"x", "edition 1\nreply busy { status = 503  header[\"Retry-After\"] = \"2\" }\n"}}).hash);
}

TEST(Import, AllowsOfAnImportedBlockHoldThere) {
  const Checked checked = Check(kGateway + "import \"x\" as x\nupstream a { url = \"http://a\"  fallback = [x.busy] }\n",
                                {{"x", "edition 1\nreply busy { status = 503  text = \"busy\"  allow PL0405 because \"nobody retries\" }\n"}});
  EXPECT_EQ(checked.findings, "");
}

TEST(Import, BringsUpstreamsAndMocks) {
  const std::string gpu = "edition 1\nretry gentle { max_retries = 1  when error == refused }\nupstream large { url = \"http://a\"  retry = gentle }\nmock canned { text = \"hi\" }\n";
  const Checked imported = Check(kGateway + "import \"gpu.policy\" as gpu\nroute r { to = [gpu.large]  fallback = [gpu.canned] }\n", {{"gpu.policy", gpu}});
  EXPECT_NE(imported.model, "") << imported.findings;
  EXPECT_TRUE(Holds(imported.model, "gpu.large")) << imported.model;
  EXPECT_TRUE(Holds(imported.model, "gpu.canned")) << imported.model;
  const Checked unknown = Check(kGateway + "import \"gpu.policy\" as gpu\nroute r { to = [gpu.larg] }\n", {{"gpu.policy", gpu}});
  EXPECT_TRUE(Holds(unknown.findings, "did you mean `gpu.large`")) << unknown.findings;
}

TEST(Import, HasANameThatNoBlockHas) {
  const Checked checked = Check(kGateway + "import \"gpu.policy\" as large\nupstream large { url = \"http://b\" }\nroute r { to = [large, large.small] }\n",
                                {{"gpu.policy", "edition 1\nupstream small { url = \"http://a\" }\n"}});
  EXPECT_TRUE(Holds(checked.findings, "error[PL0134]: the name `large` is taken")) << checked.findings;
}

TEST(Import, OfWhatIsNoPolicyShowsNothingOfIt) {
  const Checked checked = Check(kGateway + "import \"/etc/key\" as key\nupstream a { url = \"http://a\" }\n",
                                {{"/etc/key", "-----BEGIN PRIVATE KEY-----\nMIIsecret\n"}});
  EXPECT_TRUE(Holds(checked.findings, "it is no policy: one begins with `edition 1`")) << checked.findings;
  EXPECT_FALSE(Holds(checked.findings, "PRIVATE")) << checked.findings;
  EXPECT_FALSE(Holds(checked.findings, "MIIsecret")) << checked.findings;
}

TEST(Import, AFindingInTheFileSaysWhoImportsIt) {
  const Checked checked = Check(kGateway + "import \"gpu.policy\" as gpu\nroute r { to = [gpu.large] }\n",
                                {{"gpu.policy", "edition 1\nupstream large { url = \"http://a\"  attempt_timeout = 15 }\n"}});
  EXPECT_TRUE(checked.findings.starts_with("lib/gpu.policy:2:")) << checked.findings;
  EXPECT_TRUE(Holds(checked.findings, "p:3:8: note: `p` imports it here")) << checked.findings;
}

// ---- tests in a file of their own

TEST(TestsOf, AreOfThePolicyThatTheFileNames) {
  const std::string policy = kGateway + "import \"gpu.policy\" as gpu\nroute r { to = [gpu.large] }\ntest \"its own\" { given gpu.large replies 200 send GET \"/\" expect status == 200 }\n";
  const std::map<std::string, std::string> files = {{"policies/chat.policy", policy}, {"policies/gpu.policy", "edition 1\nupstream large { url = \"http://a\" }\n"}};
  const std::string text = "edition 1\ntests_of = \"policies/chat.policy\"\ncommon { given gpu.large replies 200 always }\ntest \"mine\" { send GET \"/\" expect status == 200 }\n";
  const auto source = compiler::ReadSource("t", text, From(files));
  compiler::diagnostics::Diagnostics diagnostics;
  const auto written = compiler::CheckWritten(source, {}, &diagnostics);
  ASSERT_TRUE(written) << compiler::diagnostics::RenderAll(*source, diagnostics);
  ASSERT_EQ(written->tests.size(), 1u);
  EXPECT_EQ(written->tests[0].name, "mine");
  EXPECT_EQ(written->tests[0].steps.size(), 3u);
  EXPECT_TRUE(Holds(compiler::model::Print(written->policy), "gpu.large"));
}

TEST(TestsOf, HoldNothingElseAndAreNotRun) {
  const std::map<std::string, std::string> files = {{"chat.policy", kGateway + "upstream a { url = \"http://a\" }\n"}};
  EXPECT_TRUE(Holds(Check("edition 1\ntests_of = \"chat.policy\"\nupstream b { url = \"http://b\" }\n", files).findings, "holds tests"));
  EXPECT_TRUE(Holds(Check("edition 1\ntests_of = \"nope.policy\"\n", files).findings, "No such file"));
  const auto source = compiler::ReadSource("t", "edition 1\ntests_of = \"chat.policy\"\n", From(files));
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::CompileOptions options;
  options.for_run = true;
  EXPECT_FALSE(compiler::CheckWritten(source, options, &diagnostics));
  EXPECT_TRUE(Holds(compiler::diagnostics::RenderAll(*source, diagnostics), "run the policy that it names"));
}

}  // namespace
