// PL07 and PL09: conditions that compare with what no request has, that let in whom they should not, or say `or` where `and` was meant.
#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "compiler/analysis/context.h"
#include "compiler/analysis/known_names.h"
#include "compiler/analysis/literal_runs.h"
#include "compiler/analysis/region.h"
#include "compiler/diagnostics/kinds.h"

namespace compiler::analysis {
namespace {

using abi::BaseType;
using abi::FamilyId;
using abi::FieldId;
using model::Expr;
using model::ExprKind;
using PlaceKind = Context::Place::Kind;

// One comparison of a subject with a constant. part: how much of the value it is, or that it is found by a pattern.
struct Comparison {
  enum class Part : uint8_t { kWhole, kStart, kEnd, kSomewhere, kPattern };
  Subject subject;
  Part part{};
  const model::Literal* literal;  // null for a pattern
  std::string_view text;          // of a string or a pattern, else ""
};

const Expr& ReadOf(const Expr& value) { return value.kind == ExprKind::kCoalesce ? value.operands[0] : value; }

void ForEachComparison(const Expr& expr, const std::function<void(const Comparison&)>& look) {
  const auto tell = [&](const Expr& value, Comparison::Part part, const model::Literal& literal) {
    const auto subject = SubjectOf(ReadOf(value));
    if (subject)
      look({*subject, part, &literal,
            literal.type == BaseType::kString ? std::string_view(literal.text) : std::string_view()});
  };
  switch (expr.kind) {
    case ExprKind::kCompare:
      for (const size_t i : {0U, 1U}) {
        if (expr.operands[i].kind == ExprKind::kLiteral)
          tell(expr.operands[1 - i], Comparison::Part::kWhole, expr.operands[i].literal);
      }
      return;
    case ExprKind::kIn:
      for (const model::SetMember& member : expr.set) tell(expr.operands[0], Comparison::Part::kWhole, member.low);
      return;
    case ExprKind::kStringTest: {
      constexpr Comparison::Part kParts[] = {Comparison::Part::kStart, Comparison::Part::kEnd,
                                             Comparison::Part::kSomewhere};
      if (expr.operands[1].kind == ExprKind::kLiteral)
        tell(expr.operands[0], kParts[static_cast<size_t>(expr.string_test)], expr.operands[1].literal);
      return;
    }
    case ExprKind::kMatches:
      if (const auto subject = SubjectOf(ReadOf(expr.operands[0])); subject && expr.pattern != nullptr)
        look({*subject, Comparison::Part::kPattern, nullptr, expr.pattern->source()});
      return;
    default:
      for (const Expr& operand : expr.operands) ForEachComparison(operand, look);
  }
}

bool BeginsWithMethod(std::string_view text) {
  const size_t blank = text.find(' ');
  return blank != std::string_view::npos && abi::MethodOf(text.substr(0, blank)) != abi::Method::kOther;
}

struct Said {
  std::string why;
  std::string instead;
  std::string fixed = {};  // what may have been meant; "" if that is not known
};

bool IsPossibleText(const Comparison& comparison) {
  const std::string_view text = comparison.text;
  switch (comparison.part) {
    case Comparison::Part::kWhole: return IsPossiblePath(text);
    case Comparison::Part::kStart: return text.empty() || IsPossiblePathStart(text);
    case Comparison::Part::kEnd: return IsPossiblePathEnd(text);
    default: return IsPossibleInPath(text);
  }
}

// The part of a path that is written as other tools write one that is left open: "{model}", ":id", "<name>"; "" for none.
std::string_view OpenSegment(std::string_view path) {
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    const bool is_braced = segment.size() > 2 && ((segment.front() == '{' && segment.back() == '}') ||
                                                  (segment.front() == '<' && segment.back() == '>'));
    const bool is_marked = segment.size() > 1 && begin > 0 && segment.front() == ':' && is_letter(segment[1]);
    if (is_braced || is_marked) return segment;
    begin = end + 1;
  }
  return {};
}

// The first piece of a text that only means something in a pattern; "" for none.
std::string_view PieceOfPattern(std::string_view text) {
  constexpr std::string_view kPieces[] = {".*", ".+", "(?", "[^", "[0-9", "[a-z", "[A-Z", "\\d", "\\w", "\\/"};
  for (const std::string_view piece : kPieces) {
    if (text.find(piece) != std::string_view::npos) return piece;
  }
  if (text.starts_with("^/")) return text.substr(0, 1);
  return text.size() > 1 && text.ends_with('$') ? text.substr(text.size() - 1) : std::string_view();
}

// As a pattern with one open part for each of those.
std::string PatternFor(std::string_view path) {
  std::string pattern = "^";
  for (size_t begin = 0; begin < path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view segment = path.substr(begin, end - begin);
    if (!segment.empty() && OpenSegment("/" + std::string(segment)) == segment) pattern += "[^\\/]+";
    else pattern += segment;
    if (end < path.size()) pattern += "\\/";
    begin = end + 1;
  }
  return pattern + "$";
}

// A path that is written as a pattern of another tool: every character of a text stands for itself.
std::optional<Said> TakenForPattern(const Comparison& comparison) {
  const std::string_view text = comparison.text;
  if (const std::string_view segment = OpenSegment(text); !segment.empty())
    return Said{"`" + std::string(segment) + "` stands for itself, and for nothing else",
                "a part that may be anything is told by a pattern: `matches /" + PatternFor(text) + "/`"};
  for (const std::string_view between : {",/", "|/", ", /", "| /", ";/"}) {
    if (text.starts_with('/') && text.find(between) != std::string_view::npos)
      return Said{"this is one path, and no list", "a list stands in braces: `in {\"/a\", \"/b\"}`"};
  }
  if (text.ends_with('*')) return std::nullopt;  // which PL0705 tells
  if (const std::string_view piece = PieceOfPattern(text); !piece.empty())
    return Said{"this is a pattern written as text, in which `" + std::string(piece) + "` stands for itself",
                "patterns stand between slashes: `matches /^\\/api\\//`"};
  return std::nullopt;
}

std::optional<Said> WrongPath(const Comparison& comparison, bool in_pattern) {
  const std::string_view text = comparison.text;
  if (!in_pattern) {
    if (auto pattern = TakenForPattern(comparison)) return pattern;
  }
  if (const size_t mark = text.find('&');
      mark != std::string_view::npos && text.find('=', mark) != std::string_view::npos)
    return Said{"a path has no query", "read it with `request.query[\"name\"]`"};
  if (IsPossibleText(comparison)) return std::nullopt;
  if (BeginsWithMethod(text)) {
    const std::string method(text.substr(0, text.find(' ')));
    return Said{"the method does not stand in the path",
                "write `request.method == " + method + " and request.path == …`"};
  }
  if (text.find("://") != std::string_view::npos)
    return Said{"a path has neither scheme nor host", "write the path alone, and the host as `request.host == …`"};
  if (text.find('?') != std::string_view::npos)
    return Said{"a path has no query", "read it with `request.query[\"name\"]`"};
  if (text.find('#') != std::string_view::npos)
    return Said{"what stands behind a `#` is never sent", "write the path alone"};
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= ' '; }))
    return Said{"no path has a blank in it", "write it without, or as %20"};
  const bool from_start = comparison.part == Comparison::Part::kWhole || comparison.part == Comparison::Part::kStart;
  if (from_start && !text.starts_with('/'))
    return Said{"every path begins with `/`", "write `\"/" + std::string(text) + "\"`", "/" + std::string(text)};
  if (text.find('%') != std::string_view::npos)
    return Said{
        "a path is normalised before it is compared: letters, digits and -._~ stand there as they are, and what stays "
        "escaped is "
        "written in capitals (%2F)",
        "write the characters themselves"};
  if (std::any_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) >= 0x7f || std::string_view("\"<>^`{|}").find(c) != std::string_view::npos;
      }))
    return Said{"what a URI may not hold is escaped before it is compared",
                "write its escape in capitals, as `%7C` for `|`"};
  return Said{"a path is normalised before it is compared, so no `.`, no `..` and no empty part stands in it",
              "write the path that is meant"};
}

