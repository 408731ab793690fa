#include "compiler/parse/mistakes/habit_repair.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "PolicyParser.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/mistakes/habit_mender.h"

namespace compiler::parse {

using antlr4::CommonToken;
using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

namespace {

// Directives of nginx, HAProxy and Caddy, which stand before their values without `=`.
struct Directive {
  std::string_view word;
  std::string_view help;
};
constexpr Directive kDirectives[] = {
    {"server", "the address of an upstream is written `url = \"http://host:port\"`; each server is an upstream of its own"},
    {"proxy_pass", "a route names where its requests go: `to = name`, or `to = [first, second]`"},
    {"fastcgi_pass", "a route names where its requests go: `to = name`; upstreams speak HTTP"},
    {"grpc_pass", "a route names where its requests go: `to = name`; upstreams speak HTTP/1.1"},
    {"reverse_proxy", "a route names where its requests go: `to = name`, or `to = [first, second]`"},
    {"use_backend", "a route names where its requests go: `to = name`, and which they are with `when …`"},
    {"default_backend", "the last route, without `when`, takes everything else: `route everything { to = name }`"},
    {"backend", "a route names where its requests go: `to = name`"},
    {"balance", "upstreams are asked in the order of `to = [first, second]`"},
    {"acl", "write the condition in a route, or give it a name: `let is_chat = request.path == \"/api/chat\"`"},
    {"proxy_set_header", "write in the upstream `header[\"Name\"] = \"…\"`"},
    {"add_header", "write in the reply `header[\"Name\"] = \"…\"`"},
    {"proxy_read_timeout", "write in the upstream `timeouts { idle = 30s }`"},
    {"proxy_send_timeout", "write in the upstream `timeouts { idle = 30s }`"},
    {"proxy_connect_timeout", "write in the upstream `timeouts { connect = 2s }`"},
    {"proxy_next_upstream", "failures move on by themselves: `to = [first, second]`; answers do with `next when status == 429`"},
    {"proxy_next_upstream_tries", "`to = [first, second]` asks each of them once; `retry { max_retries = 1 … }` asks one again"},
    {"client_max_body_size", "write in the gateway `limits { body = 16MiB }`"},
    {"error_page", "write a `reply`, and name it in `fallback = [name]`"},
    {"maxconn", "write in the upstream `max_in_flight = 8`"},
    {"keepalive", "connections to an upstream are kept by themselves; leave it out"},
    {"keepalive_timeout", "connections to an upstream are kept by themselves; leave it out"},
    {"return", "write a `reply`, and in the route `reply = name`"},
    {"location", "write `route name { when request.path starts_with \"/api/\"  to = name }`"},
};

constexpr std::string_view kNamedBlocks[] = {"upstream", "route", "reply", "cache", "mock", "retry", "breaker"};

// Words that say of an answer when it comes.
constexpr std::string_view kDelays[] = {"within", "delay", "delayed", "latency", "takes", "taking", "slow"};

template <typename Words>
bool IsOneOf(std::string_view word, const Words& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

bool IsPlainName(std::string_view text) {
  return !text.empty() && !(text[0] >= '0' && text[0] <= '9') &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

}  // namespace

HabitMender::HabitMender(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                         std::vector<std::unique_ptr<Token>>* tokens, std::vector<size_t>* guessed)
    : offsets_(offsets), diagnostics_(diagnostics), owned_(*tokens), guessed_(guessed), dropped_(tokens->size()) {
  view_.reserve(owned_.size());
  types_.reserve(owned_.size());
  lines_.reserve(owned_.size());
  for (const auto& token : owned_) {
    view_.push_back(token.get());
    types_.push_back(token->getType());
    lines_.push_back(token->getLine());
  }
  in_test_.resize(view_.size());
  for (size_t i = 0; i + 1 < view_.size(); ++i) {
    if (TypeAt(i) == PolicyParser::TEST && !in_test_[i]) MarkTest(i);
  }
}

// In this order: what is mended by one is seen by those behind it.
const std::vector<HabitMender::Recogniser>& HabitMender::Recognisers() {
  static const std::vector<Recogniser> kAll = {
      {"test by another name", "it \"a\" {", &HabitMender::TestByAnotherName, PolicyParser::NAME},
      {"head of a test", "test \"a\" = {", &HabitMender::TestHead, PolicyParser::TEST},
      {"let by another name", "const a = 5s", &HabitMender::LetByAnotherName},
      {"import by another name", "include \"a.policy\"", &HabitMender::ImportByAnotherName},
      {"kind before a name", "to = upstream a", &HabitMender::KindBeforeName, PolicyParser::NAME},
      {"verb by another name", "sleep 5s", &HabitMender::VerbByAnotherName},
      {"header without quotes", "header X-Team = \"a\"", &HabitMender::HeaderWithoutQuotes, PolicyParser::NAME},
      {"hyphen", "route chat-api {", &HabitMender::HyphenatedName},
      {"quoted name", "upstream \"small\" {", &HabitMender::QuotedBlockName, PolicyParser::NAME},
      {"dotted name", "route chat.api {", &HabitMender::DottedBlockName, PolicyParser::NAME},
      {"reserved name", "route and {", &HabitMender::ReservedBlockName, PolicyParser::NAME},
      {"block with =", "retry = {", &HabitMender::BlockWithSign, PolicyParser::NAME},
      {"block with :", "retry:\n  max_retries = 2", &HabitMender::BlockWithColon, PolicyParser::NAME},
      {"when with =", "when = x", &HabitMender::WhenWithSign, PolicyParser::WHEN},
      {"when with braces", "when (x) { to = a }", &HabitMender::WhenWithBraces, PolicyParser::WHEN},
      {"unless", "unless x", &HabitMender::Unless, PolicyParser::NAME},
      {"else if", "else if x { to = a }", &HabitMender::ElseIf, PolicyParser::NAME},
      {"allow of several", "allow PL0304, PL0305 because \"x\"", &HabitMender::AllowSeveral, PolicyParser::ALLOW},
      {"allow without because", "allow PL0304", &HabitMender::AllowWithoutReason, PolicyParser::ALLOW},
      {"directive", "proxy_pass http://big;", &HabitMender::ForeignDirective, PolicyParser::NAME},
      {"YAML list", "to:\n  - a", &HabitMender::YamlList, PolicyParser::NAME},
      {"given of an import", "given gpu.large replies 200", &HabitMender::GivenImported, PolicyParser::GIVEN},
      {"given in", "given a replies 200 in 5s", &HabitMender::GivenDelay},
      {"given in other words", "given a returns 200", &HabitMender::GivenInOtherWords, PolicyParser::GIVEN},
      {"how often", "given a replies 503 twice", &HabitMender::HowOftenInOtherWords},
      {"at a time", "send GET \"/\" 3 in parallel", &HabitMender::AtATimeInOtherWords, PolicyParser::NUMBER},
      {"clause", "send POST \"/\" body { \"a\": 1 }", &HabitMender::ClauseInOtherWords},
      {"expect", "expect status 200", &HabitMender::ExpectInOtherWords, PolicyParser::EXPECT},
      {"other brackets", "to = (a, b)", &HabitMender::ListInOtherBrackets, PolicyParser::NAME},
      {"operators", "to = a or b", &HabitMender::ListByOperators, PolicyParser::NAME},
      {"list of lists", "to = [[a, b]]", &HabitMender::ListOfLists, PolicyParser::NAME},
      {"function", "to = round_robin(a, b)", &HabitMender::ListByFunction, PolicyParser::NAME},
      {"is null", "x is not null", &HabitMender::IsNull, PolicyParser::NAME},
      {"two durations", "idle = 1m 30s", &HabitMender::SplitDuration, PolicyParser::NUMBER},
      {"arithmetic", "idle = 2 * 5s", &HabitMender::Arithmetic},
      {"json without {", "rewrite = json [1]", &HabitMender::JsonOfNoObject, PolicyParser::JSON},
      {"operator as function", "starts_with(request.path, \"/a\")", &HabitMender::OperatorAsFunction},
      {"not inside", "body not contains \"x\"", &HabitMender::NotInside},
      {"count over", "failures in 60s > 5", &HabitMender::CountOverBefore, PolicyParser::NAME},
      {"count in", "failures > 5 in 60s", &HabitMender::CountWithin},
      {"p99.9", "latency(p99.9, 60s)", &HabitMender::PercentileFraction},
  };
  return kAll;
}

void HabitMender::Run() {
  for (size_t i = 0; i + 1 < view_.size(); ++i) {
    const size_t type = TypeAt(i);
    const bool may_begin = BeginsOperand(type) || IsKeyword(type) || type == PolicyParser::FOREIGN || IsTestVerb(type) ||
                           (type == PolicyParser::LBRACE && in_test_[i]);
    if (!may_begin) continue;
    for (const Recogniser& recogniser : Recognisers()) {
      const bool may_be = recogniser.begins == kAnyType || recogniser.begins == TypeAt(i);
      if (may_be && !dropped_[i]) (this->*recogniser.mend)(i);
    }
  }
  const bool is_changed = !inserted_.empty() || std::find(dropped_.begin(), dropped_.end(), true) != dropped_.end();
  if (!is_changed) return;
  std::vector<std::unique_ptr<Token>> mended;
  mended.reserve(owned_.size() + inserted_.size());
  for (size_t i = 0; i < owned_.size(); ++i) {
    if (const auto found = inserted_.find(i); found != inserted_.end()) {
      for (const auto& [type, text] : found->second) {
        auto token = std::make_unique<CommonToken>(type, text);
        const Token* before = mended.empty() ? nullptr : mended.back().get();
        if (before != nullptr) {  // behind it, without a width
          token->setLine(before->getLine());
          token->setCharPositionInLine(before->getCharPositionInLine() + 1);
          token->setStartIndex(before->getStopIndex() + 1);
          token->setStopIndex(before->getStopIndex());
        }
        mended.push_back(std::move(token));
      }
    }
    if (!dropped_[i]) mended.push_back(std::move(owned_[i]));
  }
  owned_ = std::move(mended);
}

diagnostics::Diagnostic& HabitMender::Unexpected(size_t i, Kind kind, std::initializer_list<std::string_view> more) {
  const std::string what = Describe(*view_[i]);
  std::vector<std::string_view> arguments = {what};
  arguments.insert(arguments.end(), more);
  return diagnostics_->Emit(kind, RangeOf(i), std::span<const std::string_view>(arguments));
}

void HabitMender::Retype(size_t i, size_t type, const std::string& text) {
  auto* token = static_cast<CommonToken*>(view_[i]);
  token->setType(type);
  token->setText(text);
  types_[i] = type;
}

bool HabitMender::MayBegin(size_t i) const {
  if (i == 0) return true;
  const size_t before = TypeAt(i - 1);
  if (before == PolicyParser::LBRACE || before == PolicyParser::RBRACE) return true;
  return EndsOperand(before) || (before == PolicyParser::FOREIGN && TextAt(i - 1) == ";");
}

size_t HabitMender::PartnerOf(size_t opener) const {
  int depth = 0;
  for (size_t i = opener; i < view_.size() && i < opener + kFar; ++i) {
    if (IsOpener(TypeAt(i))) ++depth;
    if (IsCloser(TypeAt(i)) && --depth == 0) return i;
  }
  return kNone;
}

size_t HabitMender::EndOfCondition(size_t i) const {
  int depth = 0;
  for (size_t j = i; j < view_.size(); ++j) {
    const size_t type = TypeAt(j);
    if (type == Token::EOF || j > i + kFar) return j;
    const size_t before = TypeAt(j - 1);
    const bool ends_operand = EndsOperand(before) || before == PolicyParser::RBRACE;
    if (depth == 0 && j > i && ends_operand && BeginsStatement(view_, j)) return j;
    if (depth == 0 && type == PolicyParser::LBRACE && ends_operand) return j;
    if (IsOpener(type)) ++depth;
    if (IsCloser(type) && depth-- == 0) return j;
  }
  return view_.size();
}

// upstream "small" {
bool HabitMender::QuotedBlockName(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || TypeAt(i + 1) != PolicyParser::STRING || !MayBegin(i) || !SameLine(i, i + 1))
    return false;
  const size_t brace = i + 2 + (TypeAt(i + 2) == PolicyParser::ASSIGN ? 1 : 0);
  if (TypeAt(brace) != PolicyParser::LBRACE || !SameLine(i, brace)) return false;
  const std::string written = TextAt(i + 1);
  std::string bare = written.substr(1, written.size() - 2);
  if (IsPlainName(bare)) {
    diagnostics_->Emit(Kind::kQuotedName, RangeOf(i + 1)).Replace(bare);
  } else {
    for (char& c : bare) c = c == '-' || c == '.' || c == ' ' ? '_' : c;
    if (!IsPlainName(bare)) return false;
    diagnostics_->Emit(Kind::kBadName, RangeOf(i + 1), {written}).Replace(bare).help =
        "a name is written without quotes, in small letters, digits and `_`: `" + bare + "`";
  }
  Retype(i + 1, PolicyParser::NAME, bare);
  return true;
}

// route chat.api {
bool HabitMender::DottedBlockName(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || TypeAt(i + 1) != PolicyParser::NAME || TypeAt(i + 2) != PolicyParser::DOT) return false;
  if (!MayBegin(i) || !IsOneOf(TextAt(i), kNamedBlocks)) return false;
  size_t last = i + 1;
  while (TypeAt(last + 1) == PolicyParser::DOT && (TypeAt(last + 2) == PolicyParser::NAME || TypeAt(last + 2) == PolicyParser::NUMBER)) last += 2;
  if (TypeAt(last + 1) != PolicyParser::LBRACE || !SameLine(i, last + 1)) return false;
  std::string written;
  for (size_t j = i + 1; j <= last; ++j) written += TextAt(j);
  std::string meant = written;
  std::replace(meant.begin(), meant.end(), '.', '_');
  diagnostics_->Emit(Kind::kBadName, RangeOf(i + 1, last), {written}).Change(RangeOf(i + 1, last), meant);
  Drop(i + 2, last);
  Retype(i + 1, PolicyParser::NAME, meant);
  return true;
}

// route and {
bool HabitMender::ReservedBlockName(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !IsKeyword(TypeAt(i + 1)) || TypeAt(i + 2) != PolicyParser::LBRACE) return false;
  if (!MayBegin(i) || !SameLine(i, i + 2) || !IsOneOf(TextAt(i), kNamedBlocks)) return false;
  diagnostics_->Emit(Kind::kReservedWord, RangeOf(i + 1), {TextAt(i + 1)});
  Retype(i + 1, PolicyParser::NAME, TextAt(i + 1));
  return true;
}

