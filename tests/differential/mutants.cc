#include "tests/differential/mutants.h"

#include <algorithm>
#include <cstdio>
#include <vector>

#include "tests/runtime/http/request_cases.h"

namespace tests::differential {
namespace {

using base::Random;

const std::vector<std::string>& Seeds() {
  static const std::vector<std::string> seeds = [] {
    namespace cases = runtime::http::cases;
    std::vector<std::string> all;
    for (const auto& c : cases::AcceptedCases()) {
      for (int i = 0; i < 4; ++i) all.push_back(c.input);  // these are nearer to what passes
    }
    for (const auto& c : cases::RefusedCases()) {
      if (c.input.size() < 2000) all.push_back(c.input);
    }
    const std::string smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    const auto length = [](const std::string& body) { return "Content-Length: " + std::to_string(body.size()) + "\r\n"; };
    const auto chunk = [](const std::string& data) {
      char size[20];
      std::snprintf(size, sizeof size, "%zx", data.size());
      return size + std::string("\r\n") + data + "\r\n0\r\n\r\n";
    };
    const std::string ended = "0\r\n\r\n" + smuggled;  // to a reader of chunks the body is over at once
    for (int i = 0; i < 8; ++i) {
      all.push_back(cases::Get(length(smuggled)) + smuggled + smuggled);
      all.push_back(cases::Post(length(ended), ended));
      all.push_back(cases::Chunked(chunk(ended)) + smuggled);
      all.push_back(cases::Line("GET /a%20HTTP/1.1%0d%0aHost:%20a%0d%0a%0d%0aGET%20/smuggled HTTP/1.1"));
      all.push_back(cases::Post(length("hello") + "Cookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\n", "hello") + smuggled);
    }
    return all;
  }();
  return seeds;
}

const std::string& Token(Random* random) {
  static const std::vector<std::string> tokens = {
      "\r\n", "\n", "\r", " ", "\t", ",", ":", ";", "\"", std::string(1, '\0'), "\x7f", "\x80", "\v", "%0d%0a", "%00", "%2f",
      "#", "?", "//", "*", "@", "_", "0", "1", "5", "ff", "+", "-", "0\r\n\r\n", "\r\n\r\n", "1\r\nx\r\n",
      "Content-Length: 5\r\n", "Content-Length: 0\r\n", "content-length:1\r\n", "Content_Length: 3\r\n",
      "Transfer-Encoding: chunked\r\n", "Transfer-Encoding:chunked\r\n", "Transfer-Encoding: identity\r\n", "TE: trailers\r\n",
      "Connection: close\r\n", "Connection: content-length\r\n", "Connection: x, host\r\n", "Host: b\r\n", "X: a\r\n",
      "Expect: 100-continue\r\n", "Upgrade: h2c\r\n", "Range: bytes=0-1\r\n", "Via: 1.0 x\r\n", "!#$%&'*+-.^`|~: v\r\n",
      "http://a", "HTTP/1.0", "HTTP/1.1", "HEAD ", "GET ", "POST ", "OPTIONS ", "DELETE ", "PATCH ",
      "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"};
  return tokens[random->Below(tokens.size())];
}

void MutateOnce(Random* random, std::string* text) {
  const size_t at = random->Below(text->size() + 1);
  const size_t length = std::min<size_t>(text->size() - at, 1 + random->Below(8));
  switch (random->Below(6)) {
    case 0:
      if (at < text->size()) (*text)[at] = static_cast<char>(random->Below(256));
      break;
    case 1: text->insert(at, Token(random)); break;
    case 2: text->erase(at, length); break;
    case 3: text->insert(at, text->substr(at, length)); break;
    case 4: {  // behind a line: where a header fits
      const size_t line = text->find("\r\n", at);
      text->insert(line == std::string::npos ? at : line + 2, Token(random));
      break;
    }
    case 5: text->replace(at, length, Token(random)); break;
  }
}

}  // namespace

std::string Mutant(Random* random) {
  std::string text = Seeds()[random->Below(Seeds().size())];
  if (random->Below(3) == 0) text += Seeds()[random->Below(Seeds().size())];
  for (uint64_t left = random->Below(4); left > 0; --left) MutateOnce(random, &text);
  return text;
}

}  // namespace tests::differential
