#include "tests/field/tables.h"

#include <fstream>
#include <stdexcept>

#include <nlohmann/json.hpp>

namespace tests::field {
namespace {

using Json = nlohmann::json;

Taken TakenOf(const std::string& word) {
  for (const Taken taken : {Taken::kComplete, Taken::kUnfinished, Taken::kTruncated, Taken::kError, Taken::kNoAnswer}) {
    if (Name(taken) == word) return taken;
  }
  throw std::invalid_argument("`is` is none of complete, unfinished, truncated, error, no_answer: " + word);
}

}  // namespace

std::vector<Entry> ReadTable(const std::string& name) {
  std::ifstream in(std::string(BREAKWATER_FIELD_TABLES) + "/" + name + ".json");
  const Json table = Json::parse(in);
  std::vector<Entry> entries;
  for (const Json& line : table.at("entries")) {
    for (const char* member : {"server", "source", "date"}) {
      if (line.at(member).get<std::string>().empty()) throw std::invalid_argument(name + ": a line without " + member);
    }
    Entry entry;
    entry.table = name;
    entry.prompt_too_long = line.value("prompt_too_long", false);
    if (line.contains("http_status")) {
      entry.status = line.at("http_status");
      entry.body = line.at("body").get<std::string>();
      entry.name = line.at("server").get<std::string>() + ": " + entry.body;
      entries.push_back(std::move(entry));
      continue;
    }
    entry.name = line.at("server").get<std::string>() + ": " + line.at("name").get<std::string>();
    entry.api = line.at("api");
    entry.has_type = line.contains("type");
    entry.type = line.value("type", entry.api.rfind("ollama", 0) == 0 ? "application/x-ndjson" : "text/event-stream");
    entry.is_whole = line.value("whole", false);
    entry.is_object = line.value("object", false);
    for (const Json& piece : line.at("body")) entry.pieces.push_back(piece);
    for (const std::string& piece : entry.pieces) entry.body += piece;
    const std::string end = line.value("end", "clean");
    if (end != "clean" && end != "reset") throw std::invalid_argument("`end` is clean or reset");
    entry.is_clean_end = end == "clean";
    entry.choices = line.value("choices", 1);
    entry.is = TakenOf(line.at("is"));
    entry.is_held = line.value("held", false);
    entry.has_early_reason = line.value("early_reason", false);
    entry.is_empty = line.value("empty", false);
    entry.text = line.value("text", "");
    entry.adds = line.value("adds", "");
    entry.status = line.value("status", 0);
    entry.message = line.value("message", "");
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<Entry> AllAnswers() {
  std::vector<Entry> all;
  for (const char* name : {"ends", "errors", "life_signs", "responses", "types", "whole"}) {
    for (Entry& entry : ReadTable(name)) all.push_back(std::move(entry));
  }
  return all;
}

}  // namespace tests::field
