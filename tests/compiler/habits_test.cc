// What other languages, formats and servers teach: each mistake of tests/compiler/data/habits.txt, alone in a right policy, has one
// finding, on its line, in words that say what to write.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "compiler/compile.h"
#include "compiler/diagnostics/render.h"
#include "compiler/source/source_buffer.h"

namespace {

using compiler::diagnostics::Diagnostic;
using compiler::diagnostics::Diagnostics;
using compiler::diagnostics::Severity;

struct Habit {
  std::string name;
  std::map<std::string, std::string> slots;
  std::vector<std::string> at, want, unwanted;
};

std::vector<std::string> Alternatives(const std::string& text) {
  std::vector<std::string> all;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(" | ", begin), text.size());
    all.push_back(text.substr(begin, end - begin));
    begin = end + 3;
  }
  return all;
}

std::vector<Habit> Habits() {
  std::vector<Habit> habits;
  std::ifstream in(std::string(BREAKWATER_SOURCE_DIR) + "/tests/compiler/data/habits.txt");
  std::string slot;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("== ")) {
      habits.push_back({line.substr(3), {}, {}, {}, {}});
      continue;
    }
    if (line[0] == '|') {
      habits.back().slots[slot] += "\n" + line.substr(1);
      continue;
    }
    const size_t colon = line.find(": ");
    slot = line.substr(0, std::min(colon, line.find(':')));
    const std::string text = colon == std::string::npos ? "" : line.substr(colon + 2);
    if (slot == "at") habits.back().at = Alternatives(text);
    else if (slot == "want") habits.back().want = Alternatives(text);
    else if (slot == "not") habits.back().unwanted = Alternatives(text);
    else habits.back().slots[slot] = text;
  }
  return habits;
}

std::string Compose(const std::map<std::string, std::string>& slots) {
  const auto slot = [&](const std::string& name, const std::string& otherwise = "") {
    const auto found = slots.find(name);
    return found == slots.end() ? otherwise : found->second;
  };
  return "edition 1\n" + slot("top") + "\n" + slot("gatewayhead", "gateway {") +
         "\n  listen = \"127.0.0.1:8080\"\n  drain  = 5min\n  limits { body = 1MiB }\n" + slot("gateway") + "\n}\n\n" +
         slot("bighead", "upstream big {") + "\n  url         = \"http://10.0.0.11:11434\"\n  repeat_safe = true\n" +
         slot("bigl", "  timeouts { connect = 1s  first_token = 20s  idle = 15s  total = 2min }") + "\n" + slot("bigextra") + "\n}\n\n" +
         slot("smallhead", "upstream small {") +
         "\n  url         = \"http://10.0.0.12:11434\"\n  repeat_safe = true\n"
         "  timeouts { connect = 1s  first_token = 10s  idle = 15s  total = 2min }\n}\n\n" +
         slot("chathead", "route chat {") + "\n" +
         slot("when", "  when request.method == POST and request.path in {\"/api/chat\", \"/v1/chat/completions\"}") + "\n" +
         slot("to", "  to       = [big, small]") + "\n" + slot("fb", "  fallback = [busy]") + "\n" + slot("chatextra") + "\n}\n\n" +
         slot("resthead", "route rest { reply = nope }") +
         "\n\nreply busy {\n  status = 503\n  header[\"Retry-After\"] = \"15\"\n  text   = \"Busy. Try again in a moment.\"\n}\n\n" +
         slot("nope", "reply nope { status = 404  body = json { \"error\": \"no such path\" } }") + "\n" + slot("beside") + "\n";
}

Diagnostics Check(const std::string& text) {
  compiler::CompileOptions options;
  options.environment = [](const std::string&) { return std::nullopt; };
  Diagnostics found;
  compiler::CheckPolicy(text, options, &found);
  found.Drop([](const Diagnostic& item) { return item.severity == Severity::kNote; });
  return found;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

bool HoldsOne(const std::string& text, const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& word) { return text.find(Lower(word)) != std::string::npos; });
}

TEST(Habits, ThePolicyItselfHasNoErrors) { EXPECT_FALSE(Check(Compose({})).has_errors()); }

TEST(Habits, EachHasOneFindingOnItsLineThatSaysWhatToWrite) {
  const std::vector<Habit> habits = Habits();
  ASSERT_GE(habits.size(), 130u);
  for (const Habit& habit : habits) {
    const std::string text = Compose(habit.slots);
    const compiler::source::SourceBuffer source("policy", text);
    const Diagnostics found = Check(text);
    const std::string rendered = habit.name + "\n" + compiler::diagnostics::RenderAll(source, found);
    ASSERT_EQ(found.size(), 1u) << rendered;
    const Diagnostic& finding = found.items()[0];
    const std::string line(source.LineAt(finding.range.begin));
    EXPECT_TRUE(HoldsOne(Lower(line), habit.at)) << rendered;
    std::string said = finding.message + "; " + finding.help;
    if (const std::string* replacement = finding.replacement()) said += "; write `" + *replacement + "`";
    EXPECT_TRUE(HoldsOne(Lower(said), habit.want)) << rendered;
    EXPECT_FALSE(HoldsOne(Lower(said), habit.unwanted)) << rendered;
  }
}

}  // namespace
