#include "compiler/migrate/yaml_reader.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "compiler/migrate/policy_text.h"

namespace compiler::migrate {

void Problems::Add(const YAML::Mark& mark, std::string text, bool is_fatal) {
  list.push_back({mark.is_null() ? 0 : mark.line + 1, mark.is_null() ? 0 : mark.column + 1, std::move(text)});
  fatal = fatal || is_fatal;
}

std::string Describe(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map: return "a map";
    case YAML::NodeType::Sequence: return "a list";
    case YAML::NodeType::Scalar: {
      const std::string text = OneLine(node.Scalar());
      return text.size() <= 40 ? "`" + text + "`" : "a text";
    }
    case YAML::NodeType::Null:
    case YAML::NodeType::Undefined: return "nothing";
  }
  return "";
}

MapReader::MapReader(const YAML::Node& node, std::string path, Problems* problems)
    : path_(std::move(path)), problems_(problems), mark_(node.Mark()) {
  if (!node.IsMap()) {
    problems_->Add(mark_, (path_.empty() ? "the file" : "`" + path_ + "`") + " is a map of keys and values, not " + Describe(node), true);
    return;
  }
  std::set<std::string> seen;
  for (const auto& entry : node) {
    if (!entry.first.IsScalar()) {
      problems_->Add(entry.first.Mark(), "a key is a name, not " + Describe(entry.first), true);
      continue;
    }
    const std::string key = entry.first.Scalar();
    if (!seen.insert(key).second) {
      problems_->Add(entry.first.Mark(), "`" + (path_.empty() ? key : path_ + "." + key) + "` stands there twice", true);
      continue;
    }
    entries_.emplace_back(key, entry.second);
    if (entries_.back().second.Mark().is_null()) continue;
  }
}

const YAML::Node* MapReader::Find(const char* key) {
  known_.insert(key);
  for (const auto& [name, node] : entries_) {
    if (name == key) return &node;
  }
  return nullptr;
}

std::optional<Found<std::string>> MapReader::Scalar(const char* key, const char* what) {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->IsScalar()) {
    problems_->Add(node->Mark(), "`" + path_ + "." + key + "` takes " + what + ", not " + Describe(*node), true);
    return std::nullopt;
  }
  return Found<std::string>{node->Scalar(), node->Mark()};
}

std::optional<Found<std::string>> MapReader::Text(const char* key) { return Scalar(key, "a text"); }

std::optional<Found<int>> MapReader::Int(const char* key, int low, int high) {
  const auto text = Scalar(key, "a whole number");
  if (!text) return std::nullopt;
  int value = 0;
  const char* end = text->value.data() + text->value.size();
  const auto [last, error] = std::from_chars(text->value.data(), end, value);
  if (error == std::errc() && last == end && value >= low && value <= high) return Found<int>{value, text->mark};
  problems_->Add(text->mark,
                 "`" + path_ + "." + key + "` takes a whole number from " + std::to_string(low) + " to " +
                     std::to_string(high) + ", not `" + OneLine(text->value) + "`",
                 true);
  return std::nullopt;
}

std::optional<Found<bool>> MapReader::Bool(const char* key) {
  const auto text = Scalar(key, "true or false");
  if (!text) return std::nullopt;
  // YAML 1.1 knows more words; which of them a reader takes is one of the things that go wrong.
  if (text->value == "true") return Found<bool>{true, text->mark};
  if (text->value == "false") return Found<bool>{false, text->mark};
  problems_->Add(text->mark, "`" + path_ + "." + key + "` takes true or false, not `" + OneLine(text->value) + "`", true);
  return std::nullopt;
}

std::optional<Found<std::string>> MapReader::Duration(const char* key) {
  const auto text = Scalar(key, "a duration such as 15s");
  if (!text) return std::nullopt;
  if (const auto duration = DurationText(text->value)) return Found<std::string>{*duration, text->mark};
  problems_->Add(text->mark,
                 "`" + path_ + "." + key + "` takes a duration with its unit, such as 15s or 500ms, not `" +
                     OneLine(text->value) + "`",
                 true);
  return std::nullopt;
}

std::optional<MapReader> MapReader::Map(const char* key) {
  const YAML::Node* node = Find(key);
  if (node == nullptr) return std::nullopt;
  return MapReader(*node, path_.empty() ? key : path_ + "." + key, problems_);
}

std::vector<std::string> MapReader::TellUnknown() {
  std::vector<std::string> unknown;
  const std::vector<std::string_view> names(known_.begin(), known_.end());
  for (const auto& [key, node] : entries_) {
    if (known_.count(key) > 0) continue;
    std::string text = "`" + (path_.empty() ? key : path_ + "." + key) + "` is not known, and not taken over";
    if (const auto nearest = base::Nearest(key, names)) text += "; did you mean `" + std::string(*nearest) + "`?";
    problems_->Add(node.Mark(), OneLine(text), false);
    unknown.push_back(OneLine(key) + ": " + (node.IsScalar() ? OneLine(node.Scalar()) : Describe(node)));
  }
  return unknown;
}

void MapReader::Missing(const char* key, std::string_view example) {
  problems_->Add(mark_, (path_.empty() ? "the file" : "`" + path_ + "`") + " needs `" + key + "`, for example `" + key + ": " + std::string(example) + "`", true);
}

}  // namespace compiler::migrate