// retry = {   upstream small = {   retry: {
bool HabitMender::BlockWithSign(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !MayBegin(i)) return false;
  const bool is_named = TypeAt(i + 1) == PolicyParser::NAME && SameLine(i, i + 1);
  const size_t sign = i + (is_named ? 2 : 1);
  const bool is_foreign = TypeAt(sign) == PolicyParser::FOREIGN && (TextAt(sign) == ":=" || TextAt(sign) == "=>" || TextAt(sign) == "->");
  if (TypeAt(sign) != PolicyParser::ASSIGN && TypeAt(sign) != PolicyParser::COLON && TypeAt(sign) != PolicyParser::EQ && !is_foreign) return false;
  if (TypeAt(sign + 1) != PolicyParser::LBRACE || !SameLine(i, sign + 1)) return false;
  // Else a JSON object without its word, or a list in braces.
  const size_t inside = sign + 2;
  const bool is_list = TypeAt(inside) == PolicyParser::NAME &&
                       (TypeAt(inside + 1) == PolicyParser::COMMA || TypeAt(inside + 1) == PolicyParser::RBRACE);
  const bool may_be_statement = TypeAt(inside) == PolicyParser::NAME || TypeAt(inside) == PolicyParser::WHEN;
  const bool is_map = TypeAt(inside) == PolicyParser::NAME && TypeAt(inside + 1) == PolicyParser::COLON;
  if (!is_named && (is_list || !may_be_statement || ((is_map || TypeAt(inside + 1) == PolicyParser::NAME) && IsListOfNames(i)))) return false;
  const std::string head = TextAt(i) + (is_named ? " " + TextAt(i + 1) : "");
  Unexpected(sign, Kind::kBlockWithoutSign, {TextAt(sign), head}).Change(RangeOf(sign), "");
  Drop(sign);
  return true;
}