std::optional<Said> WrongHost(const Comparison& comparison) {
  const std::string_view text = comparison.text;
  const bool is_possible = comparison.part == Comparison::Part::kWhole   ? IsPossibleHost(text)
                           : comparison.part == Comparison::Part::kStart ? IsPossibleHostStart(text)
                           : comparison.part == Comparison::Part::kEnd   ? IsPossibleHostEnd(text)
                                                                         : IsPossibleInHost(text);
  const bool is_port = comparison.part == Comparison::Part::kEnd && text.find(':') != std::string_view::npos &&
                       text.find_last_not_of("0123456789") == text.rfind(':') && !base::ParseIp(text);
  if (is_possible && !is_port) return std::nullopt;
  if (text.find('/') != std::string_view::npos)
    return Said{"a host has neither scheme nor path", "write the name alone"};
  if (text.find('*') != std::string_view::npos)
    return Said{"the `*` stands for itself, and no host has one",
                "an end is told by `ends_with`: `request.host ends_with \".example.com\"`"};
  if (text.find(':') != std::string_view::npos && base::ParseIp(text))
    return Said{"an IPv6 address stands in brackets", "write `\"[" + std::string(text) + "]\"`",
                "[" + std::string(text) + "]"};
  if (text.find(':') != std::string_view::npos) return Said{"the host comes without its port", "write the name alone"};
  if (std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; }))
    return Said{"a host is compared in lower case", "write `\"" + Lower(text) + "\"`", Lower(text)};
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return Said{"clients send a name with other letters as its ASCII form", "write that: `\"xn--bcher-kva.example\"`"};
  if (text.size() > 1 && text.ends_with('.') && text.find("..") == std::string_view::npos)
    return Said{"the dot at the end of a host is taken away", "write it without"};
  return Said{"no host looks so", "write a name as `example.com`"};
}

