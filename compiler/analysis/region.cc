#include "compiler/analysis/region.h"

#include <algorithm>
#include <cmath>

namespace compiler::analysis {
namespace {

using abi::BaseType;
using abi::FamilyId;
using abi::FieldId;
using model::CompareOp;
using model::Expr;
using model::ExprKind;
using model::Literal;

constexpr long double kInfinity = std::numeric_limits<long double>::infinity();
constexpr size_t kMostCells = 512;

bool IsWhole(BaseType type) {
  return type != BaseType::kNumber && type != BaseType::kPercent && type != BaseType::kJson;
}

bool IsText(BaseType type) { return type == BaseType::kString || type == BaseType::kSecret; }

abi::Type TypeOf(const Subject& subject) {
  switch (subject.kind) {
    case Subject::Kind::kField: return abi::Fields()[static_cast<size_t>(subject.id)].type;
    case Subject::Kind::kSlot: return abi::Families()[static_cast<size_t>(subject.id)].type;
    case Subject::Kind::kWindow: break;
  }
  return {abi::WindowMeasures()[static_cast<size_t>(subject.id)].type.base, false};
}

NumberSet Between(BaseType type, long double low, long double high) {
  return NumberSet::Of(IsWhole(type), {low, high, false, false});
}

// All values of a type, the absent one left out.
Domain Present(BaseType type) {
  Domain all;
  switch (type) {
    case BaseType::kBool: all.flag = Between(type, 0, 1); break;
    case BaseType::kStatus: all.number = Between(type, 100, 599); break;
    case BaseType::kError: all.number = Between(type, 1, kInfinity); break;
    case BaseType::kMethod:
    case BaseType::kDuration:
    case BaseType::kSize: all.number = Between(type, 0, kInfinity); break;
    case BaseType::kInt: all.number = NumberSet::Everything(true); break;
    case BaseType::kNumber:
    case BaseType::kPercent: all.number = NumberSet::Everything(false); break;
    case BaseType::kString:
    case BaseType::kSecret: all.text = TextSet::Everything(); break;
    case BaseType::kJson:
      all.other = true;
      all.flag = Between(BaseType::kBool, 0, 1);
      all.number = NumberSet::Everything(false);
      all.text = TextSet::Everything();
      break;
    default: break;
  }
  return all;
}

// What one comparison, set or test says of a present value: one of these.
using Values = std::vector<Domain>;

Domain OnlyNumber(NumberSet set) {
  Domain domain;
  domain.number = std::move(set);
  return domain;
}
Domain OnlyText(TextSet set) {
  Domain domain;
  domain.text = std::move(set);
  return domain;
}

long double NumberOf(const Literal& literal) {
  const bool is_double = literal.type == BaseType::kNumber || literal.type == BaseType::kPercent;
  return is_double ? static_cast<long double>(literal.number) : static_cast<long double>(literal.integer);
}

NumberSet Compared(CompareOp op, long double with, bool whole) {
  using Range = NumberSet::Range;
  switch (op) {
    case CompareOp::kEq: return NumberSet::Of(whole, Range{with, with, false, false});
    case CompareOp::kNe: return NumberSet::Of(whole, Range{with, with, false, false}).Not();
    case CompareOp::kLt: return NumberSet::Of(whole, Range{-kInfinity, with, false, true});
    case CompareOp::kLe: return NumberSet::Of(whole, Range{-kInfinity, with, false, false});
    case CompareOp::kGt: return NumberSet::Of(whole, Range{with, kInfinity, true, false});
    case CompareOp::kGe: return NumberSet::Of(whole, Range{with, kInfinity, false, false});
  }
  return NumberSet::Nothing(whole);
}

// The present values of a subject of type `of` for which `value op literal` holds; nullopt where that is not understood.
std::optional<Domain> Satisfying(CompareOp op, const Literal& literal, BaseType of) {
  if (op == CompareOp::kNe) return std::nullopt;  // read as the negation of ==
  if (literal.type == BaseType::kBool) {
    Domain domain;
    domain.flag = Compared(op, NumberOf(literal), true);
    return domain;
  }
  if (IsText(literal.type)) {
    if (op != CompareOp::kEq) return std::nullopt;
    return OnlyText(TextSet::Only({literal.text}));
  }
  if (literal.type == BaseType::kJson || literal.type == BaseType::kNone) return std::nullopt;
  return OnlyNumber(Compared(op, NumberOf(literal), IsWhole(of)));
}

Domain Complement(const Domain& of, const Domain& universe) {
  Domain rest;
  rest.absent = universe.absent && !of.absent;
  rest.other = universe.other && !of.other;
  rest.flag = universe.flag.And(of.flag.Not());
  rest.number = universe.number.And(of.number.Not());
  // Of one comparison or test: nothing, everything, a list, all but a list, or one property.
  TextSet text = TextSet::Nothing();
  if (of.text.only) text = TextSet::Without(*of.text.only);
  else if (!of.text.tests.empty()) {
    TextTest test = of.text.tests[0];
    test.holds = !test.holds;
    text = TextSet::Passing(std::move(test));
  } else if (!of.text.without.empty()) {
    text = TextSet::Only(of.text.without);
  }
  rest.text = universe.text.And(text);
  return rest;
}

// What an expression reads: a subject, and what counts where it is absent.
struct Reading {
  Subject subject;
  BaseType type{};                     // of the value that is compared
  const Literal* otherwise = nullptr;  // null: none
};

std::optional<Reading> ReadingOf(const Expr& expr) {
  if (const auto subject = SubjectOf(expr)) return Reading{*subject, expr.type.base, nullptr};
  if (expr.kind != ExprKind::kCoalesce || expr.operands[1].kind != ExprKind::kLiteral) return std::nullopt;
  const auto subject = SubjectOf(expr.operands[0]);
  if (!subject) return std::nullopt;
  return Reading{*subject, expr.operands[1].literal.type, &expr.operands[1].literal};
}

bool Holds(const Values& values, const Literal& literal) {
  return std::any_of(values.begin(), values.end(), [&](const Domain& domain) {
    if (literal.type == BaseType::kBool) return domain.flag.Contains(NumberOf(literal));
    if (IsText(literal.type)) return domain.text.Contains(literal.text);
    return domain.number.Contains(NumberOf(literal));
  });
}

// The cells of one subject: `values` hold of it where it is present, or of what counts where it is absent.
std::vector<Cell> CellsOf(const Reading& reading, Values values, bool negated) {
  const Domain universe = Universe(reading.subject);
  if (reading.otherwise != nullptr && Holds(values, *reading.otherwise)) {
    // A JSON member of another type counts as absent.
    Domain default_counts = Complement(Present(reading.type), universe);
    default_counts.absent = universe.absent;
    values.push_back(default_counts);
  }
  std::vector<Cell> cells;
  const auto add = [&](const Domain& domain) {
    if (!domain.empty()) cells.push_back(Cell{{{reading.subject, domain}}, {}});
  };
  if (!negated) {
    for (const Domain& domain : values) add(domain.And(universe));
    return cells;
  }
  Domain rest = universe;
  for (const Domain& domain : values) rest = rest.And(Complement(domain, universe));
  add(rest);
  return cells;
}

std::optional<Values> ValuesOf(const Expr& expr, const Reading& reading) {
  switch (expr.kind) {
    case ExprKind::kIn: {
      Values values;
      Domain listed;
      std::set<std::string> texts;
      for (const model::SetMember& member : expr.set) {
        if (IsText(member.low.type)) {
          texts.insert(member.low.text);
        } else if (member.low.type == BaseType::kBool) {
          listed.flag = listed.flag.Or(Compared(CompareOp::kEq, NumberOf(member.low), true));
        } else if (member.low.type == BaseType::kStatus) {
          listed.number = NumberSet::Nothing(true)
                              .Or(listed.number)
                              .Or(NumberSet::Of(true, {static_cast<long double>(member.low.integer),
                                                       static_cast<long double>(member.high), false, false}));
        } else if (member.low.type == BaseType::kJson || member.low.type == BaseType::kNone) {
          return std::nullopt;
        } else {
          listed.number = listed.number.Or(Compared(CompareOp::kEq, NumberOf(member.low), IsWhole(reading.type)));
        }
      }
      listed.text = TextSet::Only(std::move(texts));
      if (!listed.empty()) values.push_back(std::move(listed));
      for (const base::Cidr& network : expr.networks) {
        // ::/0 holds every address, and a client has one.
        if (network.prefix == 0 && reading.subject.Is(FieldId::k_client_ip))
          values.push_back(OnlyText(TextSet::Everything()));
        TextTest test{TextTest::Kind::kInNetwork};
        test.network = network;
        values.push_back(OnlyText(TextSet::Passing(std::move(test))));
      }
      return values;
    }
    case ExprKind::kStringTest: {
      if (expr.operands[1].kind != ExprKind::kLiteral) return std::nullopt;
      constexpr TextTest::Kind kKinds[] = {TextTest::Kind::kStartsWith, TextTest::Kind::kEndsWith,
                                           TextTest::Kind::kContains};
      TextTest test{kKinds[static_cast<size_t>(expr.string_test)]};
      test.text = expr.operands[1].literal.text;
      return Values{OnlyText(TextSet::Passing(std::move(test)))};
    }
    case ExprKind::kMatches: {
      if (expr.pattern == nullptr) return std::nullopt;
      TextTest test{TextTest::Kind::kMatches};
      test.pattern = expr.pattern;
      return Values{OnlyText(TextSet::Passing(std::move(test)))};
    }
    default: return std::nullopt;
  }
}

CompareOp TurnedRound(CompareOp op) {
  switch (op) {
    case CompareOp::kLt: return CompareOp::kGt;
    case CompareOp::kLe: return CompareOp::kGe;
    case CompareOp::kGt: return CompareOp::kLt;
    case CompareOp::kGe: return CompareOp::kLe;
    default: return op;
  }
}

// The cells of a condition that is about one subject; nullopt for any other.
std::optional<std::vector<Cell>> OfOne(const Expr& expr, bool negated) {
  if (expr.kind == ExprKind::kCompare) {
    const bool literal_first = expr.operands[0].kind == ExprKind::kLiteral;
    const Expr& literal = expr.operands[literal_first ? 0 : 1];
    const auto reading = ReadingOf(expr.operands[literal_first ? 1 : 0]);
    if (literal.kind != ExprKind::kLiteral || !reading) return std::nullopt;
    CompareOp op = literal_first ? TurnedRound(expr.compare) : expr.compare;
    if (op == CompareOp::kNe) negated = !negated, op = CompareOp::kEq;
    const auto satisfying = Satisfying(op, literal.literal, reading->type);
    if (!satisfying) return std::nullopt;
    return CellsOf(*reading, {*satisfying}, negated);
  }
  if (expr.kind == ExprKind::kIsNone) {
    const auto subject = SubjectOf(expr.operands[0]);
    if (!subject) return std::nullopt;
    Domain absent;
    absent.absent = true;
    return CellsOf({*subject, {}, nullptr}, {absent}, negated);
  }
  if (expr.kind == ExprKind::kIn || expr.kind == ExprKind::kStringTest || expr.kind == ExprKind::kMatches) {
    const auto reading = ReadingOf(expr.operands[0]);
    if (!reading) return std::nullopt;
    auto values = ValuesOf(expr, *reading);
    if (!values) return std::nullopt;
    return CellsOf(*reading, std::move(*values), negated);
  }
  // A Bool that stands by itself.
  const auto reading = ReadingOf(expr);
  if (!reading || reading->type != BaseType::kBool) return std::nullopt;
  Domain yes;
  yes.flag = Compared(CompareOp::kEq, 1, true);
  return CellsOf(*reading, {yes}, negated);
}

// Members are read of POST, PUT and PATCH; of anything else none is there. False where one must be.
bool LeaveNoMembersToOthers(Cell* cell) {
  const auto method = cell->domains.find(Subject::Of(FieldId::k_request_method));
  if (method == cell->domains.end()) return true;
  constexpr abi::Method kWithBody[] = {abi::Method::kPOST, abi::Method::kPUT, abi::Method::kPATCH};
  if (std::any_of(std::begin(kWithBody), std::end(kWithBody), [&](abi::Method with_body) {
        return method->second.number.Contains(static_cast<long double>(with_body));
      }))
    return true;
  Domain absent;
  absent.absent = true;
  return std::all_of(cell->domains.begin(), cell->domains.end(), [&](auto& one) {
    if (!one.first.IsOf(FamilyId::k_request_json)) return true;
    one.second = one.second.And(absent);
    return !one.second.empty();
  });
}

// False where nothing is in both.
bool Join(Cell* cell, const Cell& other) {
  for (const auto& [subject, domain] : other.domains) {
    const auto [at, is_new] = cell->domains.emplace(subject, domain);
    if (!is_new) at->second = at->second.And(domain);
    if (at->second.empty()) return false;
  }
  for (const auto& [expr, holds] : other.unread) {
    const auto known = std::find_if(cell->unread.begin(), cell->unread.end(),
                                    [&](const auto& one) { return one.first == expr || *one.first == *expr; });
    if (known == cell->unread.end()) cell->unread.emplace_back(expr, holds);
    else if (known->second != holds) return false;
  }
  return LeaveNoMembersToOthers(cell);
}

bool IsUnreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// What stays escaped in a normalised path, in capitals: not letters, and not what any server reads alike with and without.
bool IsEscape(std::string_view three) {
  const auto value = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; };
  if (three.size() < 3 || value(three[1]) < 0 || value(three[2]) < 0) return false;
  const char c = static_cast<char>(value(three[1]) * 16 + value(three[2]));
  return c != '\0' && c != '\\' && !IsUnreserved(c) &&
         std::string_view("!$&'()*,=:@").find(c) == std::string_view::npos;
}

bool HasOnlyPathCharacters(std::string_view text, bool may_break_off) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c <= ' ' || c >= 0x7f || std::string_view("?#\\\"<>^`{|}").find(text[i]) != std::string_view::npos)
      return false;
    if (c != '%') continue;
    if (may_break_off && i + 3 > text.size()) return true;
    if (!IsEscape(text.substr(i, 3))) return false;
  }
  return true;
}

