// The recognisers of HabitMender that look at lists: in other brackets, joined by operators, chosen by a function.
#include <algorithm>
#include <iterator>
#include <string_view>

#include "PolicyParser.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/mistakes/habit_mender.h"

namespace compiler::parse {

using diagnostics::Kind;
using policy_grammar::PolicyParser;

bool HabitMender::IsItem(size_t i) const {
  const size_t type = TypeAt(i);
  return type == PolicyParser::NAME || type == PolicyParser::STRING || type == PolicyParser::NUMBER || type == PolicyParser::NETWORK;
}

bool HabitMender::IsListOfNames(size_t i) const {
  if (TypeAt(i) != PolicyParser::NAME || TypeAt(i + 1) != PolicyParser::ASSIGN) return false;
  const std::string word = TextAt(i);
  return word == "to" || word == "fallback";
}

std::string HabitMender::ListOf(const std::vector<size_t>& items) const {
  std::string list = "[";
  for (const size_t item : items) list += (item == items.front() ? "" : ", ") + TextAt(item);
  return list + "]";
}

void HabitMender::MakeList(size_t first, size_t last, const std::vector<size_t>& items) {
  for (size_t i = first; i <= last; ++i) {
    if (std::find(items.begin(), items.end(), i) == items.end()) Drop(i);
  }
  InsertBefore(items.front(), PolicyParser::LBRACKET, "[");
  for (const size_t item : items) {
    if (item != items.front()) InsertBefore(item, PolicyParser::COMMA, ",");
  }
  InsertBefore(last + 1, PolicyParser::RBRACKET, "]");
}

// to = (big, small)   to = {big, small}
bool HabitMender::ListInOtherBrackets(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || TypeAt(i + 1) != PolicyParser::ASSIGN) return false;
  const size_t opener = i + 2;
  if ((TypeAt(opener) != PolicyParser::LPAREN && TypeAt(opener) != PolicyParser::LBRACE) || !SameLine(i, opener)) return false;
  std::vector<size_t> items;
  size_t at = opener + 1;
  while (IsItem(at) && (TypeAt(at + 1) == PolicyParser::COMMA || IsCloser(TypeAt(at + 1)))) {
    items.push_back(at);
    at += TypeAt(at + 1) == PolicyParser::COMMA ? 2 : 1;
  }
  const bool is_closed = TypeAt(at) == (TypeAt(opener) == PolicyParser::LPAREN ? PolicyParser::RPAREN : PolicyParser::RBRACE);
  if (!is_closed || items.empty() || (items.size() == 1 && TypeAt(opener) == PolicyParser::LPAREN)) return false;
  const std::string list = TextAt(i) + " = " + ListOf(items);
  Unexpected(opener, Kind::kListInBrackets, {list}).Change(RangeOf(opener), "[").Change(RangeOf(at), "]");
  MakeList(opener, at, items);
  return true;
}

// to = big or small   fallback = kept | busy
bool HabitMender::ListByOperators(size_t i) {
  if (!IsListOfNames(i)) return false;
  const bool has_brackets = TypeAt(i + 2) == PolicyParser::LBRACKET;
  size_t at = i + 2 + (has_brackets ? 1 : 0);
  const size_t first = at;
  std::vector<size_t> items;
  size_t sign = kNone;
  while (IsItem(at)) {
    items.push_back(at++);
    const bool is_comma = has_brackets && TypeAt(at) == PolicyParser::COMMA;
    const std::string text = TextAt(at);
    const bool is_sign = TypeAt(at) == PolicyParser::OR || TypeAt(at) == PolicyParser::AND || TypeAt(at) == PolicyParser::GT ||
                         text == "||" || text == "|" || text == "&&" || text == "&" || text == "->" || text == "=>" || text == "+" ||
                         text == "then" || text == "else";
    const bool is_beside = !has_brackets && TypeAt(at) == PolicyParser::NAME && TextAt(at) != TextAt(at - 1) && SameLine(at - 1, at) && !BeginsStatement(view_, at);
    if (!is_comma && !is_sign && is_beside) {
      if (sign == kNone) sign = at;
      continue;
    }
    if ((!is_comma && !is_sign) || !IsItem(at + 1)) break;
    if (is_sign && sign == kNone) sign = at;
    ++at;
  }
  if (sign == kNone) return false;
  const std::string list = ListOf(items);
  Unexpected(sign, Kind::kOneAfterTheOther, {TextAt(i), list})
      .Change(RangeOf(first, items.back()), has_brackets ? list.substr(1, list.size() - 2) : list);
  if (has_brackets) {
    for (size_t j = first; j < items.back(); ++j) {
      if (std::find(items.begin(), items.end(), j) == items.end()) Drop(j);
    }
    for (const size_t item : items) {
      if (item != first) InsertBefore(item, PolicyParser::COMMA, ",");
    }
  } else {
    MakeList(first, items.back(), items);
  }
  return true;
}

// to = [[big, small]]   to = [[big], [small]]
bool HabitMender::ListOfLists(size_t i) {
  if (!IsListOfNames(i) || TypeAt(i + 2) != PolicyParser::LBRACKET) return false;
  const size_t closer = PartnerOf(i + 2);
  if (closer == kNone || TypeAt(closer) != PolicyParser::RBRACKET) return false;
  std::vector<size_t> items;
  size_t inner = kNone;
  for (size_t j = i + 3; j < closer; ++j) {
    if (IsItem(j)) {
      items.push_back(j);
    } else if (TypeAt(j) == PolicyParser::LBRACKET && !EndsOperand(TypeAt(j - 1))) {
      if (inner == kNone) inner = j;
    } else if (TypeAt(j) != PolicyParser::RBRACKET && TypeAt(j) != PolicyParser::COMMA) {
      return false;
    }
  }
  if (inner == kNone || items.empty()) return false;
  const std::string list = ListOf(items);
  Unexpected(inner, Kind::kListOfLists, {TextAt(i), list}).Change(RangeOf(i + 2, closer), list);
  MakeList(i + 2, closer, items);
  return true;
}

// to = round_robin(big, small)
bool HabitMender::ListByFunction(size_t i) {
  if (!IsListOfNames(i) || TypeAt(i + 2) != PolicyParser::NAME || TypeAt(i + 3) != PolicyParser::LPAREN) return false;
  const size_t closer = PartnerOf(i + 3);
  if (closer == kNone || TypeAt(closer) != PolicyParser::RPAREN) return false;
  std::vector<size_t> items;
  for (size_t j = i + 4; j < closer; ++j) {
    const bool has_weight = TypeAt(j + 1) == PolicyParser::COLON && TypeAt(j + 2) == PolicyParser::NUMBER;
    if (TypeAt(j) == PolicyParser::NAME && (TypeAt(j + 1) != PolicyParser::COLON || has_weight)) {
      items.push_back(j);
      if (has_weight) j += 2;
    } else if (TypeAt(j) != PolicyParser::COMMA && TypeAt(j) != PolicyParser::LBRACKET && TypeAt(j) != PolicyParser::RBRACKET) return false;
  }
  if (items.empty()) return false;
  const std::string list = ListOf(items);
  diagnostics_->Emit(Kind::kOneWayToChoose, RangeOf(i + 2), {Describe(*view_[i + 2]), TextAt(i), list})
      .Change(RangeOf(i + 2, closer), list);
  MakeList(i + 2, closer, items);
  return true;
}

}  // namespace compiler::parse