// A word for what is not there, or a value of JSON written as text.
std::optional<Said> WrongWord(const Context& context, const Comparison& comparison) {
  if (comparison.part != Comparison::Part::kWhole || comparison.subject.kind != Subject::Kind::kSlot)
    return std::nullopt;
  const std::string lower = Lower(comparison.text);
  const std::string quoted = "`\"" + std::string(comparison.text) + "\"`";
  const bool is_json = comparison.subject.IsOf(FamilyId::k_request_json) ||
                       comparison.subject.IsOf(FamilyId::k_response_json) ||
                       comparison.subject.IsOf(FamilyId::k_chunk_json);
  if (lower == "none" || lower == "null" || lower == "nil" || lower == "undefined") {
    // `"none"` is a value of its own in some bodies (tool_choice, reasoning_effort).
    if (is_json && lower == "none") return std::nullopt;
    return Said{quoted + " is the word, and not the absence of the value",
                "write `" + std::string("none") + "` without quotes"};
  }
  if (!is_json) return std::nullopt;
  if (lower == "true" || lower == "false")
    return Said{quoted + " is text, and not the value that JSON writes without quotes: they are never equal",
                "write `" + lower + "`"};
  const bool is_number =
      !comparison.text.empty() && comparison.text.find_first_not_of("0123456789.-") == std::string_view::npos;
  if (!is_number || !comparison.subject.IsOf(FamilyId::k_request_json)) return std::nullopt;
  const auto& path = context.policy.slots.request_json[static_cast<size_t>(comparison.subject.slot)];
  if (!IsNumberMember(path.back())) return std::nullopt;
  return Said{quoted + " is text, and `" + path.back() + "` is a number: they are never equal",
              "write it without quotes"};
}