// retry: and what is in it further right below, as YAML writes it
bool HabitMender::BlockWithColon(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !IsFirstOnLine(i) || !MayBegin(i)) return false;
  const bool is_named = TypeAt(i + 1) == PolicyParser::NAME && SameLine(i, i + 1);
  const size_t sign = i + (is_named ? 2 : 1);
  const size_t inside = sign + 1;
  if (TypeAt(sign) != PolicyParser::COLON || !SameLine(i, sign) || TypeAt(inside) == Token::EOF ||
      !IsFirstOnLine(inside))
    return false;
  const auto column = [&](size_t at) { return view_[at]->getCharPositionInLine(); };
  const bool is_setting = TypeAt(inside) == PolicyParser::NAME && TypeAt(inside + 1) == PolicyParser::COLON;
  if (column(inside) <= column(i) || !(is_setting || BeginsStatement(view_, inside))) return false;
  size_t end = inside;
  while (end < inside + kFar && TypeAt(end) != Token::EOF && (!IsFirstOnLine(end) || column(end) > column(i))) ++end;
  if (end == inside + kFar) return false;
  const bool is_closed = TypeAt(end) == PolicyParser::RBRACE && column(end) == column(i) && column(i) > 0;
  const std::string head = TextAt(i) + (is_named ? " " + TextAt(i + 1) : "");
  diagnostics::Diagnostic& diagnostic = Unexpected(sign, Kind::kBlockWithBraces, {head}).Change(RangeOf(sign), " {");
  Retype(sign, PolicyParser::LBRACE, "{");
  if (is_closed) return true;
  const SourceRange last = RangeOf(end - 1);
  diagnostic.Change({last.end, last.end}, "\n" + std::string(column(i), ' ') + "}");
  InsertBefore(end, PolicyParser::RBRACE, "}");
  return true;
}

