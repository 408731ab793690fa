// docs/operations.md describes every metric of metrics.def, in the words of the table, and no other; and each has a test.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Metric {
  std::string name;
  std::string doc;
};

const std::vector<Metric> kMetrics = {
#define COUNTER(id, name, label, doc) {name, doc},
#define COUNTER_BY(id, name, labels, doc) {name, doc},
#define HISTOGRAM(id, name, label, doc) {name, doc},
#define GAUGE(id, name, label, doc) {name, doc},
#define INFO(id, name, label, doc) {name, doc},
#define PROCESS(id, name, type, doc) {name, doc},
#include "runtime/observe/metrics.def"
#undef COUNTER
#undef COUNTER_BY
#undef HISTOGRAM
#undef GAUGE
#undef INFO
#undef PROCESS
};

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}
std::string Operations() { return ReadFile(BREAKWATER_SOURCE_DIR "/docs/operations.md"); }

TEST(MetricsDocs, EveryMetricHasItsRow) {
  const std::string text = Operations();
  ASSERT_FALSE(text.empty());
  for (const Metric& metric : kMetrics) {
    const size_t row = text.find("| `" + metric.name + "` |");
    ASSERT_NE(row, std::string::npos) << metric.name;
    const std::string line = text.substr(row, text.find('\n', row) - row);
    EXPECT_NE(line.find("| " + metric.doc + " |"), std::string::npos) << line;
  }
}

TEST(MetricsDocs, NoRowIsOfAMetricThatIsGone) {
  const std::string text = Operations();
  const size_t begin = text.find("## Metrics");
  const std::string section = text.substr(begin, text.find("## Boards and alerts") - begin);
  size_t rows = 0;
  for (size_t at = section.find("\n| `"); at != std::string::npos; at = section.find("\n| `", at + 1)) ++rows;
  EXPECT_EQ(rows, kMetrics.size());
}

TEST(MetricsDocs, TheRunBookSaysOfEveryMetricWhatIsNormal) {
  const std::string text = ReadFile(BREAKWATER_SOURCE_DIR "/docs/runbook.md");
  for (const Metric& metric : kMetrics) {
    const size_t row = text.find("\n| `" + metric.name + "` | ");
    ASSERT_NE(row, std::string::npos) << "docs/runbook.md has no row for " << metric.name;
  }
}

// Those of the proxy and the stories on real sockets ask for values by name: a metric that none of them asks for could stand still.
TEST(Metrics, EachIsAskedForByATest) {
  std::string tests;
  for (const char* folder : {"/tests/runtime/proxy", "/tests/e2e"}) {
    for (const auto& file : std::filesystem::directory_iterator(BREAKWATER_SOURCE_DIR + std::string(folder))) {
      if (file.path().extension() == ".cc") tests += ReadFile(file.path());
    }
  }
  ASSERT_FALSE(tests.empty());
  for (const Metric& metric : kMetrics) {
    bool is_named = false;
    for (size_t at = tests.find(metric.name); at != std::string::npos && !is_named;
         at = tests.find(metric.name, at + 1)) {
      // Whole names, with or without the prefix: request_duration_seconds_sum, but not xrequests_total.
      const std::string_view before = std::string_view(tests).substr(0, at);
      is_named = before.ends_with('"') || before.ends_with("breakwater_");
    }
    EXPECT_TRUE(is_named) << metric.name;
  }
}

}  // namespace
