#include "cli/diff.h"

#include <algorithm>
#include <vector>

namespace cli {
namespace {

constexpr size_t kContext = 3;
// Texts that differ in more lines than this are shown as one replacement of all that lies between their equal ends.
constexpr int kMaxEdits = 2000;

// Each with its line end, if it has one.
std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

struct Line {
  char mark;  // ' ', '-' or '+'
  std::string_view text;
};

using Lines = std::vector<std::string_view>;

// Myers' greedy algorithm: a shortest script from `a` to `b`.
std::vector<Line> Script(const Lines& a, const Lines& b) {
  const int n = static_cast<int>(a.size());
  const int m = static_cast<int>(b.size());
  const int limit = std::min(n + m, kMaxEdits);
  std::vector<std::vector<int>> trace;
  std::vector<int> reach(static_cast<size_t>(2 * limit) + 3, 0);
  const auto at = [&](std::vector<int>& v, int k) -> int& { return v[static_cast<size_t>(k + limit + 1)]; };
  int edits = -1;
  for (int d = 0; d <= limit && edits < 0; ++d) {
    trace.push_back(reach);
    for (int k = -d; k <= d; k += 2) {
      const bool down = k == -d || (k != d && at(reach, k - 1) < at(reach, k + 1));
      int x = down ? at(reach, k + 1) : at(reach, k - 1) + 1;
      int y = x - k;
      while (x < n && y < m && a[static_cast<size_t>(x)] == b[static_cast<size_t>(y)]) ++x, ++y;
      at(reach, k) = x;
      if (x >= n && y >= m) edits = d;
    }
  }
  std::vector<Line> script;
  if (edits < 0) {
    for (std::string_view line : a) script.push_back({'-', line});
    for (std::string_view line : b) script.push_back({'+', line});
    return script;
  }
  int x = n;
  int y = m;
  for (int d = edits; d > 0; --d) {
    std::vector<int>& before = trace[static_cast<size_t>(d)];
    const int k = x - y;
    const bool down = k == -d || (k != d && at(before, k - 1) < at(before, k + 1));
    const int previous = down ? k + 1 : k - 1;
    const int from_x = at(before, previous);
    const int from_y = from_x - previous;
    while (x > from_x && y > from_y) script.push_back({' ', a[static_cast<size_t>(--x)]}), --y;
    if (down) script.push_back({'+', b[static_cast<size_t>(--y)]});
    else script.push_back({'-', a[static_cast<size_t>(--x)]});
  }
  while (x > 0) script.push_back({' ', a[static_cast<size_t>(--x)]});
  std::reverse(script.begin(), script.end());
  return script;
}

std::string Range(size_t begin, size_t count) {
  // An empty range names the line before it.
  std::string out = std::to_string(count == 0 ? begin : begin + 1);
  if (count != 1) out += "," + std::to_string(count);
  return out;
}

}  // namespace

std::string UnifiedDiff(const std::string& name, std::string_view before, std::string_view after) {
  if (before == after) return "";
  Lines a = LinesOf(before);
  Lines b = LinesOf(after);
  size_t same = 0;
  while (same < a.size() && same < b.size() && a[same] == b[same]) ++same;
  size_t tail = 0;
  while (tail + same < a.size() && tail + same < b.size() && a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) ++tail;
  std::vector<Line> script;
  for (size_t i = 0; i < same; ++i) script.push_back({' ', a[i]});
  const auto middle = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(same), lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  for (const Line& line : Script(middle(a), middle(b))) script.push_back(line);
  for (size_t i = a.size() - tail; i < a.size(); ++i) script.push_back({' ', a[i]});

  std::string out = "--- " + name + "\n+++ " + name + "\n";
  size_t line_a = 0;
  size_t line_b = 0;
  for (size_t i = 0; i < script.size();) {
    if (script[i].mark == ' ') {
      ++i, ++line_a, ++line_b;
      continue;
    }
    // A hunk: from the context before this change to that behind the last one that is near enough.
    const size_t begin = i - std::min(i, kContext);
    size_t last = i;
    for (size_t j = i; j < script.size() && j <= last + 2 * kContext; ++j) {
      if (script[j].mark != ' ') last = j;
    }
    const size_t end = std::min(last + 1 + kContext, script.size());
    size_t count_a = 0;
    size_t count_b = 0;
    std::string lines;
    for (size_t j = begin; j < end; ++j) {
      count_a += script[j].mark != '+';
      count_b += script[j].mark != '-';
      lines += script[j].mark;
      lines += script[j].text;
      if (!script[j].text.ends_with('\n')) lines += "\n\\ No newline at end of file\n";
    }
    const size_t lead = i - begin;
    out += "@@ -" + Range(line_a - lead, count_a) + " +" + Range(line_b - lead, count_b) + " @@\n" + lines;
    line_a += count_a - lead;
    line_b += count_b - lead;
    i = end;
  }
  return out;
}

}  // namespace cli