// when = request.path == "/a"
bool HabitMender::WhenWithSign(size_t i) {
  if (TypeAt(i) != PolicyParser::WHEN) return false;
  const size_t type = TypeAt(i + 1);
  if (type != PolicyParser::ASSIGN && type != PolicyParser::COLON) return false;
  const size_t before = i > 0 ? TypeAt(i - 1) : Token::EOF;
  const bool is_word = before == PolicyParser::DOT || before == PolicyParser::LPAREN || before == PolicyParser::COMMA;
  if (is_word) return false;  // a member, or the name of an argument
  Unexpected(i + 1, Kind::kWhenWithoutSign, {TextAt(i + 1)}).Change(RangeOf(i + 1), "");
  Drop(i + 1);
  return true;
}

// when (request.path == "/a") { to = big }
bool HabitMender::WhenWithBraces(size_t i) {
  if (TypeAt(i) != PolicyParser::WHEN || TypeAt(i + 1) == PolicyParser::LBRACE) return false;
  const size_t brace = EndOfCondition(i + 1);
  if (TypeAt(brace) != PolicyParser::LBRACE || !SameLine(brace - 1, brace)) return false;
  const bool holds_statements = BeginsStatement(view_, brace + 1) || TypeAt(brace + 1) == PolicyParser::RBRACE;
  const size_t closer = PartnerOf(brace);
  if (!holds_statements || closer == kNone) return false;
  Unexpected(brace, Kind::kWhenWithoutBraces).Change(RangeOf(brace), "").Change(RangeOf(closer), "");
  Drop(brace);
  Drop(closer);
  return true;
}

