#include "compiler/check/block_reader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/text.h"
#include "compiler/ast/print.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/header_names.h"

namespace compiler::check {

using expr::Lower;

using diagnostics::Kind;

namespace {

constexpr BlockKind k_file = BlockKind::kFile;
using enum BlockKind;

struct BlockInfo {
  BlockKind kind;
  std::string_view name;
  BlockKind parent;
  bool named;
  bool honoured;
};
// `tls` opens two kinds of blocks.
constexpr std::string_view WrittenName(std::string_view kind) { return kind == "upstream_tls" ? "tls" : kind; }
constexpr BlockInfo kBlocks[] = {
#define BLOCK(kind, parent, named, honoured, doc) {k_##kind, WrittenName(#kind), k_##parent, named, honoured},
#include "compiler/model/settings.def"
};

// The struct that a block's settings are members of.
template <BlockKind kKind>
struct TargetOf;
template <>
struct TargetOf<k_gateway> {
  using Struct = model::GatewaySettings;
};
template <>
struct TargetOf<k_tls> {
  using Struct = model::TlsSettings;
};
template <>
struct TargetOf<k_upstream_tls> {
  using Struct = model::UpstreamTls;
};
template <>
struct TargetOf<k_limits> {
  using Struct = model::ClientLimits;
};
template <>
struct TargetOf<k_upstream> {
  using Struct = model::UpstreamSettings;
};
template <>
struct TargetOf<k_timeouts> {
  using Struct = model::Timeouts;
};
template <>
struct TargetOf<k_pool> {
  using Struct = model::PoolSettings;
};
template <>
struct TargetOf<k_retry> {
  using Struct = model::RetrySettings;
};
template <>
struct TargetOf<k_breaker> {
  using Struct = model::BreakerSettings;
};
template <>
struct TargetOf<k_queue> {
  using Struct = model::QueueSettings;
};
template <>
struct TargetOf<k_rewrite> {
  using Struct = model::ConditionalRewrite;
};
template <>
struct TargetOf<k_health> {
  using Struct = model::HealthSettings;
};
template <>
struct TargetOf<k_cache> {
  using Struct = model::CacheSettings;
};
template <>
struct TargetOf<k_reply> {
  using Struct = model::ReplySettings;
};
template <>
struct TargetOf<k_mock> {
  using Struct = model::MockSettings;
};
template <>
struct TargetOf<k_route> {
  using Struct = model::RouteSettings;
};

struct SettingInfo {
  BlockKind block;
  std::string_view name;
  std::string_view type;
  std::string_view default_text;
  std::string_view range;
  void (*read)(SettingReader& reader, void* target);  // null: not honoured yet

