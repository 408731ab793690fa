#include "tests/analysis/edited_policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <utility>

namespace tests::analysis {

const char* const kBase = R"(gateway {
  listen = "127.0.0.1:8080"
  drain = 5min
  limits { body = 1MiB }
}
upstream big {
  url = "http://10.0.0.11:11434"
  repeat_safe = true
  timeouts { connect = 1s  first_token = 20s  idle = 15s  total = 2min }
}
upstream small {
  url = "http://10.0.0.12:11434"
  repeat_safe = true
  timeouts { connect = 1s  first_token = 10s  idle = 15s  total = 2min }
}
route chat {
  when request.method == POST and request.path in {"/api/chat", "/v1/chat/completions"}
  to = [big, small]
  fallback = [busy]
}
route rest {
  reply = nope
}
reply busy {
  status = 503
  header["Retry-After"] = "15"
  text = "Busy. Try again in a moment."
}
reply nope {
  status = 404
  body = json { "error": "no such path" }
}
)";

std::string Trim(const std::string& text) {
  const size_t begin = text.find_first_not_of(' ');
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

Lines Split(const std::string& text) {
  Lines lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string Join(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string KeyOf(const std::string& statement) {
  const std::string text = Trim(statement);
  if (text.starts_with("header[")) return text.substr(0, text.find(']') + 1);
  return text.substr(0, text.find_first_of(" =({"));
}

namespace {

int Depth(const std::string& line) {
  const auto opens = std::count(line.begin(), line.end(), '{');
  return static_cast<int>(opens - std::count(line.begin(), line.end(), '}'));
}

}  // namespace

size_t EndOf(const Lines& lines, size_t at) {
  int depth = Depth(lines[at++]);
  while (depth > 0) depth += Depth(lines[at++]);
  return at;
}

namespace {

// The lines of a block's body: [first, second).
std::pair<size_t, size_t> BodyOf(const Lines& lines, const std::string& block) {
  const std::string name = block.substr(0, block.find('/'));
  for (size_t i = 0; i < lines.size(); i = EndOf(lines, i)) {
    std::istringstream words(lines[i]);
    std::string kind;
    std::string own;
    words >> kind >> own;
    if ((name.starts_with('@') ? own != name.substr(1) : own != name && (kind != name || kind != "gateway"))) continue;
    if (block.find('/') == std::string::npos) return {i + 1, EndOf(lines, i) - 1};
    const std::string inner = block.substr(block.find('/') + 1);
    for (size_t j = i + 1; j < EndOf(lines, i) - 1; j = EndOf(lines, j)) {
      if (KeyOf(lines[j]) == inner) return {j + 1, EndOf(lines, j) - 1};
    }
  }
  ADD_FAILURE() << "no block " << block << " in\n" << Join(lines);
  return {0, 0};
}

}  // namespace

void Apply(const Edit& edit, std::set<std::string>* fresh, Lines* lines) {
  if (edit.where == "before chat" || edit.where == "beside") {
    auto at = lines->end();
    if (edit.where == "before chat")
      at = std::find_if(lines->begin(), lines->end(), [](const std::string& line) { return line == "route chat {"; });
    lines->insert(at, edit.statement.begin(), edit.statement.end());
    return;
  }
  const std::string key = KeyOf(edit.statement[0]);
  // A second one of this list stands beside the first.
  const bool replaces = edit.removes || fresh->insert(edit.where + " " + key).second;
  auto [first, last] = BodyOf(*lines, edit.where);
  size_t at = last;
  for (size_t i = first; replaces && i < last;) {
    const size_t end = EndOf(*lines, i);
    if (KeyOf((*lines)[i]) != key) {
      i = end;
      continue;
    }
    lines->erase(lines->begin() + static_cast<std::ptrdiff_t>(i), lines->begin() + static_cast<std::ptrdiff_t>(end));
    last -= end - i;
    at = i;
  }
  if (at > last) at = last;
  if (edit.removes) return;
  Lines indented;
  for (const std::string& line : edit.statement) indented.push_back("  " + line);
  lines->insert(lines->begin() + static_cast<std::ptrdiff_t>(at), indented.begin(), indented.end());
}

void ReadEdit(const std::string& line, std::vector<Edit>* edits) {
  if (line.starts_with("  ")) {
    edits->back().statement.push_back(line.substr(2));
    return;
  }
  size_t at = line.find(" + ");
  const size_t minus = line.find(" - ");
  const bool removes = minus < at;
  at = std::min(at, minus);
  edits->push_back({line.substr(0, at), removes, {line.substr(at + 3)}});
}

}  // namespace tests::analysis