// unless request.path == "/a"
bool HabitMender::Unless(size_t i) {
  const size_t next = TypeAt(i + 1);
  if (TypeAt(i) != PolicyParser::NAME || !SameLine(i, i + 1)) return false;
  if (!BeginsOperand(next) && next != PolicyParser::LPAREN && next != PolicyParser::NOT) return false;
  if (TextAt(i) != "unless") return false;
  auto& diagnostic = diagnostics_->Emit(Kind::kUnless, RangeOf(i));
  const size_t last = EndOfCondition(i + 1) - 1;
  if (next == PolicyParser::LPAREN && PartnerOf(i + 1) == last) {
    diagnostic.Replace("when not");
  } else {
    const uint32_t end = RangeOf(last).end;
    diagnostic.Change({RangeOf(i).begin, RangeOf(i + 1).begin}, "when not (").Change({end, end}, ")");
  }
  Retype(i, PolicyParser::WHEN, "when");
  return true;
}

// else if request.path == "/a" { to = big }
bool HabitMender::ElseIf(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !MayBegin(i) || !SameLine(i, i + 1)) return false;
  const std::string word = TextAt(i);
  const bool is_else_if = word == "else" && (TextAt(i + 1) == "if" || TypeAt(i + 1) == PolicyParser::WHEN);
  const bool is_one_word = (word == "elif" || word == "elsif" || word == "elseif") && TypeAt(i + 1) != PolicyParser::ASSIGN;
  if (!is_else_if && !is_one_word) return false;
  const size_t brace = EndOfCondition(i + 1 + (is_else_if ? 1 : 0));
  const size_t last = TypeAt(brace) == PolicyParser::LBRACE ? PartnerOf(brace) : kNone;
  if (last == kNone) return false;
  diagnostics_->Emit(Kind::kElseIf, is_else_if ? RangeOf(i, i + 1) : RangeOf(i),
                     {is_else_if ? word + " " + TextAt(i + 1) : word});
  Drop(i + 1, last);
  Break(i);
  Retype(i, PolicyParser::MISSING, word);
  return true;
}

