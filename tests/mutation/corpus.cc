#include "tests/mutation/corpus.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace tests::mutation {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = BREAKWATER_SOURCE_DIR;

std::string ReadFile(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Files below `folder` that end so, in the order of their names.
std::vector<fs::path> FilesOf(const char* folder, std::string_view extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    if (entry.path().extension() == extension) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

void AddPolicies(const char* folder, std::vector<Source>* sources) {
  for (const fs::path& file : FilesOf(folder, ".policy"))
    sources->push_back({file.lexically_relative(kRoot).string(), ReadFile(file)});
}

}  // namespace

std::vector<Source> SeenPolicies() {
  std::vector<Source> sources;
  AddPolicies("policies", &sources);
  AddPolicies("examples", &sources);
  for (const fs::path& page : FilesOf("docs/checks", ".md")) {
    const std::string text = ReadFile(page);
    const std::string fence = "\n```policy good";
    const size_t begin = text.find(fence);
    if (begin == std::string::npos) continue;
    const size_t line_end = text.find('\n', begin + 1);
    sources.push_back({page.lexically_relative(kRoot).string(),
                       text.substr(line_end + 1, text.find("\n```\n", line_end) - line_end)});
  }
  return sources;
}

std::vector<Source> UnseenPolicies() {
  std::vector<Source> sources;
  AddPolicies("tests/mutation/unseen", &sources);
  return sources;
}

}  // namespace tests::mutation