// A value of one JSON type compared with a member that always has another one.
std::optional<Said> WrongType(const Context& context, const Comparison& comparison) {
  if (comparison.literal == nullptr || !comparison.subject.IsOf(FamilyId::k_request_json)) return std::nullopt;
  const std::string& member = context.policy.slots.request_json[static_cast<size_t>(comparison.subject.slot)].back();
  const BaseType type = comparison.literal->type;
  const bool is_text = type == BaseType::kString;
  const bool is_flag = type == BaseType::kBool;
  const bool is_number = type == BaseType::kInt || type == BaseType::kNumber;
  if (IsFlagMember(member) && (is_text || is_number))
    return Said{"`" + member + "` is true or false, and never equal to this",
                "write `request.json." + member + " == true`"};
  if (IsNumberMember(member) && is_flag)
    return Said{"`" + member + "` is a number, and never equal to this", "write a number"};
  if (IsTextMember(member) && (is_flag || is_number))
    return Said{"`" + member + "` is text, and never equal to this", "write it in double quotes"};
  return std::nullopt;
}

// Whether a pattern looks for `"name":` with the blanks of one client only.
bool DependsOnBlanks(std::string_view pattern) {
  for (size_t at = pattern.find("\":"); at != std::string_view::npos; at = pattern.find("\":", at + 2)) {
    const std::string_view rest = pattern.substr(at + 2);
    if (rest.empty()) continue;
    const bool is_open = rest[0] == '\\' || rest[0] == '[' || rest[0] == '.' || rest[0] == '(' ||
                         (rest[0] == ' ' && rest.size() > 1 && (rest[1] == '?' || rest[1] == '*'));
    if (!is_open) return true;
  }
  return false;
}

bool SpeaksOfAbsence(const Expr& expr, const Subject& subject);
bool MayPassAbsent(const Expr& expr, const Subject& subject, bool negated = false);
const std::string& HeaderName(const Context& context, const Subject& subject);
std::string Quoted(std::string_view header);

// `request.header["X"] == ""`, where the condition says nothing else of a request without it.
bool MeansAbsence(const Context::Line& line, const Comparison& comparison) {
  return comparison.subject.IsOf(FamilyId::k_request_header) && comparison.part == Comparison::Part::kWhole &&
         comparison.text.empty() && !SpeaksOfAbsence(*line.expr, comparison.subject) &&
         !MayPassAbsent(*line.expr, comparison.subject);
}