// allow PL0304, PL0305 because "x"
bool HabitMender::AllowSeveral(size_t i) {
  if (TypeAt(i) != PolicyParser::ALLOW || TypeAt(i + 1) != PolicyParser::NAME || TypeAt(i + 2) != PolicyParser::COMMA) return false;
  size_t last = i + 1;
  while (TypeAt(last + 1) == PolicyParser::COMMA && TypeAt(last + 2) == PolicyParser::NAME) last += 2;
  Unexpected(i + 2, Kind::kOneCodeEach, {TextAt(i + 1)});
  Drop(i + 2, last);
  return true;
}

// allow PL0304
bool HabitMender::AllowWithoutReason(size_t i) {
  if (TypeAt(i) != PolicyParser::ALLOW || TypeAt(i + 1) != PolicyParser::NAME || !SameLine(i, i + 1)) return false;
  if (i > 0 && TypeAt(i - 1) == PolicyParser::DOT) return false;
  if (TypeAt(i + 2) == PolicyParser::COLON && TypeAt(i + 3) == PolicyParser::STRING && SameLine(i, i + 3)) {
    Unexpected(i + 2, Kind::kBecauseBefore, {TextAt(i + 1)}).Change(RangeOf(i + 2), " because");
    Retype(i + 2, PolicyParser::BECAUSE, "because");
    return true;
  }
  // allow PL0304 = "x"   allow PL0304 due to "x"   allow PL0304 because: "x"   allow PL0304 because x
  size_t reason = i + 2;
  while (SameLine(i, reason) && TypeAt(reason) != PolicyParser::STRING && TypeAt(reason) != PolicyParser::RBRACE && TypeAt(reason) != Token::EOF && reason < i + 8) ++reason;
  const bool is_right = TypeAt(i + 2) == PolicyParser::BECAUSE && reason == i + 3;
  if (!is_right && reason > i + 2 && TypeAt(reason) == PolicyParser::STRING && SameLine(i, reason)) {
    Unexpected(TypeAt(i + 2) == PolicyParser::BECAUSE ? i + 3 : i + 2, Kind::kBecauseBefore, {TextAt(i + 1)})
        .Change({RangeOf(i + 2).begin, RangeOf(reason).begin}, "because ");
    Drop(i + 2, reason - 1);
    InsertBefore(reason, PolicyParser::BECAUSE, "because");
    return true;
  }
  if (TypeAt(i + 2) == PolicyParser::BECAUSE && TypeAt(i + 3) == PolicyParser::NAME && SameLine(i, i + 3) && !(TypeAt(i + 4) == PolicyParser::ASSIGN && SameLine(i, i + 4))) {
    size_t last = i + 3;
    while (SameLine(i, last + 1) && TypeAt(last + 1) == PolicyParser::NAME) ++last;
    Unexpected(i + 3, Kind::kReasonInQuotes, {TextAt(i + 1)});
    Drop(i, last);
    return true;
  }
  const bool has_reason = TypeAt(i + 2) == PolicyParser::STRING && SameLine(i, i + 2) && TypeAt(i + 3) != PolicyParser::BECAUSE;
  const bool is_over = IsFirstOnLine(i + 2) || TypeAt(i + 2) == PolicyParser::RBRACE || TypeAt(i + 2) == Token::EOF;
  if (!has_reason && !is_over) return false;
  const std::string code = TextAt(i + 1);
  auto& diagnostic = diagnostics_->Emit(Kind::kNeedsBecause, RangeOf(i + 1), {code});
  if (has_reason) diagnostic.Change({RangeOf(i + 2).begin, RangeOf(i + 2).begin}, "because ");
  Drop(i, has_reason ? i + 2 : i + 1);
  return true;
}

