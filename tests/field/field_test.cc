// The dialects against what real servers send: each line of the tables, whole, in pieces, cut at every byte, and at random. Two
// readers say what a client may take it for, the gateway's and the judge's, which share nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <map>
#include <random>

#include "runtime/dialect/answer_reader.h"
#include "runtime/dialect/told_error.h"
#include "tests/field/judge.h"
#include "tests/field/tables.h"

namespace tests::field {
namespace {

using runtime::dialect::AnswerForm;
using runtime::dialect::AnswerReader;
using runtime::dialect::Api;
using runtime::dialect::Completeness;
using runtime::dialect::Frame;
using runtime::dialect::WholeVerdict;

Api ApiOf(const std::string& name) {
  if (name == "openai_chat") return Api::kOpenAiChat;
  if (name == "openai_completions") return Api::kOpenAiCompletions;
  if (name == "openai_responses") return Api::kOpenAiResponses;
  if (name == "anthropic_messages") return Api::kAnthropicMessages;
  if (name == "ollama_chat") return Api::kOllamaChat;
  if (name == "ollama_generate") return Api::kOllamaGenerate;
  throw std::invalid_argument("no API of that name: " + name);
}

struct Read {
  Verdict verdict;
  std::string adds;
  std::string told;  // the words in which an error was told
  int told_status = 0;
  std::string passed;  // that a client gets
};

// What the gateway takes it for.
Read ReadAsGateway(const Entry& entry, const std::vector<std::string_view>& pieces, bool is_clean_end) {
  AnswerReader reader(ApiOf(entry.api), 200, entry.type, {true, !entry.is_whole, entry.choices});
  Read read;
  bool is_over = false;
  const auto take = [&](const Frame& frame) {
    read.passed += frame.bytes;
    if (!reader.has_frames()) return;
    read.verdict.text += frame.reading.text;
    if (frame.reading.is_error) {
      read.told = frame.data;
      read.told_status = frame.told_status;
    }
    is_over = frame.reading.is_error || reader.saw_last();
  };
  Frame frame;
  for (std::string_view piece : pieces) {
    while (!is_over && reader.Next(&piece, &frame)) take(frame);
  }
  while (!is_over && reader.Finish(&frame)) take(frame);
  read.verdict.says_answer = reader.said_answer();
  read.adds = reader.MissingEnd();
  if (reader.form() == AnswerForm::kFrames) {
    const Completeness end = reader.At(is_clean_end);
    read.verdict.taken = reader.saw_error()                    ? Taken::kError
                         : end == Completeness::kComplete   ? Taken::kComplete
                         : end == Completeness::kUnfinished ? Taken::kUnfinished
                                                            : Taken::kTruncated;
    if (read.verdict.taken == Taken::kTruncated && reader.complains()) {
      read.verdict.taken = Taken::kError;
      read.told = reader.foreign();
    }
    return read;
  }
  if (reader.form() != AnswerForm::kObject) {
    read.verdict.taken = is_clean_end && reader.IsComplete(true) ? Taken::kNoAnswer : Taken::kTruncated;
    return read;
  }
  const auto whole = runtime::dialect::ReadWhole(ApiOf(entry.api), read.passed);
  read.verdict.says_answer = whole.reading.has_answer;
  read.verdict.text = whole.reading.text;
  switch (whole.verdict) {
    case WholeVerdict::kAnswer:
    case WholeVerdict::kEmpty: read.verdict.taken = is_clean_end ? Taken::kComplete : Taken::kTruncated; break;
    case WholeVerdict::kError:
      read.verdict.taken = Taken::kError;
      read.told = read.passed;
      break;
    case WholeVerdict::kUnfinished: read.verdict.taken = Taken::kTruncated; break;
    case WholeVerdict::kForeign:  // where a stream was asked for it is no answer
      read.verdict.taken = is_clean_end && entry.is_whole ? Taken::kUnfinished : Taken::kTruncated;
      break;
    case WholeVerdict::kNoAnswer:
      read.verdict.taken = Taken::kNoAnswer;
      read.told = read.passed;
      break;
  }
  return read;
}

Verdict JudgeOf(const Entry& entry, std::string_view body, bool is_clean_end) {
  if (entry.is_whole || entry.is_object) return JudgeWhole(entry.api, body);
  return JudgeStream({entry.api, body, is_clean_end, entry.choices});
}

bool IsSuccess(Taken taken) { return taken == Taken::kComplete || taken == Taken::kUnfinished; }

// Whether the two agree on what a client may do with it. Which failure it is matters only to people.
bool Agree(const Verdict& one, const Verdict& other) {
  if (!IsSuccess(one.taken) && !IsSuccess(other.taken)) return true;
  return one.taken == other.taken && one.text == other.text && one.says_answer == other.says_answer;
}

std::string Words(const Verdict& verdict) {
  return std::string(Name(verdict.taken)) + " \"" + verdict.text + "\"" + (verdict.says_answer ? "" : ", empty");
}

std::vector<std::string_view> Pieces(std::string_view body, size_t size) {
  std::vector<std::string_view> pieces;
  for (; !body.empty(); body.remove_prefix(std::min(size, body.size()))) pieces.push_back(body.substr(0, size));
  return pieces;
}

TEST(Field, EveryLineIsTakenForWhatItIs) {
  for (const Entry& entry : AllAnswers()) {
    const Verdict judged = JudgeOf(entry, entry.body, entry.is_clean_end);
    EXPECT_EQ(IsSuccess(judged.taken), IsSuccess(entry.is)) << entry.table << ", " << entry.name << ": by the judge";
    if (IsSuccess(entry.is)) {
      EXPECT_EQ(Name(judged.taken), Name(entry.is)) << entry.table << ", " << entry.name << ": by the judge";
      EXPECT_EQ(judged.text, entry.text) << entry.table << ", " << entry.name << ": by the judge";
      EXPECT_EQ(!judged.says_answer, entry.is_empty) << entry.table << ", " << entry.name << ": by the judge";
    }
    for (const size_t size : {entry.body.size() + 1, size_t{1}, size_t{7}}) {
      const Read read = ReadAsGateway(entry, Pieces(entry.body, size), entry.is_clean_end);
      EXPECT_EQ(Name(read.verdict.taken), Name(entry.is)) << entry.table << ", " << entry.name << ", in pieces of " << size;
      if (IsSuccess(entry.is)) {
        EXPECT_EQ(read.verdict.text, entry.text) << entry.table << ", " << entry.name;
        EXPECT_EQ(!read.verdict.says_answer, entry.is_empty) << entry.table << ", " << entry.name;
        EXPECT_EQ(read.adds, entry.adds) << entry.table << ", " << entry.name;
      } else {
        EXPECT_EQ(read.adds, "") << entry.table << ", " << entry.name << ": a mark of success";
      }
      if (entry.is == Taken::kError || entry.is == Taken::kNoAnswer) {
        const auto told = runtime::dialect::ReadError(read.told, read.told_status);
        if (entry.status != 0) {
          EXPECT_EQ(told.status, entry.status) << entry.table << ", " << entry.name;
        }
        if (!entry.message.empty()) {
          EXPECT_EQ(told.message, entry.message) << entry.table << ", " << entry.name;
        }
        EXPECT_EQ(told.prompt_too_long, entry.prompt_too_long) << entry.table << ", " << entry.name;
      }
    }
  }
}

TEST(Field, ContextLengthIsToldByItsWords) {
  for (const Entry& entry : ReadTable("context_length")) {
    const auto told = runtime::dialect::ReadError(entry.body, entry.status);
    EXPECT_EQ(told.prompt_too_long, entry.prompt_too_long) << entry.name;
    if (entry.prompt_too_long) {
      EXPECT_EQ(told.status, 400) << entry.name;
    }
  }
}

size_t Cases() {
  const char* written = std::getenv("BREAKWATER_FIELD_CASES");
  return written != nullptr ? static_cast<size_t>(std::atoll(written)) : 5000;
}

// Cut at each byte, by a reset or by a clean end (by both in a long run): both readers say the same, and what is taken for whole has
// all its words.
TEST(Field, NothingThatIsCutIsTakenForWhole) {
  size_t cases = 0;
  for (const Entry& entry : AllAnswers()) {
    for (const bool is_clean_end : {false, true}) {
      if ((entry.is_whole || entry.is_object) && !is_clean_end) continue;  // HTTP tells
      for (size_t size = 0; size < entry.body.size(); ++size) {
        if (Cases() <= 5000 && (size % 2 == 0) != is_clean_end && !entry.is_whole && !entry.is_object) continue;
        const std::string_view body = std::string_view(entry.body).substr(0, size);
        const Read read = ReadAsGateway(entry, {body}, is_clean_end);
        const Verdict judged = JudgeOf(entry, body, is_clean_end);
        ++cases;
        ASSERT_TRUE(Agree(read.verdict, judged)) << entry.table << ", " << entry.name << ", cut at " << size << (is_clean_end ? ", clean" : ", reset")
                                                 << ": " << Words(read.verdict) << ", judged " << Words(judged) << "\n" << body;
        if (read.verdict.taken == Taken::kComplete && IsSuccess(entry.is) && !entry.has_early_reason) {
          ASSERT_EQ(read.verdict.text, entry.text) << entry.table << ", " << entry.name << ", cut at " << size;
        }
        if (!IsSuccess(read.verdict.taken)) {
          ASSERT_EQ(read.adds, "") << entry.table << ", " << entry.name << ", cut at " << size << ": a mark of success";
        }
      }
    }
  }
  std::cout << cases << " cuts\n";
}

// ---- At random ------------------------------------------------------------------------------------------------------

// A bug in the gateway's reader, planted by what it is given to read.
using Fault = std::string (*)(std::string body);

std::string Replaced(std::string body, std::string_view what, std::string_view by) {
  for (size_t at = body.find(what); at != std::string::npos; at = body.find(what, at + by.size())) body.replace(at, what.size(), by);
  return body;
}

// Lines in random order, each once before any comes again: however many there are, none waits long for its turn.
class Deck {
 public:
  void Add(const Entry* entry) { cards_.push_back(entry); }
  const Entry* Draw(std::mt19937_64* random) {
    if (next_ == 0) std::shuffle(cards_.begin(), cards_.end(), *random);
    const Entry* card = cards_[next_];
    next_ = (next_ + 1) % cards_.size();
    return card;
  }