void TellOf(Context& context, const Context::Line& line, const Comparison& comparison) {
  const auto emit = [&](Kind kind, std::initializer_list<std::string_view> arguments) -> Diagnostic& {
    const SourceRange at = context.AtString(line, comparison.text);
    Diagnostic& diagnostic = context.diagnostics->Emit(kind, at, arguments);
    Context::AddUse(diagnostic, {at, {}}, *line.origin);
    return diagnostic;
  };
  const bool in_body = comparison.subject.Is(FieldId::k_request_body);
  const bool is_path = comparison.subject.Is(FieldId::k_request_path);
  const bool is_host = comparison.subject.Is(FieldId::k_request_host);
  if (comparison.part == Comparison::Part::kPattern) {
    for (const LiteralRun& run : RunsOf(comparison.text)) {
      if (!is_path && !is_host) break;
      constexpr Comparison::Part kParts[] = {Comparison::Part::kStart, Comparison::Part::kEnd,
                                             Comparison::Part::kSomewhere};
      const Comparison one{comparison.subject, kParts[static_cast<size_t>(run.part)], nullptr, run.text};
      const std::optional<Said> said = is_path ? WrongPath(one, true) : run.any_case ? std::nullopt : WrongHost(one);
      if (!said) continue;
      context.diagnostics->Emit(Kind::kNeverEqual, line.origin->predicate, {run.text, said->why, said->instead});
      return;
    }
    if (in_body && DependsOnBlanks(comparison.text)) {
      context.diagnostics->Emit(Kind::kBlanksOfJson, line.origin->predicate);
    }
    return;
  }
  if (comparison.literal->type != BaseType::kString) {
    if (const auto wrong = WrongType(context, comparison))
      context.diagnostics->Emit(Kind::kNotTheWord, line.origin->predicate, {wrong->why, wrong->instead});
    return;
  }
  std::optional<Said> said;
  if (is_path) said = WrongPath(comparison, false);
  if (is_host) said = WrongHost(comparison);
  // A network in quotes and a `*` have a finding of their own (PL0705).
  const bool is_part = comparison.part != Comparison::Part::kWhole;
  const bool is_address =
      is_part ? Lower(comparison.text).find_first_not_of("0123456789abcdef:.*") == std::string::npos
              : base::ParseIp(comparison.text) || comparison.text.find_first_of("/*") != std::string_view::npos;
  if (comparison.subject.Is(FieldId::k_client_ip) && !is_address)
    said = Said{"it is an address, without a port", "write the address, or a network: `client.ip in {10.0.0.0/8}`"};
  if (said) {
    Diagnostic& diagnostic = emit(Kind::kNeverEqual, {comparison.text, said->why, said->instead});
    const bool is_string =
        context.origins.TextOf(diagnostic.range).starts_with('"') && diagnostic.range.end > diagnostic.range.begin;
    if (!said->fixed.empty() && is_string) diagnostic.Replace("\"" + said->fixed + "\"").Unsafe();
    return;
  }
  auto word = WrongWord(context, comparison);
  if (!word && MeansAbsence(line, comparison)) {
    const std::string header = Quoted(HeaderName(context, comparison.subject));
    word = Said{"a header that is not sent is absent, and not empty: this holds for almost no request",
                "write `" + header + " == none`, or `(" + header + " ?? \"\") == \"\"` for both"};
  }
  if (!word) word = WrongType(context, comparison);
  if (word) {
    emit(Kind::kNotTheWord, {word->why, word->instead});
    return;
  }
  // JSON is written with or without blanks, and its members in any order.
  if (in_body && comparison.text.find('"') != std::string_view::npos) {
    emit(Kind::kNotTheWord,
         {"text in JSON depends on its blanks: what one client writes as `\"a\": 1` another one writes as `\"a\":1`",
          "read the member: `request.json.a == 1`"});
  }
}

bool ReadsSubject(const Expr& expr, const Subject& subject) {
  if (const auto own = SubjectOf(expr); own && *own == subject) return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(),
                     [&](const Expr& operand) { return ReadsSubject(operand, subject); });
}

// Whether the condition says itself what counts where the subject is absent.
bool SpeaksOfAbsence(const Expr& expr, const Subject& subject) {
  if ((expr.kind == ExprKind::kCoalesce || expr.kind == ExprKind::kIsNone) && ReadsSubject(expr.operands[0], subject))
    return true;
  return std::any_of(expr.operands.begin(), expr.operands.end(),
                     [&](const Expr& operand) { return SpeaksOfAbsence(operand, subject); });
}

// False only if the condition surely does not hold where the subject is absent: it stands in equalities and tests alone.
bool MayPassAbsent(const Expr& expr, const Subject& subject, bool negated) {
  const auto passes = [&](const Expr& operand) { return MayPassAbsent(operand, subject, negated); };
  switch (expr.kind) {
    case ExprKind::kNot: return MayPassAbsent(expr.operands[0], subject, !negated);
    case ExprKind::kAnd:
    case ExprKind::kOr:
      return (expr.kind == ExprKind::kAnd) != negated ? std::all_of(expr.operands.begin(), expr.operands.end(), passes)
                                                      : std::any_of(expr.operands.begin(), expr.operands.end(), passes);
    case ExprKind::kCompare:
      if (expr.compare == model::CompareOp::kNe) negated = !negated;
      [[fallthrough]];
    case ExprKind::kIn:
    case ExprKind::kStringTest:
    case ExprKind::kMatches: return negated || !ReadsSubject(expr, subject);
    default: return true;
  }
}

void CollectSubjects(const Expr& expr, std::set<Subject>* subjects) {
  if (const auto subject = SubjectOf(expr)) subjects->insert(*subject);
  for (const Expr& operand : expr.operands) CollectSubjects(operand, subjects);
}

const std::string& HeaderName(const Context& context, const Subject& subject) {
  return context.policy.slots.request_headers[static_cast<size_t>(subject.slot)];
}

