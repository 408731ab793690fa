// Private to this folder. simdjson wants room behind a text, and room of its own: one of these for each thread, whatever the number of
// streams and requests.
#pragma once

#include <string>
#include <string_view>

#include <simdjson.h>

namespace runtime::dialect {

template <typename Parser>
struct Scratch {
  static constexpr size_t kKeptBytes = 1 << 20;  // of text: a larger one's memory, several times that, is given back

  Parser parser;

  // The text with room behind it, until the next Take or GiveBack.
  simdjson::padded_string_view Take(std::string_view json) {
    text_.reserve(json.size() + simdjson::SIMDJSON_PADDING);
    text_.assign(json);
    return simdjson::padded_string_view(text_.data(), text_.size(), text_.capacity());
  }
  void GiveBack() {
    if (text_.capacity() <= kKeptBytes + simdjson::SIMDJSON_PADDING) return;
    std::string().swap(text_);
    parser = Parser();
  }

 private:
  std::string text_;
};

}  // namespace runtime::dialect
