// Policies as a clean one and what is written in the place of what it says: the tables of dangers and of spellings, and the page of
// dangerous policies.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <vector>

namespace tests::analysis {

using Lines = std::vector<std::string>;

extern const char* const kBase;  // without `edition 1`

std::string Trim(const std::string& text);
Lines Split(const std::string& text);
std::string Join(const Lines& lines);

// What a statement says something about: `ttl`, `open` of `open when …`, `header["X"]`.
std::string KeyOf(const std::string& statement);
// The line behind the statement that begins at `at`.
size_t EndOf(const Lines& lines, size_t at);

struct Edit {
  std::string where;  // "big", "big/breaker", "before chat", "beside"
  bool removes = false;
  Lines statement;
};

// fresh: what was written by earlier edits of the same list, beside which a second one of the same key stands.
void Apply(const Edit& edit, std::set<std::string>* fresh, Lines* lines);

// Reads one line of a table as the begin of an edit, or as the rest of the last one: "big + ttl = 1s", "  more of it".
void ReadEdit(const std::string& line, std::vector<Edit>* edits);

}  // namespace tests::analysis
