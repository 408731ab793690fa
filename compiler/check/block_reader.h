// Blocks by the table: looks each line of a block up in settings.def, reads the settings into their struct and sorts the rest
// out for check.cc. The one place that knows which names, blocks and `when` lines a block may hold.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/check/setting_reader.h"
#include "compiler/diagnostics/diagnostic.h"

namespace compiler::check {

enum class BlockKind : uint8_t {
  kFile,  // what stands outside of all blocks
#define BLOCK(kind, parent, named, honoured, doc) k_##kind,
#include "compiler/model/settings.def"
};

// What a block holds besides the settings that were read.
struct BlockContents {
  std::map<std::string_view, const ast::Setting*> settings;  // by name; of header["X"] the first
  std::map<std::string_view, std::vector<const ast::When*>> whens;
  std::map<std::string_view, const ast::Block*> blocks;
  std::vector<const ast::Block*> named_blocks;  // in order; their names differ
  bool broken = false;

  bool Has(std::string_view setting) const { return settings.count(setting) > 0; }
};

class BlockReader {
 public:
  BlockReader(SettingReader* settings, diagnostics::Diagnostics* diagnostics)
      : settings_(settings), diagnostics_(diagnostics) {}

  // `target`: the settings struct of the kind; each setting is written there. Reports what does not belong, what stands
  // twice and what is missing.
  BlockContents Read(BlockKind kind, const ast::Block& block, void* target);

 private:
  void ReadSetting(BlockKind kind, const ast::Block& block, const ast::Setting& setting, void* target,
                   BlockContents* contents);
  void ReadWhen(BlockKind kind, const ast::Block& block, const ast::When& when, BlockContents* contents);
  void ReadInnerBlock(BlockKind kind, const ast::Block& block, const ast::Block& inner, BlockContents* contents);
  void CheckRequired(BlockKind kind, const ast::Block& block, const BlockContents& contents);

  SettingReader* settings_;
  diagnostics::Diagnostics* diagnostics_;
};

// Which block of the file a word opens; reports a word that opens none, or one that belongs into another block.
std::optional<BlockKind> TopLevelBlock(const ast::Block& block, diagnostics::Diagnostics* diagnostics);

}  // namespace compiler::check
