// What each format says of the same findings.
#include "cli/report.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "compiler/compile.h"

namespace {

using Json = nlohmann::json;

// A character that means nothing on line 3.
const std::string kPolicy =
    "edition 1\nreply r { status = 200  text = \"x\" }\nroute \xE4\xBD\xA0 { reply = s }\nlet unused = client.tls\n";
// An unknown name with its fix on line 3, and a warning on line 4.
const std::string kUpstream =
    "edition 1\nupstream a { url = \"http://a:1\" }  gateway { listen = \"127.0.0.1:0\" }\nroute all { to = [a, aa]\n"
    "  when request.method in {GET, GET} }\n";

std::string Write(std::string_view format, const std::string& policy = kUpstream, const std::string& name = "p.policy") {
  std::ostringstream out, err;
  const auto report = cli::MakeReport(format, {}, out, err);
  compiler::diagnostics::Diagnostics diagnostics;
  compiler::CheckPolicy(policy, {}, &diagnostics);
  report->AddFile(compiler::source::SourceBuffer(name, policy), diagnostics);
  report->AddUnreadable("gone, here.policy", "no such file");
  report->Finish();
  EXPECT_EQ(err.str(), format == "pretty" ? "gone, here.policy: no such file\n" : "");
  return out.str();
}

TEST(Report, JsonHoldsPlacesHelpAndFix) {
  const Json report = Json::parse(Write("json"));
  EXPECT_EQ(report["version"], 1);
  EXPECT_EQ(report["unreadable"][0]["reason"], "no such file");
  const Json& finding = report["files"][0]["findings"][0];
  EXPECT_EQ(finding["code"], "PL0101");
  EXPECT_EQ(finding["severity"], "error");
  EXPECT_EQ(finding["place"]["line"], 3);
  EXPECT_EQ(finding["place"]["column"], 22);
  EXPECT_EQ(finding["place"]["end_column"], 24);
  EXPECT_EQ(finding["fix"]["edits"][0]["text"], "a");
  EXPECT_EQ(report["errors"], 1);
  EXPECT_EQ(report["warnings"], 1);
}

TEST(Report, SarifNamesRuleLevelRegionAndFix) {
  const Json run = Json::parse(Write("sarif"))["runs"][0];
  EXPECT_EQ(run["invocations"][0]["executionSuccessful"], false);
  EXPECT_EQ(run["invocations"][0]["toolExecutionNotifications"].size(), 1u);
  ASSERT_EQ(run["results"].size(), 2u);
  const Json& result = run["results"][0];
  EXPECT_EQ(result["ruleId"], "PL0101");
  EXPECT_EQ(result["level"], "error");
  const Json& place = result["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "p.policy");
  EXPECT_EQ(place["region"]["startColumn"], 22);
  EXPECT_EQ(result["fixes"][0]["artifactChanges"][0]["replacements"][0]["insertedContent"]["text"], "a");
  EXPECT_EQ(run["results"][1]["level"], "warning");
  EXPECT_EQ(run["tool"]["driver"]["rules"].size(), 2u);
}

TEST(Report, SarifColumnsCountCodePointsAndPathsAreEscaped) {
  const Json run = Json::parse(Write("sarif", kPolicy, "a b/\xC3\xA4#.policy"))["runs"][0];
  const Json& place = run["results"][0]["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "a%20b/%C3%A4%23.policy");
  EXPECT_EQ(place["region"]["startLine"], 3);
  EXPECT_EQ(place["region"]["startColumn"], 7);
  EXPECT_EQ(place["region"]["endColumn"], 8);
}

TEST(Report, GithubIsOneCommandForEachFinding) {
  const std::string out = Write("github", kUpstream, "dir,1/p.policy");
  EXPECT_EQ(out.find("::error file=dir%2C1/p.policy,line=3,endLine=3,col=22,endColumn=24,title=PL0101::there is no upstream"), 0u)
      << out;
  EXPECT_NE(out.find("\n::warning file="), std::string::npos) << out;
  EXPECT_NE(out.find("\n::error file=gone%2C here.policy::gone, here.policy: no such file\n"), std::string::npos) << out;
}

TEST(Report, JunitHasACaseForEachFindingAndOneForACleanFile) {
  const std::string out = Write("junit");
  EXPECT_NE(out.find("<testsuites name=\"breakwater check\" tests=\"3\" failures=\"2\" errors=\"1\">"), std::string::npos)
      << out;
  EXPECT_NE(out.find("name=\"PL0101 at 3:22\""), std::string::npos) << out;
  const std::string clean = Write("junit", "edition 1\nupstream a { url = \"http://a:1\" }\ngateway { listen = \"127.0.0.1:0\" }\n");
  EXPECT_NE(clean.find("<testcase classname=\"p.policy\" name=\"check\"/>"), std::string::npos) << clean;
}

TEST(Report, PrettyIsWhatPeopleRead) {
  EXPECT_EQ(Write("pretty").find("p.policy:3:22: error[PL0101]: there is no upstream `aa`"), 0u);
}

TEST(Report, PrettyStopsAfterAHundredOfAFileAndTheOthersDoNot) {
  std::string policy = "edition 1\ngateway { listen = \"127.0.0.1:0\" }\nupstream a { url = \"http://a:1\" }\n";
  for (int i = 0; i < 130; ++i) policy += "route r" + std::to_string(i) + " { when request.path == \"/" + std::to_string(i) + "\" and nope to = a }\n";
  const std::string pretty = Write("pretty", policy);
  size_t shown = 0;
  for (size_t at = pretty.find("error[PL0101]"); at != std::string::npos; at = pretty.find("error[PL0101]", at + 1)) ++shown;
  EXPECT_EQ(shown, 100u);
  EXPECT_NE(pretty.find("p.policy: 30 more findings, 30 of them errors, are not shown"), std::string::npos) << pretty.substr(pretty.size() - 200);
  EXPECT_EQ(Json::parse(Write("json", policy))["files"][0]["findings"].size(), 130u);
}

TEST(Report, SarifRulesCarryTheirPages) {
  const Json run = Json::parse(Write("sarif"))["runs"][0];
  for (const Json& rule : run["tool"]["driver"]["rules"]) {
    EXPECT_FALSE(rule["shortDescription"]["text"].get<std::string>().empty());
    EXPECT_NE(rule["help"]["markdown"].get<std::string>().find("# " + rule["id"].get<std::string>()), std::string::npos);
    EXPECT_TRUE(rule["helpUri"].get<std::string>().starts_with("https://"));
  }
}

TEST(Report, UnknownFormatsAreNone) {
  std::ostringstream out;
  EXPECT_EQ(cli::MakeReport("yaml", {}, out, out), nullptr);
}

}  // namespace
