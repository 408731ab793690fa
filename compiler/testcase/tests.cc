#include "compiler/testcase/tests.h"

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/cidr.h"
#include "base/text.h"
#include "compiler/abi/fact_table.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/expr/number.h"
#include "compiler/testcase/test_expect.h"
#include "compiler/testcase/test_words.h"

namespace compiler::testcase {

using expr::Number;
using expr::NumberKind;
using expr::ParseNumber;

using diagnostics::Kind;

namespace {

// The clauses of one sentence, read from left to right.
class Clauses {
 public:
  Clauses(const TestWords& words, const ast::Sentence& sentence, std::string_view what)
      : words_(words), sentence_(sentence), what_(what) {}

  bool AtEnd() const { return at_ == sentence_.clauses.size(); }
  const ast::Clause& Peek() const { return sentence_.clauses[at_]; }
  const ast::Clause& Take() { return sentence_.clauses[at_++]; }
  const ast::Clause* Before() const { return at_ == 0 ? nullptr : &sentence_.clauses[at_ - 1]; }

  // Reports a clause that stood there before, or a number of times beside `always`. `header` may stand several times, and of bodies
  // ReadContent tells.
  void ExpectFirst(const ast::Clause& clause) {
    const bool is_number = clause.value.kind == ast::ExprKind::kNumber;
    const bool is_at_once = is_number && !AtEnd() && Peek().value.kind == ast::ExprKind::kName && Peek().value.text == "at";
    const std::string word = is_at_once ? "at a time" : is_number ? "times" : clause.value.kind == ast::ExprKind::kName ? clause.value.text : "";
    if (word.empty() || word == "header" || word == "text") return;
    const auto [before, is_new] = seen_.emplace(word, clause.value.range);
    const auto other = seen_.find(word == "times" ? "always" : "times");
    if (!is_new) {
      // `3 times times`: a number is missing as well, and one finding is enough.
      is_doubled_ = clause.value.kind == ast::ExprKind::kName;
      words_.Emit(Kind::kSetTwice, clause.value.range, {word}).At(before->second, "it is set here");
    } else if ((word == "always" || word == "times") && other != seen_.end()) {
      words_.Emit(Kind::kGivenAlways, clause.value.range, {word, other->first});
    }
  }

  // The next clause if it is of that kind; else a finding that says what is missing behind the last.
  const ast::Expr* Take(ast::ExprKind kind, std::string_view missing, std::string_view help) {
    if (!AtEnd() && Peek().value.kind == kind && !Peek().assigned) return &Take().value;
    const ast::Expr* value = AtEnd() ? nullptr : &Peek().value;
    if (value != nullptr && value->kind == ast::ExprKind::kError) return nullptr;  // reported
    const source::SourceRange before = Before() == nullptr ? sentence_.subject.range : Before()->value.range;
    words_.Emit(Kind::kMissingValue, before, {missing, words_.TextOf(before), help});
    return nullptr;
  }
  std::optional<model::Duration> TakeDuration(std::string_view help) {
    const ast::Expr* number = Take(ast::ExprKind::kNumber, "a time", help);
    return number == nullptr ? std::nullopt : words_.DurationOf(*number);
  }
  std::optional<int64_t> TakeCount(std::string_view missing, std::string_view help, int64_t most) {
    const ast::Expr* number = Take(ast::ExprKind::kNumber, missing, help);
    return number == nullptr ? std::nullopt : words_.CountOf(*number, missing, most);
  }
  void Unknown(const ast::Clause& clause, std::span<const std::string_view> known) const {
    if (clause.value.kind == ast::ExprKind::kError || is_doubled_) return;
    std::string all;
    for (const std::string_view word : known) all += (all.empty() ? "`" : ", `") + std::string(word) + "`";
    const bool is_word = clause.value.kind == ast::ExprKind::kName;
    const auto nearest = is_word ? base::Nearest(clause.value.text, known) : std::nullopt;
    auto& diagnostic =
        words_.Emit(Kind::kUnknownTestWord, clause.value.range,
                    {what_, words_.TextOf(clause.value.range), nearest ? std::string_view() : "it has " + all});
    if (nearest) diagnostic.Replace(std::string(*nearest));
  }

 private:
  const TestWords& words_;
  const ast::Sentence& sentence_;
  const std::string_view what_;
  std::map<std::string, source::SourceRange> seen_;
  bool is_doubled_ = false;  // the last clause was told to stand there twice
  size_t at_ = 0;
};

class TestReader {
 public:
  TestReader(const TestWords& words, diagnostics::Diagnostics* diagnostics)
      : words_(words), expects_(words), diagnostics_(diagnostics) {}

