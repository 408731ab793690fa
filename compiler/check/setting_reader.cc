#include "compiler/check/setting_reader.h"

#include <algorithm>
#include <utility>

#include "compiler/base/text.h"
#include "compiler/check/address.h"
#include "compiler/check/number.h"
#include "compiler/model/print.h"

namespace compiler::check {

using abi::BaseType;
using ast::ExprKind;
using diagnostics::Kind;

namespace {

bool IsLiteral(const model::Expr& expr) { return expr.kind == model::ExprKind::kLiteral; }

// RFC 9110 5.6.2.
bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// Headers that the gateway writes itself: framing and the connection (RFC 9110 7.6.1, RFC 9112 6).
bool IsFramingHeader(std::string_view lower) {
  constexpr std::string_view kNames[] = {"connection", "content-length", "transfer-encoding", "keep-alive", "te",
                                         "trailer",    "upgrade"};
  return std::find(std::begin(kNames), std::end(kNames), lower) != std::end(kNames);
}

std::string Show(BaseType type, int64_t number) {
  if (type == BaseType::kDuration) return model::PrintDuration(number);
  if (type == BaseType::kSize) return model::PrintSize(number);
  return std::to_string(number);
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
  if (list->size() > kMaxSetMembers) {
    diagnostics_->Emit(Kind::kSetTooLarge, value().range,
                       {std::to_string(list->size()), std::to_string(kMaxSetMembers)});
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
    diagnostics_->Emit(Kind::kMissingUnit, at.range, {written, "write `" + written + "%`"}).Replace(written + "%");
  } else if (found->type.base == BaseType::kInt && (type == BaseType::kDuration || type == BaseType::kSize)) {
    const std::string fix = type == BaseType::kDuration ? "write `" + written + "s` or `" + written + "ms`"
                                                        : "write `" + written + "KiB` or `" + written + "MiB`";
    diagnostics_->Emit(Kind::kMissingUnit, at.range, {written, fix})
        .Change(at.range, written + (type == BaseType::kDuration ? "s" : "KiB"))
        .Unsafe();
  } else if (has_unit && (type == BaseType::kDuration || type == BaseType::kSize || type == BaseType::kInt ||
                          type == BaseType::kPercent)) {
    diagnostics_->Emit(Kind::kWrongUnit, at.range, {written, DescribeType(found->type), name(), takes, help});
  } else if (found->type.base == BaseType::kSecret) {
    diagnostics_->Emit(Kind::kSecretLeak, at.range, {"`" + name() + "`"});
  } else {
    auto& diagnostic = diagnostics_->Emit(Kind::kTypeMismatch, at.range, {name(), takes, DescribeValue(*found), help});
    if (found->type.base == BaseType::kString) {
      const Number number = ParseNumber(found->literal.text);
      const bool fits = (type == BaseType::kDuration && number.kind == NumberKind::kDuration) ||
                        (type == BaseType::kSize && number.kind == NumberKind::kSize) ||
                        (type == BaseType::kInt && number.kind == NumberKind::kInt) ||
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
  std::string help =
      above ? Show(type, number - high.integer) + " too much" : Show(type, low.integer - number) + " too little";
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
      diagnostics_->Emit(Kind::kMissingUnit, value().range, {value().text, "write `" + value().text + "/s`"})
          .Replace(value().text + "/s");
    } else {
      Mismatch(value(), "a rate", "something else", "write for example `1KiB/s`");
    }
    return;
  }
  const size_t dots = range_.find("..");
  const std::string_view low = range_.substr(0, dots);
  const std::string_view high = range_.substr(dots + 2);
  if (rate.integer < ParseNumber(low).integer || rate.integer > ParseNumber(high).integer) {
    diagnostics_->Emit(Kind::kOutOfRange, value().range, {name(), value().text, low, high, "bytes of a body in one second"});
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

template <typename Enum>
void SettingReader::ReadWord(Words<Enum> words, Enum& out) {
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
  using model::UpstreamDialect;
  ReadWord<UpstreamDialect>({{"auto", UpstreamDialect::kAuto},
                             {"ollama", UpstreamDialect::kOllama},
                             {"openai", UpstreamDialect::kOpenAi},
                             {"anthropic", UpstreamDialect::kAnthropic}},
                            out);
}

void SettingReader::ReadCommitAt(model::CommitAt& out) {
  ReadWord<model::CommitAt>({{"any_output", model::CommitAt::kAnyOutput}, {"answer", model::CommitAt::kAnswer}}, out);
}

void SettingReader::ReadOnCut(model::OnCut& out) {
  using model::OnCut;
  ReadWord<OnCut>({{"continue", OnCut::kContinue}, {"restart", OnCut::kRestart}, {"error", OnCut::kError}}, out);
}

std::optional<std::string> SettingReader::TextAt(const ast::Expr& at, std::string_view example) {
  const auto constant = Constant(at, BaseType::kString, example);
  if (!constant) return std::nullopt;
  return constant->literal.text;
}

std::optional<model::ListenAddress> SettingReader::AddressAt(const ast::Expr& at) {
  const auto text = TextAt(at, "\"0.0.0.0:8080\"");
  if (!text) return std::nullopt;
  if (expressions_->used_stand_in()) return model::ListenAddress{"127.0.0.1", 0};
  AddressError error;
  auto address = ParseListenAddress(*text, &error);
  if (!address) diagnostics_->Emit(Kind::kBadText, at.range, {*text, error.reason, error.help});
  return address;
}

void SettingReader::ReadListenAddresses(std::vector<model::ListenAddress>& out) {
  std::vector<model::ListenAddress> addresses;
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "an address or a list of them", "an empty list", "write for example `\"0.0.0.0:8080\"`");
    return;
  }
  for (const ast::Expr* item : items) {
    auto address = AddressAt(*item);
    if (!address) return;
    if (address->port != 0 && std::find(addresses.begin(), addresses.end(), *address) != addresses.end()) {
      diagnostics_->Emit(Kind::kBadText, item->range,
                         {address->ToString(), "this address stands in the list twice", "remove one"});
      return;
    }
    addresses.push_back(std::move(*address));
  }
  out = std::move(addresses);
}

void SettingReader::ReadAdminAddress(std::optional<model::ListenAddress>& out) {
  policy_->gateway.admin_is_default = false;
  if (IsWord("off")) {
    out.reset();
  } else if (auto address = AddressAt(value())) {
    out = std::move(address);
  }
}

void SettingReader::ReadMetricsPrefix(std::string& out) {
  const auto text = TextAt(value(), "\"breakwater\"");
  if (!text) return;
  // The names of Prometheus: [a-zA-Z_:][a-zA-Z0-9_:]*.
  const auto is_good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (c >= '0' && c <= '9');
  };
  if (text->empty() || !std::all_of(text->begin(), text->end(), is_good) || (*text)[0] <= '9') {
    diagnostics_->Emit(Kind::kBadText, value().range,
                       {*text, "the name of a metric cannot begin with this",
                        "letters, digits, `_` and `:`, and no digit at the beginning"});
    return;
  }
  out = *text;
}

void SettingReader::ReadAccessLogTarget(model::AccessLog& out) {
  if (IsWord("off")) {
    out = model::AccessLog::kOff;
  } else if (IsWord("stdout")) {
    out = model::AccessLog::kStdout;
  } else if (const auto path = TextAt(value(), "stdout")) {
    if (path->empty() || path->find('\0') != std::string::npos) {
      diagnostics_->Emit(Kind::kBadText, value().range, {*path, "this is no path", "write stdout, off or a path"});
      return;
    }
    out = model::AccessLog::kFile;
    policy_->gateway.access_log_path = *path;
  }
}

void SettingReader::ReadCorsOrigins(model::Cors& out) {
  if (IsWord("off")) {
    out = {};
    return;
  }
  model::Cors cors;
  cors.enabled = true;
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "origins", "an empty list", "write off to allow none");
    return;
  }
  for (const ast::Expr* item : items) {
    const auto text = TextAt(*item, "\"https://chat.example\"");
    if (!text) return;
    if (*text == "*" && items.size() == 1) {
      cors.any_origin = true;
    } else if (IsOrigin(*text)) {
      cors.origins.push_back(*text);
    } else {
      diagnostics_->Emit(
          Kind::kBadText, item->range,
          {*text, *text == "*" ? "\"*\" stands alone: it already allows every origin" : "this is no origin",
           "an origin is written \"https://chat.example\", without a path"});
      return;
    }
  }
  out = std::move(cors);
}

