// Typed reading of a YAML map, with a problem for everything that is not as expected: wrong types, unknown and doubled keys.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/migrate/migrate.h"

namespace compiler::migrate {

struct Problems {
  std::vector<Problem> list;
  bool fatal = false;  // a value is wrong or missing: no policy can be made

  void Add(const YAML::Mark& mark, std::string text, bool is_fatal);
};

// A value with where it stands.
template <typename T>
struct Found {
  T value;
  YAML::Mark mark;
};

class MapReader {
 public:
  // `path`: what messages call the map, such as "upstream.ollama". A node that is no map is a problem; nothing is in it then.
  MapReader(const YAML::Node& node, std::string path, Problems* problems);

  std::optional<Found<std::string>> Text(const char* key);
  std::optional<Found<int>> Int(const char* key, int low, int high);
  std::optional<Found<bool>> Bool(const char* key);
  std::optional<Found<std::string>> Duration(const char* key);  // as the policy writes it
  std::optional<MapReader> Map(const char* key);

  // The entries of a map whose keys are names.
  std::vector<std::pair<std::string, YAML::Node>> Entries() const { return entries_; }

  // A problem for each key that nothing asked for. Returns them as "key: value", for comments.
  std::vector<std::string> TellUnknown();

  void Missing(const char* key, std::string_view example);
  const YAML::Mark& mark() const { return mark_; }
  int line() const { return mark_.line + 1; }

 private:
  const YAML::Node* Find(const char* key);
  // The text of a scalar; a problem and nothing otherwise.
  std::optional<Found<std::string>> Scalar(const char* key, const char* what);

  std::string path_;
  Problems* problems_;
  YAML::Mark mark_;
  std::vector<std::pair<std::string, YAML::Node>> entries_;
  std::set<std::string> known_;
};

// "a list", "a map", "`15`", "nothing".
std::string Describe(const YAML::Node& node);

}  // namespace compiler::migrate