  // `common { given … }`: what holds for each test of the file, before its own sentences.
  void ReadCommon(const ast::Block& block) {
    open_ended_.clear();
    model::TestCase common;
    for (const ast::Statement& statement : block.body) {
      const auto* sentence = std::get_if<ast::Sentence>(&statement.node);
      if (std::holds_alternative<ast::Broken>(statement.node)) continue;
      if (sentence == nullptr || sentence->verb.text != "given") {
        words_.Emit(Kind::kCommonHolds, statement.range);
        continue;
      }
      Given(*sentence, statement.range, &common);
    }
    for (model::TestStep& step : common.steps) {
      std::get<model::Given>(step).is_common = true;
      common_.push_back(std::move(step));
    }
  }

  // nullopt, with findings, if something is wrong with it.
  std::optional<model::TestCase> Read(const ast::Test& test, source::SourceRange whole) {
    const size_t errors = diagnostics_->errors();
    open_ended_.clear();
    model::TestCase result;
    result.steps = common_;
    for (const ast::StringPart& part : test.name.parts) {
      if (part.value != nullptr) words_.Emit(Kind::kTestName, test.name.range);
      else result.name += part.text;
    }
    result.place = {whole.begin, test.name.range.end};
    bool sent = false;
    bool expected = false;
    for (const ast::Statement& statement : test.body) {
      const auto* sentence = std::get_if<ast::Sentence>(&statement.node);
      if (sentence == nullptr) {
        if (!std::holds_alternative<ast::Broken>(statement.node)) words_.Emit(Kind::kTestHolds, statement.range);
        continue;
      }
      if (sentence->verb.text == "given") {
        Given(*sentence, statement.range, &result);
      } else if (sentence->verb.text == "send") {
        sent = true;
        open_ended_.clear();
        Send(*sentence, statement.range, &result);
      } else if (sentence->verb.text == "wait") {
        if (const auto time = words_.DurationOf(*sentence->claim))
          result.steps.push_back(model::Wait{statement.range, *time});
      } else if (sentence->verb.text == "reload") {
        Reload(*sentence->claim, statement.range, &result);
      } else {
        if (!sent && !test.broken && diagnostics_->errors() == errors) {
          words_.Emit(Kind::kNothingSent, sentence->verb.range);
        }
        expected = true;
        if (auto expectation = expects_.Read(*sentence->claim)) {
          expectation->place = statement.range;
          result.steps.push_back(std::move(*expectation));
        }
      }
    }
    open_ended_.clear();
    if (!test.broken && diagnostics_->errors() == errors && !expected)
      words_.Emit(Kind::kNothingExpected, test.name.range);
    const bool has_name = test.name.kind != ast::ExprKind::kError;
    if (!has_name || test.broken || diagnostics_->errors() > errors) return std::nullopt;
    return result;
  }

 private:
  // Whether the file is there and good is for whoever runs the test.
  void Reload(const ast::Expr& name, source::SourceRange whole, model::TestCase* result) {
    if (name.kind == ast::ExprKind::kError) return;  // reported
    if (name.kind != ast::ExprKind::kString) {
      words_.Emit(Kind::kReloadNeedsText, name.range, {words_.TextOf(name.range)});
      return;
    }
    model::Reload reload{whole, name.range, words_.PlainText(name)};
    if (reload.file.empty() || reload.file.find('\0') != std::string::npos) {
      words_.Emit(Kind::kReloadPath, name.range, {reload.file});
      return;
    }
    result->steps.push_back(std::move(reload));
  }

  void Given(const ast::Sentence& sentence, source::SourceRange whole, model::TestCase* result) {
    const auto upstream = words_.UpstreamOf(sentence.subject);
    if (!upstream) return;
    Clauses clauses(words_, sentence, "`given`");
    const ast::Clause& first = clauses.Take();
    std::vector<std::string_view> acts;
    const model::ActInfo* act = nullptr;
    for (const model::ActInfo& info : model::kTestActs) {
      acts.push_back(info.word);
      if (first.value.kind == ast::ExprKind::kName && first.value.text == info.word) act = &info;
    }
    if (act == nullptr) return clauses.Unknown(first, acts);
    model::Given given;
    given.place = whole;
    given.act = act->id;
    if (!ReadAct(&clauses, &given)) return;
    given.upstream = *upstream;
    if (open_ended_.count(upstream->value) > 0) {
      words_.Emit(Kind::kGivenUnreached, whole, {sentence.subject.text})
          .At(open_ended_.at(upstream->value), "it is given always here");
      return;
    }
    if (given.always) open_ended_.emplace(upstream->value, whole);
    result->steps.push_back(std::move(given));
  }

