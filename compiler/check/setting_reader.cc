#include "compiler/check/setting_reader.h"

#include <algorithm>

#include "base/text.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/expr_parts.h"
#include "compiler/expr/number.h"
#include "compiler/model/print.h"
#include "compiler/model/setting_words.h"

namespace compiler::check {

using expr::DescribeType;
using expr::DescribeValue;
using expr::IsLiteral;
using expr::Number;
using expr::NumberKind;
using expr::ParseNumber;

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;

namespace {

std::string Show(BaseType type, int64_t number) {
  if (type == BaseType::kDuration) return model::PrintDuration(number);
  if (type == BaseType::kSize) return model::PrintSize(number);
  return std::to_string(number);
}

// What others write where a limit is not wanted.
bool SwitchesOff(std::string_view word) {
  constexpr std::string_view kWords[] = {"off",       "no",      "none",     "never",  "infinite", "infinity", "inf",
                                         "unlimited", "forever", "disabled", "disable", "false",    "null"};
  return std::find(std::begin(kWords), std::end(kWords), word) != std::end(kWords);
}

}  // namespace

ExprPlace SettingReader::Place() const {
  ExprPlace place;
  place.phase = abi::Phase::kRoute;
  place.what = quoted_name_;
  place.policy = policy_;
  return place;
}

diagnostics::Diagnostic& SettingReader::Mismatch(const ast::Expr& at, std::string_view takes, const std::string& is,
                             std::string_view help) {
  return diagnostics_->Emit(Kind::kTypeMismatch, at.range, {name(), takes, is, help});
}

bool SettingReader::IsWord(std::string_view word) const {
  return value().kind == ExprKind::kName && value().text == word;
}

std::vector<const ast::Expr*> SettingReader::Items() const {
  const std::vector<ast::Expr>* list =
      value().kind == ExprKind::kList ? &value().operands : expressions_->NamedList(value());
  if (list == nullptr) return {&value()};
  if (list->size() > expr::kMaxSetMembers) {
    diagnostics_->Emit(Kind::kSetTooLarge, value().range,
                       {std::to_string(list->size()), std::to_string(expr::kMaxSetMembers)});
  }
  std::vector<const ast::Expr*> items;
  for (const ast::Expr& item : *list) items.push_back(&item);
  return items;
}

source::SourceRange SettingReader::WithComma(const ast::Expr* item) const {
  const std::vector<const ast::Expr*> items = Items();
  const size_t i = static_cast<size_t>(std::find(items.begin(), items.end(), item) - items.begin());
  if (i > 0 && i < items.size()) return {items[i - 1]->range.end, item->range.end};
  if (items.size() > 1) return {item->range.begin, items[1]->range.begin};
  return item->range;
}

std::optional<model::Expr> SettingReader::Constant(const ast::Expr& at, BaseType type, std::string_view example) {
  const std::string takes = DescribeType({type, false});
  const std::string help = "write for example `" + std::string(example) + "`";
  if (at.kind == ExprKind::kList || at.kind == ExprKind::kJson) {
    Mismatch(at, takes, at.kind == ExprKind::kList ? "a list" : "JSON", help);
    return std::nullopt;
  }
  const bool is_limit = type == BaseType::kDuration || type == BaseType::kSize || type == BaseType::kInt;
  if (at.kind == ExprKind::kName && is_limit && scope_->Find(at.text) == nullptr && SwitchesOff(at.text)) {
    Mismatch(at, takes, "`" + at.text + "`",
             type == BaseType::kDuration ? "a time cannot be switched off: leave it out, or write a long one such as `24h`"
                                         : "a limit cannot be switched off: leave it out, or write a large number");
    return std::nullopt;
  }
  const Number number = at.kind == ExprKind::kNumber ? ParseNumber(at.text) : Number();
  const bool is_rate = number.kind == NumberKind::kRate || number.kind == NumberKind::kByteRate ||
                       (number.kind == NumberKind::kUnknownUnit && at.text.find('/') != std::string::npos);
  if (is_rate && type != BaseType::kPercent) {
    const std::string plain = at.text.substr(0, at.text.find('/'));
    Mismatch(at, takes, "a rate", "`" + at.text + "` is a rate: write `" + plain + "`");
    return std::nullopt;
  }
  std::optional<model::Expr> found = expressions_->CheckValue(at, Place());
  if (!found) return std::nullopt;
  if (!IsLiteral(*found)) {
    diagnostics_->Emit(Kind::kNotConstant, at.range, {name(), help});
    return std::nullopt;
  }
  if (found->type.base == type) return found;
  const std::string written = at.kind == ExprKind::kNumber ? at.text : model::Print(*found);
  const bool has_unit = found->type.base == BaseType::kDuration || found->type.base == BaseType::kSize ||
                        found->type.base == BaseType::kPercent;
  if (found->type.base == BaseType::kInt && type == BaseType::kPercent) {
    diagnostics_->Emit(Kind::kNeedsPercent, at.range, {written}).Replace(written + "%");
  } else if (found->type.base == BaseType::kInt && (type == BaseType::kDuration || type == BaseType::kSize)) {
    diagnostics_->Emit(type == BaseType::kDuration ? Kind::kNeedsTime : Kind::kNeedsSize, at.range, {written})
        .Change(at.range, written + (type == BaseType::kDuration ? "s" : "B"))
        .Unsafe();
  } else if (has_unit && (type == BaseType::kDuration || type == BaseType::kSize || type == BaseType::kInt ||
                          type == BaseType::kPercent)) {
    diagnostics_->Emit(Kind::kWrongUnit, at.range, {written, DescribeType(found->type), name(), takes, help});
  } else if (found->type.base == BaseType::kSecret) {
    diagnostics_->Emit(Kind::kSecretLeak, at.range, {"`" + name() + "`"});
  } else {
    auto& diagnostic = diagnostics_->Emit(Kind::kTypeMismatch, at.range, {name(), takes, DescribeValue(*found), help});
    if (found->type.base == BaseType::kString) {
      const Number in_text = ParseNumber(found->literal.text);
      const bool fits = (type == BaseType::kDuration && in_text.kind == NumberKind::kDuration) ||
                        (type == BaseType::kSize && in_text.kind == NumberKind::kSize) ||
                        (type == BaseType::kInt && in_text.kind == NumberKind::kInt) ||
                        (type == BaseType::kBool && (found->literal.text == "true" || found->literal.text == "false"));
      if (fits) diagnostic.Replace(found->literal.text);
    }
  }
  return std::nullopt;
}

bool SettingReader::InRange(const ast::Expr& at, std::string_view what, int64_t number, std::string_view range) {
  const size_t dots = range.find("..");
  if (dots == std::string_view::npos) return true;
  const Number low = ParseNumber(range.substr(0, dots));
  const Number high = ParseNumber(range.substr(dots + 2));
  if (number >= low.integer && number <= high.integer) return true;
  const BaseType type = low.kind == NumberKind::kDuration ? BaseType::kDuration
                        : low.kind == NumberKind::kSize   ? BaseType::kSize
                                                          : BaseType::kInt;
  const std::string written = at.kind == ExprKind::kNumber ? at.text : Show(type, number);
  const std::string exact = Show(type, number);
  const bool above = number > high.integer;
  const std::string help = above ? "write at most " + Show(type, high.integer) : "write at least " + Show(type, low.integer);
  diagnostics_
      ->Emit(Kind::kOutOfRange, at.range,
             {what, written == exact ? written : written + " = " + exact, Show(type, low.integer),
              Show(type, high.integer), help})
      .Change(at.range, Show(type, above ? high.integer : low.integer))
      .Unsafe();
  return false;
}

std::optional<int64_t> SettingReader::DurationAt(const ast::Expr& at, std::string_view what, std::string_view range) {
  const std::optional<model::Expr> constant = Constant(at, BaseType::kDuration, "15s");
  if (!constant || !InRange(at, what, constant->literal.integer, range)) return std::nullopt;
  return constant->literal.integer;
}

void SettingReader::ReadDuration(model::Duration& out) {
  if (const auto ns = DurationAt(value(), name(), range_)) out = model::Duration(*ns);
}

void SettingReader::ReadOptionalDuration(std::optional<model::Duration>& out) {
  if (const auto ns = DurationAt(value(), name(), range_)) out = model::Duration(*ns);
}

void SettingReader::ReadOpenFor(model::OpenFor& out) {
  const bool is_call = value().kind == ExprKind::kCall;
  if (is_call && value().operands[0].kind == ExprKind::kName && value().operands[0].text == "retry_after") {
    std::optional<model::Duration> cap;
    ReadRetryAfter(cap);
    if (!cap) return;
    out = model::OpenFor(std::min(model::Duration(model::seconds(15)), *cap));
    out.cap = *cap;
    out.by_retry_after = true;
    return;
  }
  if (!is_call) {
    if (const auto ns = DurationAt(value(), name(), range_)) out = model::OpenFor(model::Duration(*ns));
    return;
  }
  model::BackoffSettings defaults;
  defaults.from = model::seconds(15);
  defaults.cap = model::minutes(2);
  if (const auto grows = ExponentialAt(value(), defaults, range_, /*takes_jitter=*/false)) {
    out = {grows->from, grows->factor, grows->cap};
  }
}

void SettingReader::ReadSize(int64_t& out) {
  const auto constant = Constant(value(), BaseType::kSize, "1MiB");
  if (constant && InRange(value(), name(), constant->literal.integer, range_)) out = constant->literal.integer;
}

void SettingReader::ReadOptionalSize(std::optional<int64_t>& out) {
  const auto constant = Constant(value(), BaseType::kSize, "512MiB");
  if (constant && InRange(value(), name(), constant->literal.integer, range_)) out = constant->literal.integer;
}

void SettingReader::ReadInt(int& out) {
  const auto constant = Constant(value(), BaseType::kInt, "2");
  if (constant && InRange(value(), name(), constant->literal.integer, range_))
    out = static_cast<int>(constant->literal.integer);
}

void SettingReader::ReadOptionalInt(std::optional<int>& out) {
  int number = 0;
  const size_t errors = diagnostics_->errors();
  ReadInt(number);
  if (diagnostics_->errors() == errors) out = number;
}

void SettingReader::ReadByteRate(int64_t& out) {
  const Number rate = value().kind == ExprKind::kNumber ? ParseNumber(value().text) : Number();
  if (rate.kind != NumberKind::kByteRate) {
    if (value().kind == ExprKind::kError) return;
    if (rate.kind == NumberKind::kSize) {
      diagnostics_->Emit(Kind::kNeedsPerSecond, value().range, {value().text}).Replace(value().text + "/s");
    } else {
      Mismatch(value(), "a rate", "something else", "write for example `1KiB/s`");
    }
    return;
  }
  const size_t dots = range_.find("..");
  const std::string_view low = range_.substr(0, dots);
  const std::string_view high = range_.substr(dots + 2);
  if (rate.integer < ParseNumber(low).integer || rate.integer > ParseNumber(high).integer) {
    diagnostics_->Emit(Kind::kByteRateRange, value().range, {name(), value().text, low, high});
    return;
  }
  out = rate.integer;
}

void SettingReader::ReadStatus(int& out) {
  if (value().kind == ExprKind::kNumber && ParseNumber(value().text).kind == NumberKind::kStatusClass) {
    Mismatch(value(), "one status", "a class of them", "write for example `503`");
    return;
  }
  const auto constant = Constant(value(), BaseType::kInt, "503");
  if (constant && InRange(value(), name(), constant->literal.integer, range_))
    out = static_cast<int>(constant->literal.integer);
}

void SettingReader::ReadBool(bool& out) {
  const auto constant = Constant(value(), BaseType::kBool, "true");
  if (constant) out = constant->literal.integer != 0;
}

void SettingReader::ReadRepeatSafe(model::RepeatSafe& out) {
  if (IsWord("auto")) {
    out = model::RepeatSafe::kAuto;
    return;
  }
  const auto constant = Constant(value(), BaseType::kBool, "true");
  if (constant) out = constant->literal.integer != 0 ? model::RepeatSafe::kTrue : model::RepeatSafe::kFalse;
}

template <typename Enum>
void SettingReader::ReadWord(const std::vector<std::pair<std::string_view, Enum>>& words, Enum& out) {
  std::string all;
  for (const auto& [word, meaning] : words) {
    if (IsWord(word)) {
      out = meaning;
      return;
    }
    all += (all.empty() ? "" : " or ") + std::string(word);
  }
  const bool is_name = value().kind == ExprKind::kName;
  auto& diagnostic = Mismatch(value(), "a word", is_name ? "`" + value().text + "`" : "a value", "write " + all);
  std::vector<std::string_view> known;
  for (const auto& [word, meaning] : words) known.push_back(word);
  const auto nearest = is_name ? base::Nearest(value().text, known) : std::nullopt;
  if (nearest) diagnostic.Replace(std::string(*nearest));
}

void SettingReader::ReadDialectName(model::UpstreamDialect& out) {
  ReadWord(model::Words<model::UpstreamDialect>(), out);
}

void SettingReader::ReadDecode(model::Decode& out) { ReadWord(model::Words<model::Decode>(), out); }

void SettingReader::ReadCommitAt(model::CommitAt& out) { ReadWord(model::Words<model::CommitAt>(), out); }

void SettingReader::ReadOnCut(model::OnCut& out) { ReadWord(model::Words<model::OnCut>(), out); }

void SettingReader::ReadRedirect(bool& out) { ReadWord<bool>({{"https", true}, {"off", false}}, out); }

std::optional<std::string> SettingReader::TextAt(const ast::Expr& at, std::string_view example) {
  const auto constant = Constant(at, BaseType::kString, example);
  if (!constant) return std::nullopt;
  return constant->literal.text;
}

void SettingReader::ReadAccessLogTarget(model::AccessLog& out) {
  if (IsWord("off")) {
    out = model::AccessLog::kOff;
  } else if (IsWord("stdout")) {
    out = model::AccessLog::kStdout;
  } else if (const auto path = TextAt(value(), "stdout")) {
    if (path->empty() || path->find('\0') != std::string::npos) {
      diagnostics_->Emit(Kind::kBadLogPath, value().range, {*path});
      return;
    }
    out = model::AccessLog::kFile;
    std::string_view where = *path;
    for (const auto& [name, daemon] : {std::pair{std::string_view("syslog:"), model::AccessLog::kSyslog},
                                       std::pair{std::string_view("journald:"), model::AccessLog::kJournald}}) {
      if (!where.starts_with(name)) continue;
      out = daemon;
      where.remove_prefix(name.size());
      if (!where.empty() && !where.starts_with('/')) {
        diagnostics_->Emit(Kind::kBadLogSocket, value().range, {*path, std::string(name)});
        return;
      }
      break;
    }
    policy_->gateway.access_log_path = where;
  }
}

void SettingReader::ReadAccessLogForm(model::AccessLogFormat& out) {
  ReadWord(model::Words<model::AccessLogFormat>(), out);
}

void SettingReader::ReadOptionalPercent(std::optional<double>& out) {
  const auto constant = Constant(value(), BaseType::kPercent, "20%");
  if (!constant) return;
  const size_t dots = range_.find("..");
  const double low = ParseNumber(range_.substr(0, dots)).value;
  const double high = ParseNumber(range_.substr(dots + 2)).value;
  const double share = constant->literal.number;
  if (share >= low && share <= high) {
    out = share;
    return;
  }
  diagnostics_->Emit(Kind::kOutOfRange, value().range,
                     {name(), model::Print(*constant), range_.substr(0, dots), range_.substr(dots + 2), ""});
}

}  // namespace compiler::check
