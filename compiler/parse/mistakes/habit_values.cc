// The recognisers of HabitMender that look at values and conditions; lists are in habit_lists.cc.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <optional>

#include "PolicyParser.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/mistakes/habit_mender.h"

namespace compiler::parse {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

namespace {

// Counts of a breaker that look back over a time.
constexpr std::string_view kCounts[] = {"failures", "successes", "requests", "failed_requests", "failure_ratio", "errors"};
std::string CountMeantBy(const std::string& word) { return word == "errors" ? "failures" : word; }
constexpr std::string_view kBackOver[] = {"over", "within", "per", "during", "for", "last", "every", "inside"};
// `in the last 60s`, `within a 60s`: between the word and the time.
constexpr std::string_view kFillers[] = {"the", "last", "past", "a", "any", "window", "of"};

template <typename Words>
bool IsOneOf(std::string_view word, const Words& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// `2 * 5s` is `10s`; nullopt where the units do not fit.
struct Quantity {
  double value = 0;
  std::string unit;
};

std::optional<Quantity> ReadQuantity(const std::string& text) {
  const size_t end = text.find_first_not_of("0123456789.");
  char* rest = nullptr;
  const std::string digits = text.substr(0, end);
  const double value = std::strtod(digits.c_str(), &rest);
  if (digits.empty() || *rest != '\0') return std::nullopt;
  return Quantity{value, end == std::string::npos ? std::string() : text.substr(end)};
}

std::optional<std::string> Calculate(const std::string& left, char sign, const std::string& right) {
  const auto a = ReadQuantity(left);
  const auto b = ReadQuantity(right);
  if (!a || !b) return std::nullopt;
  double value = 0;
  std::string unit = a->unit;
  if (sign == '*' && (a->unit.empty() || b->unit.empty())) {
    value = a->value * b->value;
    unit += b->unit;
  } else if (sign == '/' && b->unit.empty() && b->value != 0) {
    value = a->value / b->value;
  } else if ((sign == '+' || sign == '-') && a->unit == b->unit) {
    value = sign == '+' ? a->value + b->value : a->value - b->value;
  } else {
    return std::nullopt;
  }
  if (value < 0 || value > 1e15 || value != std::floor(value)) return std::nullopt;
  return std::to_string(static_cast<long long>(value)) + unit;
}

}  // namespace

// header X-Team = "a"   header[X-Team] = "a"   request.header.X-Team == "a"   remove_header = [X-Team]
bool HabitMender::HeaderWithoutQuotes(size_t i) {
  const auto goes_on = [&](size_t at) {
    const bool is_part = TypeAt(at + 1) == PolicyParser::NAME || TypeAt(at + 1) == PolicyParser::NUMBER;
    return TypeAt(at) == PolicyParser::MINUS && is_part && Touches(at) && Touches(at + 1);
  };
  if (TypeAt(i) != PolicyParser::NAME || i < 1 || !SameLine(i - 1, i)) return false;
  size_t last = i;
  while (goes_on(last + 1)) last += 2;
  std::string name;
  for (size_t j = i; j <= last; ++j) name += TextAt(j);
  const std::string quoted = "\"" + name + "\"";
  constexpr std::string_view kHeader[] = {"header", "headers"};
  const auto make_text = [&] {
    Drop(i + 1, last);
    Retype(i, PolicyParser::STRING, quoted);
    static_cast<antlr4::CommonToken*>(view_[i])->setStopIndex(view_[last]->getStopIndex());
  };
  const size_t before = TypeAt(i - 1);
  const bool is_indexed = before == PolicyParser::LBRACKET && i >= 2 && IsOneOf(TextAt(i - 2), kHeader) && TypeAt(last + 1) == PolicyParser::RBRACKET;
  if (is_indexed && last > i) {
    diagnostics_->Emit(Kind::kHeaderInQuotes, RangeOf(i, last), {name, quoted}).Change(RangeOf(i, last), quoted);
    make_text();
    return true;
  }
  if (before == PolicyParser::DOT && i >= 2 && IsOneOf(TextAt(i - 2), kHeader) && last > i) {
    diagnostics_->Emit(Kind::kHeaderOfMember, RangeOf(i, last), {name, TextAt(i - 2), quoted})
        .Change({RangeOf(i - 2).end, RangeOf(last).end}, "[" + quoted + "]");
    Drop(i - 1);
    InsertBefore(i, PolicyParser::LBRACKET, "[");
    InsertBefore(last + 1, PolicyParser::RBRACKET, "]");
    make_text();
    return true;
  }
  // header X-Team = "a"   header X-Team "a"   header X-Team: a
  const bool is_line = before == PolicyParser::NAME && IsOneOf(TextAt(i - 1), kHeader) && (i < 2 || MayBegin(i - 1)) && !in_test_[i];
  const size_t sign = last + 1;
  if (is_line && SameLine(i, sign) &&
      (TypeAt(sign) == PolicyParser::ASSIGN || TypeAt(sign) == PolicyParser::COLON || TypeAt(sign) == PolicyParser::STRING)) {
    const std::string meant = "header[" + quoted + "] =";
    auto& diagnostic = diagnostics_->Emit(Kind::kHeaderAssigned, RangeOf(i, last), {name, meant});
    const bool has_sign = TypeAt(sign) != PolicyParser::STRING;
    diagnostic.Change(RangeOf(i - 1, has_sign ? sign : last), meant);
    Retype(i - 1, PolicyParser::NAME, "header");
    InsertBefore(i, PolicyParser::LBRACKET, "[");
    InsertBefore(sign, PolicyParser::RBRACKET, "]");
    if (has_sign) Retype(sign, PolicyParser::ASSIGN, "=");
    else InsertBefore(sign, PolicyParser::ASSIGN, "=");
    make_text();
    return true;
  }
  // remove_header = X-Team
  if (last == i) return false;
  size_t head = i;
  while (head > 0 && i - head < kFar && SameLine(head - 1, head) && TypeAt(head) != PolicyParser::ASSIGN) --head;
  if (head > 0 && TypeAt(head) == PolicyParser::ASSIGN && TextAt(head - 1) == "remove_header") {
    diagnostics_->Emit(Kind::kHeaderNameQuotes, RangeOf(i, last), {name, quoted}).Change(RangeOf(i, last), quoted);
    make_text();
    return true;
  }
  return false;
}

// route chat-api {   error in {connect-failure}
bool HabitMender::HyphenatedName(size_t i) {
  const auto goes_on = [&](size_t at) {
    const bool is_part = TypeAt(at + 1) == PolicyParser::NAME || TypeAt(at + 1) == PolicyParser::NUMBER;
    return TypeAt(at) == PolicyParser::MINUS && is_part && Touches(at) && Touches(at + 1);
  };
  if (TypeAt(i) != PolicyParser::NAME || !goes_on(i + 1)) return false;
  if (i > 0 && (TypeAt(i - 1) == PolicyParser::MINUS || TypeAt(i - 1) == PolicyParser::DOT) && Touches(i)) return false;
  size_t last = i + 2;
  while (goes_on(last + 1)) last += 2;
  std::string written;
  for (size_t j = i; j <= last; ++j) written += TextAt(j);
  std::string meant = written;
  std::replace(meant.begin(), meant.end(), '-', '_');
  if (!hyphenated_[written]) {
    hyphenated_[written] = true;
    auto& diagnostic = diagnostics_->Emit(Kind::kBadName, RangeOf(i, last), {written}).Change(RangeOf(i, last), meant);
    // Everywhere: what has the name and who uses it.
    for (size_t j = last + 1; j + 2 < view_.size(); ++j) {
      if (TypeAt(j) != PolicyParser::NAME || !goes_on(j + 1) || TextAt(j) != TextAt(i)) continue;
      size_t end = j + 2;
      while (goes_on(end + 1)) end += 2;
      std::string other;
      for (size_t k = j; k <= end; ++k) other += TextAt(k);
      if (other == written) diagnostic.Change(RangeOf(j, end), meant);
    }
  }
  Drop(i + 1, last);
  Retype(i, PolicyParser::NAME, meant);
  static_cast<antlr4::CommonToken*>(view_[i])->setStopIndex(view_[last]->getStopIndex());
  return true;
}

// idle = 2 * 5s
bool HabitMender::Arithmetic(size_t i) {
  const auto is_operand = [&](size_t at) { return TypeAt(at) == PolicyParser::NUMBER || TypeAt(at) == PolicyParser::NAME; };
  const auto sign_at = [&](size_t at) {
    if (TypeAt(at) == PolicyParser::UNKNOWN) {
      const std::string text = TextAt(at);
      if (text == "*" || text == "+") return text[0];
    }
    const bool is_difference = TypeAt(at) == PolicyParser::MINUS && TypeAt(at - 1) == PolicyParser::NUMBER;
    if (is_difference && !(Touches(at) && TextAt(at - 1).size() == 3)) return '-';  // and no range: 500-599
    return '\0';
  };
  if (!is_operand(i) || !SameLine(i, i + 1)) return false;
  // `20s / 2` to the end of the line: a pattern that is not closed.
  if (TypeAt(i) == PolicyParser::NUMBER && TypeAt(i + 1) == PolicyParser::OPEN_REGEX) {
    std::string divisor = TextAt(i + 1).substr(1);
    divisor.erase(0, divisor.find_first_not_of(' ') == std::string::npos ? 0 : divisor.find_first_not_of(' '));
    while (!divisor.empty() && divisor.back() == ' ') divisor.pop_back();
    if (!ReadQuantity(divisor)) return false;
    const auto result = Calculate(TextAt(i), '/', divisor);
    auto& diagnostic = diagnostics_->Emit(result ? Kind::kCalculatedTo : Kind::kCalculated, RangeOf(i + 1),
                                          {"`/`", result.value_or("")});
    if (result) diagnostic.Change(RangeOf(i, i + 1), *result);
    Drop(i + 1);
    if (result) Retype(i, PolicyParser::NUMBER, *result);
    return true;
  }
  if (sign_at(i + 1) == '\0' || !is_operand(i + 2)) return false;
  std::optional<std::string> result = TypeAt(i) == PolicyParser::NUMBER ? std::optional(TextAt(i)) : std::nullopt;
  bool has_number = TypeAt(i) == PolicyParser::NUMBER;
  size_t last = i;
  while (sign_at(last + 1) != '\0' && is_operand(last + 2)) {
    has_number = has_number || TypeAt(last + 2) == PolicyParser::NUMBER;
    result = result ? Calculate(*result, sign_at(last + 1), TextAt(last + 2)) : std::nullopt;
    last += 2;
  }
  if (!has_number) return false;
  auto& diagnostic = Unexpected(i + 1, result ? Kind::kCalculatedTo : Kind::kCalculated, {result.value_or("")});
  if (result) diagnostic.Change(RangeOf(i, last), *result);
  Drop(i + 1, last);
  if (result) Retype(i, PolicyParser::NUMBER, *result);
  Break(i);
  return true;
}

// header["X"] is not null
bool HabitMender::IsNull(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || i == 0 || !EndsOperand(TypeAt(i - 1)) || !SameLine(i - 1, i)) return false;
  const bool is_not = TypeAt(i + 1) == PolicyParser::NOT;
  const size_t operand = i + (is_not ? 2 : 1);
  if (!BeginsOperand(TypeAt(operand)) || !SameLine(i, operand) || TextAt(i) != "is") return false;
  constexpr std::string_view kNulls[] = {"null", "nil", "none", "None", "NULL", "empty", "undefined", "missing", "absent"};
  const bool is_null = TypeAt(operand) == PolicyParser::NAME && IsOneOf(TextAt(operand), kNulls);
  if (!is_not && !is_null) return false;  // `is` alone is read as `==` elsewhere
  const std::string sign = is_not ? "!=" : "==";
  const std::string meant = sign + " " + (is_null ? "none" : TextAt(operand));
  diagnostics_->Emit(Kind::kForeignOperator, is_not ? RangeOf(i, i + 1) : RangeOf(i), {is_not ? "is not" : "is", "write `" + meant + "`"})
      .Change(RangeOf(i, operand), meant);
  Retype(i, is_not ? PolicyParser::NE : PolicyParser::EQ, sign);
  if (is_not) Drop(i + 1);
  if (is_null) Retype(operand, PolicyParser::NAME, "none");
  return true;
}

// idle = 1m 30s
bool HabitMender::SplitDuration(size_t i) {
  if (TypeAt(i) != PolicyParser::NUMBER || TypeAt(i + 1) != PolicyParser::NUMBER || !SameLine(i, i + 1)) return false;
  constexpr std::pair<std::string_view, std::string_view> kTimes[] = {{"h", "h"}, {"m", "min"}, {"min", "min"}, {"s", "s"}, {"sec", "s"}, {"ms", "ms"}};
  size_t last = i;
  std::string meant;
  const auto* before = std::begin(kTimes);  // each is a smaller one than the one before it
  for (size_t j = i; TypeAt(j) == PolicyParser::NUMBER && SameLine(i, j); ++j) {
    const auto quantity = ReadQuantity(TextAt(j));
    const auto* unit = std::find_if(std::begin(kTimes), std::end(kTimes), [&](const auto& t) { return quantity && t.first == quantity->unit; });
    const bool is_smaller = j == i || (unit > before && unit->second != before->second);
    before = unit;
    if (unit == std::end(kTimes) || !is_smaller || quantity->value != std::floor(quantity->value)) return false;
    meant += std::to_string(static_cast<long long>(quantity->value)) + std::string(unit->second);
    last = j;
  }
  diagnostics_->Emit(Kind::kSplitDuration, RangeOf(i, last), {TextAt(i + 1), meant}).Change(RangeOf(i, last), meant);
  Drop(i + 1, last);
  Retype(i, PolicyParser::NUMBER, meant);
  return true;
}

// rewrite = json [1]
bool HabitMender::JsonOfNoObject(size_t i) {
  if (TypeAt(i) != PolicyParser::JSON || !SameLine(i, i + 1) || (i > 0 && TypeAt(i - 1) == PolicyParser::DOT)) return false;
  const size_t next = TypeAt(i + 1);
  size_t last = i + 1;
  if (next == PolicyParser::LBRACKET) {
    if (i + 3 < view_.size() && TypeAt(i + 2) == PolicyParser::STRING && TypeAt(i + 3) == PolicyParser::COLON) return false;
    last = PartnerOf(i + 1);
    if (last == kNone) return false;
  } else if ((next != PolicyParser::STRING && next != PolicyParser::NUMBER) || TypeAt(i + 2) == PolicyParser::COLON) {
    return false;
  }
  diagnostics_->Emit(next == PolicyParser::LBRACKET ? Kind::kJsonArrayAlone : Kind::kJsonValueAlone, RangeOf(i + 1));
  Drop(i + 1, last);
  InsertBefore(last + 1, PolicyParser::LBRACE, "{");
  InsertBefore(last + 1, PolicyParser::RBRACE, "}");
  Break(i);
  return true;
}

// starts_with(request.path, "/a")
bool HabitMender::OperatorAsFunction(size_t i) {
  const size_t type = TypeAt(i);
  const bool is_test = type == PolicyParser::STARTS_WITH || type == PolicyParser::ENDS_WITH || type == PolicyParser::CONTAINS ||
                       type == PolicyParser::MATCHES;
  if (!is_test || i == 0 || EndsOperand(TypeAt(i - 1)) || TypeAt(i - 1) == PolicyParser::DOT) return false;
  if (TypeAt(i + 1) != PolicyParser::LPAREN) return false;
  const size_t closer = PartnerOf(i + 1);
  if (closer == kNone || TypeAt(closer) != PolicyParser::RPAREN) return false;
  size_t comma = kNone;
  int depth = 0;
  for (size_t j = i + 2; j < closer; ++j) {
    if (IsOpener(TypeAt(j))) ++depth;
    if (IsCloser(TypeAt(j))) --depth;
    if (depth != 0 || TypeAt(j) != PolicyParser::COMMA) continue;
    if (comma != kNone) return false;
    comma = j;
  }
  if (comma == kNone || comma == i + 2 || comma + 1 == closer) return false;
  const auto written = [&](size_t first, size_t last) {
    std::string text;
    for (size_t j = first; j <= last; ++j) text += (j > first && !Touches(j) ? " " : "") + TextAt(j);
    return text;
  };
  const std::string meant = written(i + 2, comma - 1) + " " + TextAt(i) + " " + written(comma + 1, closer - 1);
  Unexpected(i, Kind::kOperatorBetween, {meant}).Change(RangeOf(i, closer), meant);
  Retype(comma, type, TextAt(i));
  Drop(i, i + 1);
  Drop(closer);
  return true;
}

// body not contains "x"   path !contains "x"
bool HabitMender::NotInside(size_t i) {
  const bool is_bang = TypeAt(i) == PolicyParser::FOREIGN && TextAt(i) == "!";
  if ((TypeAt(i) != PolicyParser::NOT && !is_bang) || i == 0 || !EndsOperand(TypeAt(i - 1))) return false;
  const size_t next = TypeAt(i + 1);
  if (!IsComparator(next) || next == PolicyParser::IN) return false;
  // Where the comparison begins.
  size_t begin = i;
  while (begin > 0) {
    const size_t before = TypeAt(begin - 1);
    if (before == PolicyParser::RBRACKET || before == PolicyParser::RPAREN) {
      int depth = 0;
      while (begin > 0) {
        --begin;
        if (IsCloser(TypeAt(begin))) ++depth;
        if (IsOpener(TypeAt(begin)) && --depth == 0) break;
      }
      continue;
    }
    if (before == PolicyParser::DOT) {
      --begin;
      continue;
    }
    const bool is_part = BeginsOperand(before) || (IsKeyword(before) && begin >= 2 && TypeAt(begin - 2) == PolicyParser::DOT);
    const bool joins = begin == i || TypeAt(begin) == PolicyParser::DOT || TypeAt(begin) == PolicyParser::LBRACKET ||
                       TypeAt(begin) == PolicyParser::LPAREN;
    if (!is_part || !joins) break;
    --begin;
  }
  if (begin == i) return false;
  std::string left;
  for (size_t j = begin; j < i; ++j) left += TextAt(j);
  const uint32_t at = RangeOf(begin).begin;
  diagnostics_->Emit(Kind::kNotBefore, RangeOf(i), {Describe(*view_[i]), left, TextAt(i + 1)})
      .Change({at, at}, "not ")
      .Change(is_bang ? RangeOf(i) : SourceRange{RangeOf(i).begin, RangeOf(i + 1).begin}, "");
  Drop(i);
  return true;
}

// failures in 60s > 5   failures over 60s > 5   failures[60s] > 5
bool HabitMender::CountOverBefore(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !IsOneOf(TextAt(i), kCounts)) return false;
  const bool is_indexed = TypeAt(i + 1) == PolicyParser::LBRACKET && TypeAt(i + 2) == PolicyParser::NUMBER && TypeAt(i + 3) == PolicyParser::RBRACKET;
  const bool is_over = (TypeAt(i + 1) == PolicyParser::IN || (TypeAt(i + 1) == PolicyParser::NAME && IsOneOf(TextAt(i + 1), kBackOver))) &&
                       TypeAt(i + 2) == PolicyParser::NUMBER && IsComparator(TypeAt(i + 3));
  if (!is_indexed && !is_over) return false;
  const std::string call = CountMeantBy(TextAt(i)) + "(" + TextAt(i + 2) + ")";
  Unexpected(i + 1, Kind::kCountOverItsTime, {call}).Change(RangeOf(i, is_indexed ? i + 3 : i + 2), call);
  Retype(i, PolicyParser::NAME, CountMeantBy(TextAt(i)));
  if (is_indexed) {
    Retype(i + 1, PolicyParser::LPAREN, "(");
    Retype(i + 3, PolicyParser::RPAREN, ")");
    return true;
  }
  Retype(i + 1, PolicyParser::LPAREN, "(");
  InsertBefore(i + 3, PolicyParser::RPAREN, ")");
  return true;
}