  // The words that may stand behind an act and what belongs to it.
  static std::span<const std::string_view> ClausesOf(model::TestAct act) {
    static constexpr std::string_view kReply[] = {"always", "times", "after", "header", "json", "text"};
    static constexpr std::string_view kStream[] = {"always", "times", "after", "thinking", "then"};
    static constexpr std::string_view kLate[] = {"always", "times", "after"};
    static constexpr std::string_view kPlain[] = {"always", "times"};
    switch (act) {
      case model::TestAct::kReplies: return kReply;
      case model::TestAct::kStreams: return kStream;
      case model::TestAct::kResets: return kLate;
      case model::TestAct::kRefuses:
      case model::TestAct::kConnectTimeout:
      case model::TestAct::kDnsFailure:
      case model::TestAct::kHangs: return kPlain;
    }
    return {};
  }

  bool ReadAct(Clauses* clauses, model::Given* given) {
    using model::TestAct;
    const bool replies = given->act == TestAct::kReplies;
    const bool streams = given->act == TestAct::kStreams;
    if (replies) {
      const ast::Expr* status = clauses->Take(ast::ExprKind::kNumber, "a status", "write for example `replies 503`");
      const auto number = status == nullptr ? std::nullopt : words_.StatusOf(*status);
      if (!number) return false;
      given->status = *number;
    } else if (streams) {
      constexpr std::string_view kHelp = "write for example `streams 20 tokens every 50ms`";
      const auto count = TakeTokens(clauses, kHelp, 0);
      if (!count) return false;
      given->tokens = *count;
      // A stream that ends or fails before its first token has no pace.
      const bool has_pace = !clauses->AtEnd() && clauses->Peek().value.kind == ast::ExprKind::kName && clauses->Peek().value.text == "every";
      if (given->tokens > 0 || has_pace) {
        if (!TakeWord(clauses, "every", kHelp)) return false;
        const auto every = clauses->TakeDuration(kHelp);
        if (!every) return false;
        given->every = *every;
      }
    }
    const std::span<const std::string_view> known = ClausesOf(given->act);
    while (!clauses->AtEnd()) {
      const ast::Clause& clause = clauses->Take();
      clauses->ExpectFirst(clause);
      const std::string word = clause.value.kind == ast::ExprKind::kName ? clause.value.text : "";
      const bool may = std::find(known.begin(), known.end(), word) != known.end();
      if (clause.value.kind == ast::ExprKind::kNumber) {
        if (!ReadTimes(clauses, clause.value, &given->times)) return false;
      } else if (word == "always") {
        given->always = true;
      } else if (word == "after" && may) {
        const auto after = clauses->TakeDuration("write for example `after 200ms`");
        if (!after) return false;
        given->after = *after;
      } else if (word == "thinking" && may) {
        const auto thoughts = TakeTokens(clauses, "write for example `thinking 3 tokens`", 1);
        if (!thoughts) return false;
        given->thoughts = *thoughts;
      } else if (word == "then" && may) {
        if (!ReadEnd(clauses, given)) return false;
      } else if (!replies || !ReadContent(clauses, clause, &given->headers, &given->json, &given->text)) {
        clauses->Unknown(clause, known);
        return false;
      }
    }
    return true;
  }

  // `20 tokens`.
  std::optional<int> TakeTokens(Clauses* clauses, std::string_view help, int64_t least) {
    const ast::Expr* number = clauses->Take(ast::ExprKind::kNumber, "a number of tokens", help);
    if (number == nullptr) return std::nullopt;
    const bool is_none = least == 0 && number->text == "0";
    const auto count = is_none ? std::optional<int64_t>(0) : words_.CountOf(*number, "a number of tokens", kMaxTestTokens);
    if (!count || !TakeWord(clauses, "tokens", help)) return std::nullopt;
    return static_cast<int>(*count);
  }

  bool ReadEnd(Clauses* clauses, model::Given* given) {
    constexpr std::pair<std::string_view, model::StreamEnd> kEnds[] = {{"ends", model::StreamEnd::kEnds},
                                                                       {"cuts", model::StreamEnd::kCuts},
                                                                       {"stalls", model::StreamEnd::kStalls},
                                                                       {"fails", model::StreamEnd::kFails}};
    const ast::Expr* word = clauses->Take(ast::ExprKind::kName, "how it ends",
                                          "write `then ends`, `then cuts`, `then stalls` or `then fails`");
    if (word == nullptr) return false;
    for (const auto& [name, end] : kEnds) {
      if (word->text == name) {
        given->end = end;
        return true;
      }
    }
    constexpr std::string_view kWords[] = {"ends", "cuts", "stalls", "fails"};
    clauses->Unknown(*clauses->Before(), kWords);
    return false;
  }