// The segments that normalising takes away. `whole`: the last one ends here.
bool HasDotsOrGaps(std::string_view path, bool whole) {
  size_t from = path.starts_with('/') ? 1 : 0;
  while (from < path.size()) {
    const size_t slash = path.find('/', from);
    if (slash == std::string_view::npos && !whole) return false;
    const std::string_view segment = path.substr(from, slash == std::string_view::npos ? slash : slash - from);
    const std::string_view name = segment.substr(0, segment.find(';'));
    if (segment.empty() || name == "." || name == "..") return true;
    if (slash == std::string_view::npos) return false;
    from = slash + 1;
  }
  return false;
}

bool IsPossible(const Subject& subject, const TextTest& test) {
  if (!test.holds) return true;
  if (subject.Is(FieldId::k_request_path)) {
    if (test.kind == TextTest::Kind::kStartsWith) return test.text.empty() || IsPossiblePathStart(test.text);
    if (test.kind == TextTest::Kind::kEndsWith) return IsPossiblePathEnd(test.text);
    if (test.kind == TextTest::Kind::kContains) return IsPossibleInPath(test.text);
  }
  if (subject.Is(FieldId::k_request_host)) {
    if (test.kind == TextTest::Kind::kStartsWith) return IsPossibleHostStart(test.text);
    if (test.kind == TextTest::Kind::kEndsWith) return IsPossibleHostEnd(test.text);
    if (test.kind == TextTest::Kind::kContains) return IsPossibleInHost(test.text);
  }
  return true;
}