  bool required() const { return default_text == "required"; }
  bool keyed() const { return type == "Header" || type == "AnswerHeader"; }
};
const SettingInfo kSettings[] = {
#define SETTING(block, name, Type, default_text, other_text, range, member, doc)           \
  {k_##block, #name, #Type, default_text, range, [](SettingReader& reader, void* target) { \
     reader.Read##Type(static_cast<TargetOf<k_##block>::Struct*>(target)->member);         \
   }},
#include "compiler/model/settings.def"
#define NOT_HONOURED(block, name, doc) {k_##block, #name, "", "", "", nullptr},
#include "compiler/model/settings.def"
};

struct ForeignSetting {
  BlockKind block;
  std::string_view name;
  std::string_view help;
};
constexpr ForeignSetting kForeignSettings[] = {
#define FOREIGN_SETTING(block, name, help) {k_##block, #name, help},
#include "compiler/check/foreign_settings.def"
};

constexpr ForeignSetting kForeignBlocks[] = {
#define FOREIGN_BLOCK(block, name, help) {k_##block, #name, help},
#include "compiler/check/foreign_blocks.def"
};

// "" if it is none.
std::string_view HelpOfForeignBlock(BlockKind parent, std::string_view name) {
  const auto* found = std::find_if(std::begin(kForeignBlocks), std::end(kForeignBlocks),
                                   [&](const ForeignSetting& f) { return f.block == parent && f.name == name; });
  return found == std::end(kForeignBlocks) ? std::string_view() : found->help;
}

struct WhenInfo {
  BlockKind block;
  std::string_view word;
  bool required;
  bool honoured;
};
constexpr WhenInfo kWhens[] = {
#define WHEN_LINE(block, word, Phase, required, honoured, doc) {k_##block, word, required, honoured},
#include "compiler/model/settings.def"
};

std::string_view NameOf(BlockKind kind) {
  for (const BlockInfo& info : kBlocks) {
    if (info.kind == kind) return info.name;
  }
  return "the file";
}

// The block of that name; where there are several, the one that may stand in `parent`.
const BlockInfo* FindBlock(std::string_view name, BlockKind parent) {
  const BlockInfo* found = nullptr;
  for (const BlockInfo& block : kBlocks) {
    if (block.name == name && (found == nullptr || block.parent == parent)) found = &block;
  }
  return found;
}

const SettingInfo* FindSetting(BlockKind block, std::string_view name) {
  const auto* found = std::find_if(std::begin(kSettings), std::end(kSettings),
                                   [&](const SettingInfo& s) { return s.block == block && s.name == name; });
  return found == std::end(kSettings) ? nullptr : found;
}

std::string SpellWhen(std::string_view word) { return word.empty() ? "when" : std::string(word) + " when"; }

std::string Place(BlockKind parent) {
  return parent == k_file ? "it stands at the top of the file"
                          : "it belongs into `" + std::string(NameOf(parent)) + "`";
}

void Suggest(diagnostics::Diagnostic* diagnostic, std::optional<std::string_view> nearest) {
  if (nearest) diagnostic->Replace(std::string(*nearest));
}

// What other languages call the branch that is taken when no other is.
bool MeansOtherwise(std::string_view word) {
  constexpr std::string_view kWords[] = {"else", "otherwise", "default", "catch_all", "catchall", "fallthrough", "everything", "any", "rest",
                                          "default_route", "fallback_route", "everything_else"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}
constexpr std::string_view kOtherwise = "the last route, without `when`, takes everything else: `route otherwise { reply = … }`";

std::string KeyOf(const ast::Setting& setting) {
  if (!setting.key || setting.key->parts.size() != 1) return setting.name.text;
  return setting.name.text + "[" + Lower(setting.key->parts[0].text) + "]";
}

}  // namespace

std::optional<BlockKind> TopLevelBlock(const ast::Block& block, diagnostics::Diagnostics* diagnostics) {
  const BlockInfo* info = FindBlock(block.kind.text, k_file);
  if (info == nullptr) {
    std::vector<std::string_view> names;
    for (const BlockInfo& candidate : kBlocks) {
      if (candidate.parent == k_file) names.push_back(candidate.name);
    }
    auto nearest = base::Nearest(block.kind.text, names);
    const std::string_view foreign = HelpOfForeignBlock(k_file, block.kind.text);
    if (!foreign.empty()) nearest.reset();
    auto& diagnostic =
        diagnostics->Emit(Kind::kUnknownBlock, block.kind.range,
                          {block.kind.text, "",
                           MeansOtherwise(block.kind.text) ? std::string(kOtherwise)
                           : !foreign.empty()              ? std::string(foreign)
                           : nearest                       ? diagnostics::DidYouMean(*nearest)
                                     : "there are gateway, upstream, cache, reply, mock, route and tls"});
    Suggest(&diagnostic, nearest);
    // What was meant is there, though misspelt.
    const BlockInfo* meant = nearest ? FindBlock(*nearest, k_file) : nullptr;
    if (meant == nullptr || meant->named != block.name.has_value()) return std::nullopt;
    return meant->kind;
  }
  if (info->parent != k_file) {
    diagnostics->Emit(Kind::kMisplaced, block.kind.range, {"`" + block.kind.text + "`", Place(info->parent)});
    return std::nullopt;
  }
  if (info->named && !block.name) {
    diagnostics->Emit(Kind::kNeedsName, block.kind.range, {block.kind.text});
    return std::nullopt;
  }
  if (!info->named && block.name) {
    diagnostics->Emit(Kind::kTakesNoName, block.name->range, {block.kind.text})
        .Change({block.kind.range.end, block.name->range.end}, "");
  }
  return info->kind;
}

BlockContents BlockReader::Read(BlockKind kind, const ast::Block& block, void* target) {
  BlockContents contents;
  contents.broken = block.broken;
  std::map<std::string, const ast::Setting*> seen;
  for (const ast::Statement& statement : block.body) {
    if (const auto* setting = std::get_if<ast::Setting>(&statement.node)) {
      const auto [before, is_new] = seen.emplace(KeyOf(*setting), setting);
      if (!is_new && FindSetting(kind, setting->name.text) != nullptr) {
        auto& diagnostic = diagnostics_->Emit(Kind::kSetTwice, setting->name.range, {before->first})
                               .At(before->second->name.range, "it is set here")
                               .Change(statement.range, "");
        if (ast::Print(setting->value) != ast::Print(before->second->value)) diagnostic.Unsafe();
        continue;
      }
      ReadSetting(kind, block, *setting, target, &contents);
    } else if (const auto* when = std::get_if<ast::When>(&statement.node)) {
      ReadWhen(kind, block, *when, &contents);
    } else if (const auto* inner = std::get_if<ast::Block>(&statement.node)) {
      ReadInnerBlock(kind, block, *inner, &contents);
    } else if (const auto* let = std::get_if<ast::Let>(&statement.node)) {
      diagnostics_->Emit(Kind::kBelongsAtTop, let->name.range, {"`let`"});
    } else if (std::holds_alternative<ast::Edition>(statement.node)) {
      diagnostics_->Emit(Kind::kEditionPlace, statement.range);
    } else if (std::holds_alternative<ast::Promise>(statement.node)) {
      if (kind != k_route) diagnostics_->Emit(Kind::kBelongsInRoute, statement.range, {"`promise`"});
    } else if (const auto* test = std::get_if<ast::Test>(&statement.node)) {
      diagnostics_->Emit(Kind::kBelongsAtTop, test->name.range, {"a test"});
    } else if (std::holds_alternative<ast::Import>(statement.node)) {
      diagnostics_->Emit(Kind::kBelongsAtTop, statement.range, {"`import`"});
    }
  }
  CheckRequired(kind, block, contents);
  return contents;
}

void BlockReader::ReadSetting(BlockKind kind, const ast::Block& block, const ast::Setting& setting, void* target,
                              BlockContents* contents) {
  const std::string& name = setting.name.text;
  const SettingInfo* info = FindSetting(kind, name);
  if (info == nullptr) {
    std::vector<std::string_view> names;
    for (const SettingInfo& candidate : kSettings) {
      if (candidate.block == kind && candidate.read != nullptr) names.push_back(candidate.name);
    }
    for (const BlockInfo& candidate : kBlocks) {
      if (candidate.parent != kind || candidate.name != name) continue;
      diagnostics_->Emit(candidate.honoured ? Kind::kSettingIsBlock : Kind::kNotHonoured, setting.name.range, {name});
      return;
    }
    for (const WhenInfo& candidate : kWhens) {
      if (candidate.block != kind || candidate.word != name) continue;
      diagnostics_->Emit(Kind::kSettingIsLine, setting.name.range, {name});
      return;
    }
    std::string help = "it has";
    for (size_t i = 0; i < names.size(); ++i) help += (i > 0 ? ", " : " ") + std::string(names[i]);
    std::string lines;
    for (const WhenInfo& candidate : kWhens) {
      if (candidate.block == kind && candidate.honoured)
        lines += (lines.empty() ? "; its lines begin with `" : ", `") + SpellWhen(candidate.word) + "`";
    }
    help += lines;
    const auto nearest = base::Nearest(name, names);
    const auto* foreign = std::find_if(std::begin(kForeignSettings), std::end(kForeignSettings),
                                       [&](const ForeignSetting& f) { return f.block == kind && f.name == name; });
    if (!nearest && foreign != std::end(kForeignSettings)) {
      help = foreign->help;
    } else if (nearest) {
      help = diagnostics::DidYouMean(*nearest);
    } else {
      std::vector<std::string_view> blocks;
      for (const BlockInfo& candidate : kBlocks) {
        if (candidate.parent == kind && candidate.honoured) blocks.push_back(candidate.name);
      }
      if (const auto block_meant = base::Nearest(name, blocks)) {
        help = "did you mean the block `" + std::string(*block_meant) + " { … }`?";
      }
      for (const SettingInfo& elsewhere : kSettings) {
        if (elsewhere.name == name) help = "it is a setting of `" + std::string(NameOf(elsewhere.block)) + "`";
      }
    }
    auto& diagnostic = diagnostics_->Emit(Kind::kUnknownSetting, setting.name.range, {block.kind.text, name, help});
    Suggest(&diagnostic, nearest);
    // What was meant is there, though misspelt: it is not missing as well.
    if (nearest) contents->settings.emplace(*nearest, &setting);
    else contents->broken = true;  // it may be what is missing
    return;
  }
  contents->settings.emplace(info->name, &setting);
  if (setting.value.kind == ast::ExprKind::kError) contents->broken = true;
  if (info->read == nullptr) {
    diagnostics_->Emit(Kind::kNotHonoured, setting.name.range, {name, ""});
  } else if (info->keyed() && !setting.key) {
    diagnostics_->Emit(Kind::kNeedsKey, setting.name.range, {name});
  } else if (!info->keyed() && setting.key) {
    diagnostics_->Emit(Kind::kTakesNoKey, setting.key->range, {name})
        .Change({setting.name.range.end, setting.value.range.begin}, " = ")
        .Unsafe();
  } else if (setting.value.kind != ast::ExprKind::kError) {
    settings_->Begin(setting, info->range);
    info->read(*settings_, target);
  }
}

void BlockReader::ReadWhen(BlockKind kind, const ast::Block& block, const ast::When& when, BlockContents* contents) {
  const std::string_view word = when.word ? std::string_view(when.word->text) : "";
  const source::SourceRange range = when.word ? when.word->range : when.when;
  std::vector<std::string_view> words;
  std::string all;
  for (const WhenInfo& candidate : kWhens) {
    if (candidate.block != kind) continue;
    if (candidate.word == word) {
      if (!candidate.honoured) {
        diagnostics_->Emit(Kind::kNotHonoured, range, {SpellWhen(word), ""});
        return;
      }
      contents->whens[candidate.word].push_back(&when);
      return;
    }
    if (!candidate.word.empty()) words.push_back(candidate.word);
    if (candidate.honoured) all += (all.empty() ? "`" : ", `") + SpellWhen(candidate.word) + "`";
  }
  if (all.empty()) {
    diagnostics_->Emit(Kind::kTakesNoLines, range, {SpellWhen(word), block.kind.text});
    return;
  }
  if (word.empty()) {
    diagnostics_->Emit(Kind::kWordNeeded, range, {block.kind.text, all});
    for (const WhenInfo& candidate : kWhens) {
      if (candidate.block == kind && candidate.required) contents->whens[candidate.word];  // likely meant
    }
    return;
  }
  const auto nearest = base::Nearest(word, words);
  auto& diagnostic = diagnostics_->Emit(
      Kind::kUnknownWhen, range,
      {block.kind.text, word, nearest ? diagnostics::DidYouMean(SpellWhen(*nearest)) : "it has " + all});
  Suggest(&diagnostic, nearest);
  for (const WhenInfo& candidate : kWhens) {
    if (candidate.block == kind && (nearest ? candidate.word == *nearest : candidate.required))
      contents->whens[candidate.word];
  }
}

void BlockReader::ReadInnerBlock(BlockKind kind, const ast::Block& block, const ast::Block& inner,
                                 BlockContents* contents) {
  const BlockInfo* info = FindBlock(inner.kind.text, kind);
  if (info == nullptr) {
    std::vector<std::string_view> names;
    std::string all;
    for (const BlockInfo& candidate : kBlocks) {
      if (candidate.parent != kind) continue;
      names.push_back(candidate.name);
      if (candidate.honoured) all += (all.empty() ? "it has " : ", ") + std::string(candidate.name);
    }
    auto nearest = base::Nearest(inner.kind.text, names);
    const std::string_view foreign = HelpOfForeignBlock(kind, inner.kind.text);
    if (!foreign.empty()) nearest.reset();
    auto& diagnostic = diagnostics_->Emit(Kind::kUnknownBlock, inner.kind.range,
                                          {inner.kind.text, " in `" + block.kind.text + "`",
                                           MeansOtherwise(inner.kind.text) && kind == k_route ? std::string(kOtherwise)
                                           : !foreign.empty()                                 ? std::string(foreign)
                                           : nearest     ? diagnostics::DidYouMean(*nearest)
                                           : all.empty() ? "it holds no blocks"
                                                         : all});
    Suggest(&diagnostic, nearest);
    if (nearest) contents->blocks.emplace(FindBlock(*nearest, kind)->name, &inner);
    return;
  }
  if (info->parent != kind) {
    diagnostics_->Emit(Kind::kMisplaced, inner.kind.range, {"`" + inner.kind.text + "`", Place(info->parent)});
    return;
  }
  if (!info->honoured) {
    diagnostics_->Emit(Kind::kNotHonoured, inner.kind.range, {inner.kind.text, ""});
    return;
  }
  if (info->named) {
    if (!inner.name) {
      diagnostics_->Emit(Kind::kNeedsName, inner.kind.range, {inner.kind.text});
      return;
    }
    const auto before = std::find_if(contents->named_blocks.begin(), contents->named_blocks.end(), [&](const ast::Block* other) {
      return other->kind.text == inner.kind.text && other->name->text == inner.name->text;
    });
    if (before != contents->named_blocks.end()) {
      diagnostics_->Emit(Kind::kDuplicateBlock, inner.name->range, {inner.kind.text + " " + inner.name->text})
          .At((*before)->name->range, "the first one is here");
      return;
    }
    contents->named_blocks.push_back(&inner);
    return;
  }
  if (inner.name)
    diagnostics_->Emit(Kind::kTakesNoName, inner.name->range, {inner.kind.text})
        .Change({inner.kind.range.end, inner.name->range.end}, "");
  const auto [before, is_new] = contents->blocks.emplace(info->name, &inner);
  if (!is_new)
    diagnostics_->Emit(Kind::kDuplicateBlock, inner.kind.range, {inner.kind.text})
        .At(before->second->kind.range, "the first one is here");
}

void BlockReader::CheckRequired(BlockKind kind, const ast::Block& block, const BlockContents& contents) {
  if (contents.broken) return;
  const std::string name = block.kind.text + (block.name ? " " + block.name->text : "");
  for (const SettingInfo& info : kSettings) {
    if (info.block != kind || !info.required() || info.read == nullptr || contents.Has(info.name)) continue;
    diagnostics_->Emit(Kind::kRequired, block.kind.range,
                       {name, info.name, "add `" + std::string(info.name) + " = …`"});
  }
  for (const WhenInfo& info : kWhens) {
    if (info.block != kind || !info.required || contents.whens.count(info.word) > 0) continue;
    diagnostics_->Emit(Kind::kRequired, block.kind.range,
                       {name, SpellWhen(info.word), "add `" + SpellWhen(info.word) + " …`"});
  }
}

}  // namespace compiler::check