  // `number` was read: `at a time` follows.
  bool ReadAtATime(Clauses* clauses, const ast::Expr& number, int* at_a_time) {
    constexpr std::string_view kHelp = "write for example `3 at a time`";
    const auto count = words_.CountOf(number, "a number of requests", kMaxTestTimes);
    if (!count || !TakeWord(clauses, "at", kHelp) || !TakeWord(clauses, "a", kHelp) || !TakeWord(clauses, "time", kHelp)) return false;
    *at_a_time = static_cast<int>(*count);
    return true;
  }

  // `number` was read: `times` follows.
  bool ReadTimes(Clauses* clauses, const ast::Expr& number, int* times) {
    const auto count = words_.CountOf(number, "a number of times", kMaxTestTimes);
    if (!count) return false;
    if (!TakeWord(clauses, "times", "write for example `3 times`")) return false;
    *times = static_cast<int>(*count);
    return true;
  }

  bool TakeWord(Clauses* clauses, std::string_view word, std::string_view help) {
    const std::string missing = "`" + std::string(word) + "`";
    const ast::Expr* name = clauses->Take(ast::ExprKind::kName, missing, help);
    if (name == nullptr) return false;
    const bool is_singular = word.ends_with('s') && name->text == word.substr(0, word.size() - 1);  // 1 token, 1 time
    if (name->text == word || is_singular) return true;
    clauses->Unknown(*clauses->Before(), std::span(&word, 1));
    return false;
  }

  // header "X" = "…", json { … }, text "…". False if the clause is none of them; findings do not make it false.
  bool ReadContent(Clauses* clauses, const ast::Clause& clause, model::TestHeaders* headers,
                   std::optional<std::string>* json, std::optional<std::string>* text) {
    const auto body_twice = [&] {
      if (json->has_value() || text->has_value()) words_.Emit(Kind::kBodyTwice, clause.value.range);
    };
    if (clause.value.kind == ast::ExprKind::kJson) {
      body_twice();
      if (!clause.value.parts.empty()) words_.Emit(Kind::kTestJsonConstant, clause.value.range);
      *json = clause.value.text;
      return true;
    }
    if (clause.value.kind != ast::ExprKind::kName) return clause.value.kind == ast::ExprKind::kError;
    if (clause.value.text == "text") {
      body_twice();
      const ast::Expr* value = clauses->Take(ast::ExprKind::kString, "a text", "write `text \"…\"`");
      if (value != nullptr) *text = words_.PlainText(*value);
      return true;
    }
    if (clause.value.text != "header") return false;
    if (!clauses->AtEnd() && clauses->Peek().value.kind == ast::ExprKind::kError) {
      clauses->Take();
      return true;
    }
    if (clauses->AtEnd() || clauses->Peek().value.kind != ast::ExprKind::kString) {
      words_.Emit(Kind::kHeaderNeedsBoth, clause.value.range);
      return true;
    }
    if (!clauses->Peek().assigned) {
      const ast::Expr& name = clauses->Take().value;
      const bool has_value = !clauses->AtEnd() && clauses->Peek().value.kind == ast::ExprKind::kString;
      auto& diagnostic = words_.Emit(has_value ? Kind::kHeaderNeedsSign : Kind::kHeaderNeedsValue, name.range,
                                     {words_.TextOf(name.range)});
      if (has_value) {
        diagnostic.Change({name.range.end, name.range.end}, " =");
        clauses->Take();
      }
      return true;
    }
    const ast::Clause& pair = clauses->Take();
    headers->emplace_back(words_.PlainText(pair.value), words_.PlainText(*pair.assigned));
    if (!IsHeaderName(headers->back().first)) words_.Emit(Kind::kTestHeaderName, pair.value.range);
    if (headers->back().second.find_first_of("\r\n") != std::string::npos)
      words_.Emit(Kind::kTestHeaderValue, pair.assigned->range);
    return true;
  }

  static bool IsHeaderName(std::string_view name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
  }

