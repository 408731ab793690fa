#include "cli/explain_policy.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/analysis/bounds.h"
#include "base/text.h"

namespace cli {
namespace {

using compiler::WrittenPolicy;
using compiler::analysis::PrintTime;
using compiler::analysis::Term;
using compiler::model::BlockOrigin;
using compiler::model::SettingOrigin;
using compiler::model::SourceRange;
using compiler::model::WhenOrigin;

struct SettingRow {
  std::string_view block, name, default_text;
};
constexpr SettingRow kSettings[] = {
#define SETTING(block, name, Type, default_text, other_text, range, member, doc) {#block, #name, default_text},
#include "compiler/model/settings.def"
};

struct WhenRow {
  std::string_view block, word, doc;
};
constexpr WhenRow kWhens[] = {
#define WHEN_LINE(block, word, Phase, required, honoured, doc) {#block, word, doc},
#include "compiler/model/settings.def"
};

struct BlockRow {
  std::string_view name, parent;
};
constexpr BlockRow kBlocks[] = {
#define BLOCK(kind, parent, named, honoured, doc) {#kind, #parent},
#include "compiler/model/settings.def"
};

// Rows of columns that stand below each other.
class Table {
 public:
  void Add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }

  std::string Print(const std::string& indent) const {
    std::vector<size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (size_t i = 0; i + 1 < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
    }
    std::string out;
    for (const auto& row : rows_) {
      std::string line = indent;
      for (size_t i = 0; i < row.size(); ++i) {
        line += row[i];
        if (i + 1 < row.size()) line.append(widths[i] - Width(row[i]) + 2, ' ');
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    return out;
  }

 private:
  // In code points: × takes two bytes.
  static size_t Width(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  }

  std::vector<std::vector<std::string>> rows_;
};

// One line, however it was written; a long one is cut.
std::string OneLine(std::string_view text) {
  constexpr size_t kMost = 60;
  std::string out;
  bool in_comment = false;
  for (const char c : text) {
    if (c == '\n') in_comment = false;
    const bool is_blank = c == ' ' || c == '\n' || c == '\r' || c == '\t';
    if (c == '#' && (out.empty() || out.back() == ' ')) in_comment = true;
    if (in_comment || (is_blank && (out.empty() || out.back() == ' '))) continue;
    out += is_blank ? ' ' : c;
  }
  if (out.size() <= kMost) return out;
  size_t cut = kMost;
  while ((out[cut] & 0xC0) == 0x80) --cut;
  return out.substr(0, cut) + "…";
}

class Values {
 public:
  explicit Values(const WrittenPolicy& written) : origins_(written.origins), source_(*written.source), policy_(written.policy) {}

  std::string Print() {
    PrintBlock(origins_.gateway, "gateway", "", 0);
    PrintAll(origins_.upstreams, policy_.upstreams, "upstream");
    PrintAll(origins_.caches, policy_.caches, "cache");
    PrintAll(origins_.replies, policy_.replies, "reply");
    PrintAll(origins_.mocks, policy_.mocks, "mock");
    PrintAll(origins_.tls, policy_.tls, "tls");
    PrintAll(origins_.routes, policy_.routes, "route");
    return std::move(out_);
  }

 private:
  std::string LineOf(SourceRange range) const {
    const std::string line = "line " + std::to_string(source_.PositionOf(range.begin).line);
    return range.begin < source_.own().end ? line : line + " of " + source_.NameAt(range.begin);
  }

  // Those that were written, under the names that the policy knows them by: what is imported has two.
  template <typename Origins, typename Blocks>
  void PrintAll(const Origins& origins, const Blocks& blocks, std::string_view kind) {
    auto block = blocks.begin();
    for (const BlockOrigin& origin : origins) PrintBlock(origin, kind, (block++)->name, 0);
  }

  // The value behind the names of lets, and how it came there.
  std::pair<std::string, std::string> Follow(SourceRange value) const {
    std::string_view text = origins_.TextOf(value);
    std::string from = LineOf(value);
    for (auto let = origins_.lets.find(text); let != origins_.lets.end(); let = origins_.lets.find(text)) {
      from += ", from `let " + std::string(text) + "`, " + LineOf(let->second.name);
      text = origins_.TextOf(let->second.value);
    }
    constexpr std::string_view kEnv = "env(\"";
    if (text.starts_with(kEnv)) {
      const std::string name(text.substr(kEnv.size(), text.find('"', kEnv.size()) - kEnv.size()));
      const char* held = std::getenv(name.c_str());
      if (held != nullptr)
        return {OneLine("\"" + std::string(held) + "\""), from + ", " + name + " of the environment"};
      from += ", " + name + " is not set";
    } else if (text.starts_with("secret(")) {
      from += ", from the environment";
    }
    return {OneLine(text), from};
  }

  void AddWritten(const SettingOrigin& setting, Table* table) const {
    std::string_view name =
        origins_.text.substr(setting.name_range.begin, setting.value.begin - setting.name_range.begin);
    name = name.substr(0, name.find_last_of('='));
    name = name.substr(0, name.find_last_not_of(" \t\n") + 1);
    const auto [value, from] = Follow(setting.value);
    table->Add({OneLine(name), value, from});
  }

  void AddSetting(const SettingRow& row, const BlockOrigin& block, Table* table) const {
    bool is_written = false;
    for (const SettingOrigin& setting : block.settings) {
      if (setting.name != row.name) continue;
      AddWritten(setting, table);
      is_written = true;
    }
    if (is_written) return;
    const std::string_view text = row.default_text;
    const bool is_prose = text.starts_with('(');
    table->Add({std::string(row.name), std::string(is_prose ? text.substr(1, text.size() - 2) : text), "default"});
  }

  void AddWhens(const WhenRow& row, const BlockOrigin& block, Table* table) const {
    const std::string name = row.word.empty() ? "when" : std::string(row.word) + " when";
    const auto lines = block.Whens(row.word);
    for (const WhenOrigin* line : lines) {
      const auto [value, from] = Follow(line->predicate);
      table->Add({name, value, from});
    }
    constexpr std::string_view kWithout = "without one: ";
    const size_t at = row.doc.find(kWithout);
    if (lines.empty() && at != std::string_view::npos)
      table->Add({name, std::string(row.doc.substr(at + kWithout.size())), "default"});
  }

  void PrintBlock(const BlockOrigin& block, std::string_view kind, const std::string& name, size_t depth) {
    const std::string indent(depth, ' ');
    out_ += indent + std::string(kind) + (name.empty() ? "" : " " + name) + (block.is_written() ? "" : "  (default)") + "\n";
    Table table;
    for (const SettingRow& row : kSettings) {
      if (row.block == kind) AddSetting(row, block, &table);
    }
    for (const WhenRow& row : kWhens) {
      if (row.block == kind) AddWhens(row, block, &table);
    }
    out_ += table.Print(indent + "  ");
    for (const BlockRow& row : kBlocks) {
      if (row.parent != kind) continue;
      const BlockOrigin* inner = block.Block(row.name);
      const bool always_holds = row.name == "timeouts" || row.name == "pool" || row.name == "limits";
      if (inner != nullptr || always_holds) PrintBlock(inner != nullptr ? *inner : BlockOrigin(), row.name, "", depth + 2);
      else out_ += indent + "  " + std::string(row.name) + "  off\n";
    }
    if (depth == 0) out_ += "\n";
  }

  const compiler::model::Origins& origins_;
  const compiler::source::SourceBuffer& source_;
  const compiler::model::Policy& policy_;
  std::string out_;
};

void AddTerm(const char* name, const Term& term, std::string* out) {
  *out += std::string("  ") + name + "  " + term.PrintWithResult() + "\n";
  Table parts;
  for (const Term::Line& line : term.Lines()) parts.Add({line.arithmetic, line.what});
  *out += parts.Print("                 ");
}

// How long a stop may take, and what whoever stops it must allow: one that kills earlier breaks answers off without a word.
std::string ExplainStop(const compiler::model::GatewaySettings& gateway) {
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr int64_t kForTheRest = 5;  // seconds: logs, `state`, the end of the process
  const int64_t longest = (gateway.drain_delay + gateway.drain).count();
  std::string arithmetic;
  if (gateway.drain_delay != compiler::model::Duration::zero())
    arithmetic = " = " + PrintTime(gateway.drain_delay.count()) + " (drain_delay) + " +
                 PrintTime(gateway.drain.count()) + " (drain)";
  const std::string allowed = std::to_string((longest + kSecond - 1) / kSecond + kForTheRest);
  return "stop\n  longest        " + PrintTime(longest) + arithmetic +
         "; what is under way then is broken off\n  supervisor     TimeoutStopSec=" + allowed +
         " (systemd), terminationGracePeriodSeconds: " + allowed + " (Kubernetes), stop_grace_period: " + allowed +
         "s (Compose)\n\n";
}

}  // namespace

std::string ExplainBounds(const WrittenPolicy& written) {
  const compiler::model::Policy& policy = written.policy;
  const compiler::analysis::Bounds bounds(policy);
  std::string out;
  for (const auto& route : policy.routes) {
    out += "route " + route.name;
    if (route.to.empty()) {
      out += " answers itself, with `" + policy.replies[route.reply].name + "`\n\n";
      continue;
    }
    for (size_t i = 0; i < route.to.size(); ++i)
      out += (i == 0 ? " to " : ", then ") + policy.upstreams[route.to[i]].name;
    out += "\n";
    const auto worst = bounds.Of(route);
    if (worst.latency.value().high == compiler::analysis::kMost) {
      AddTerm("longest wait ", worst.latency_uncut, &out);
      out += "                 until an answer is whole or all have failed; a stream flows as long as it will: no `total`, no `deadline`\n";
    } else {
      AddTerm("longest wait ", worst.latency, &out);
    }
    if (worst.first_token.PrintWithResult() == worst.latency_uncut.PrintWithResult() || worst.first_token.PrintWithResult() == worst.latency.PrintWithResult())
      out += "  first token    " + PrintTime(worst.first_token.value().high) + ", too: it has no limit of its own\n";
    else AddTerm("first token  ", worst.first_token, &out);
    out += "  upstreams get  " + worst.PrintAttempts(policy, route) + "\n";
    if (worst.attempts > worst.visits)
      out += "                 each once more where its server closes a kept connection just then: " + std::to_string(worst.attempts) + " requests\n";
    out += "\n";
  }
  return out + ExplainStop(policy.gateway);
}

std::string ExplainValues(const WrittenPolicy& written) { return Values(written).Print(); }

}  // namespace cli
