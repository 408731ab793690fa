#include "cli/junit.h"

#include <utility>

#include "cli/xml.h"

namespace cli {

std::string JunitDocument::Attributes(const Counts& counts) {
  return "tests=\"" + std::to_string(counts.tests) + "\" failures=\"" + std::to_string(counts.failures) +
         "\" errors=\"" + std::to_string(counts.errors) + "\"";
}

void JunitDocument::Open(std::string_view class_name, std::string_view name, bool has_content) {
  ++counts_.tests;
  cases_ += "    <testcase classname=\"" + XmlEscape(class_name) + "\" name=\"" + XmlEscape(name) +
            (has_content ? "\">\n" : "\"/>\n");
}

void JunitDocument::AddPassed(std::string_view class_name, std::string_view name) { Open(class_name, name, false); }

void JunitDocument::AddFailed(std::string_view class_name, std::string_view name, std::string_view type,
                              std::string_view message, std::string_view text) {
  Open(class_name, name, true);
  ++counts_.failures;
  cases_ += "      <failure type=\"" + XmlEscape(type) + "\" message=\"" + XmlEscape(message) + "\">" +
            XmlEscape(text) + "</failure>\n    </testcase>\n";
}

void JunitDocument::AddError(std::string_view class_name, std::string_view name, std::string_view message) {
  Open(class_name, name, true);
  ++counts_.errors;
  cases_ += "      <error message=\"" + XmlEscape(message) + "\"/>\n    </testcase>\n";
}

void JunitDocument::EndSuite(std::string_view name) {
  suites_ +=
      "  <testsuite name=\"" + XmlEscape(name) + "\" " + Attributes(counts_) + ">\n" + cases_ + "  </testsuite>\n";
  cases_.clear();
  const Counts counts = std::exchange(counts_, {});
  all_.tests += counts.tests;
  all_.failures += counts.failures;
  all_.errors += counts.errors;
}

std::string JunitDocument::Finish() const {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"" + XmlEscape(name_) + "\" " +
         Attributes(all_) + ">\n" + suites_ + "</testsuites>\n";
}

}  // namespace cli