// failures > 5 in 60s   5 failures in 60s   failures > 5 in the last 60s   consecutive_failures > 5 in 60s
bool HabitMender::CountWithin(size_t i) {
  // consecutive_failures looks back to the last success, over no time.
  if (IsComparator(TypeAt(i + 1)) && TextAt(i) == "consecutive_failures" && TypeAt(i + 2) == PolicyParser::NUMBER &&
      TypeAt(i + 4) == PolicyParser::NUMBER &&
      (TypeAt(i + 3) == PolicyParser::IN ||
       (TypeAt(i + 3) == PolicyParser::NAME && IsOneOf(TextAt(i + 3), kBackOver)))) {
    Unexpected(i + 3, Kind::kConsecutive, {TextAt(i + 1), TextAt(i + 2), TextAt(i + 4)});
    Drop(i + 3, i + 4);
    return true;
  }
  // in the last 60s
  if (TypeAt(i) == PolicyParser::NAME && IsComparator(TypeAt(i + 1)) && TypeAt(i + 2) == PolicyParser::NUMBER &&
      IsOneOf(TextAt(i), kCounts)) {
    size_t at = i + 3;
    const bool is_word = TypeAt(at) == PolicyParser::IN || (TypeAt(at) == PolicyParser::NAME && IsOneOf(TextAt(at), kBackOver));
    if (is_word) {
      size_t time = at + 1;
      while (time < at + 4 && SameLine(i, time) && TypeAt(time) == PolicyParser::NAME && IsOneOf(TextAt(time), kFillers)) ++time;
      if (time > at + 1 && TypeAt(time) == PolicyParser::NUMBER && SameLine(i, time)) {
        const std::string call = CountMeantBy(TextAt(i)) + "(" + TextAt(time) + ")";
        Unexpected(at, Kind::kCountCompared, {call, TextAt(i + 1), TextAt(i + 2)})
            .Change(RangeOf(i), call)
            .Change({RangeOf(i + 2).end, RangeOf(time).end}, "");
        Retype(i, PolicyParser::NAME, CountMeantBy(TextAt(i)));
        InsertBefore(i + 1, PolicyParser::LPAREN, "(");
        InsertBefore(i + 1, PolicyParser::NUMBER, TextAt(time));
        InsertBefore(i + 1, PolicyParser::RPAREN, ")");
        Drop(at, time);
        return true;
      }
    }
    // failures > 5/60s
    const std::string number = TextAt(i + 2);
    const size_t slash = number.find('/');
    if (slash != std::string::npos && slash > 0 && slash + 1 < number.size() && number.find_first_not_of("0123456789") == slash) {
      const std::string time = number.substr(slash + 1);
      const std::string call = CountMeantBy(TextAt(i)) + "(" + (time[0] >= '0' && time[0] <= '9' ? time : "1" + time) + ")";
      const std::string count = number.substr(0, slash);
      Unexpected(i + 2, Kind::kCountCompared, {call, TextAt(i + 1), count})
          .Change(RangeOf(i), call)
          .Change(RangeOf(i + 2), count);
      Retype(i, PolicyParser::NAME, CountMeantBy(TextAt(i)));
      InsertBefore(i + 1, PolicyParser::LPAREN, "(");
      InsertBefore(i + 1, PolicyParser::NUMBER, call.substr(call.find('(') + 1, call.size() - call.find('(') - 2));
      InsertBefore(i + 1, PolicyParser::RPAREN, ")");
      Retype(i + 2, PolicyParser::NUMBER, count);
      return true;
    }
  }
  const auto is_back = [&](size_t at) {
    return TypeAt(at) == PolicyParser::IN || (TypeAt(at) == PolicyParser::NAME && IsOneOf(TextAt(at), kBackOver));
  };
  const bool may_be_count = TypeAt(i) == PolicyParser::NAME && IsComparator(TypeAt(i + 1)) && TypeAt(i + 2) == PolicyParser::NUMBER &&
                            TypeAt(i + 4) == PolicyParser::NUMBER;
  if (may_be_count && is_back(i + 3) && IsOneOf(TextAt(i), kCounts)) {
    const std::string count = CountMeantBy(TextAt(i));
    const std::string call = count + "(" + TextAt(i + 4) + ")";
    Unexpected(i + 3, Kind::kCountCompared, {call, TextAt(i + 1), TextAt(i + 2)})
        .Change(RangeOf(i), call)
        .Change({RangeOf(i + 2).end, RangeOf(i + 4).end}, "");
    Retype(i, PolicyParser::NAME, count);
    InsertBefore(i + 1, PolicyParser::LPAREN, "(");
    InsertBefore(i + 1, PolicyParser::NUMBER, TextAt(i + 4));
    InsertBefore(i + 1, PolicyParser::RPAREN, ")");
    Drop(i + 3, i + 4);
    return true;
  }
  const bool is_turned = TypeAt(i) == PolicyParser::NUMBER && TypeAt(i + 1) == PolicyParser::NAME &&
                         TypeAt(i + 3) == PolicyParser::NUMBER && is_back(i + 2) && IsOneOf(TextAt(i + 1), kCounts);
  // 5 consecutive failures
  const bool is_in_a_row = TypeAt(i) == PolicyParser::NUMBER && TypeAt(i + 1) == PolicyParser::NAME && TypeAt(i + 2) == PolicyParser::NAME &&
                           SameLine(i, i + 2) && TextAt(i + 1) == "consecutive" && (TextAt(i + 2) == "failures" || TextAt(i + 2) == "errors");
  if (is_in_a_row) {
    const std::string meant = "consecutive_failures >= " + TextAt(i);
    diagnostics_->Emit(Kind::kWriteInstead, RangeOf(i + 1), {Describe(*view_[i + 1]), meant})
        .Change(RangeOf(i, i + 2), meant);
    InsertBefore(i, PolicyParser::NAME, "consecutive_failures");
    InsertBefore(i, PolicyParser::GE, ">=");
    Drop(i + 1, i + 2);
    return true;
  }
  if (!is_turned) return false;
  const std::string meant = CountMeantBy(TextAt(i + 1)) + "(" + TextAt(i + 3) + ") >= " + TextAt(i);
  diagnostics_->Emit(Kind::kWriteInstead, RangeOf(i + 1), {Describe(*view_[i + 1]), meant})
      .Change(RangeOf(i, i + 3), meant);
  InsertBefore(i, PolicyParser::NAME, CountMeantBy(TextAt(i + 1)));
  InsertBefore(i, PolicyParser::LPAREN, "(");
  InsertBefore(i, PolicyParser::NUMBER, TextAt(i + 3));
  InsertBefore(i, PolicyParser::RPAREN, ")");
  InsertBefore(i, PolicyParser::GE, ">=");
  Drop(i + 1, i + 3);
  return true;
}

// latency(p99.9, 60s)
bool HabitMender::PercentileFraction(size_t i) {
  if (TypeAt(i + 1) != PolicyParser::DOT || TypeAt(i + 2) != PolicyParser::NUMBER) return false;
  const std::string text = TextAt(i);
  const bool is_percentile = TypeAt(i) == PolicyParser::NAME && text.size() >= 2 && text[0] == 'p' &&
                             text.find_first_not_of("0123456789", 1) == std::string::npos;
  if (!is_percentile || TypeAt(i + 1) != PolicyParser::DOT || TypeAt(i + 2) != PolicyParser::NUMBER || !Touches(i + 1)) return false;
  const SourceRange range = RangeOf(i, i + 2);
  diagnostics_->Emit(Kind::kPercentileFraction, range, {text}).Change(range, text).Unsafe();
  Drop(i + 1, i + 2);
  return true;
}

}  // namespace compiler::parse
