// The `test` blocks of a policy, checked: what `breakwater test` runs. They are no part of the Policy, which is the same without them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "compiler/model/settings.h"
#include "compiler/source/source_range.h"

namespace compiler::model {

enum class TestAct : uint8_t {
#define ACT(id, word, doc) k##id,
#include "compiler/model/test_acts.def"
#undef ACT
};

enum class StreamEnd : uint8_t { kEnds, kCuts, kStalls, kFails };

using TestHeaders = std::vector<std::pair<std::string, std::string>>;

// given qwen replies 503 after 200ms 2 times
struct Given {
  source::SourceRange place;  // of the sentence
  UpstreamId upstream;
  TestAct act{};
  int status = 200;
  Duration after{};
  TestHeaders headers;
  std::optional<std::string> json;  // source text; of the two at most one
  std::optional<std::string> text;
  int tokens = 0;
  int thoughts = 0;  // tokens of thinking before them
  Duration every{};
  StreamEnd end = StreamEnd::kEnds;
  int times = 1;
  bool always = false;
  bool is_common = false;  // of a `common` block: it need not be used by each test
};

// send POST "/api/chat" from "10.0.0.7" header "X" = "…" json { … }
struct Send {
  source::SourceRange place;
  std::string from = "127.0.0.1";  // the address that it comes from
  std::string method;
  std::string target;
  TestHeaders headers;
  std::optional<std::string> json;
  std::optional<std::string> text;
  int times = 1;      // in all
  int at_a_time = 1;  // so many at once, the rest when one of them is over
  std::optional<Duration> leaves;  // the client closes its connection so long after it sent
};

struct Wait {
  source::SourceRange place;
  Duration time{};
};

// reload "next.policy": from here on that policy is in force, as over a SIGHUP.
struct Reload {
  source::SourceRange place;
  source::SourceRange name;  // of the file
  std::string file;          // beside the file of the test
};

enum class TestSubject : uint8_t {
#define SUBJECT(id, name, takes, type, doc) k##id,
#include "compiler/model/test_subjects.def"
#undef SUBJECT
};
enum class SubjectTakes : uint8_t { kNothing, kUpstream, kText, kPath, kMetric, kSent, kSentText, kSentPath };
enum class SubjectType : uint8_t {
  kStatus,
  kNumber,
  kDuration,
  kText,
  kOptionalText,
  kJson,
  kServer,
  kRoute,
  kFallback,
  kState,
  kEnd
};

struct SubjectInfo {
  TestSubject id{};
  std::string_view name;
  SubjectTakes takes{};
  SubjectType type{};
  std::string_view doc;
};
inline constexpr SubjectInfo kTestSubjects[] = {
#define SUBJECT(id, name, takes, type, doc) {TestSubject::k##id, name, SubjectTakes::takes, SubjectType::type, doc},
#include "compiler/model/test_subjects.def"
#undef SUBJECT
};

struct ActInfo {
  TestAct id{};
  std::string_view word;
  std::string_view doc;
};
inline constexpr ActInfo kTestActs[] = {
#define ACT(id, word, doc) {TestAct::k##id, word, doc},
#include "compiler/model/test_acts.def"
#undef ACT
};

// A value that a test expects, or got.
struct TestValue {
  enum class Kind : uint8_t { kNone, kNumber, kText, kBool, kDuration };
  Kind kind = Kind::kNone;
  double number = 0;  // kNumber; kBool: 0 or 1; kDuration: nanoseconds
  double high = 0;    // of a class of statuses the last one; else equal to number
  std::string text;

  bool operator==(const TestValue&) const = default;
};

enum class TestOp : uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kContains, kStartsWith, kEndsWith };

// expect attempts(qwen) == 2
struct Expectation {
  source::SourceRange place;  // of the sentence
  source::SourceRange claim;  // behind `expect`
  TestSubject subject{};
  UpstreamId upstream;
  std::string key;                // header: lower case; metric: its name
  std::vector<std::string> path;  // json
  TestHeaders labels;             // metric
  bool negated = false;           // `not …`
  bool is_known = true;           // what it is about; else that was reported
  TestOp op{};
  std::vector<TestValue> values;  // one; of `in` any number
};

using TestStep = std::variant<Given, Send, Wait, Reload, Expectation>;

struct TestCase {
  std::string name;
  source::SourceRange place;  // of `test "…"`
  std::vector<TestStep> steps;
};

}  // namespace compiler::model