// proxy_pass http://big;
bool HabitMender::ForeignDirective(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !MayBegin(i) || !SameLine(i, i + 1)) return false;
  const size_t next = TypeAt(i + 1);
  if (next == PolicyParser::ASSIGN || next == PolicyParser::WHEN || next == PolicyParser::COLON || next == PolicyParser::RBRACE)
    return false;
  const auto* directive = std::find_if(std::begin(kDirectives), std::end(kDirectives),
                                       [&, word = TextAt(i)](const Directive& d) { return d.word == word; });
  if (directive == std::end(kDirectives)) return false;
  size_t last = i;
  int depth = 0;
  for (size_t j = i + 1; SameLine(i, j) && TypeAt(j) != Token::EOF; ++j) {
    // `location /api/ {`, `reverse_proxy {`: with all that is in it. What may be a block of the language is told as one.
    if (TypeAt(j) == PolicyParser::LBRACE) {
      const bool is_block = directive->word == "location" || directive->word == "reverse_proxy";
      const size_t closer = is_block ? PartnerOf(j) : kNone;
      if (closer == kNone) return false;
      last = closer;
      break;
    }
    if (IsOpener(TypeAt(j))) ++depth;
    if (IsCloser(TypeAt(j)) && depth-- == 0) break;
    last = j;
  }
  diagnostics_->Emit(Kind::kForeignOperator, RangeOf(i), {directive->word, directive->help});
  Drop(i + 1, last);
  Break(i);
  Retype(i, PolicyParser::MISSING, TextAt(i));
  return true;
}