 private:
  std::vector<const Entry*> cards_;
  size_t next_ = 0;
};

// Cases until the two disagree; `most` if they don't.
size_t CasesUntilDisagreement(uint64_t seed, size_t most, Fault fault) {
  std::mt19937_64 random(seed);
  const std::vector<Entry> all = AllAnswers();
  Deck odd;
  std::map<std::string, Deck> by_api, errors;
  for (const Entry& entry : all) {
    if (entry.is_whole || entry.is_object || entry.is == Taken::kNoAnswer) continue;
    if (entry.table == "ends" && entry.is != Taken::kComplete) odd.Add(&entry);
    by_api[entry.api].Add(&entry);
    if (entry.is == Taken::kError && !entry.is_held && entry.text.empty()) errors[entry.api].Add(&entry);
  }
  const auto below = [&random](size_t count) { return static_cast<size_t>(random() % count); };
  for (size_t i = 0; i < most; ++i) {
    // Half of them are odd ends, which is what this is about; of the others an API is drawn first, or most would be chats.
    Deck& from = below(2) == 0 ? std::next(by_api.begin(), static_cast<ptrdiff_t>(below(by_api.size())))->second : odd;
    const Entry& entry = *from.Draw(&random);
    std::string body;
    bool is_clean_end = below(2) == 0;
    const size_t kind = below(9);  // mostly what happens mostly: cuts and errors
    switch (kind) {
      case 0: case 4: case 5: case 6:  // cut, or a stall that ends the same way; mostly between two frames
        if (below(4) == 0) body = entry.body.substr(0, below(entry.body.size() + 1));
        // Of those two of three shortly before the end: what lacks least is most like a whole answer.
        else for (size_t count = entry.pieces.size(), left = below(3) != 0 ? below(std::min<size_t>(count, 4) + 1) : below(count + 1), at = 0; at < count - left; ++at) body += entry.pieces[at];
        break;
      case 1:  // frames are lost, doubled or out of order
        for (size_t frame = 0; frame < entry.pieces.size(); ++frame) {
          if (below(4) == 0) continue;
          body += entry.pieces[below(5) == 0 ? below(entry.pieces.size()) : frame];
        }
        break;
      case 2: case 7: case 8:  // an error after some of them
        for (size_t frame = below(entry.pieces.size() + 1), at = 0; at < frame; ++at) body += entry.pieces[at];
        if (const auto some = errors.find(entry.api); some != errors.end()) body += some->second.Draw(&random)->body;
        break;
      default:  // bytes are lost
        body = entry.body;
        for (size_t lost = 1 + below(3); lost > 0 && !body.empty(); --lost) body.erase(below(body.size()), 1 + below(4));
    }
    const std::string given = fault == nullptr ? body : fault(body);
    std::vector<std::string_view> pieces;
    for (std::string_view rest = given; !rest.empty();) {
      const size_t size = std::min<size_t>(rest.size(), 1 + below(200));
      pieces.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    const Read read = ReadAsGateway(entry, pieces, is_clean_end);
    const Verdict judged = JudgeOf(entry, body, is_clean_end);
    if (!IsSuccess(read.verdict.taken) && !read.adds.empty()) return i;
    // Broken lines may be taken for worse than they are, never for better.
    const bool is_broken = kind == 3 && (!IsSuccess(read.verdict.taken) || read.verdict.taken == judged.taken);
    if (!is_broken && !Agree(read.verdict, judged)) {
      if (fault == nullptr) {
        ADD_FAILURE() << entry.table << ", " << entry.name << (is_clean_end ? ", clean" : ", reset") << ", seed " << seed << ", case " << i << ": "
                      << Words(read.verdict) << ", judged " << Words(judged) << "\n" << body;
      }
      return i;
    }
  }
  return most;
}

TEST(FieldAtRandom, BothReadersTakeItForTheSame) {
  const size_t cases = Cases();
  EXPECT_EQ(CasesUntilDisagreement(1, cases, nullptr), cases);
}

TEST(FieldAtRandom, ASpellingThatIsTakenForAnEndIsFoundWithinAThousand) {
  const Fault faults[] = {
      [](std::string body) { return Replaced(std::move(body), R"("finish_reason":"")", R"("finish_reason":"stop")"); },
      [](std::string body) { return Replaced(std::move(body), R"("finish_reason":"null")", R"("finish_reason":"stop")"); },
      [](std::string body) { return Replaced(std::move(body), R"("stop_reason":null)", R"("stop_reason":"end_turn")"); },
      [](std::string body) { return Replaced(std::move(body), R"("finish_reason":"network_error")", R"("finish_reason":"stop")"); },
      [](std::string body) { return Replaced(std::move(body), "\nerror:", "\n:"); },
      [](std::string body) { return Replaced(std::move(body), "response.output_text.done", "response.completed"); },
  };
  for (size_t fault = 0; fault < std::size(faults); ++fault) {
    size_t most = 0;
    for (uint64_t seed = 1; seed <= 5; ++seed) most = std::max(most, CasesUntilDisagreement(seed, 5000, faults[fault]));
    std::cout << "fault " << fault << ": found within " << most << "\n";
    EXPECT_LT(most, 1000u) << "fault " << fault;
  }
}

}  // namespace
}  // namespace tests::field
