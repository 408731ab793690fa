// The tables of this folder, *.json: what real servers send, byte for byte, each with the place that says so. README.md tells how a
// line is added.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/field/judge.h"

namespace tests::field {

struct Entry {
  std::string table;
  std::string name;
  std::string api;
  std::string type;      // Content-Type; "" for none
  bool has_type = false;  // `type` was written; else it is that of the API's streams
  bool is_whole = false;   // no stream was asked for
  bool is_object = false;  // a stream was asked for, and this is none
  std::vector<std::string> pieces;
  std::string body;  // all of them
  bool is_clean_end = true;
  int choices = 1;
  Taken is = Taken::kComplete;
  bool is_held = false;       // told by an object that nobody knows: an error only once nothing else came
  bool has_early_reason = false;  // it says too early that it ends: what is cut there nobody can tell from a whole answer
  bool is_empty = false;
  std::string text;
  std::string adds;
  int status = 0;  // of an error
  std::string message;
  bool prompt_too_long = false;
};

// Of one table, without ".json"; throws on what is no table.
std::vector<Entry> ReadTable(const std::string& name);
// Those with bodies of answers: ends, errors, life_signs, responses, types, whole.
std::vector<Entry> AllAnswers();

}  // namespace tests::field
