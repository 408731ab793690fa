// Log lines as JSON text. JsonLine for events, which are few; the access log puts the same pieces straight into its chunk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace runtime::observe {

// Each writes at `at`, where the caller has made room for at least the bytes named, and returns the end of what it wrote.
constexpr size_t JsonStringRoom(size_t bytes) { return 6 * bytes + 2; }
char* PutJsonString(std::string_view value, char* at);  // quotes included; bytes that are not UTF-8 become U+FFFD
constexpr size_t kNumberRoom = 28;  // all of which may be written to
char* PutInteger(int64_t value, char* at);
char* PutMillis(int64_t nanoseconds, char* at);         // milliseconds with three decimals; not negative

// Appends `value` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string_view value, std::string* out);

// Builds one JSON object as text. Keys are plain ASCII; values are escaped. The next line of the same thread has its memory.
class JsonLine {
 public:
  JsonLine();
  ~JsonLine();
  JsonLine(JsonLine&& other) noexcept : text_(std::move(other.text_)) {}
  JsonLine& operator=(JsonLine&&) = delete;

  JsonLine& Add(std::string_view key, std::string_view value);
  JsonLine& Add(std::string_view key, const char* value) { return Add(key, std::string_view(value)); }
  JsonLine& Add(std::string_view key, int64_t value);
  JsonLine& AddMillis(std::string_view key, int64_t nanoseconds);  // as a number with three decimals
  JsonLine& AddRaw(std::string_view key, std::string_view json);
  const std::string& Finish();  // adds the closing brace

 private:
  void Key(std::string_view key);
  std::string text_;
};

}  // namespace runtime::observe