// Takes out of a list what no request has; false where nothing is left.
bool KeepPossible(const Subject& subject, Domain* domain) {
  const bool is_path = subject.Is(FieldId::k_request_path);
  if (!is_path && !subject.Is(FieldId::k_request_host)) return true;
  TextSet& text = domain->text;
  if (text.only)
    std::erase_if(*text.only, [&](const std::string& t) { return !(is_path ? IsPossiblePath(t) : IsPossibleHost(t)); });
  const bool is_possible =
      std::all_of(text.tests.begin(), text.tests.end(), [&](const TextTest& t) { return IsPossible(subject, t); });
  if (!is_possible) text = TextSet::Nothing();
  // A path begins with `/`, but for OPTIONS *.
  for (const TextTest& test : text.tests) {
    if (is_path && !test.holds && test.kind == TextTest::Kind::kStartsWith && test.text == "/" && !text.only)
      text = TextSet::Only({"*"});
  }
  return !domain->empty();
}

}  // namespace

std::optional<Subject> SubjectOf(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kField: return Subject::Of(expr.field);
    case ExprKind::kSlot: return Subject::Of(expr.family, expr.slot);
    case ExprKind::kWindow: {
      // The id only says of what type it is.
      int32_t id = static_cast<int32_t>(abi::WindowMeasureKind::kRequests);
      if (expr.type.base == BaseType::kPercent) id = static_cast<int32_t>(abi::WindowMeasureKind::kFailureRatio);
      if (expr.type.base == BaseType::kDuration) id = static_cast<int32_t>(abi::WindowMeasureKind::kLatency);
      return Subject{Subject::Kind::kWindow, id, expr.slot};
    }
    default: return std::nullopt;
  }
}