// to:
//   - big
bool HabitMender::YamlList(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !MayBegin(i)) return false;
  const bool has_sign = SameLine(i, i + 1) && (TypeAt(i + 1) == PolicyParser::COLON || TypeAt(i + 1) == PolicyParser::ASSIGN);
  size_t at = i + (has_sign ? 2 : 1);
  if (TypeAt(at) != PolicyParser::MINUS || !IsFirstOnLine(at)) return false;
  const size_t first = at;
  std::vector<size_t> items;
  while (TypeAt(at) == PolicyParser::MINUS && IsFirstOnLine(at) && IsItem(at + 1) && SameLine(at, at + 1) && IsFirstOnLine(at + 2)) {
    items.push_back(at + 1);
    at += 2;
  }
  if (items.empty()) return false;
  const std::string list = TextAt(i) + " = " + ListOf(items);
  diagnostics_
      ->Emit(Kind::kYamlList, has_sign ? RangeOf(i, i + 1) : RangeOf(i),
             {TextAt(i), (has_sign ? TextAt(i + 1) : ""), list})
      .Change(RangeOf(i, items.back()), list);
  if (has_sign) Retype(i + 1, PolicyParser::ASSIGN, "=");
  else InsertBefore(first, PolicyParser::ASSIGN, "=");
  MakeList(first, items.back(), items);
  return true;
}

// given gpu.large replies 200: no mistake; what is imported has a name of two words, which the parser is to see as one.
bool HabitMender::GivenImported(size_t i) {
  if (TypeAt(i) != PolicyParser::GIVEN || TypeAt(i + 1) != PolicyParser::NAME || TypeAt(i + 2) != PolicyParser::DOT) return false;
  if (TypeAt(i + 3) != PolicyParser::NAME || !Touches(i + 2) || !Touches(i + 3)) return false;
  Retype(i + 1, PolicyParser::NAME, TextAt(i + 1) + "." + TextAt(i + 3));
  static_cast<CommonToken*>(view_[i + 1])->setStopIndex(view_[i + 3]->getStopIndex());
  Drop(i + 2, i + 3);
  return true;
}

// given big replies 200 in 5s
bool HabitMender::GivenDelay(size_t i) {
  if (TypeAt(i) != PolicyParser::IN && TypeAt(i) != PolicyParser::NAME) return false;
  if (TypeAt(i + 1) != PolicyParser::NUMBER || !SameLine(i, i + 1)) return false;
  if (TypeAt(i) == PolicyParser::NAME && !IsOneOf(TextAt(i), kDelays)) return false;
  size_t head = i;
  while (head > 0 && SameLine(head - 1, i) && !IsTestVerb(TypeAt(head))) --head;
  if (TypeAt(head) != PolicyParser::GIVEN) return false;
  const bool has_with = TypeAt(i - 1) == PolicyParser::NAME && TextAt(i - 1) == "with";
  Unexpected(i, Kind::kAfterWritten, {TextAt(i + 1)}).Change(RangeOf(has_with ? i - 1 : i, i), "after");
  if (has_with) Drop(i - 1);
  Retype(i, PolicyParser::NAME, "after");
  return true;
}

void RepairHabits(const OffsetMap& offsets, diagnostics::Diagnostics* diagnostics,
                  std::vector<std::unique_ptr<Token>>* tokens, std::vector<size_t>* guessed) {
  HabitMender(offsets, diagnostics, tokens, guessed).Run();
}

}  // namespace compiler::parse
