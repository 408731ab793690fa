// The recognisers of HabitMender that look at tests: words of other test tools, and sentences that say it in other words.
#include <algorithm>
#include <array>
#include <iterator>
#include <string>
#include <string_view>

#include "PolicyParser.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/parse/mistakes/habit_mender.h"

namespace compiler::parse {

using antlr4::Token;
using diagnostics::Kind;
using policy_grammar::PolicyParser;

namespace {

template <typename Words>
bool IsOneOf(std::string_view word, const Words& words) {
  return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

std::string Lowered(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

constexpr std::string_view kTests[] = {"it", "scenario", "case", "spec", "testcase", "test_case", "describe", "should", "specify", "feature"};
constexpr std::string_view kSuites[] = {"tests", "describe", "suite", "context", "specs", "feature"};
constexpr std::string_view kWaits[] = {"sleep", "pause", "advance", "tick", "idle", "elapse", "wait_for"};
constexpr std::string_view kReloads[] = {"sighup", "hup", "load", "swap", "deploy", "reloads", "reconfigure"};
constexpr std::string_view kAsks[] = {"request", "call", "fetch", "curl", "http", "submit", "invoke", "client", "sends"};
constexpr std::string_view kAssertions[] = {"assert", "check", "ensure", "require", "should", "verify", "assert_that", "expects", "expected"};
constexpr std::string_view kGivens[] = {"stub", "mock", "mocks", "assume", "suppose", "provided", "setup"};
constexpr std::string_view kMethods[] = {"get", "post", "put", "delete", "patch", "head", "options"};

// What an upstream does, in other words; `meant` is one of the language's, or "" where it has to be said how.
struct Act {
  std::array<std::string_view, 2> words;  // the second may be ""
  std::string_view meant;
};
constexpr Act kActs[] = {
    {{"times", "out"}, "hangs"},         {{"timeout", ""}, "hangs"},          {{"timeouts", ""}, "hangs"},     {{"is", "slow"}, "hangs"},
    {{"is", "down"}, "refuses"},         {{"down", ""}, "refuses"},           {{"is", "dead"}, "refuses"},     {{"is", "unreachable"}, "connect_timeout"},
    {{"unreachable", ""}, "connect_timeout"}, {{"connect", "timeout"}, "connect_timeout"}, {{"does", "nothing"}, "hangs"},
    {{"blocks", ""}, "hangs"},           {{"stalls", ""}, "hangs"},           {{"closes", ""}, "resets"},      {{"crashes", ""}, "resets"},
    {{"disconnects", ""}, "resets"},     {{"drops", ""}, "resets"},           {{"dies", ""}, "resets"},        {{"aborts", ""}, "resets"},
    {{"refuse", ""}, "refuses"},         {{"rejects", ""}, "refuses"},        {{"refused", ""}, "refuses"},    {{"reset", ""}, "resets"},
    {{"hang", ""}, "hangs"},             {{"hung", ""}, "hangs"},             {{"fails", ""}, ""},             {{"errors", ""}, ""},
    {{"fail", ""}, ""},                  {{"is", "broken"}, ""},              {{"is", "failing"}, ""},
};
// With a status behind them.
constexpr std::string_view kReplies[] = {"returns", "return", "responds", "respond", "answers", "answer", "gives", "says", "reply", "status",
                                         "sends", "serves", "is", "replied", "returned", "responded"};
constexpr std::string_view kStreams[] = {"stream", "streaming", "emits", "produces"};

}  // namespace

void HabitMender::MarkTest(size_t test) {
  size_t brace = test + 1;
  while (brace < view_.size() && brace < test + 4 && TypeAt(brace) != PolicyParser::LBRACE) ++brace;
  if (TypeAt(brace) != PolicyParser::LBRACE) return;
  int depth = 0;
  for (size_t i = brace; i < view_.size(); ++i) {
    in_test_[i] = true;
    if (IsOpener(TypeAt(i))) ++depth;
    if (IsCloser(TypeAt(i)) && --depth == 0) return;
  }
}

// it "asks the second" {
bool HabitMender::TestByAnotherName(size_t i) {
  if (TypeAt(i) != PolicyParser::NAME || !MayBegin(i) || in_test_[i]) return false;
  const std::string word = Lowered(TextAt(i));
  const bool has_text = TypeAt(i + 1) == PolicyParser::STRING;
  const size_t brace = i + (has_text ? 2 : 1);
  if (TypeAt(brace) != PolicyParser::LBRACE || !SameLine(i, brace)) return false;
  if (IsOneOf(word, kSuites) && TypeAt(brace + 1) == PolicyParser::TEST) {
    const size_t closer = PartnerOf(brace);
    if (closer == kNone) return false;
    Unexpected(i, Kind::kTestAtTop).Change(RangeOf(i, brace), "").Change(RangeOf(closer), "");
    Drop(i, brace);
    Drop(closer);
    return true;
  }
  if (!has_text || !IsOneOf(word, kTests) || !IsTestVerb(TypeAt(brace + 1))) return false;
  diagnostics_->Emit(Kind::kMisspeltWord, RangeOf(i), {TextAt(i), "test"}).Replace("test");
  Retype(i, PolicyParser::TEST, "test");
  MarkTest(i);
  return true;
}

// sleep 5s   post "/api/chat"   assert status == 200   stub big replies 200
bool HabitMender::VerbByAnotherName(size_t i) {
  const size_t type = TypeAt(i);
  if (!in_test_[i] || !IsFirstOnLine(i) || !SameLine(i, i + 1) || (type != PolicyParser::NAME && type != PolicyParser::WHEN)) return false;
  const std::string written = TextAt(i);
  const std::string word = Lowered(written);
  const size_t next = TypeAt(i + 1);
  const auto say = [&](size_t verb, const std::string& text, const std::string& help) {
    diagnostics_->Emit(Kind::kUnknownVerb, RangeOf(i), {written, help}).Replace(text);
    Retype(i, verb, text);
    return true;
  };
  if (word == "then" && IsTestVerb(next)) {
    diagnostics_->Emit(Kind::kSentenceBeginsWithVerb, RangeOf(i), {written, TextAt(i + 1)})
        .Change({RangeOf(i).begin, RangeOf(i + 1).begin}, "");
    Drop(i);
    return true;
  }
  if (IsOneOf(word, kWaits) && next == PolicyParser::NUMBER) return say(PolicyParser::WAIT, "wait", "write `wait " + TextAt(i + 1) + "`");
  if (IsOneOf(word, kReloads) && next == PolicyParser::STRING)
    return say(PolicyParser::RELOAD, "reload", "write `reload " + TextAt(i + 1) + "`");
  if (IsOneOf(word, kMethods) && next == PolicyParser::STRING) {
    std::string method = word;
    for (char& c : method) c = static_cast<char>(c - 'a' + 'A');
    diagnostics_->Emit(Kind::kSendMethod, RangeOf(i), {written, method, TextAt(i + 1)}).Replace("send " + method);
    InsertBefore(i, PolicyParser::SEND, "send");
    Retype(i, PolicyParser::NAME, method);
    return true;
  }
  if (IsOneOf(word, kAsks) && (next == PolicyParser::STRING || next == PolicyParser::NAME)) {
    if (next == PolicyParser::NAME) return say(PolicyParser::SEND, "send", "write `send " + TextAt(i + 1) + " …`");
    diagnostics_->Emit(Kind::kSendPost, RangeOf(i), {written, TextAt(i + 1)}).Replace("send POST").Unsafe();
    InsertBefore(i, PolicyParser::SEND, "send");
    Retype(i, PolicyParser::NAME, "POST");
    return true;
  }
  if (IsOneOf(word, kAssertions) && next != PolicyParser::ASSIGN) {
    diagnostics_->Emit(Kind::kVerbExpect, RangeOf(i), {written}).Replace("expect");
    Retype(i, PolicyParser::EXPECT, "expect");
    return true;
  }
  const bool does_something = next == PolicyParser::NAME && (TypeAt(i + 2) == PolicyParser::NAME || TypeAt(i + 2) == PolicyParser::NUMBER) && SameLine(i, i + 2);
  if ((IsOneOf(word, kGivens) || type == PolicyParser::WHEN) && does_something) return say(PolicyParser::GIVEN, "given", "write `given " + TextAt(i + 1) + " …`");
  return false;
}

// given big returns 503   given big is down   given big = 503   given "big" replies 200
bool HabitMender::GivenInOtherWords(size_t i) {
  if (TypeAt(i) != PolicyParser::GIVEN || !SameLine(i, i + 1)) return false;
  size_t name = i + 1;
  if (TypeAt(name) == PolicyParser::COLON) {
    Unexpected(name, Kind::kSentenceWithoutSigns).Change(RangeOf(name), "");
    Drop(name++);
  }
  if (TypeAt(name) == PolicyParser::STRING && SameLine(name, name + 1)) {
    const std::string text = TextAt(name);
    diagnostics_->Emit(Kind::kQuotedName, RangeOf(name)).Replace(text.substr(1, text.size() - 2));
    Retype(name, PolicyParser::NAME, text.substr(1, text.size() - 2));
  }
  if (TextAt(name) == "upstream" && TypeAt(name + 1) == PolicyParser::NAME && TypeAt(name + 2) == PolicyParser::NAME) {
    Unexpected(name, Kind::kGivenName, {TextAt(name + 1)}).Change({RangeOf(name).begin, RangeOf(name + 1).begin}, "");
    Drop(name++);
  }
  if (TypeAt(name) != PolicyParser::NAME) return false;
  size_t at = name + 1;
  if (TypeAt(at) == PolicyParser::DOT) at += 2;  // of an import
  if (!SameLine(i, at)) return false;
  // given big: 503   given big = 503   given big 503
  const bool has_sign = TypeAt(at) == PolicyParser::ASSIGN || TypeAt(at) == PolicyParser::COLON || TypeAt(at) == PolicyParser::EQ;
  const size_t number = at + (has_sign ? 1 : 0);
  if (TypeAt(number) == PolicyParser::NUMBER && TextAt(number).size() == 3) {
    Unexpected(at, Kind::kRepliesStatus, {TextAt(number)}).Change(RangeOf(at, number), "replies " + TextAt(number));
    if (has_sign) Retype(at, PolicyParser::NAME, "replies");
    else InsertBefore(at, PolicyParser::NAME, "replies");
    return true;
  }
  if (TypeAt(at) != PolicyParser::NAME) return false;
  const std::string word = Lowered(TextAt(at));
  const bool has_status = TypeAt(at + 1) == PolicyParser::NUMBER || (TextAt(at + 1) == "with" && TypeAt(at + 2) == PolicyParser::NUMBER);
  if ((word == "replies" || IsOneOf(word, kReplies)) && has_status && (word != "replies" || TextAt(at + 1) == "with")) {
    const size_t status = TextAt(at + 1) == "with" ? at + 2 : at + 1;
    const std::string meant = "replies " + TextAt(status);
    diagnostics_->Emit(Kind::kUnknownTestWord, word == "replies" ? RangeOf(at + 1) : RangeOf(at),
                       {"`given`", word == "replies" ? "with" : TextAt(at), "write `" + meant + "`"})
        .Change({RangeOf(at).begin, RangeOf(status).begin}, "replies ");
    Retype(at, PolicyParser::NAME, "replies");
    if (status == at + 2) Drop(at + 1);
    return true;
  }
  if (IsOneOf(word, kStreams) && TypeAt(at + 1) == PolicyParser::NUMBER) {
    diagnostics_->Emit(Kind::kStreamsTokens, RangeOf(at), {TextAt(at), TextAt(at + 1)}).Replace("streams");
    Retype(at, PolicyParser::NAME, "streams");
    return true;
  }
  const auto* act = std::find_if(std::begin(kActs), std::end(kActs), [&](const Act& a) {
    return a.words[0] == word && (a.words[1].empty() || (SameLine(at, at + 1) && TextAt(at + 1) == a.words[1]));
  });
  if (act == std::end(kActs)) return false;
  const size_t last = at + (act->words[1].empty() ? 0 : 1);
  const std::string help = act->meant.empty() ? "say how: `refuses`, `resets`, `hangs`, `connect_timeout`, or `replies 503`"
                                              : "write `" + std::string(act->meant) + "`";
  auto& diagnostic = diagnostics_->Emit(Kind::kUnknownTestWord, RangeOf(at, last),
                                        {"`given`", TextAt(at) + (last > at ? " " + TextAt(last) : ""), help});
  if (!act->meant.empty()) diagnostic.Change(RangeOf(at, last), std::string(act->meant));
  Retype(at, PolicyParser::NAME, act->meant.empty() ? "refuses" : std::string(act->meant));
  if (last > at) Drop(last);
  // given big refuses connections
  constexpr std::string_view kWhat[] = {"connection", "connections", "requests", "everything"};
  if (SameLine(at, last + 1) && IsOneOf(TextAt(last + 1), kWhat)) Drop(last + 1);
  return true;
}

// given big replies 503 twice   … 3x   … x3   … times 3   … forever
bool HabitMender::HowOftenInOtherWords(size_t i) {
  if (!in_test_[i] || i == 0 || !SameLine(i - 1, i)) return false;
  const size_t type = TypeAt(i);
  const std::string word = Lowered(TextAt(i));
  std::string count;
  size_t last = i;
  if (type == PolicyParser::NAME) {
    if (word == "once") count = "1";
    if (word == "twice") count = "2";
    if (word == "thrice") count = "3";
    if (word.size() > 1 && word[0] == 'x' && word.find_first_not_of("0123456789", 1) == std::string::npos) count = word.substr(1);
    const bool is_turned = word == "times" && TypeAt(i + 1) == PolicyParser::NUMBER && SameLine(i, i + 1) && TypeAt(i - 1) != PolicyParser::NUMBER;
    if (is_turned) {
      count = TextAt(i + 1);
      last = i + 1;
    }
    const bool is_always = word == "forever" || word == "permanently" || word == "everytime" ||
                           ((word == "each" || word == "every") && TextAt(i + 1) == "time");
    if (is_always) {
      last = word == "each" || word == "every" ? i + 1 : i;
      diagnostics_->Emit(Kind::kWriteAlways, RangeOf(i, last), {TextAt(i)}).Change(RangeOf(i, last), "always");
      Retype(i, PolicyParser::NAME, "always");
      if (last > i) Drop(last);
      return true;
    }
  } else if (type == PolicyParser::NUMBER && word.size() > 1 && word.back() == 'x' && word.find_first_not_of("0123456789") == word.size() - 1 && word != "0x") {
    count = word.substr(0, word.size() - 1);
  }
  if (count.empty() || count.find_first_not_of("0123456789") != std::string::npos) return false;
  size_t head = i;
  while (head > 0 && i - head < kFar && SameLine(head - 1, i)) --head;
  if (TypeAt(head) != PolicyParser::GIVEN && TypeAt(head) != PolicyParser::SEND) return false;
  if (TextAt(i - 1) == "at") return false;  // `3 at once`
  const std::string meant = count + " times";
  diagnostics_->Emit(Kind::kUnknownTestWord, RangeOf(i, last), {TypeAt(head) == PolicyParser::GIVEN ? "`given`" : "`send`", TextAt(i), "write `" + meant + "`"})
      .Change(RangeOf(i, last), meant);
  Retype(i, PolicyParser::NUMBER, count);
  if (last > i) Drop(last);
  InsertBefore(last + 1, PolicyParser::NAME, "times");
  return true;
}

// send POST "/a" 3 in parallel
bool HabitMender::AtATimeInOtherWords(size_t i) {
  if (!in_test_[i] || TypeAt(i) != PolicyParser::NUMBER || !SameLine(i, i + 1)) return false;
  size_t head = i;
  while (head > 0 && i - head < kFar && SameLine(head - 1, i)) --head;
  if (TypeAt(head) != PolicyParser::SEND) return false;
  const bool is_in = TypeAt(i + 1) == PolicyParser::IN && (TextAt(i + 2) == "parallel" || TextAt(i + 2) == "flight");
  const bool is_at = TextAt(i + 1) == "at" && (TextAt(i + 2) == "once" || TextAt(i + 2) == "the");
  const bool is_word = TextAt(i + 1) == "concurrently" || TextAt(i + 1) == "parallel" || TextAt(i + 1) == "concurrent" || TextAt(i + 1) == "together";
  if (!is_in && !is_at && !is_word) return false;
  size_t last = is_word ? i + 1 : i + 2;
  if (is_at && TextAt(i + 2) == "the") last = i + 4;  // at the same time
  if (!SameLine(i, last)) return false;
  diagnostics_
      ->Emit(Kind::kAtATime, RangeOf(i + 1, last),
             {TextAt(i + 1), (last > i + 1 ? " " + TextAt(i + 2) : ""), TextAt(i)})
      .Change(RangeOf(i + 1, last), "at a time");
  Drop(i + 1, last);
  for (const std::string_view word : {"at", "a", "time"}) InsertBefore(last + 1, PolicyParser::NAME, std::string(word));
  return true;
}

// send POST "/a" header "X": "y"   … header["X"] = "y"   … body { "a": 1 }   … { "a": 1 }   … with json { … }   … from 10.0.0.7
bool HabitMender::ClauseInOtherWords(size_t i) {
  if (!in_test_[i] || i == 0) return false;
  size_t head = i;
  while (head > 0 && i - head < kFar && SameLine(head - 1, i)) --head;
  if ((TypeAt(head) != PolicyParser::GIVEN && TypeAt(head) != PolicyParser::SEND) || head == i) return false;
  const std::string what = TypeAt(head) == PolicyParser::GIVEN ? "`given`" : "`send`";
  const std::string word = TextAt(i);
  const size_t next = TypeAt(i + 1);
  const bool holds_json = TypeAt(i + 2) == PolicyParser::STRING || TypeAt(i + 2) == PolicyParser::RBRACE;
  if (TypeAt(i) == PolicyParser::LBRACE && (TypeAt(i - 1) == PolicyParser::STRING || TypeAt(i - 1) == PolicyParser::NUMBER) &&
      (next == PolicyParser::STRING || next == PolicyParser::RBRACE)) {
    const uint32_t at = RangeOf(i).begin;
    Unexpected(i, Kind::kContentIsJson).Change({at, at}, "json ");
    InsertBefore(i, PolicyParser::JSON, "json");
    return true;
  }
  if (TypeAt(i) != PolicyParser::NAME) return false;
  if ((word == "body" || word == "data" || word == "payload") && next == PolicyParser::LBRACE && holds_json) {
    diagnostics_->Emit(Kind::kWriteJson, RangeOf(i), {what, word}).Replace("json");
    Retype(i, PolicyParser::JSON, "json");
    return true;
  }
  if ((word == "body" || word == "data" || word == "payload") && (next == PolicyParser::STRING || next == PolicyParser::JSON)) {
    auto& diagnostic = diagnostics_->Emit(Kind::kUnknownTestWord, RangeOf(i), {what, word, next == PolicyParser::JSON ? "write `json { … }` alone" : "write `text " + TextAt(i + 1) + "`"});
    if (next == PolicyParser::JSON) {
      diagnostic.Change({RangeOf(i).begin, RangeOf(i + 1).begin}, "");
      Drop(i);
    } else {
      diagnostic.Replace("text");
      Retype(i, PolicyParser::NAME, "text");
    }
    return true;
  }
  if ((word == "with" || word == "and") && (next == PolicyParser::JSON || TextAt(i + 1) == "header" || TextAt(i + 1) == "text") && SameLine(i, i + 1)) {
    diagnostics_->Emit(Kind::kStandsAlone, RangeOf(i), {what, word, TextAt(i + 1)})
        .Change({RangeOf(i).begin, RangeOf(i + 1).begin}, "");
    Drop(i);
    return true;
  }
  if (word == "header" || word == "headers") {
    const bool is_indexed = next == PolicyParser::LBRACKET && TypeAt(i + 2) == PolicyParser::STRING && TypeAt(i + 3) == PolicyParser::RBRACKET;
    const size_t key = i + (is_indexed ? 2 : 1);
    const size_t sign = key + (is_indexed ? 2 : 1);
    if (TypeAt(key) != PolicyParser::STRING) return false;
    const bool is_colon = TypeAt(sign) == PolicyParser::COLON;
    if (!is_indexed && !is_colon) return false;
    if (!is_colon && TypeAt(sign) != PolicyParser::ASSIGN) return false;
    Unexpected(is_indexed ? i + 1 : sign, Kind::kHeaderWritten, {TextAt(key)})
        .Change(RangeOf(i, sign), "header " + TextAt(key) + " =");
    if (is_indexed) {
      Drop(i + 1);
      Drop(i + 3);
    }
    Retype(i, PolicyParser::NAME, "header");
    Retype(sign, PolicyParser::ASSIGN, "=");
    return true;
  }
  if (word == "from" && next == PolicyParser::NETWORK) {
    Unexpected(i + 1, Kind::kTextInQuotes).Change(RangeOf(i + 1), "\"" + TextAt(i + 1) + "\"");
    Retype(i + 1, PolicyParser::STRING, "\"" + TextAt(i + 1) + "\"");
    return true;
  }
  return false;
}

// expect status 200   expect status to equal 200   expect served_by big   expect 200   expect header "X" == "y"   expect response.status
bool HabitMender::ExpectInOtherWords(size_t i) {
  if (TypeAt(i) != PolicyParser::EXPECT || !in_test_[i] || !SameLine(i, i + 1)) return false;
  const size_t subject = i + 1;
  if (TypeAt(subject) == PolicyParser::NUMBER && TextAt(subject).size() == 3 && !SameLine(subject, subject + 1)) {
    Unexpected(subject, Kind::kExpectStatus, {TextAt(subject)})
        .Change({RangeOf(subject).begin, RangeOf(subject).begin}, "status == ");
    InsertBefore(subject, PolicyParser::NAME, "status");
    InsertBefore(subject, PolicyParser::EQ, "==");
    return true;
  }
  if (TypeAt(subject) != PolicyParser::NAME) return false;
  const std::string word = TextAt(subject);
  if ((word == "response" || word == "answer" || word == "res" || word == "resp") && TypeAt(subject + 1) == PolicyParser::DOT) {
    diagnostics_->Emit(Kind::kAnswerUnsaid, RangeOf(subject), {word}).Change(RangeOf(subject, subject + 1), "");
    Drop(subject, subject + 1);
    return true;
  }
  if ((word == "header" || word == "headers") && TypeAt(subject + 1) == PolicyParser::STRING) {
    const std::string meant = "header[" + TextAt(subject + 1) + "]";
    Unexpected(subject + 1, Kind::kWriteInstead, {meant}).Change(RangeOf(subject, subject + 1), meant);
    Retype(subject, PolicyParser::NAME, "header");
    InsertBefore(subject + 1, PolicyParser::LBRACKET, "[");
    InsertBefore(subject + 2, PolicyParser::RBRACKET, "]");
    return true;
  }
  // What stands between the subject and its value: nothing, or words.
  size_t at = subject + 1;
  if (TypeAt(at) == PolicyParser::LPAREN && TypeAt(at + 1) == PolicyParser::NAME && TypeAt(at + 2) == PolicyParser::RPAREN) at += 3;
  const size_t begin = at;
  constexpr std::string_view kBetween[] = {"to", "should", "must", "be", "equal", "equals", "eq", "is", "have", "was", "same", "as"};
  bool is_not = false;
  while (SameLine(i, at) && (IsOneOf(TextAt(at), kBetween) || TypeAt(at) == PolicyParser::NOT)) {
    is_not = is_not || TypeAt(at) == PolicyParser::NOT;
    ++at;
  }
  const size_t value = TypeAt(at);
  const bool is_value = value == PolicyParser::NUMBER || value == PolicyParser::STRING || (value == PolicyParser::NAME && TextAt(at) != "has" && TextAt(at) != "exists");
  const bool ends = !SameLine(at, at + 1) || TypeAt(at + 1) == PolicyParser::RBRACE;
  if (!is_value || !ends || !SameLine(i, at) || is_not || word == "no" || word == "metric") return false;
  if (at == begin + 1 && TextAt(begin) == "is") return false;  // read as `==` elsewhere
  std::string left = word;
  for (size_t j = subject + 1; j < begin; ++j) left += TextAt(j);
  const std::string meant = left + " == " + TextAt(at);
  Unexpected(begin, Kind::kExpectWritten, {meant}).Change({RangeOf(begin).begin, RangeOf(at).begin}, "== ");
  for (size_t j = begin; j < at; ++j) Drop(j);
  InsertBefore(at, PolicyParser::EQ, "==");
  return true;
}

}  // namespace compiler::parse