Domain Universe(const Subject& subject) {
  const abi::Type type = TypeOf(subject);
  Domain all = Present(type.base);
  all.absent = type.optional;
  if (subject.kind == Subject::Kind::kWindow) {
    const bool is_share = type.base == BaseType::kPercent;
    all.number = Between(type.base, 0, is_share ? 1 : kInfinity);
  }
  if (subject.Is(FieldId::k_attempt)) all.number = Between(type.base, 1, kInfinity);
  return all;
}

Domain Cell::Of(const Subject& subject) const {
  const auto found = domains.find(subject);
  return found == domains.end() ? Universe(subject) : found->second;
}

bool Cell::Reads(FamilyId family) const {
  const auto reads = [&](const auto& self, const Expr& expr) -> bool {
    if (expr.kind == ExprKind::kSlot && expr.family == family) return true;
    return std::any_of(expr.operands.begin(), expr.operands.end(),
                       [&](const Expr& operand) { return self(self, operand); });
  };
  return std::any_of(domains.begin(), domains.end(), [&](const auto& one) { return one.first.IsOf(family); }) ||
         std::any_of(unread.begin(), unread.end(), [&](const auto& one) { return reads(reads, *one.first); });
}

Region Region::Where(const Subject& subject, Domain domain) {
  if (domain.empty()) return Nothing();
  return Region({Cell{{{subject, std::move(domain)}}, {}}});
}

