// Runs every file of tests/golden: input and expected text stand in one file, the expected lines begin with `#|`.
//   golden_test            compares
//   golden_test --update   writes what is found; read the diff before it is committed
//
// check/ prints findings, then the model; parse/ prints findings, then the tree; format/ prints the text in its layout. Files that must fail begin with fail_.
// A line `#! deny_mock`, `#! for_run` or `#! env NAME=text` sets an option.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/ast/print.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/render.h"
#include "compiler/expand/imports.h"
#include "compiler/format/format.h"
#include "compiler/model/print.h"
#include "compiler/parse/parse.h"
#include "compiler/source/source_buffer.h"

namespace {

namespace fs = std::filesystem;
using compiler::diagnostics::Diagnostics;

bool g_update = false;

struct Golden {
  std::string input;
  std::string expected;
};

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Golden Split(const std::string& text) {
  Golden golden;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line == "#|") golden.expected += "\n";
    else if (line.starts_with("#| ")) golden.expected += line.substr(3) + "\n";
    else golden.input += line + "\n";
  }
  return golden;
}

std::string Mark(const std::string& expected) {
  std::string out;
  std::istringstream lines(expected);
  for (std::string line; std::getline(lines, line);) out += line.empty() ? "#|\n" : "#| " + line + "\n";
  return out;
}

compiler::CompileOptions OptionsOf(const std::string& input) {
  compiler::CompileOptions options;
  std::map<std::string, std::string> variables;
  std::istringstream lines(input);
  for (std::string line; std::getline(lines, line);) {
    if (line == "#! deny_mock") options.deny_mock = true;
    if (line == "#! for_run") options.for_run = true;
    if (line.starts_with("#! env ")) {
      const std::string pair = line.substr(7);
      variables[pair.substr(0, pair.find('='))] = pair.substr(pair.find('=') + 1);
    }
  }
  options.environment = [variables](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
  return options;
}

// Imported files stand in tests/golden/shared.
std::string RunCheck(const std::string& input, Diagnostics* diagnostics) {
  const auto source = compiler::ReadSource("policy", input, [](const std::string& path) {
    auto imported = compiler::ImportsBeside(BREAKWATER_GOLDEN_DIR "/check/policy")(path);
    imported.name = path;
    return imported;
  });
  const auto written = compiler::CheckWritten(source, OptionsOf(input), diagnostics);
  std::string out = compiler::diagnostics::RenderAll(*source, *diagnostics);
  if (written) out += compiler::model::Print(written->policy);
  return out;
}

std::string RunParse(const std::string& input, Diagnostics* diagnostics) {
  const compiler::source::SourceBuffer source("policy", input);
  const compiler::ast::File file = compiler::parse::ParseFile(source, diagnostics);
  return compiler::diagnostics::RenderAll(source, *diagnostics) + compiler::ast::Print(file);
}

std::vector<fs::path> FilesOf(const char* folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(BREAKWATER_GOLDEN_DIR) / folder)) {
    if (entry.path().extension() == ".policy") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void RunFolder(const char* folder, std::string (*run)(const std::string&, Diagnostics*)) {
  const auto files = FilesOf(folder);
  ASSERT_FALSE(files.empty());
  for (const fs::path& path : files) {
    const Golden golden = Split(ReadFile(path));
    Diagnostics diagnostics;
    const std::string found = run(golden.input, &diagnostics);
    const bool must_fail = path.filename().string().starts_with("fail_");
    EXPECT_EQ(diagnostics.has_errors(), must_fail) << path << "\n" << found;
    if (g_update) {
      std::ofstream(path, std::ios::binary) << golden.input << Mark(found);
    } else {
      EXPECT_EQ(found, golden.expected) << path;
    }
  }
}

std::string RunFormat(const std::string& input, Diagnostics* diagnostics) {
  std::string refusal;
  const auto formatted = compiler::format::FormatPolicy(input, diagnostics, &refusal);
  EXPECT_EQ(refusal, "");
  return formatted.value_or("");
}

TEST(Golden, ParseFilesPrintTheirTrees) { RunFolder("parse", RunParse); }
TEST(Golden, CheckFilesPrintTheirFindingsAndModels) { RunFolder("check", RunCheck); }

TEST(Golden, FormatFilesPrintTheirLayout) { RunFolder("format", RunFormat); }

TEST(Golden, EveryDiagnosticIsShownByAFile) {
  std::set<compiler::diagnostics::Kind> seen;
  for (const fs::path& path : FilesOf("check")) {
    Diagnostics diagnostics;
    RunCheck(Split(ReadFile(path)).input, &diagnostics);
    for (const auto& item : diagnostics.items()) seen.insert(item.kind);
  }
  // What cannot stand in a text file of reasonable size is shown by a unit test.
  using compiler::diagnostics::Kind;
  for (const Kind elsewhere :
       {Kind::kFileTooLarge, Kind::kNotUtf8, Kind::kUtf16, Kind::kTooManyOperands, Kind::kPredicateTooLarge,
        Kind::kSetTooLarge, Kind::kTooManyPatterns, Kind::kTooDeep,          // limits_test
        Kind::kJitFailed,                                                    // compile_test
        Kind::kReadTooLate,                                                  // bundle_test
        Kind::kImportsNoPolicy, Kind::kTestsOfHolds, Kind::kTestsAreNotRun,  // import_test
        Kind::kStraySet}) {  // no text: the grammar has sets behind `in` alone
    seen.insert(elsewhere);
  }
  for (const auto& info : compiler::diagnostics::Kinds())
    EXPECT_TRUE(seen.count(info.kind) == 1) << info.name << " is shown by no golden file";
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) g_update = g_update || std::string(argv[i]) == "--update";
  return RUN_ALL_TESTS();
}
