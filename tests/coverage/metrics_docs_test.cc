// docs/operations.md describes every metric of metrics.def, in the words of the table, and no other.
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

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
#include "runtime/proxy/metrics.def"
#undef COUNTER
#undef COUNTER_BY
#undef HISTOGRAM
#undef GAUGE
};

std::string Operations() {
  std::ifstream file(BREAKWATER_SOURCE_DIR "/docs/operations.md");
  return {std::istreambuf_iterator<char>(file), {}};
}

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
  const std::string section = text.substr(begin, text.find("## Limits") - begin);
  size_t rows = 0;
  for (size_t at = section.find("\n| `"); at != std::string::npos; at = section.find("\n| `", at + 1)) ++rows;
  EXPECT_EQ(rows, kMetrics.size());
}

}  // namespace