  void Send(const ast::Sentence& sentence, source::SourceRange whole, model::TestCase* result) {
    model::Send send;
    send.place = whole;
    send.method = sentence.subject.text;
    if (abi::MethodOf(send.method) == abi::Method::kOther) {
      constexpr std::string_view kMethods[] = {
#define METHOD(name, is_idempotent) #name,
#include "compiler/abi/methods.def"
#undef METHOD
      };
      const auto nearest = base::Nearest(send.method, kMethods);
      auto& diagnostic =
          words_.Emit(Kind::kUnknownTestWord, sentence.subject.range,
                      {"`send`", send.method, nearest ? "" : "a method stands behind it: `send POST \"/api/chat\"`"});
      if (nearest) diagnostic.Replace(std::string(*nearest));
    }
    Clauses clauses(words_, sentence, "`send`");
    const ast::Expr* target =
        clauses.Take(ast::ExprKind::kString, "a path", "write for example `send POST \"/api/chat\"`");
    if (target == nullptr) return;
    send.target = words_.PlainText(*target);
    const bool is_target =
        send.target.starts_with('/') && std::all_of(send.target.begin(), send.target.end(), [](char c) {
          return static_cast<unsigned char>(c) > 0x20 && static_cast<unsigned char>(c) < 0x7F;
        });
    if (!is_target) {
      words_.Emit(Kind::kTestPath, target->range);
    }
    while (!clauses.AtEnd()) {
      const ast::Clause& clause = clauses.Take();
      clauses.ExpectFirst(clause);
      if (clause.value.kind == ast::ExprKind::kNumber) {
        const bool is_at_once = !clauses.AtEnd() && clauses.Peek().value.kind == ast::ExprKind::kName && clauses.Peek().value.text == "at";
        if (is_at_once) {
          if (!ReadAtATime(&clauses, clause.value, &send.at_a_time)) return;
        } else if (!ReadTimes(&clauses, clause.value, &send.times)) {
          return;
        }
      } else if (clause.value.kind == ast::ExprKind::kName && clause.value.text == "leaves") {
        constexpr std::string_view kHelp = "write for example `leaves after 2s`";
        if (!TakeWord(&clauses, "after", kHelp)) return;
        send.leaves = clauses.TakeDuration(kHelp);
        if (!send.leaves) return;
      } else if (clause.value.kind == ast::ExprKind::kName && clause.value.text == "from") {
        const ast::Expr* address =
            clauses.Take(ast::ExprKind::kString, "an address", "write for example `from \"10.0.0.7\"`");
        if (address == nullptr) return;
        send.from = words_.PlainText(*address);
        base::CidrError error;
        if (send.from.find('/') != std::string::npos || !base::ParseCidr(send.from, &error))
          words_.Emit(Kind::kTestAddress, address->range);
      } else if (!ReadContent(&clauses, clause, &send.headers, &send.json, &send.text)) {
        constexpr std::string_view kWords[] = {"header", "json", "text", "from", "times", "at a time", "leaves"};
        return clauses.Unknown(clause, kWords);
      }
    }
    send.times = std::max(send.times, send.at_a_time);
    result->steps.push_back(std::move(send));
  }

  const TestWords& words_;
  std::vector<model::TestStep> common_;
  const ExpectReader expects_;
  diagnostics::Diagnostics* diagnostics_;
  std::map<int32_t, source::SourceRange>
      open_ended_;  // upstreams that were given an answer for always since the last `send`
};

}  // namespace

bool IsCommon(const ast::Block& block) { return block.kind.text == "common" && !block.name; }

std::vector<model::TestCase> CheckTests(const ast::File& file, diagnostics::Diagnostics* diagnostics) {
  const bool has_errors = diagnostics->has_errors();
  const TestWords words(file, diagnostics);
  std::map<std::string, source::SourceRange> names;
  std::vector<model::TestCase> tests;
  TestReader reader(words, diagnostics);
  for (const ast::Statement& statement : file.body) {
    if (const auto* block = std::get_if<ast::Block>(&statement.node); block != nullptr && IsCommon(*block)) reader.ReadCommon(*block);
  }
  for (const ast::Statement& statement : file.body) {
    const auto* test = std::get_if<ast::Test>(&statement.node);
    if (test == nullptr || (test->broken && has_errors)) continue;  // that was told, and what follows from it is not known
    auto read = reader.Read(*test, statement.range);
    if (!read) continue;
    const auto [before, is_new] = names.emplace(read->name, test->name.range);
    if (!is_new) {
      diagnostics->Emit(Kind::kDuplicateName, test->name.range, {read->name}).At(before->second, "it was given here");
      continue;
    }
    tests.push_back(std::move(*read));
  }
  return tests;
}

}  // namespace compiler::testcase
