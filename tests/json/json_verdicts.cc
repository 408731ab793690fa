// Reads texts, each as a line of hex digits, and says of each whether it is one JSON text, and if it is what its numbers, strings and names
// are: what the gateway's reader makes of it, for comparison with other programs' readers (differential.py).
//
//   json_verdicts [--fault NAME]    with a fault that a reader could have: the comparison must find it
#include <cstdio>
#include <iostream>
#include <string>
#include <string_view>

#include "base/json_reader.h"

namespace {

using base::JsonReader;
using Token = JsonReader::Token;

std::string FromHex(std::string_view hex) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes.push_back(static_cast<char>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  return bytes;
}

void Replace(std::string* text, std::string_view what, std::string_view with) {
  for (size_t at = text->find(what); at != std::string::npos; at = text->find(what, at + with.size())) text->replace(at, what.size(), with);
}

// The text as a reader with that fault would take it.
void Plant(std::string_view fault, std::string* text) {
  if (fault == "trailing_comma") {
    Replace(text, ",]", "]");
    Replace(text, ",}", "}");
  } else if (fault == "nan") {
    Replace(text, "NaN", "0");
  } else if (fault == "leading_zero") {
    Replace(text, "01", "1");
  } else if (fault == "byte_order_mark") {
    if (text->starts_with("\xEF\xBB\xBF")) text->erase(0, 3);
  } else if (fault == "overlong") {
    Replace(text, "\xC0\xAF", "/");
  } else if (fault == "control_in_string") {
    Replace(text, "\x01", " ");
  } else if (fault == "what_follows") {
    JsonReader reader(*text);
    if (reader.SkipRest(reader.Next())) text->resize(reader.end());
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view fault = argc == 3 ? argv[2] : "";
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string text = FromHex(line);
    Plant(fault, &text);
    JsonReader reader(text);
    std::string seen;
    Token token = reader.Next();
    for (; token != Token::kEnd && token != Token::kProblem; token = reader.Next()) {
      if (token == Token::kName || token == Token::kString) {
        std::string plain;
        const bool is_whole = base::UnescapeJson(reader.inside(), &plain);
        if (!is_whole) plain = "half a pair";
        seen += token == Token::kName ? " n" : " s";
        for (const char c : plain) {
          char hex[3];
          std::snprintf(hex, sizeof hex, "%02x", static_cast<unsigned char>(c));
          seen += hex;
        }
      } else {
        seen += " " + std::string(1, token == Token::kNumber ? '#' : reader.text()[0]);
      }
    }
    std::cout << (token == Token::kEnd ? "yes" + seen : std::string("no")) << "\n";
  }
  return 0;
}
