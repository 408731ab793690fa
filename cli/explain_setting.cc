#include "cli/explain_setting.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace cli {
namespace {

using compiler::model::BlockOrigin;
using compiler::model::SettingOrigin;

struct SettingRow {
  std::string_view block, name, type, default_text, range, doc;
};
constexpr SettingRow kSettings[] = {
#define SETTING(block, name, Type, default_text, other_text, range, member, doc) {#block, #name, #Type, default_text, range, doc},
#include "compiler/model/settings.def"
};

struct BlockRow {
  std::string_view name, parent, doc;
};
constexpr BlockRow kBlocks[] = {
#define BLOCK(kind, parent, named, honoured, doc) {#kind, #parent, doc},
#include "compiler/model/settings.def"
};

struct WhenRow {
  std::string_view block, word, doc;
};
constexpr WhenRow kWhens[] = {
#define WHEN_LINE(block, word, Phase, required, honoured, doc) {#block, word, doc},
#include "compiler/model/settings.def"
};

const BlockRow* FindBlock(std::string_view name) {
  const auto* found = std::find_if(std::begin(kBlocks), std::end(kBlocks), [&](const BlockRow& b) { return b.name == name; });
  return found == std::end(kBlocks) ? nullptr : found;
}

// "upstream.timeouts" of `timeouts`.
std::string PathOf(std::string_view block) {
  const BlockRow* row = FindBlock(block);
  if (row == nullptr) return std::string(block);
  return row->parent == "file" ? std::string(block) : PathOf(row->parent) + "." + std::string(block);
}

bool EndsWithPath(std::string_view full, std::string_view wanted) {
  return full == wanted || (full.size() > wanted.size() && full.ends_with(wanted) && full[full.size() - wanted.size() - 1] == '.');
}

std::string DefaultOf(const SettingRow& row) {
  if (row.default_text == "required") return "required";
  if (row.default_text.starts_with('(')) return "default: " + std::string(row.default_text.substr(1, row.default_text.size() - 2));
  return "default: " + std::string(row.default_text);
}

std::string TellRow(const SettingRow& row) {
  std::string text = PathOf(row.block) + "." + std::string(row.name) + "\n  " + std::string(row.doc) + "\n  " + DefaultOf(row);
  if (const size_t dots = row.range.find(".."); dots != std::string_view::npos)
    text += "; from " + std::string(row.range.substr(0, dots)) + " to " + std::string(row.range.substr(dots + 2));
  return text + "\n";
}

std::string TellBlock(const BlockRow& row) {
  std::string text = PathOf(row.name) + "\n  " + std::string(row.doc) + "\n";
  for (const SettingRow& setting : kSettings) {
    if (setting.block == row.name) text += "  " + std::string(setting.name) + "  " + DefaultOf(setting) + "\n";
  }
  for (const WhenRow& when : kWhens) {
    if (when.block == row.name) text += "  " + (when.word.empty() ? "when" : std::string(when.word) + " when") + "  " + std::string(when.doc) + "\n";
  }
  return text;
}

class InPolicy {
 public:
  InPolicy(const compiler::WrittenPolicy& written, const SettingRow& row) : written_(written), row_(row) {}

  std::string Tell() {
    TellBlock(written_.origins.gateway, "gateway", "gateway");
    TellAll(written_.origins.upstreams, written_.policy.upstreams, "upstream");
    TellAll(written_.origins.caches, written_.policy.caches, "cache");
    TellAll(written_.origins.replies, written_.policy.replies, "reply");
    TellAll(written_.origins.mocks, written_.policy.mocks, "mock");
    TellAll(written_.origins.routes, written_.policy.routes, "route");
    return out_;
  }

 private:
  template <typename Origins, typename Blocks>
  void TellAll(const Origins& origins, const Blocks& blocks, std::string_view kind) {
    auto block = blocks.begin();
    for (const BlockOrigin& origin : origins) TellBlock(origin, kind, std::string(kind) + " " + (block++)->name);
  }

  void TellBlock(const BlockOrigin& block, std::string_view kind, const std::string& name) {
    if (kind == row_.block) return TellValue(&block, name);
    const BlockRow* own = FindBlock(row_.block);
    if (own == nullptr || own->parent != kind) return;
    TellValue(block.Block(row_.block), name);
  }

  void TellValue(const BlockOrigin* block, const std::string& name) {
    bool is_written = false;
    if (block != nullptr) {
      for (const SettingOrigin& setting : block->settings) {
        if (setting.name != row_.name) continue;
        const auto at = written_.source->PositionOf(setting.value.begin);
        out_ += "  " + name + ": " + std::string(written_.origins.TextOf(setting.value)) + "  (" + written_.source->NameAt(setting.value.begin) +
                ", line " + std::to_string(at.line) + ")\n";
        is_written = true;
      }
    }
    if (is_written) return;
    const bool has_block = block != nullptr && block->is_written();
    const bool is_default = has_block || row_.block == "timeouts" || row_.block == "limits";
    if (is_default && row_.default_text == "required") return;
    const std::string text(row_.default_text.starts_with('(') ? row_.default_text.substr(1, row_.default_text.size() - 2) : row_.default_text);
    out_ += "  " + name + ": " + (is_default ? text + "  (default)" : "off: it has no `" + std::string(row_.block) + "`") + "\n";
  }

  const compiler::WrittenPolicy& written_;
  const SettingRow& row_;
  std::string out_;
};

}  // namespace

std::vector<std::string> SettingPaths() {
  std::vector<std::string> paths;
  for (const SettingRow& row : kSettings) paths.push_back(PathOf(row.block) + "." + std::string(row.name));
  return paths;
}

std::optional<std::string> ExplainSetting(std::string_view dotted, const compiler::WrittenPolicy* policy, std::string* near) {
  std::string out;
  std::vector<std::string> all;
  for (const SettingRow& row : kSettings) {
    all.push_back(PathOf(row.block) + "." + std::string(row.name));
    if (!EndsWithPath(all.back(), dotted)) continue;
    out += (out.empty() ? "" : "\n") + TellRow(row);
    if (policy != nullptr) out += InPolicy(*policy, row).Tell();
  }
  if (!out.empty()) return out;
  for (const BlockRow& row : kBlocks) {
    all.push_back(PathOf(row.name));
    if (EndsWithPath(all.back(), dotted)) out += (out.empty() ? "" : "\n") + TellBlock(row);
  }
  if (!out.empty()) return out;
  std::vector<std::string_view> names(all.begin(), all.end());
  const auto nearest = base::Nearest(dotted, names);
  *near = nearest ? std::string(*nearest) : std::string();
  return std::nullopt;
}

}  // namespace cli
