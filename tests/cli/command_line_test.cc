// The table of commands, and what is made from it: completion and the manual page name everything in it.
#include "cli/command_line.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <string>
#include <utility>

#include "cli/completion.h"
#include "cli/manual.h"

namespace {

struct Result {
  int code;
  std::string out, err;
};

Result Call(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "breakwater");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  cli::CommandLine line;
  const int code = line.Run(static_cast<int>(arguments.size()), arguments.data());
  std::string out = testing::internal::GetCapturedStdout();
  return {code, std::move(out), testing::internal::GetCapturedStderr()};
}

// Output of a shell that reads `script`; nothing if there is no such shell.
std::string Shell(const std::string& command, const std::string& script) {
  const std::string path = testing::TempDir() + "completion_script";
  FILE* file = std::fopen(path.c_str(), "w");
  std::fwrite(script.data(), 1, script.size(), file);
  std::fclose(file);
  FILE* pipe = popen((command + " " + path + " 2>&1").c_str(), "r");
  std::string out;
  std::array<char, 256> buffer;
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) out += buffer.data();
  pclose(pipe);
  return out;
}

std::string CompleteInBash(const std::string& words, int word) {
  const cli::CommandLine line;
  return Shell("bash", cli::Completion("bash", line.app()) + "\nCOMP_WORDS=(" + words +
                           ")\nCOMP_CWORD=" + std::to_string(word) + "\n_breakwater\necho \"${COMPREPLY[@]}\"\n");
}

TEST(CommandLine, SaysItsVersion) {
  const Result result = Call({"--version"});
  EXPECT_EQ(result.code, 0);
  EXPECT_EQ(result.out, "breakwater " BREAKWATER_VERSION "\n");
}

// Whoever reads its stderr – here it is no terminal – reads lines of JSON, whatever keeps it from starting.
TEST(CommandLine, RunSaysInJsonWhyItWasCalledWrongly) {
  for (const std::vector<const char*>& arguments : {std::vector<const char*>{"run", "a.policy", "--nonsense"}, {"run"}, {"run", "a.policy", "--workers", "many"}}) {
    const Result result = Call(arguments);
    EXPECT_EQ(result.code, 2);
    EXPECT_TRUE(result.err.starts_with("{\"time\":")) << result.err;
    EXPECT_NE(result.err.find("\"message\":\"can't start\",\"reason\":"), std::string::npos) << result.err;
    EXPECT_TRUE(result.err.ends_with("breakwater run --help says what there is\"}\n")) << result.err;
    EXPECT_EQ(result.out, "");
  }
  EXPECT_FALSE(Call({"check", "--nonsense"}).err.starts_with("{"));
}

TEST(CommandLine, PartsOfARequestNeedTheRequest) {
  for (const auto& [option, value] : {std::pair{"--header", "X-Tenant: shop"}, {"--body", "x"}, {"--client", "10.0.0.7"}}) {
    const Result result = Call({"explain", "nothing.policy", option, value});
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find("--request"), std::string::npos) << option << ": " << result.err;
  }
}

TEST(CommandLine, NamesTheCommandThatWasMeant) {
  const Result result = Call({"chekc"});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.err, "breakwater: there is no command 'chekc'; did you mean `check`? See breakwater --help.\n");
}

TEST(CommandLine, NamesTheCommandsThatThereAreWhereNoneIsNear) {
  const Result result = Call({"frobnicate"});
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("there is no command 'frobnicate'; there are check, compile, dashboards, explain,"), std::string::npos)
      << result.err;
  EXPECT_EQ(result.err.find("did you mean"), std::string::npos) << result.err;
}

TEST(CommandLine, AloneItShowsTheHelp) {
  const Result result = Call({});
  EXPECT_EQ(result.code, 2);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, Call({"--help"}).out);
  EXPECT_NE(result.err.find("check"), std::string::npos) << result.err;
}