void SettingReader::ReadNetworks(std::vector<base::Cidr>& out) {
  std::vector<base::Cidr> networks;
  for (const ast::Expr* item : Items()) {
    std::optional<std::string> text;
    if (item->kind == ExprKind::kNetwork) text = item->text;
    else text = TextAt(*item, "\"10.0.0.0/8\"");
    if (!text) return;
    if (expressions_->used_stand_in()) continue;
    base::CidrError error;
    const auto network = base::ParseCidr(*text, &error);
    if (!network) {
      diagnostics_->Emit(Kind::kBadText, item->range, {*text, error.reason, error.help});
      return;
    }
    networks.push_back(*network);
  }
  out = std::move(networks);
}

void SettingReader::ReadUpstreamUrl(model::Url& out) {
  if (value().kind == ExprKind::kList) {
    diagnostics_->Emit(Kind::kNotHonoured, value().range, {"a list of urls", ""});
    return;
  }
  auto text = TextAt(value(), "\"http://localhost:11434\"");
  if (!text) return;
  if (expressions_->used_stand_in()) *text = "http://stand-in.invalid";
  if (text->starts_with("https://")) {
    diagnostics_->Emit(Kind::kNotHonoured, value().range, {"https", "; write an http:// address"});
    return;
  }
  AddressError error;
  auto url = ParseUrl(*text, &error);
  if (url) {
    out = std::move(*url);
  } else {
    auto& diagnostic = diagnostics_->Emit(Kind::kBadUrl, value().range, {error.reason, error.help});
    AddressError ignored;
    if (value().kind == ExprKind::kString && ParseUrl("http://" + *text, &ignored))
      diagnostic.Change({value().range.begin + 1, value().range.begin + 1}, "http://").Unsafe();
  }
}

