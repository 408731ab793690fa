// The one reader of JSON (RFC 8259): token after token, in one pass, without recursion and, up to 64 levels, without memory. Conditions, rewrites,
// keys and dialects read through it, so that no two parts of the gateway can take a text for two things.
//
// Strict: exactly one value, in UTF-8, without a byte order mark. What the grammar allows is valid: lone surrogates in escapes,
// numbers of any size, names that stand twice (whether they may is for the caller to say). Nesting is bounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace base {

inline constexpr int kMaxJsonDepth = 64;  // of arrays and objects around a value

enum class JsonProblem : uint8_t {
  kNone,
  kEmpty,           // nothing but blanks
  kSyntax,          // not the grammar of RFC 8259
  kTrailing,        // a value, and then something else: some servers read only the first (Go's json.Decoder)
  kTooDeep,
  kNotUtf8,         // UTF-16 too
  kByteOrderMark,
};

// Cheap to make; the text must outlive it.
class JsonReader {
 public:
  enum class Token : uint8_t { kObject, kObjectEnd, kArray, kArrayEnd, kName, kString, kNumber, kTrue, kFalse, kNull, kEnd, kProblem };

  // `max_depth`: of nesting; more is kTooDeep.
  explicit JsonReader(std::string_view text, int max_depth = kMaxJsonDepth);

  // kEnd comes after a whole text, kProblem where it is none; both for ever.
  Token Next();

  // Reads on to the end of the value whose first token Next has just given. False: a problem.
  bool SkipRest(Token first);

  // Of the last token, as offsets; strings and names with their quotes.
  size_t begin() const { return static_cast<size_t>(token_begin_ - text_begin_); }
  size_t end() const { return static_cast<size_t>(token_end_ - text_begin_); }
  std::string_view text() const { return {token_begin_, static_cast<size_t>(token_end_ - token_begin_)}; }
  // Of a name or a string: what stands between the quotes, and whether an escape is in it.
  std::string_view inside() const { return {token_begin_ + 1, static_cast<size_t>(token_end_ - token_begin_) - 2}; }
  bool has_escape() const { return has_escape_; }

  int depth() const { return depth_; }  // containers that are open
  JsonProblem problem() const { return problem_; }

 private:
  enum class Expect : uint8_t { kValue, kFirstName, kFirstItem, kBehindValue, kNothing };

  Token Value();
  Token Name();
  Token Open(bool is_object);
  Token Close(bool is_object);
  Token Word(std::string_view word, Token token);
  Token Number();
  bool String();
  bool TakeSequence();
  bool TakeEscape();
  void SkipBlanks() {  // mostly none, or one
    if (at_ != text_end_ && *at_ == ' ') ++at_;
    if (at_ == text_end_ || static_cast<unsigned char>(*at_) > ' ') return;
    SkipMoreBlanks();
  }
  void SkipMoreBlanks();
  Token Scalar(Token token) {
    expect_ = Expect::kBehindValue;
    return token;
  }
  Token Fail(JsonProblem problem) {
    problem_ = problem;
    expect_ = Expect::kNothing;
    return Token::kProblem;
  }

  bool FailString(JsonProblem problem) {
    Fail(problem);
    return false;
  }

  const char* text_begin_;
  const char* at_;
  const char* text_end_;
  const char* token_begin_;
  const char* token_end_;
  uint64_t is_object_ = 0;        // one bit for each open container, the innermost lowest
  std::vector<uint64_t> outer_;   // … beyond 64 of them
  int depth_ = 0;
  int max_depth_;
  Expect expect_ = Expect::kValue;
  JsonProblem problem_ = JsonProblem::kNone;
  bool has_escape_ = false;
};

// What is wrong with a text that is to be one value; kNone: nothing.
JsonProblem CheckJson(std::string_view text);

// Appends what the inside of a string or name stands for. Half of a surrogate pair, which stands for nothing, becomes U+FFFD; false then.
// `inside` comes from a JsonReader.
bool UnescapeJson(std::string_view inside, std::string* out);

// Whether servers that read names in any case (Go's encoding/json: simple folding, so that ſ is s and the Kelvin sign k; Java's, where
// the dotless ı is i), or that end a name at a NUL (readers written in C), take `name` for `wanted`.
bool FoldsTo(std::string_view name, std::string_view wanted);
// A name, UTF-8, in the letters that such servers compare: equal for two names of which one folds to the other (a NUL apart).
std::string FoldedName(std::string_view name);

}  // namespace base