Region Region::And(const Region& other) const {
  Region both({});
  both.is_exact_ = is_exact_ && other.is_exact_;
  for (const Cell& a : cells_) {
    for (const Cell& b : other.cells_) {
      Cell cell = a;
      if (Join(&cell, b)) both.cells_.push_back(std::move(cell));
      if (both.cells_.size() <= kMostCells) continue;
      both = *this;  // larger than both, and so not wrong
      both.is_exact_ = false;
      return both;
    }
  }
  return both;
}

Region Region::Or(const Region& other) const {
  Region any = *this;
  any.is_exact_ = is_exact_ && other.is_exact_;
  any.cells_.insert(any.cells_.end(), other.cells_.begin(), other.cells_.end());
  if (any.cells_.size() <= kMostCells) return any;
  any = Everything();
  any.is_exact_ = false;
  return any;
}

Region Region::Read(const Expr& condition, bool negated) {
  switch (condition.kind) {
    case ExprKind::kNot: return Read(condition.operands[0], !negated);
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      const bool all = (condition.kind == ExprKind::kAnd) != negated;
      Region result = all ? Everything() : Nothing();
      for (const Expr& operand : condition.operands) {
        const Region one = Read(operand, negated);
        result = all ? result.And(one) : result.Or(one);
      }
      return result;
    }
    case ExprKind::kLiteral: return (condition.literal.integer != 0) != negated ? Everything() : Nothing();
    default: break;
  }
  if (auto cells = OfOne(condition, negated)) {
    std::erase_if(*cells, [](Cell& cell) {
      return std::any_of(cell.domains.begin(), cell.domains.end(),
                         [](auto& one) { return !KeepPossible(one.first, &one.second); });
    });
    return Region(std::move(*cells));
  }
  return Region({Cell{{}, {{&condition, !negated}}}});
}

