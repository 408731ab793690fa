#include "cli/inputs.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>

#include "compiler/source/source_buffer.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

std::optional<std::string> ReadAll(std::istream& in) {
  // One byte more than a policy may have is enough to know that it is too large.
  std::string text(compiler::source::kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::nullopt;
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

// All *.policy files below a folder; nothing, and the reason, if there are none.
std::vector<std::string> PoliciesBelow(const std::string& folder, std::string* why) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->path().extension() == ".policy" && at->is_regular_file(error)) files.push_back(at->path().string());
  }
  if (error) {
    *why = error.message();
    return {};
  }
  if (files.empty()) *why = "this folder holds no .policy file";
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::optional<Input> ReadInput(const std::string& path, std::string* why) {
  std::optional<std::string> text;
  if (path == "-") {
    text = ReadAll(std::cin);
  } else {
    std::error_code error;
    if (!fs::exists(path, error)) {
      *why = error ? error.message() : "no such file";  // a folder on the way may be closed to us
      return std::nullopt;
    }
    if (fs::is_directory(path, error)) {
      *why = "this is a folder";
      return std::nullopt;
    }
    errno = 0;
    std::ifstream in(path, std::ios::binary);
    if (in) text = ReadAll(in);
  }
  if (!text) {
    *why = errno != 0 ? std::generic_category().message(errno) : "reading failed";
    return std::nullopt;
  }
  return Input{path, path == "-" ? "<stdin>" : path, std::move(*text)};
}

void ForEachInput(const std::vector<std::string>& paths, const std::function<void(const Input&)>& read,
                  const std::function<void(const std::string& path, const std::string& why)>& failed) {
  const auto one = [&](const std::string& path) {
    std::string why;
    if (const std::optional<Input> input = ReadInput(path, &why)) read(*input);
    else failed(path, why);
  };
  for (const std::string& path : paths) {
    std::error_code error;
    if (path == "-" || !fs::is_directory(path, error)) {
      one(path);
      continue;
    }
    std::string why;
    const std::vector<std::string> files = PoliciesBelow(path, &why);
    if (files.empty()) failed(path, why);
    for (const std::string& file : files) one(file);
  }
}

}  // namespace cli