std::optional<std::string> SettingReader::HeaderNameAt(const ast::Expr& at) {
  const auto name_text = TextAt(at, "\"X-Name\"");
  if (!name_text) return std::nullopt;
  if (!IsToken(*name_text)) {
    diagnostics_->Emit(Kind::kBadText, at.range,
                       {*name_text, "this cannot be the name of a header", "names hold letters, digits and `-`"});
    return std::nullopt;
  }
  if (IsFramingHeader(Lower(*name_text))) {
    diagnostics_->Emit(Kind::kBadText, at.range, {*name_text, "the gateway writes this header itself", "remove it"});
    return std::nullopt;
  }
  return name_text;
}

void SettingReader::ReadHeaderNames(std::vector<std::string>& out) {
  std::vector<std::string> names;
  for (const ast::Expr* item : Items()) {
    const auto header_name = HeaderNameAt(*item);
    if (!header_name) return;
    names.push_back(Lower(*header_name));
  }
  out = std::move(names);
}

void SettingReader::ReadHttpPath(std::string& out) {
  const auto path = TextAt(value(), "\"/\"");
  if (!path) return;
  const bool is_clean = std::all_of(path->begin(), path->end(), [](char c) { return c > ' ' && c < 0x7F && c != '#'; });
  if (!path->starts_with('/') || !is_clean) {
    diagnostics_->Emit(Kind::kBadText, value().range,
                       {*path, "this is no path", "a path begins with `/` and holds neither spaces nor `#`"});
    return;
  }
  out = *path;
}