std::string Quoted(std::string_view header) { return "request.header[\"" + std::string(header) + "\"]"; }

// Says what a condition is about: "are sent to some path", for the sentence of kWhensAreOr.
std::string About(const Context& context, const std::set<Subject>& subjects) {
  std::string text;
  for (const Subject& subject : subjects) {
    std::string one = "its value";
    if (subject.kind == Subject::Kind::kField) one = abi::Fields()[static_cast<size_t>(subject.id)].name;
    if (subject.IsOf(FamilyId::k_request_header)) one = Quoted(HeaderName(context, subject));
    text += (text.empty() ? "" : " and ") + one;
  }
  return "this line says of " + text;
}

}  // namespace

void CheckTexts(Context& context) {
  context.ForEachLine([&](const Context::Place&, const Context::Line& line) {
    ForEachComparison(*line.expr, [&](const Comparison& comparison) { TellOf(context, line, comparison); });
  });
}

// Two lines of a route of which one says who asks and the other one what for: each of them alone lets in.
void CheckWhenLines(Context& context) {
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const auto& when = context.Route(id).when;
    if (!when) continue;
    const auto lines = context.Lines(context.OriginOf(id), "", *when);
    for (size_t n = 1; n < lines.size(); ++n) {
      std::set<Subject> first;
      std::set<Subject> second;
      CollectSubjects(*lines[n - 1].expr, &first);
      CollectSubjects(*lines[n].expr, &second);
      const bool overlap =
          std::any_of(first.begin(), first.end(), [&](const Subject& s) { return second.count(s) > 0; });
      const auto is_who = [](const Subject& s) {
        return s.Is(FieldId::k_client_ip) || s.Is(FieldId::k_client_tls) || s.IsOf(FamilyId::k_request_header) ||
               s.Is(FieldId::k_request_method);
      };
      const bool first_who = !first.empty() && std::all_of(first.begin(), first.end(), is_who);
      const bool second_who = !second.empty() && std::all_of(second.begin(), second.end(), is_who);
      if (overlap || first.empty() || second.empty() || first_who == second_who) continue;
      context.diagnostics
          ->Emit(Kind::kWhensAreOr, lines[n].origin->predicate,
                 {context.Route(id).name, About(context, first), About(context, second)})
          .At(lines[n - 1].origin->predicate, "the other line")
          .Change({lines[n - 1].origin->predicate.begin, lines[n - 1].origin->predicate.begin},
                  lines[n - 1].origin->is_or ? "(" : "")
          .Change({lines[n - 1].origin->predicate.end, lines[n - 1].origin->predicate.end},
                  (lines[n - 1].origin->is_or ? ") and (" : " and (") +
                      std::string(context.origins.TextOf(lines[n].origin->predicate)) + ")")
          .Change(lines[n].origin->statement, "")
          .Unsafe();
      break;
    }
  }
}

