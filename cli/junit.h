// JUnit's XML as CI systems read it. One writer for findings and for tests.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace cli {

class JunitDocument {
 public:
  explicit JunitDocument(std::string_view name) : name_(name) {}

  // Cases of the suite that is added next. Texts are plain; `type`: of a failure.
  void AddPassed(std::string_view class_name, std::string_view name);
  void AddFailed(std::string_view class_name, std::string_view name, std::string_view type, std::string_view message,
                 std::string_view text);
  void AddError(std::string_view class_name, std::string_view name, std::string_view message);

  void EndSuite(std::string_view name);
  std::string Finish() const;

 private:
  struct Counts {
    size_t tests = 0;
    size_t failures = 0;
    size_t errors = 0;
  };
  static std::string Attributes(const Counts& counts);
  void Open(std::string_view class_name, std::string_view name, bool has_content);

  const std::string name_;
  std::string cases_;
  Counts counts_;  // of the suite
  std::string suites_;
  Counts all_;
};

}  // namespace cli
