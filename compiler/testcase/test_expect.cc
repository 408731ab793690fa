#include "compiler/testcase/test_expect.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/number.h"

namespace compiler::testcase {

using expr::Number;
using expr::NumberKind;
using expr::ParseNumber;

using ast::ExprKind;
using diagnostics::Kind;
using model::SubjectTakes;
using model::SubjectType;
using model::TestOp;
using model::TestValue;

namespace {

const model::SubjectInfo& InfoOf(model::TestSubject subject) {
  return model::kTestSubjects[static_cast<size_t>(subject)];
}

struct OpWord {
  std::string_view text;
  TestOp op;
};
constexpr OpWord kOps[] = {{"==", TestOp::kEq},
                           {"!=", TestOp::kNe},
                           {"<", TestOp::kLt},
                           {"<=", TestOp::kLe},
                           {">", TestOp::kGt},
                           {">=", TestOp::kGe},
                           {"contains", TestOp::kContains},
                           {"starts_with", TestOp::kStartsWith},
                           {"ends_with", TestOp::kEndsWith}};

// The route, and its reply, that a policy without routes gets besides `default`.
constexpr std::string_view kServerChanges = "ollama_server_changes";

bool IsOrder(TestOp op) { return op >= TestOp::kLt && op <= TestOp::kGe; }
bool IsTextTest(TestOp op) { return op >= TestOp::kContains; }

bool IsText(SubjectType type) {
  return type == SubjectType::kText || type == SubjectType::kOptionalText || type == SubjectType::kJson;
}

TestValue TextValue(std::string text) {
  TestValue value;
  value.kind = TestValue::Kind::kText;
  value.text = std::move(text);
  return value;
}

TestValue NumberValue(double number, TestValue::Kind kind = TestValue::Kind::kNumber) {
  TestValue value;
  value.kind = kind;
  value.number = value.high = number;
  return value;
}

// Whether something in it was reported already.
bool HasError(const ast::Expr& expr) {
  return expr.kind == ExprKind::kError || std::any_of(expr.operands.begin(), expr.operands.end(), HasError);
}

// What stands behind the operator, for messages.
std::string_view ExampleOf(SubjectType type) {
  switch (type) {
    case SubjectType::kStatus: return "write for example `status == 200` or `status in 5xx`";
    case SubjectType::kNumber: return "write a whole number";
    case SubjectType::kDuration: return "write for example `elapsed < 3s`";
    case SubjectType::kText:
    case SubjectType::kOptionalText: return "write a text in double quotes";
    case SubjectType::kJson: return "write a text in double quotes, a number, true, false or none";
    case SubjectType::kServer:
    case SubjectType::kRoute:
    case SubjectType::kFallback: return "write a name of this policy";
    case SubjectType::kState: return "write closed, half_open or open";
    case SubjectType::kEnd: return "write complete, continued, cut or left";
  }
  return "";
}

}  // namespace

std::optional<model::Expectation> ExpectReader::Read(const ast::Expr& claim) const {
  if (HasError(claim)) return std::nullopt;
  model::Expectation out;
  out.claim = claim.range;
  const ast::Expr* at = &claim;
  while (at->kind == ExprKind::kNot) {
    out.negated = !out.negated;
    at = &at->operands[0];
  }
  switch (at->kind) {
    case ExprKind::kAnd:
    case ExprKind::kOr: EmitJoined(claim, *at); return std::nullopt;
    case ExprKind::kCompare: {
      const auto* op =
          std::find_if(std::begin(kOps), std::end(kOps), [&](const OpWord& o) { return o.text == at->text; });
      if (op == std::end(kOps)) {
        words_.Emit(Kind::kTestOperator, at->word, {at->text});
        return std::nullopt;
      }
      out.op = op->op;
      break;
    }
    case ExprKind::kIn:
      out.op = TestOp::kIn;
      out.negated = out.negated != at->negated;
      break;
    default:
      if (at->kind == ExprKind::kName || at->kind == ExprKind::kCall || at->kind == ExprKind::kIndex ||
          at->kind == ExprKind::kMember) {
        if (!ReadSubject(*at, &out)) return std::nullopt;
      }
      words_.Emit(Kind::kExpectsNoClaim, at->range);
      return std::nullopt;
  }
  if (!ReadSubject(at->operands[0], &out) || !out.is_known || !Fits(*at, out)) return std::nullopt;
  const ast::Expr& right = at->operands[1];
  const bool is_set = right.kind == ExprKind::kSet;
  const ast::Expr* const begin = is_set ? right.operands.data() : &right;
  const ast::Expr* const end = begin + (is_set ? right.operands.size() : 1);
  bool good = true;
  for (const ast::Expr* item = begin; item != end; ++item) {
    auto value = ValueOf(*item, out);
    good = good && value.has_value();
    if (value) out.values.push_back(std::move(*value));
  }
  if (good && out.values.empty()) {
    words_.Emit(Kind::kEmptySet, right.range, {});
    good = false;
  }
  if (!good) return std::nullopt;
  return out;
}

// Several claims in one, `joined`; with `and` between them, each becomes a sentence of its own.
void ExpectReader::EmitJoined(const ast::Expr& claim, const ast::Expr& joined) const {
  const bool is_and = joined.kind == ExprKind::kAnd;
  auto& diagnostic = words_.Emit(is_and ? Kind::kExpectsBoth : Kind::kExpectsEither, joined.range, {});
  // Brackets around it leave no node, and would be torn apart.
  const bool is_whole = &claim == &joined && claim.range.begin == claim.operands.front().range.begin &&
                        claim.range.end == claim.operands.back().range.end &&
                        words_.TextOf({claim.range.begin - 1, claim.range.begin}) != "(";
  if (!is_and || !is_whole) return;
  for (size_t i = 1; i < claim.operands.size(); ++i)
    diagnostic.Change({claim.operands[i - 1].range.end, claim.operands[i].range.begin}, "\n  expect ");
}

bool ExpectReader::ReadSubject(const ast::Expr& at, model::Expectation* out) const {
  const ast::Expr* root = &at;
  while (!root->operands.empty() && root->kind != ExprKind::kName) root = &root->operands[0];
  const model::SubjectInfo* info = nullptr;
  std::vector<std::string_view> names;
  for (const model::SubjectInfo& known : model::kTestSubjects) {
    names.push_back(known.name);
    if (root->kind == ExprKind::kName && root->text == known.name) info = &known;
  }
  // `sent(a).json.model` is `sent.json` of an upstream; its name is made of both words.
  const ast::Expr* sent = nullptr;  // what stands behind `sent(a)`
  if (root->kind == ExprKind::kName && root->text == "sent") {
    for (const ast::Expr* part = &at; part != root; part = &part->operands[0]) {
      if (part->kind == ExprKind::kMember && part->operands[0].kind == ExprKind::kCall) sent = part;
    }
    const std::string name = "sent." + (sent != nullptr ? sent->text : "");
    for (const model::SubjectInfo& known : model::kTestSubjects) {
      if (known.name == name) info = &known;
    }
    if (info == nullptr) {
      words_.Emit(Kind::kSentOfWhat, at.range);
      return false;
    }
  }
  const bool is_member = info != nullptr && info->id == model::TestSubject::kBody && at.kind == ExprKind::kMember;
  if (is_member) info = &InfoOf(model::TestSubject::kJson);
  if (info == nullptr) {
    std::string all;
    for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
    const auto nearest = root->kind == ExprKind::kName ? base::Nearest(root->text, names) : std::nullopt;
    auto& diagnostic =
        words_.Emit(Kind::kUnknownSubject, root->range, {words_.TextOf(root->range), nearest ? "" : "it knows " + all});
    if (nearest) diagnostic.Replace(std::string(*nearest));
    return false;
  }
  out->subject = info->id;
  const auto wrong = [&](const std::string& help) {
    // Behind the name stands what is wrong: `attempts()`, `body.text`.
    const source::SourceRange behind{root->range.end, at.range.end};
    words_.Emit(Kind::kSubjectWritten, behind.begin < behind.end ? behind : at.range, {std::string(info->name), help});
    return false;
  };
  switch (info->takes) {
    case SubjectTakes::kNothing: return at.kind == ExprKind::kName || wrong("write `" + std::string(info->name) + "`");
    case SubjectTakes::kUpstream: {
      const bool is_one = at.kind == ExprKind::kCall && at.operands[0].kind == ExprKind::kName &&
                          at.arguments.size() == 1 && !at.arguments[0].name &&
                          at.arguments[0].value->kind == ExprKind::kName;
      if (!is_one) return wrong("write `" + std::string(info->name) + "(upstream)`");
      const ast::Name name{at.arguments[0].value->text, at.arguments[0].value->range};
      const auto upstream =
          info->id == model::TestSubject::kBreakerState ? words_.UpstreamWithBreaker(name) : words_.UpstreamOf(name);
      if (upstream) out->upstream = *upstream;
      return upstream.has_value();
    }
    case SubjectTakes::kSent:
    case SubjectTakes::kSentText:
    case SubjectTakes::kSentPath: return ReadSent(at, *sent, info->takes, out) || wrong("write for example `sent(large).json.model`, `sent(large).header[\"X\"]` or `sent(large).path`");
    case SubjectTakes::kText: {
      const bool is_one = at.kind == ExprKind::kIndex && at.operands[0].kind == ExprKind::kName &&
                          at.operands[1].kind == ExprKind::kString;
      if (!is_one) return wrong("write `" + std::string(info->name) + "[\"Retry-After\"]`");
      out->key = words_.PlainText(at.operands[1]);
      return true;
    }
    case SubjectTakes::kPath: {
      const ast::Expr* member = &at;
      for (; member->kind == ExprKind::kMember; member = &member->operands[0])
        out->path.insert(out->path.begin(), member->text);
      if (out->path.size() < 2 || out->path[0] != "json" || member->kind != ExprKind::kName)
        return wrong("write for example `body.json.error.code`");
      out->path.erase(out->path.begin());
      return true;
    }
    case SubjectTakes::kMetric:
      return ReadMetric(at, out) || wrong("write for example `metric(\"upstream_retry_total\", upstream: \"large\")`");
  }
  return false;
}

// `part`: the member right behind `sent(a)`. True, with a finding, if the upstream is none.
bool ExpectReader::ReadSent(const ast::Expr& at, const ast::Expr& part, SubjectTakes takes, model::Expectation* out) const {
  const ast::Expr& call = part.operands[0];
  const bool is_one = call.operands[0].kind == ExprKind::kName && call.arguments.size() == 1 && !call.arguments[0].name &&
                      call.arguments[0].value->kind == ExprKind::kName;
  if (!is_one) return false;
  if (takes == SubjectTakes::kSent) {
    if (&at != &part) return false;
  } else if (takes == SubjectTakes::kSentText) {
    if (at.kind != ExprKind::kIndex || &at.operands[0] != &part || at.operands[1].kind != ExprKind::kString) return false;
    out->key = words_.PlainText(at.operands[1]);
  } else {
    for (const ast::Expr* member = &at; member != &part; member = &member->operands[0]) {
      const bool is_key = member->kind == ExprKind::kIndex && member->operands[1].kind == ExprKind::kString;
      if (member->kind != ExprKind::kMember && !is_key) return false;
      out->path.insert(out->path.begin(), is_key ? words_.PlainText(member->operands[1]) : member->text);
    }
    if (out->path.empty()) return false;
  }
  const auto upstream = words_.UpstreamOf({call.arguments[0].value->text, call.arguments[0].value->range});
  if (upstream) out->upstream = *upstream;
  out->is_known = upstream.has_value();
  return true;
}

bool ExpectReader::ReadMetric(const ast::Expr& call, model::Expectation* out) const {
  if (call.kind != ExprKind::kCall || call.operands[0].kind != ExprKind::kName || call.arguments.empty()) return false;
  for (size_t i = 0; i < call.arguments.size(); ++i) {
    const ast::Argument& argument = call.arguments[i];
    const bool is_name = i == 0;
    if (argument.value->kind != ExprKind::kString || argument.name.has_value() == is_name) return false;
    const std::string text = words_.PlainText(*argument.value);
    if (is_name) out->key = text;
    else out->labels.emplace_back(argument.name->text, text);
  }
  return true;
}

// Whether the operator goes with what it is about.
bool ExpectReader::Fits(const ast::Expr& claim, const model::Expectation& about) const {
  const model::SubjectInfo& info = InfoOf(about.subject);
  const bool has_order = info.type == SubjectType::kStatus || info.type == SubjectType::kNumber ||
                         info.type == SubjectType::kDuration || info.type == SubjectType::kJson;
  if (IsOrder(about.op) && !has_order) {
    words_.Emit(Kind::kNoOrder, claim.word, {"`" + std::string(info.name) + "`", claim.text});
    return false;
  }
  if (IsTextTest(about.op) && !IsText(info.type)) {
    words_.Emit(Kind::kNotText, claim.word, {claim.text, "`" + std::string(info.name) + "`"});
    return false;
  }
  return true;
}

std::optional<TestValue> ExpectReader::WordOf(const ast::Expr& at, SubjectType type) const {
  std::vector<std::string_view> words;
  switch (type) {
    case SubjectType::kServer:
      words = words_.NamesOf({"upstream", "reply", "cache", "mock"});
      words.push_back("gateway");
      words.push_back(kServerChanges);
      break;
    case SubjectType::kRoute:
      words = words_.NamesOf({"route"});
      words.push_back("default");
      words.push_back(kServerChanges);
      break;
    case SubjectType::kFallback: words = words_.NamesOf({"reply", "cache", "mock"}); break;
    case SubjectType::kState: words = {"closed", "half_open", "open"}; break;
    case SubjectType::kEnd: words = {"complete", "continued", "cut", "left"}; break;
    default: return std::nullopt;
  }
  if (std::find(words.begin(), words.end(), at.text) != words.end()) return TextValue(at.text);
  if (words_.IsBroken(at.text)) return std::nullopt;
  const auto nearest = base::Nearest(at.text, words);
  if (!nearest && words_.policy_has_errors()) return std::nullopt;
  auto& diagnostic = words_.Emit(Kind::kUnknownName, at.range,
                                 {at.text, nearest ? diagnostics::DidYouMean(*nearest) : std::string(ExampleOf(type))});
  if (nearest) diagnostic.Replace(std::string(*nearest));
  return std::nullopt;
}

std::optional<TestValue> ExpectReader::ValueOf(const ast::Expr& at, const model::Expectation& about) const {
  const SubjectType type = InfoOf(about.subject).type;
  const auto mismatch = [&]() -> std::optional<TestValue> {
    words_.Emit(Kind::kSubjectCompared, at.range, {std::string(InfoOf(about.subject).name), ExampleOf(type)});
    return std::nullopt;
  };
  const bool may_be_none = type == SubjectType::kStatus || type == SubjectType::kOptionalText ||
                           type == SubjectType::kJson || type == SubjectType::kRoute || type == SubjectType::kFallback;
  if (at.kind == ExprKind::kName && at.text == "none" && may_be_none && !IsOrder(about.op) && !IsTextTest(about.op))
    return TestValue();
  if (IsText(type) && at.kind == ExprKind::kString && !IsOrder(about.op)) return TextValue(words_.PlainText(at));
  if (IsTextTest(about.op)) return mismatch();
  if (type == SubjectType::kDuration) {
    const auto time = words_.DurationOf(at);
    if (!time) return std::nullopt;
    return NumberValue(static_cast<double>(time->count()), TestValue::Kind::kDuration);
  }
  if (at.kind == ExprKind::kNumber) {
    const Number number = ParseNumber(at.text);
    if (type == SubjectType::kStatus && number.kind == NumberKind::kStatusClass && about.op == TestOp::kIn) {
      TestValue value = NumberValue(static_cast<double>(number.integer * 100));
      value.high = value.number + 99;
      return value;
    }
    const bool is_whole = number.kind == NumberKind::kInt;
    if (type == SubjectType::kStatus && is_whole && (number.integer < 100 || number.integer > 599)) {
      words_.Emit(Kind::kBadStatus, at.range, {at.text, ""});
      return std::nullopt;
    }
    if (is_whole && (type == SubjectType::kStatus || type == SubjectType::kNumber || type == SubjectType::kJson))
      return NumberValue(static_cast<double>(number.integer));
    if (number.kind == NumberKind::kDecimal && (type == SubjectType::kNumber || type == SubjectType::kJson))
      return NumberValue(number.value);
    return mismatch();
  }
  if (at.kind != ExprKind::kName) return mismatch();
  if (type == SubjectType::kJson && (at.text == "true" || at.text == "false"))
    return NumberValue(at.text == "true" ? 1 : 0, TestValue::Kind::kBool);
  if (type == SubjectType::kServer || type == SubjectType::kRoute || type == SubjectType::kFallback ||
      type == SubjectType::kState || type == SubjectType::kEnd)
    return WordOf(at, type);
  return mismatch();
}

}  // namespace compiler::testcase