void SettingReader::ReadHeaderText(std::optional<std::string>& out) {
  const auto text = TextAt(value(), "\"application/json\"");
  if (!text) return;
  if (text->empty() || !IsHeaderText(*text)) {
    diagnostics_->Emit(Kind::kBadText, value().range,
                       {name(), "this cannot stand in a header", "write for example \"application/json\""});
    return;
  }
  out = *text;
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

void SettingReader::ReadRetryAfter(std::optional<model::Duration>& out) {
  constexpr std::string_view kExample = "write `retry_after(cap: 8s)`: how long a wait is obeyed";
  const ast::Expr& call = value();
  if (call.kind == ExprKind::kError) return;
  if (call.kind != ExprKind::kCall || call.operands[0].kind != ExprKind::kName ||
      call.operands[0].text != "retry_after") {
    auto& diagnostic =
        Mismatch(call, "retry_after(…)", call.kind == ExprKind::kNumber ? "`" + call.text + "`" : "this", kExample);
    const bool is_misspelt = call.kind == ExprKind::kCall && call.operands[0].kind == ExprKind::kName &&
                             base::EditDistance(call.operands[0].text, "retry_after") <= 4;
    if (is_misspelt) diagnostic.Change(call.operands[0].range, "retry_after");
    return;
  }
  if (call.arguments.size() != 1) {
    diagnostics_->Emit(Kind::kBadArguments, call.range, {"`retry_after` takes its cap", std::string(kExample)});
    return;
  }
  const ast::Argument& argument = call.arguments[0];
  if (!argument.name) {
    diagnostics_->Emit(Kind::kBadArguments, argument.value->range,
                       {"the argument of `retry_after` has a name", std::string(kExample)});
  } else if (argument.name->text != "cap") {
    diagnostics_
        ->Emit(Kind::kUnknownArgument, argument.name->range, {"retry_after", argument.name->text, "it has `cap`"})
        .Replace("cap");
  } else if (const auto ns = DurationAt(*argument.value, "cap", "1ms..24h")) {
    out = model::Duration(*ns);
  }
}

void SettingReader::ReadBackoff(model::BackoffSettings& out) {
  if (auto wait = ExponentialAt(value(), {}, "1ms..1h", /*takes_jitter=*/true)) out = *wait;
}

// exponential(from:, factor:, cap:) and, where it is taken, jitter. What is left out is as in `wait`.
std::optional<model::BackoffSettings> SettingReader::ExponentialAt(const ast::Expr& call, model::BackoffSettings wait,
                                                                   std::string_view range, bool takes_jitter) {
  constexpr std::string_view kExample = "write for example `exponential(from: 500ms, factor: 2, cap: 2s)`";
  if (call.kind != ExprKind::kCall || call.operands[0].kind != ExprKind::kName) {
    if (call.kind == ExprKind::kError) return std::nullopt;
    Mismatch(call, "exponential(…)", call.kind == ExprKind::kNumber ? "`" + call.text + "`" : "this", kExample);
    return std::nullopt;
  }
  if (call.operands[0].text != "exponential") {
    auto& diagnostic =
        diagnostics_->Emit(Kind::kUnknownFunction, call.operands[0].range, {call.operands[0].text, kExample});
    if (base::EditDistance(call.operands[0].text, "exponential") <= 4) diagnostic.Replace("exponential");
    return std::nullopt;
  }
  std::vector<std::string> seen;
  bool good = true;
  const ast::Expr* from_at = &call;
  const ast::Expr* cap_at = nullptr;
  for (const ast::Argument& argument : call.arguments) {
    const ast::Expr& at = *argument.value;
    if (!argument.name) {
      diagnostics_->Emit(Kind::kBadArguments, at.range,
                         {"the arguments of `exponential` have names", std::string(kExample)});
      return std::nullopt;
    }
    const std::string& word = argument.name->text;
    if (std::find(seen.begin(), seen.end(), word) != seen.end()) {
      diagnostics_->Emit(Kind::kSetTwice, argument.name->range, {word});
      good = false;
      continue;
    }
    seen.push_back(word);
    if (word == "from" || word == "cap") {
      const auto ns = DurationAt(at, word, range);
      if (ns) (word == "from" ? wait.from : wait.cap) = model::Duration(*ns);
      (word == "from" ? from_at : cap_at) = &at;
      good = good && ns.has_value();
    } else if (word == "factor" || (word == "jitter" && takes_jitter)) {
      const bool is_factor = word == "factor";
      const auto found = expressions_->CheckValue(at, Place());
      if (!found) return std::nullopt;
      const bool is_number = found->type.base == BaseType::kInt || found->type.base == BaseType::kNumber;
      if (!IsLiteral(*found) || (is_factor ? !is_number : found->type.base != BaseType::kPercent)) {
        if (!is_factor && is_number)
          diagnostics_->Emit(Kind::kMissingUnit, at.range, {at.text, "write `" + at.text + "%`"})
              .Replace(at.text + "%");
        else
          diagnostics_->Emit(Kind::kBadArguments, at.range,
                             {is_factor ? "`factor` is a number" : "`jitter` is a Percent",
                              is_factor ? "write for example `2`" : "write for example `25%`"});
        return std::nullopt;
      }
      const double number =
          found->type.base == BaseType::kInt ? static_cast<double>(found->literal.integer) : found->literal.number;
      if (is_factor ? number < 1 || number > 100 : number < 0 || number > 1) {
        diagnostics_->Emit(Kind::kOutOfRange, at.range,
                           {word, at.text, is_factor ? "1" : "0%", is_factor ? "100" : "100%",
                            is_factor ? "2 doubles the wait each time" : "25% shortens a wait by up to a quarter"});
        return std::nullopt;
      }
      (is_factor ? wait.factor : wait.jitter) = number;
    } else {
      std::vector<std::string_view> known = {"from", "factor", "cap"};
      if (takes_jitter) known.push_back("jitter");
      auto& diagnostic = diagnostics_->Emit(
          Kind::kUnknownArgument, argument.name->range,
          {"exponential", word, takes_jitter ? "it has from, factor, cap and jitter" : "it has from, factor and cap"});
      if (const auto nearest = base::Nearest(word, known)) diagnostic.Replace(std::string(*nearest));
      return std::nullopt;
    }
  }
  if (!good) return std::nullopt;
  if (wait.cap < wait.from) {
    auto& diagnostic =
        diagnostics_->Emit(Kind::kCapBelowFrom, from_at->range,
                           {model::PrintDuration(wait.from.count()), model::PrintDuration(wait.cap.count())});
    if (from_at != &call && cap_at != nullptr)
      diagnostic.Change(from_at->range, model::PrintDuration(wait.cap.count()))
          .Change(cap_at->range, model::PrintDuration(wait.from.count()))
          .Unsafe();
    return std::nullopt;
  }
  return wait;
}

Entity* SettingReader::EntityAt(const ast::Expr& at, std::initializer_list<EntityKind> kinds, Kind unknown,
                                std::string_view wanted) {
  if (at.kind == ExprKind::kError) return nullptr;
  if (at.kind == ExprKind::kString && at.parts.size() == 1 && !at.parts[0].value) {
    diagnostics_->Emit(Kind::kQuotedName, at.range).Replace(at.parts[0].text);
    return nullptr;
  }
  if (at.kind != ExprKind::kName) {
    Mismatch(at, wanted, "this", "write its name");
    return nullptr;
  }
  Entity* entity = scope_->Find(at.text);
  if (entity == nullptr) {
    if (scope_->IsBroken(at.text)) return nullptr;
    const auto candidates = scope_->NamesOf(kinds);
    const auto nearest = base::Nearest(at.text, candidates);
    if (!nearest && scope_->LostABlock()) return nullptr;
    std::string help = nearest ? "did you mean `" + std::string(*nearest) + "`?" : "define it, or name another";
    if (!nearest && !candidates.empty()) {
      help = "there are";
      for (size_t i = 0; i < candidates.size() && i < 8; ++i) help += (i > 0 ? ", " : " ") + std::string(candidates[i]);
    }
    auto& diagnostic = diagnostics_->Emit(unknown, at.range, {at.text, help});
    if (nearest) diagnostic.Replace(std::string(*nearest));
    return nullptr;
  }
  entity->used = true;
  if (std::find(kinds.begin(), kinds.end(), entity->kind) != kinds.end()) return entity;
  if (entity->kind == EntityKind::kUpstream && unknown == Kind::kUnknownFallback) {
    diagnostics_->Emit(Kind::kUpstreamAsFallback, at.range, {at.text});
  } else {
    diagnostics_->Emit(Kind::kWrongKind, at.range, {at.text, ArticleAndWord(entity->kind), wanted, ""})
        .At(entity->range, "it is defined here");
  }
  return nullptr;
}

void SettingReader::ReadTargets(std::vector<model::UpstreamId>& out) {
  const auto items = Items();
  if (items.empty()) {
    Mismatch(value(), "an upstream or a list of them", "an empty list", "name at least one");
    return;
  }
  std::vector<model::UpstreamId> targets;
  bool good = true;
  for (const ast::Expr* item : items) {
    const Entity* entity = EntityAt(*item, {EntityKind::kUpstream}, Kind::kUnknownUpstream, "an upstream");
    if (entity == nullptr) {
      good = false;
      continue;
    }
    const model::UpstreamId id(entity->index);
    if (std::find(targets.begin(), targets.end(), id) != targets.end()) {
      diagnostics_->Emit(Kind::kFallbackTwice, item->range, {item->text}).Change(WithComma(item), "");
      good = false;
    }
    targets.push_back(id);
  }
  if (good) out = std::move(targets);
}

void SettingReader::ReadReplyName(model::ReplyId& out) {
  const Entity* entity = EntityAt(value(), {EntityKind::kReply}, Kind::kUnknownReply, "a reply");
  if (entity != nullptr) out = model::ReplyId(entity->index);
}

void SettingReader::ReadCacheName(model::CacheId& out) {
  const Entity* entity = EntityAt(value(), {EntityKind::kCache}, Kind::kUnknownCache, "a cache");
  if (entity != nullptr) out = model::CacheId(entity->index);
}

void SettingReader::ReadFallbackChain(std::vector<model::FallbackRef>& out) {
  std::vector<model::FallbackRef> chain;
  const ast::Expr* always = nullptr;
  std::string_view always_kind;
  bool good = true;
  for (const ast::Expr* item : Items()) {
    const Entity* entity = EntityAt(*item, {EntityKind::kReply, EntityKind::kCache, EntityKind::kMock},
                                    Kind::kUnknownFallback, "a reply, a cache or a mock");
    if (entity == nullptr) {
      good = false;
      continue;
    }
    model::FallbackRef step;
    bool answers = false;
#define FALLBACK_KIND(word, IdType, always_answers, doc) \
  if (Word(entity->kind) == #word) {                     \
    step = model::IdType(entity->index);                 \
    answers = always_answers;                            \
  }
#include "compiler/model/fallback_kinds.def"
#undef FALLBACK_KIND
    if (std::find(chain.begin(), chain.end(), step) != chain.end()) {
      diagnostics_->Emit(Kind::kFallbackTwice, item->range, {item->text}).Change(WithComma(item), "");
      good = false;
    } else if (always != nullptr) {
      diagnostics_->Emit(Kind::kFallbackUnreached, item->range, {item->text, always_kind, always->text})
          .Change(WithComma(item), "");
      good = false;
    }
    if (answers && always == nullptr) {
      always = item;
      always_kind = Word(entity->kind);
    }
    chain.push_back(step);
  }
  if (good) out = std::move(chain);
}

}  // namespace compiler::check
