// The tree of a policy as it was written: names unresolved, numbers as text, every node with its range. Made by parse, read
// by check. No behaviour. What was reported as broken is marked, so that later phases add no second message for it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/source/source_range.h"

namespace compiler::ast {

using source::SourceRange;

struct Name {
  std::string text;
  SourceRange range;
};

enum class ExprKind : uint8_t {
  kError,   // reported already; everything about it is silent
  kNumber,  // text, with its unit and sign
  kString,  // parts
  kNetwork,  // text: an address or a network
  kRegex,    // text: what stands between the slashes
  kName,    // text
  kMember,  // operands[0] . text
  kIndex,   // operands[0] [ operands[1] ]
  kCall,    // operands[0] ( arguments )
  kNot,     // not operands[0]
  kAnd,     // operands: two or more
  kOr,      // likewise
  kCompare,  // operands[0] text operands[1]; text is the operator: == != < <= > >= starts_with ends_with contains matches
  kIn,       // operands[0] in operands[1]; negated: not in
  kCoalesce,  // operands[0] ?? operands[1]
  kList,      // [ operands ]
  kSet,       // { operands }, only behind `in`
  // text: the JSON value token by token, without white space and comments; parts: the same where ${ … } stands in its strings, else none
  kJson,
};

struct Expr;

// A piece of a string: text with its escapes resolved, or an expression from ${ … }.
struct StringPart {
  std::string text;
  std::unique_ptr<Expr> value;
};

struct Argument {
  std::optional<Name> name;
  std::unique_ptr<Expr> value;
};

struct Expr {
  ExprKind kind = ExprKind::kError;
  SourceRange range;
  std::string text;
  SourceRange word;  // kMember: the member's name; kCompare and kIn: the operator
  bool negated = false;
  std::vector<Expr> operands;
  std::vector<StringPart> parts;
  std::vector<Argument> arguments;
};

struct Setting {
  Name name;
  std::optional<Expr> key;  // header["X"]
  Expr value;
};

struct When {
  std::optional<Name> word;  // none: a bare `when`
  SourceRange when;          // the word `when`
  Expr predicate;
};

struct Statement;

struct Block {
  Name kind;
  std::optional<Name> name;
  std::vector<Statement> body;
  bool broken = false;  // a statement in it could not be read: say nothing of what is missing
};

struct Let {
  Name name;
  Expr value;
};

struct Edition {
  Name number;
};

// promise worst_case.latency <= 6min
struct Promise {
  Expr claim;
};

// allow PL0201 because "…"
struct Allow {
  Name code;
  Expr reason;
};

// A part of a sentence: a word, a number, a text, JSON, or "X" = "…".
struct Clause {
  Expr value;
  std::optional<Expr> assigned;
};

// given qwen replies 503 after 200ms   send POST "/api/chat" …   wait 15s   reload "next.policy"   expect status == 200
struct Sentence {
  Name verb;
  Name subject;                 // given: the upstream; send: the method
  std::vector<Clause> clauses;  // of the same two
  std::optional<Expr> claim;    // of the others
};

// test "two 503s cost one retry" { … }
struct Test {
  Expr name;
  std::vector<Statement> body;
  bool broken = false;  // as Block::broken
};

// import "shared/llm.policy" as llm
struct Import {
  Expr path;
  Name name;
};

// What could not be read.
struct Broken {};

struct Statement {
  SourceRange range;
  std::string doc;  // the lines of ## above it, without the marks
  std::variant<Broken, Edition, Let, Setting, When, Block, Promise, Allow, Sentence, Test, Import> node;
};

// The statements in the braces of a block or a test; null for any other statement.
inline const std::vector<Statement>* BodyOf(const Statement& statement) {
  if (const auto* block = std::get_if<Block>(&statement.node)) return &block->body;
  if (const auto* test = std::get_if<Test>(&statement.node)) return &test->body;
  return nullptr;
}

struct File {
  std::string_view text;  // what was read; the ranges point into it. It belongs to the SourceBuffer
  std::vector<Statement> body;
  bool broken = false;                    // as Block::broken
  std::vector<std::string> broken_names;  // words in what could not be read: they may be names that others refer to
  // `retry` and `breaker` blocks with a name that no upstream uses; those that are used stand in their upstreams (expand/expand.h).
  std::vector<Statement> unused_blocks = {};
  bool is_shared = false;  // holds only what others import: no policy by itself
  std::optional<SourceRange> tests_of = std::nullopt;  // a file of tests: where it names its policy, which the rest of `body` is
};

}  // namespace compiler::ast
