#include "tests/oracle/random_world.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <limits>

#include "compiler/regex/regex.h"

namespace tests::oracle {
namespace {

using namespace std::string_literals;
using compiler::abi::FamilyId;
using compiler::abi::FieldId;
using compiler::abi::JsonKind;
using compiler::abi::JsonValue;
using compiler::abi::Str;

constexpr int64_t kLargest = std::numeric_limits<int64_t>::max();
// clang-format off
constexpr int64_t kIntegers[] = {kLargest, kLargest - 1, -kLargest, -2, -1, 0, 1, 2, 3, 5, 10, 100, 200, 503, 1'000'000,
                                 15'000'000'000, 1LL << 32, (1LL << 32) + 1, 1LL << 53, (1LL << 53) + 1,
                                 -(1LL << 53) - 1};
// clang-format on
constexpr int64_t kStatuses[] = {100, 101, 199, 200, 204, 299, 300, 304, 399, 400, 404, 429, 499, 500, 502, 503, 599};
// JSON cannot write infinity, but what is too large for a double becomes it (1e999).
// clang-format off
constexpr double kNumbers[] = {0.0, -0.0, 0.5, 0.7, 1.0, -1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0, 200.0, 4294967296.0,
                               9007199254740992.0, 9223372036854775808.0, -9223372036854775808.0, 4.9e-324, 1e300,
                               -1e300, std::numeric_limits<double>::infinity()};
// clang-format on
constexpr const char* kJsonTexts[] = {"[]", "{}", "[1]", "[1, 2]", "{\"a\":1}"};

size_t MethodCount() {
  size_t count = 1;
#define METHOD(name, is_idempotent) ++count;
#include "compiler/abi/methods.def"
#undef METHOD
  return count;
}

size_t ErrorCount() {
  size_t count = 1;
#define ERROR_KIND(name, is_timeout, doc) ++count;
#include "compiler/abi/errors.def"
#undef ERROR_KIND
  return count;
}

// Half of them from a handful, so that two of them are often equal, or apart by half.
int64_t RandomInteger(Chance& chance) {
  return chance.OneIn(2) ? static_cast<int64_t>(chance.Below(3)) : chance.Pick(kIntegers);
}
double RandomNumber(Chance& chance) {
  return chance.OneIn(2) ? static_cast<double>(chance.Below(5)) / 2 : chance.Pick(kNumbers);
}

JsonValue RandomJson(Chance& chance, const GuardedTexts& texts) {
  JsonValue json;
  json.kind = static_cast<JsonKind>(chance.Below(8));
  // Members that the kind does not use hold rubbish now and then: nobody may look at them.
  if (chance.OneIn(3)) {
    json.integer = RandomInteger(chance);
    json.number = RandomNumber(chance);
    json.text = texts.Pick(chance);
  }
  switch (json.kind) {
    case JsonKind::kAbsent:
    case JsonKind::kNull: break;
    case JsonKind::kBool: json.integer = static_cast<int64_t>(chance.Below(2)); break;
    case JsonKind::kInteger: json.integer = RandomInteger(chance); break;
    case JsonKind::kNumber: json.number = RandomNumber(chance); break;
    case JsonKind::kString: json.text = texts.Pick(chance); break;
    case JsonKind::kArray:
    case JsonKind::kObject: json.text = Str::Of(chance.Pick(kJsonTexts)); break;
  }
  return json;
}

Str RandomStr(Chance& chance, const GuardedTexts& texts, bool optional) {
  if (chance.OneIn(optional ? 4 : 16)) return Str{};  // absent; where that can't be: an empty one that points nowhere
  return texts.Pick(chance);
}

}  // namespace

const std::vector<std::string>& GuardedTexts::Pool() {
  static const std::vector<std::string> pool = [] {
    std::vector<std::string> texts = {"",
                                      "a",
                                      "b",
                                      "ab",
                                      "abc",
                                      "bc",
                                      "abcd",
                                      "abcdefg",
                                      "abcdefgh",
                                      "Xbcdefgh",
                                      "abcdefgX",
                                      "abcdefghi",
                                      "bcdefghi",
                                      "a\0b"s,
                                      "a\0c"s,
                                      "\0"s,
                                      "模型",
                                      "模",
                                      "型",
                                      "\xff\xfe",
                                      "\x80",
                                      "/api/chat",
                                      "/api/",
                                      "/api/generate",
                                      "chat",
                                      "GET",
                                      "qwen3:32b",
                                      "qwen3:8b",
                                      "true",
                                      "1",
                                      "null",
                                      "abcdefghijklmno",
                                      "abcdefghijklmnop",
                                      "10.0.0.1",
                                      "10.1.2.3",
                                      "10.0.0.256",
                                      "192.168.5.1",
                                      "::ffff:10.0.0.1",
                                      "::1",
                                      "2001:db8::1",
                                      "2001:db8:8000::1",
                                      "fe80::1%eth0"};
    const std::string repeated(200, 'x');
    for (size_t size : {31, 32, 33, 40, 200}) {
      texts.push_back(repeated.substr(0, size));
      texts.push_back("y" + repeated.substr(0, size - 1));
      texts.push_back(repeated.substr(0, size - 1) + "y");
    }
    return texts;
  }();
  return pool;
}

GuardedTexts::GuardedTexts() {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  bytes_ = Pool().size() * 2 * page;
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  memory_ = static_cast<char*>(memory);
  for (size_t i = 0; i < Pool().size(); ++i) {
    char* forbidden = memory_ + (2 * i + 1) * page;
    if (mprotect(forbidden, page, PROT_NONE) != 0) std::abort();
    const std::string& text = Pool()[i];
    char* start = forbidden - text.size();
    std::memcpy(start, text.data(), text.size());
    texts_.push_back({start, static_cast<int64_t>(text.size())});
  }
}

GuardedTexts::~GuardedTexts() { munmap(memory_, bytes_); }

Str GuardedTexts::Pick(Chance& chance) const { return chance.Pick(texts_); }

RandomFacts::RandomFacts(Chance& chance, const GuardedTexts& texts) : chance_(chance), texts_(texts) {
#define FACT_FIELD(language_name, member, Base, optional, phase, doc) Fill(facts_.member, BaseType::k##Base, optional);
#define FACT_FAMILY(language_name, member, Base, optional, phase, doc) FillSlots(facts_.member, optional);
#include "compiler/abi/fact_fields.def"
#undef FACT_FIELD
#undef FACT_FAMILY
  for (const compiler::abi::WindowMeasureInfo& measure : compiler::abi::WindowMeasures()) {
    const bool is_share = measure.type.base == BaseType::kPercent;
    window_.push_back(is_share ? std::bit_cast<int64_t>(RandomNumber(chance_)) : RandomInteger(chance_));
  }
  facts_.window = window_.data();
}

void RandomFacts::Fill(uint8_t& member, BaseType, bool) { member = static_cast<uint8_t>(chance_.Below(2)); }

void RandomFacts::Fill(int32_t& member, BaseType base, bool) {
  member = static_cast<int32_t>(chance_.Below(base == BaseType::kMethod ? MethodCount() : ErrorCount()));
}

void RandomFacts::Fill(int64_t& member, BaseType base, bool optional) {
  if (optional && chance_.OneIn(4)) {
    member = compiler::abi::kAbsentInt;
  } else {
    member = base == BaseType::kStatus ? chance_.Pick(kStatuses) : RandomInteger(chance_);
  }
}

void RandomFacts::Fill(Str& member, BaseType, bool optional) { member = RandomStr(chance_, texts_, optional); }

void RandomFacts::FillSlots(const Str*& member, bool optional) {
  std::vector<Str>& slots = strings_.emplace_back();
  for (int32_t i = 0; i < kSlotsOfEachFamily; ++i) slots.push_back(RandomStr(chance_, texts_, optional));
  member = slots.data();
}

void RandomFacts::FillSlots(const JsonValue*& member, bool) {
  std::vector<JsonValue>& slots = jsons_.emplace_back();
  for (int32_t i = 0; i < kSlotsOfEachFamily; ++i) slots.push_back(RandomJson(chance_, texts_));
  member = slots.data();
}

// --- expressions -----------------------------------------------------------------------------------------------------

namespace {

Literal RandomLiteral(Chance& chance, BaseType type) {
  switch (type) {
    case BaseType::kBool: return Integer(type, static_cast<int64_t>(chance.Below(2)));
    case BaseType::kInt:
    case BaseType::kDuration:
    case BaseType::kSize: return Integer(type, RandomInteger(chance));
    case BaseType::kStatus: return Integer(type, chance.Pick(kStatuses));
    case BaseType::kMethod: return Integer(type, static_cast<int64_t>(1 + chance.Below(MethodCount() - 1)));
    case BaseType::kError: return Integer(type, static_cast<int64_t>(1 + chance.Below(ErrorCount() - 1)));
    case BaseType::kNumber:
    case BaseType::kPercent: return Number(type, RandomNumber(chance));
    case BaseType::kString:
    case BaseType::kSecret: {
      Literal literal = Text(chance.Pick(GuardedTexts::Pool()));
      literal.type = type;
      return literal;
    }
    case BaseType::kJson: {
      Literal literal = Text(chance.Pick(kJsonTexts));
      literal.type = type;
      return literal;
    }
    case BaseType::kNone:
    case BaseType::kInvalid: break;
  }
  std::abort();
}

Expr RandomLiteralExpr(Chance& chance, BaseType type) { return OfLiteral(RandomLiteral(chance, type)); }

// A fact: any field, any slot, any window. Chosen evenly, so that each is met.
Expr RandomFact(Chance& chance) {
  const size_t fields = compiler::abi::Fields().size();
  const size_t families = compiler::abi::Families().size();
  const size_t windows = compiler::abi::WindowMeasures().size();
  const size_t choice = chance.Below(fields + 2 * families + windows);
  if (choice < fields) return Field(static_cast<FieldId>(choice));
  if (choice < fields + 2 * families) {
    return Slot(static_cast<FamilyId>((choice - fields) / 2), static_cast<int32_t>(chance.Below(kSlotsOfEachFamily)));
  }
  return Window(static_cast<int32_t>(choice - fields - 2 * families));
}

Expr RandomFactOf(Chance& chance, BaseType base) {
  for (;;) {
    Expr fact = RandomFact(chance);
    if (fact.type.base == base) return fact;
  }
}

// What a JSON member can become behind `??`.
constexpr BaseType kJsonTargets[] = {BaseType::kString, BaseType::kInt, BaseType::kNumber, BaseType::kBool,
                                     BaseType::kJson};

Expr RandomAtom(Chance& chance);

// Any value; one in four has a `??`.
Expr RandomValue(Chance& chance) {
  Expr value = RandomFact(chance);
  if (value.type.optional && chance.OneIn(3)) {
    const BaseType base = value.type.base == BaseType::kJson ? chance.Pick(kJsonTargets) : value.type.base;
    if (chance.OneIn(4) && value.type.base == base) {
      Expr other = RandomFactOf(chance, base);
      value = Coalesce(base, std::move(value), std::move(other));
    }
    if (chance.OneIn(4) && value.type.base == BaseType::kJson) {
      value = Coalesce(BaseType::kJson, std::move(value), Slot(FamilyId::k_request_json, 1));
    }
    const BaseType default_type = base == BaseType::kNumber && chance.OneIn(2) ? BaseType::kInt : base;
    if (value.type.optional) {
      Expr fallback = base == BaseType::kBool && chance.OneIn(3) ? RandomAtom(chance)  // a condition is a value, too
                                                                 : RandomLiteralExpr(chance, default_type);
      value = Coalesce(base, std::move(value), std::move(fallback));
    }
  } else if (chance.OneIn(24)) {
    value = RandomLiteralExpr(chance, static_cast<BaseType>(chance.Below(static_cast<size_t>(BaseType::kNone))));
  }
  return value;
}

// A type that a value of `base` may be compared with for equality.
BaseType RandomPartner(Chance& chance, BaseType base) {
  switch (base) {
    case BaseType::kJson: return chance.Pick(kJsonTargets);
    case BaseType::kInt: return chance.OneIn(4) ? BaseType::kNumber : base;
    case BaseType::kNumber: return chance.OneIn(3) ? BaseType::kInt : chance.OneIn(3) ? BaseType::kPercent : base;
    case BaseType::kString: return chance.OneIn(6) ? BaseType::kSecret : base;
    case BaseType::kBool:
    case BaseType::kPercent:
    case BaseType::kDuration:
    case BaseType::kSize:
    case BaseType::kStatus:
    case BaseType::kMethod:
    case BaseType::kError:
    case BaseType::kSecret: return base;
    case BaseType::kNone:
    case BaseType::kInvalid: break;
  }
  std::abort();
}

bool CanCompare(BaseType a, BaseType b) {
  if (a == b) return true;
  const auto is_json_scalar = [](BaseType base) {
    return base == BaseType::kString || base == BaseType::kInt || base == BaseType::kNumber || base == BaseType::kBool;
  };
  return (a == BaseType::kJson && is_json_scalar(b)) || (b == BaseType::kJson && is_json_scalar(a)) ||
         (a == BaseType::kInt && b == BaseType::kNumber) || (a == BaseType::kNumber && b == BaseType::kInt);
}

Expr RandomPartnerValue(Chance& chance, BaseType base) {
  if (chance.OneIn(4)) {
    for (int attempt = 0; attempt < 20; ++attempt) {
      Expr other = RandomValue(chance);
      if (CanCompare(base, other.type.base)) return other;
    }
  }
  return RandomLiteralExpr(chance, RandomPartner(chance, base));
}

Expr RandomCompare(Chance& chance) {
  for (;;) {
    Expr a = RandomValue(chance);
    const BaseType base = a.type.base;
    Expr b = RandomPartnerValue(chance, base);
    auto op = static_cast<CompareOp>(chance.Below(6));
    const bool has_order =
        base != BaseType::kJson && b.type.base != BaseType::kJson && !a.type.optional && !b.type.optional;
    if (op != CompareOp::kEq && op != CompareOp::kNe && !has_order) {
      if (chance.OneIn(2)) continue;  // else too few orderings would be left
      op = chance.OneIn(2) ? CompareOp::kEq : CompareOp::kNe;
    }
    if (chance.OneIn(4)) std::swap(a, b);
    return Compare(std::move(a), op, std::move(b));
  }
}

Expr RandomIn(Chance& chance) {
  Expr value = chance.OneIn(4) ? Field(FieldId::k_status) : RandomValue(chance);
  std::vector<SetMember> set;
  const size_t members = 1 + chance.Below(5);
  for (size_t i = 0; i < members; ++i) {
    BaseType type = value.type.base;
    if (type == BaseType::kJson) type = chance.Pick(kJsonTargets);
    SetMember member{RandomLiteral(chance, type), 0};
    member.high = member.low.integer;
    if (type == BaseType::kStatus && chance.OneIn(2)) {
      member.low.integer = member.low.integer / 100 * 100;
      member.high = member.low.integer + 99;
    }
    set.push_back(std::move(member));
  }
  return In(std::move(value), std::move(set));
}

Expr RandomText(Chance& chance) {
  for (;;) {
    Expr value = RandomValue(chance);
    if (value.type.base == BaseType::kString || value.type.base == BaseType::kJson) return value;
  }
}

Expr RandomStringTest(Chance& chance) {
  Expr subject = RandomText(chance);
  Expr pattern = chance.OneIn(4) ? RandomText(chance) : RandomLiteralExpr(chance, BaseType::kString);
  if (chance.OneIn(8)) pattern = OfLiteral(Text(""));
  return TestText(std::move(subject), static_cast<StringTest>(chance.Below(3)), std::move(pattern));
}

Expr RandomIsNone(Chance& chance) {
  for (;;) {
    Expr value = RandomValue(chance);
    if (value.type.optional) return Condition(ExprKind::kIsNone, {std::move(value)});
  }
}

constexpr const char* kNetworks[] = {"10.0.0.0/8", "10.0.0.0/15", "10.0.0.1",      "192.168.4.0/22",
                                     "0.0.0.0/0",  "::/0",        "2001:db8::/32", "2001:db8::/33",
                                     "::1",        "255.0.0.0/8"};

// Networks, and now and then texts beside them.
Expr RandomInNetworks(Chance& chance) {
  Expr expr = In(RandomText(chance), {});
  const size_t members = 1 + chance.Below(4);
  for (size_t i = 0; i < members; ++i) {
    base::CidrError error;
    expr.networks.push_back(base::ParseCidr(chance.Pick(kNetworks), &error).value());
  }
  if (chance.OneIn(3)) expr.set.push_back({RandomLiteral(chance, BaseType::kString), 0});
  return expr;
}

Expr RandomMatches(Chance& chance) {
  Expr expr = Condition(ExprKind::kMatches, {RandomText(chance)});
  expr.slot = static_cast<int32_t>(chance.Below(RandomPatterns().size()));
  expr.pattern = RandomPatterns()[static_cast<size_t>(expr.slot)];
  return expr;
}

// A condition without and, or and not.
Expr RandomAtom(Chance& chance) {
  switch (chance.Below(14)) {
    case 12: return RandomInNetworks(chance);
    case 13: return RandomMatches(chance);
    case 0: return RandomIsNone(chance);
    case 1:
    case 2:
    case 3: return RandomIn(chance);
    case 4:
    case 5: return RandomStringTest(chance);
    case 6:
      if (chance.OneIn(8)) return RandomLiteralExpr(chance, BaseType::kBool);
      for (;;) {
        Expr value = RandomValue(chance);
        if (value.type.base == BaseType::kBool) return value;
      }
    case 7:
      if (chance.OneIn(4)) {
        Expr other = chance.OneIn(2) ? RandomAtom(chance) : RandomLiteralExpr(chance, BaseType::kBool);
        return Compare(RandomAtom(chance), chance.OneIn(2) ? CompareOp::kEq : CompareOp::kNe, std::move(other));
      }
      [[fallthrough]];
    default: return RandomCompare(chance);
  }
}

}  // namespace

const std::vector<std::shared_ptr<const compiler::abi::Pattern>>& RandomPatterns() {
  static const auto patterns = [] {
    std::vector<std::shared_ptr<const compiler::abi::Pattern>> compiled;
    for (const char* source : {"^a", "b", "^(ab|abc)$", "^$", "^[a-d]+$", "(?i)ABC", "型$", "^/api/(chat|generate)$",
                               "^x{31,33}$", "\\x00", "^[0-9.:]+$", "."}) {
      compiled.push_back(compiler::regex::CompilePattern(source).pattern);
      if (compiled.back() == nullptr) std::abort();
    }
    return compiled;
  }();
  return patterns;
}

Expr RandomCondition(Chance& chance, int depth) {
  if (depth == 0 || chance.OneIn(3)) return RandomAtom(chance);
  if (chance.OneIn(4)) return Condition(ExprKind::kNot, {RandomCondition(chance, depth - 1)});
  std::vector<Expr> operands;
  const size_t count = 2 + chance.Below(3);
  for (size_t i = 0; i < count; ++i) operands.push_back(RandomCondition(chance, depth - 1));
  return Condition(chance.OneIn(2) ? ExprKind::kAnd : ExprKind::kOr, std::move(operands));
}

size_t CountNodes(const Expr& expr) {
  size_t nodes = 1;
  for (const Expr& operand : expr.operands) nodes += CountNodes(operand);
  return nodes;
}

}  // namespace tests::oracle