Region Region::Of(const Known& known) {
  Cell cell;
  for (const abi::FieldInfo& field : abi::Fields()) {
    const Abstract value = known.Field(field.id);
    const Subject subject = Subject::Of(field.id);
    Domain domain = Universe(subject);
    domain.absent = value.may_be_absent;
    if (!value.may_be_present) domain = Domain{.absent = true};
    if (value.may_be_present && value.is_number) {
      const NumberSet range = NumberSet::Of(false, {value.low, value.high, false, false});
      domain.flag = domain.flag.And(range);
      domain.number = domain.number.And(range);
    }
    cell.domains.emplace(subject, std::move(domain));
  }
  for (size_t slot = 0; slot < known.windows(); ++slot) {
    const Abstract value = known.Window(static_cast<int32_t>(slot));
    Domain domain;
    domain.number = NumberSet::Of(false, {value.low, value.high, false, false});
    // Of what type the measure is says its use.
    for (const auto kind :
         {abi::WindowMeasureKind::kRequests, abi::WindowMeasureKind::kFailureRatio, abi::WindowMeasureKind::kLatency})
      cell.domains.emplace(Subject{Subject::Kind::kWindow, static_cast<int32_t>(kind), static_cast<int32_t>(slot)},
                           domain);
  }
  return Region({std::move(cell)});
}

bool Never(const Expr& condition, const Region& among) { return Region::Of(condition).And(among).empty(); }
bool Always(const Expr& condition, const Region& among) { return Region::Outside(condition).And(among).empty(); }

bool IsPossiblePath(std::string_view path) {
  if (path == "*") return true;
  return path.starts_with('/') && HasOnlyPathCharacters(path, false) && !HasDotsOrGaps(path, true);
}
bool IsPossiblePathStart(std::string_view start) {
  return start.starts_with('/') && HasOnlyPathCharacters(start, true) && !HasDotsOrGaps(start, false);
}
bool IsPossibleInPath(std::string_view part) {
  return HasOnlyPathCharacters(part, true) && part.find("//") == std::string_view::npos &&
         part.find("/../") == std::string_view::npos && part.find("/./") == std::string_view::npos;
}

bool IsPossiblePathEnd(std::string_view end) {
  const bool is_dots = end.ends_with("/.") || end.ends_with("/..");
  return IsPossibleInPath(end) && !is_dots;
}

bool IsPossibleInHost(std::string_view part) {
  const auto is_wrong = [](char c) {
    return (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) <= ' ' || static_cast<unsigned char>(c) >= 0x7f ||
           std::string_view("/?#@*{}^|\\\"<>`").find(c) != std::string_view::npos;
  };
  return part.find("..") == std::string_view::npos && std::none_of(part.begin(), part.end(), is_wrong);
}
bool IsPossibleHostStart(std::string_view start) { return !start.starts_with('.') && IsPossibleInHost(start); }
bool IsPossibleHostEnd(std::string_view end) { return !end.ends_with('.') && IsPossibleInHost(end); }
// An IPv6 address stands in brackets and has colons; anything else has one only before a port.
bool IsPossibleHost(std::string_view host) {
  const bool is_address = host.starts_with('[') && host.find(']') == host.size() - 1;
  return IsPossibleHostStart(host) && IsPossibleHostEnd(host) &&
         (host.find_first_of(":[]") == std::string_view::npos || is_address);
}

std::string ExampleOf(const Cell& cell) {
  std::string method;
  const Domain methods = cell.Of(Subject::Of(FieldId::k_request_method));
  const Domain all = Universe(Subject::Of(FieldId::k_request_method));
  if (!methods.number.empty() && methods.number.highest() != all.number.highest()) {
    const auto first = static_cast<abi::Method>(static_cast<int32_t>(methods.number.lowest()));
    method = std::string(abi::Name(first)) + " ";
  }
  const auto path = cell.Of(Subject::Of(FieldId::k_request_path)).text.Example(IsPossiblePath);
  return method + path.value_or("/…");
}

}  // namespace compiler::analysis