void CheckForgedHeaders(Context& context) {
  const bool has_proxies = !context.policy.gateway.trusted_proxies.empty();
  // Once one condition asks for the address, somebody in front may be known.
  bool asks_address = false;
  for (const model::RouteSettings& route : context.policy.routes) {
    if (route.when && ReadsSubject(context.policy.predicates[*route.when].expr, Subject::Of(FieldId::k_client_ip)))
      asks_address = true;
  }
  context.ForEachLine([&](const Context::Place& place, const Context::Line& line) {
    if (place.kind != PlaceKind::kRoute) return;
    const bool lets_in = !context.Route(RouteId(place.id)).to.empty();
    std::set<Subject> subjects;
    CollectSubjects(*line.expr, &subjects);
    for (const Subject& subject : subjects) {
      const bool is_query = subject.IsOf(FamilyId::k_request_query);
      const bool is_member = subject.IsOf(FamilyId::k_request_json);
      if (!subject.IsOf(FamilyId::k_request_header) && !is_query && !is_member) continue;
      // A route that answers itself is a door where it keeps out whoever does not send the header.
      Domain absent;
      absent.absent = true;
      if (!lets_in && Never(*line.expr, Region::Where(subject, absent))) continue;
      const auto slot = static_cast<size_t>(subject.slot);
      const std::string name = is_query    ? context.policy.slots.request_queries[slot]
                               : is_member ? context.policy.slots.request_json[slot].back()
                                           : HeaderName(context, subject);
      if (is_query || is_member) {
        // A message has a `role` as well, and says nothing of who sends it.
        const bool is_top = is_query || context.policy.slots.request_json[slot].size() == 1;
        if (asks_address || !is_top || !HoldsPrivilege(Lower(name))) continue;
        const auto found = context.FindStrings(*line.origin, name);
        context.diagnostics->Emit(Kind::kAnybodySets, found.empty() ? line.origin->predicate : found[0], {name});
        continue;
      }
      const bool is_list = name == "x-forwarded-for" || name == "forwarded";
      const bool forges_address = IsForwardingHeader(name) && (is_list || !has_proxies);
      const bool forges_right = IsPrivilegeHeader(name) && !has_proxies && !asks_address;
      if (!forges_address && !forges_right) continue;
      const auto found = context.FindStrings(*line.origin, name);
      Diagnostic& diagnostic = context.diagnostics->Emit(forges_address ? Kind::kAnybodyForges : Kind::kAnybodySets,
                                                         found.empty() ? line.origin->predicate : found[0], {name});
      if (!found.empty()) Context::AddUse(diagnostic, {found[0], {}}, *line.origin);
    }
  });
}

void CheckAbsentHeaders(Context& context) {
  constexpr size_t kMostBefore = 32;
  std::map<Subject, std::vector<RouteId>> readers;  // of each header, in the order of routes
  for (size_t i = 0; i < context.origins.routes.size(); ++i) {
    const RouteId id(static_cast<int32_t>(i));
    const model::RouteSettings& route = context.Route(id);
    if (!route.when) continue;
    const Expr& when = context.policy.predicates[*route.when].expr;
    std::set<Subject> subjects;
    CollectSubjects(when, &subjects);
    for (const Subject& subject : subjects) {
      if (subject.IsOf(FamilyId::k_request_header) && readers[subject].size() < kMostBefore)
        readers[subject].push_back(id);
      if (!subject.IsOf(FamilyId::k_request_header) || SpeaksOfAbsence(when, subject)) continue;
      const std::string& name = HeaderName(context, subject);
      if (route.to.empty() || TellsNoCaller(name)) continue;  // an answer of the gateway's own lets nobody in
      if (!MayPassAbsent(when, subject)) continue;
      // Cells that take some texts, not all, and the absent one.
      Region open = Region::Nothing();
      const Region region = Region::Of(when);
      for (const Cell& cell : region.cells()) {
        const auto own = cell.domains.find(subject);
        if (own == cell.domains.end() || !own->second.absent || own->second.text.empty() ||
            own->second.text.is_everything())
          continue;
        Region one = Region::Everything();
        for (const auto& [read, domain] : cell.domains) {
          Domain absent;
          absent.absent = true;
          one = one.And(Region::Where(read, read == subject ? absent : domain));
        }
        open = open.Or(one);
      }
      for (const RouteId before : readers[subject]) {
        if (open.empty()) break;
        if (before != id) open = open.And(Region::Outside(context.policy.predicates[*context.Route(before).when].expr));
      }
      if (open.empty()) continue;
      for (const Context::Line& line : context.Lines(context.OriginOf(id), "", *route.when)) {
        if (!ReadsSubject(*line.expr, subject)) continue;
        const SourceRange at = line.origin->predicate;
        context.diagnostics->Emit(Kind::kAbsentPasses, at, {Quoted(name), route.name})
            .Change({at.begin, at.begin}, Quoted(name) + " != none and " + (line.origin->is_or ? "(" : ""))
            .Change({at.end, at.end}, line.origin->is_or ? ")" : "")
            .Unsafe();
        break;
      }
    }
  }
}

}  // namespace compiler::analysis