TEST(CommandLine, WrongUseExitsWithTwo) {
  EXPECT_EQ(Call({}).code, 2);
  EXPECT_EQ(Call({"check"}).code, 2);
  EXPECT_EQ(Call({"check", "--format", "xml", "a.policy"}).code, 2);
  EXPECT_EQ(Call({"check", "--no-such", "a.policy"}).code, 2);
}

TEST(CommandLine, LintIsCheck) {
  EXPECT_EQ(Call({"lint", BREAKWATER_POLICIES_DIR, "--deny", "warnings"}).code, 0);
  EXPECT_EQ(Call({"lint", "none.policy"}).code, 2);
}

TEST(CommandLine, TheManualNamesEveryCommandAndOption) {
  const cli::CommandLine line;
  const std::string page = cli::ManualPage(line.app());
  const auto written = [](const std::string& name) {  // a hyphen that can be searched for and copied (groff_char(7))
    std::string text;
    for (const char c : name) text += c == '-' ? std::string("\\-") : std::string(1, c);
    return text;
  };
  for (const CLI::App* command : cli::CommandsOf(line.app())) {
    EXPECT_NE(page.find("\n.SS " + written(command->get_name())), std::string::npos) << command->get_name();
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        if (name == "help") continue;
        EXPECT_NE(page.find(written("--" + name)), std::string::npos) << name;
      }
    }
  }
}

TEST(Completion, OfEveryShellNamesEveryCommandAndOption) {
  const cli::CommandLine line;
  for (const std::string& shell : cli::Shells()) {
    const std::string script = cli::Completion(shell, line.app());
    for (const CLI::App* command : cli::CommandsOf(line.app())) {
      EXPECT_NE(script.find(command->get_name()), std::string::npos) << shell;
      for (const CLI::Option* option : command->get_options()) {
        for (const std::string& name : option->get_lnames())
          EXPECT_NE(script.find(name), std::string::npos) << shell << ": " << name;
        for (const std::string& choice : cli::ChoicesOf(*option))
          EXPECT_NE(script.find(choice), std::string::npos) << shell << ": " << choice;
      }
    }
  }
  EXPECT_EQ(cli::Completion("tcsh", line.app()), "");
}

TEST(Completion, WorksInBash) {
  EXPECT_EQ(CompleteInBash("breakwater explain upstream.timeouts.i", 2), "upstream.timeouts.idle\n");
  EXPECT_EQ(CompleteInBash("breakwater che", 1), "check\n");
  EXPECT_EQ(CompleteInBash("breakwater check --for", 2), "--format\n");
  EXPECT_EQ(CompleteInBash("breakwater check --format s", 3), "sarif\n");
  EXPECT_EQ(CompleteInBash("breakwater lint --format ju", 3), "junit\n");
  EXPECT_EQ(CompleteInBash("breakwater completion f", 2), "fish\n");
  EXPECT_EQ(CompleteInBash("breakwater check " BREAKWATER_POLICIES_DIR "/qwen", 2),
            BREAKWATER_POLICIES_DIR "/qwen3-32b.policy\n");
}

// Where the other shells are installed, they must be able to read their scripts.
TEST(Completion, IsReadByZshAndFish) {
  const cli::CommandLine line;
  for (const char* shell : {"zsh", "fish"}) {
    if (std::system((std::string("command -v ") + shell + " >/dev/null").c_str()) != 0) continue;
    EXPECT_EQ(Shell(std::string(shell) + " -n", cli::Completion(shell, line.app())), "") << shell;
  }
}

TEST(CommandLine, HelpIsACommandToo) {
  EXPECT_EQ(Call({"help"}).code, 0);
  EXPECT_NE(Call({"help"}).out.find("check"), std::string::npos);
  EXPECT_NE(Call({"help", "fix"}).out.find("--unsafe"), std::string::npos);
  EXPECT_EQ(Call({"help", "frobnicate"}).code, 2);
}

TEST(Completion, KnowsTheCodesOfFindings) {
  EXPECT_NE(CompleteInBash("breakwater explain PL02", 2).find("PL0201"), std::string::npos);
}

}  // namespace
