// How the results of tests leave the tool: for people, and for CI systems.
#pragma once

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/source_buffer.h"
#include "runtime/tester/coverage.h"
#include "runtime/tester/test_runner.h"

namespace cli {

class TestReport {
 public:
  virtual ~TestReport() = default;

  // Once for each policy whose tests ran.
  virtual void AddFile(const compiler::source::SourceBuffer& source,
                       const std::vector<runtime::tester::TestResult>& results) = 0;
  // What its conditions came to, behind AddFile.
  virtual void AddCoverage(const compiler::source::SourceBuffer& source,
                           const std::vector<runtime::tester::Condition>& conditions) = 0;
  // A policy that has no result: `why` is one line, `details` what was found in it.
  virtual void AddUnusable(const std::string& path, const std::string& why, const std::string& details) = 0;
  // Once, at the end.
  virtual void Finish() = 0;
};

std::vector<std::string> TestFormats();
// Writes to `out`; the pretty format tells of unusable policies on `err`, the others of coverage. Null for an unknown format.
std::unique_ptr<TestReport> MakeTestReport(std::string_view format, bool color, std::ostream& out, std::ostream& err);

// One line for each condition, and one that sums them up.
std::string RenderCoverage(const compiler::source::SourceBuffer& source,
                           const std::vector<runtime::tester::Condition>& conditions);

// What is wrong with a test: the place, what was expected and what came, and what happened.
std::string RenderFailure(const compiler::source::SourceBuffer& source, const runtime::tester::TestResult& result);

}  // namespace cli
