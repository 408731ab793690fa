#include "tests/mutation/mutants.h"

#include <algorithm>
#include <optional>
#include <set>

#include "compiler/parse/tokens.h"

namespace tests::mutation {
namespace {

using compiler::parse::Token;
using compiler::parse::TokenKind;
using compiler::source::SourceRange;

std::vector<Token> TokensOf(std::string_view policy) {
  std::vector<Token> tokens = compiler::parse::ReadTokens(policy);
  std::erase_if(tokens, [](const Token& token) { return token.kind == TokenKind::kComment; });
  return tokens;
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// The letters of a token that may be misspelt; empty for none.
SourceRange LettersOf(std::string_view policy, const Token& token) {
  if (token.kind == TokenKind::kName || token.kind == TokenKind::kKeyword) return token.range;
  if (token.kind != TokenKind::kNumber) return {};
  const std::string_view text = policy.substr(token.range.begin, token.range.end - token.range.begin);
  size_t begin = text.size();
  while (begin > 0 && IsLetter(text[begin - 1])) --begin;
  if (begin == 0 || text[begin - 1] == '/' || text[begin - 1] == ':') return {};
  return {token.range.begin + static_cast<uint32_t>(begin), token.range.end};
}

std::string Misspell(std::string_view word, std::mt19937* random) {
  std::string text(word);
  const size_t at = (*random)() % text.size();
  switch ((*random)() % 4) {
    case 0: text.erase(at, 1); break;
    case 1: text.insert(at, 1, text[at]); break;
    case 2:
      if (at + 1 < text.size()) std::swap(text[at], text[at + 1]);
      break;
    default: text[at] = static_cast<char>('a' + (*random)() % 26); break;
  }
  return text;
}

class Drawer {
 public:
  Drawer(std::string_view policy, Change change, std::mt19937* random)
      : policy_(policy), change_(change), random_(random), tokens_(TokensOf(policy)) {}

  // Nothing where the token cannot be changed so.
  std::optional<Mutant> Mutate(size_t i) {
    const SourceRange range = tokens_[i].range;
    const std::string token(Text(range));
    Mutant mutant{change_, "", "", range, {}};
    const auto head = std::string(policy_.substr(0, range.begin));
    switch (change_) {
      case Change::kDelete:
        mutant.text = head + std::string(policy_.substr(range.end));
        mutant.what = "deleted `" + token + "`";
        break;
      case Change::kDouble:
        mutant.text = head + token + " " + std::string(policy_.substr(range.begin));
        mutant.what = "doubled `" + token + "`";
        break;
      case Change::kSwap: {
        if (i + 1 == tokens_.size()) return std::nullopt;
        const SourceRange next = tokens_[i + 1].range;
        if (Text(next) == token) return std::nullopt;
        const auto between = std::string(policy_.substr(range.end, next.begin - range.end));
        // A blank, where the two would grow together with what stands around them.
        mutant.text = head + std::string(Text(next)) + (between.empty() ? " " : between) + token +
                      (Glues(next.end) ? " " : "") + std::string(policy_.substr(next.end));
        mutant.what = "swapped `" + token + "` and `" + std::string(Text(next)) + "`";
        break;
      }
      case Change::kMisspell: {
        const SourceRange letters = LettersOf(policy_, tokens_[i]);
        if (letters.end - letters.begin < 3) return std::nullopt;
        const std::string wrong = Misspell(Text(letters), random_);
        if (wrong == Text(letters)) return std::nullopt;
        mutant.text = std::string(policy_.substr(0, letters.begin)) + wrong + std::string(policy_.substr(letters.end));
        mutant.what = "misspelt `" + token + "` as `" +
                      std::string(policy_.substr(range.begin, letters.begin - range.begin)) + wrong + "`";
        break;
      }
    }
    const auto grown = static_cast<int64_t>(mutant.text.size()) - static_cast<int64_t>(policy_.size());
    const size_t behind = i + (change_ == Change::kSwap ? 1 : 0);
    mutant.places = Neighbourhood(mutant.text, {range.begin, static_cast<uint32_t>(tokens_[behind].range.end + grown)});
    return mutant;
  }

  size_t tokens() const { return tokens_.size(); }

 private:
  // From the word before those that touch `changed` to the one behind them, as the compiler reads them now: words may
  // have grown together.
  static SourceRange Neighbourhood(std::string_view text, SourceRange changed) {
    const std::vector<Token> words = TokensOf(text);
    size_t first = 0;
    while (first < words.size() && words[first].range.end <= changed.begin) ++first;
    size_t behind = first;
    while (behind < words.size() && words[behind].range.begin < changed.end) ++behind;
    const auto size = static_cast<uint32_t>(text.size());
    return {first > 0 ? words[first - 1].range.begin : 0, behind < words.size() ? words[behind].range.end : size};
  }

  std::string_view Text(SourceRange range) const { return policy_.substr(range.begin, range.end - range.begin); }
  bool Glues(size_t at) const {
    return at < policy_.size() && std::string_view(" \t\r\n").find(policy_[at]) == std::string_view::npos;
  }

  std::string_view policy_;
  Change change_;
  std::mt19937* random_;
  std::vector<Token> tokens_;
};

}  // namespace

std::string_view Name(Change change) {
  switch (change) {
    case Change::kDelete: return "delete";
    case Change::kDouble: return "double";
    case Change::kSwap: return "swap";
    case Change::kMisspell: return "misspell";
  }
  return "";
}

std::vector<Mutant> Draw(std::string_view policy, Change change, size_t count, std::mt19937* random) {
  Drawer drawer(policy, change, random);
  std::vector<Mutant> mutants;
  std::set<std::string> seen = {std::string(policy)};
  // A policy with few tokens runs out of new ones.
  for (size_t tries = 0; tries < 20 * count && mutants.size() < count; ++tries) {
    std::optional<Mutant> mutant = drawer.Mutate((*random)() % drawer.tokens());
    if (mutant && seen.insert(mutant->text).second) mutants.push_back(std::move(*mutant));
  }
  return mutants;
}

}  // namespace tests::mutation
