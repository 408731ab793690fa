#include "cli/inputs.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <system_error>
#include <utility>

#include "compiler/bundle/bundle.h"
#include "compiler/source/source_buffer.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxBundleBytes = size_t{256} << 20;

// `expected`: bytes that there most likely are.
std::optional<std::string> ReadAll(std::istream& in, size_t expected) {
  // One byte more than a policy may have is enough to know that it is too large. A bundle is read whole.
  std::string text;
  constexpr size_t kPiece = size_t{64} << 10;
  text.reserve(std::min(expected, kMaxBundleBytes) + kPiece);
  const auto read = [&](size_t most) {
    while (in && text.size() < most) {
      const size_t before = text.size();
      text.resize(std::min(most, before + kPiece));
      in.read(text.data() + before, static_cast<std::streamsize>(text.size() - before));
      text.resize(before + static_cast<size_t>(in.gcount()));
    }
  };
  read(compiler::source::kMaxFileBytes + 1);
  if (compiler::bundle::IsBundle(text)) {
    read(kMaxBundleBytes + 1);
  }
  if (in.bad()) return std::nullopt;
  return text;
}

struct Below {
  std::vector<std::string> files;
  std::vector<std::pair<std::string, std::string>> closed;  // folders that could not be read, and why
};

// All *.policy files below a folder. A folder that cannot be read hides nothing but what is in it. Links to folders are not followed.
Below PoliciesBelow(const std::string& folder) {
  Below below;
  std::vector<std::string> to_read = {folder};
  while (!to_read.empty()) {
    const std::string at = std::move(to_read.back());
    to_read.pop_back();
    std::error_code error;
    fs::directory_iterator entry(at, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      std::error_code ignored;  // what cannot be looked at is neither
      if (entry->symlink_status(ignored).type() == fs::file_type::directory) {
        to_read.push_back(entry->path().string());
      } else if (entry->path().extension() == ".policy") {
        const fs::file_type type = entry->status(ignored).type();
        const bool leads_nowhere = type == fs::file_type::not_found;  // a link: who reads it says so
        if (type == fs::file_type::regular || leads_nowhere) below.files.push_back(entry->path().string());
      }
    }
    if (error) below.closed.emplace_back(at, error.message());
  }
  std::sort(below.files.begin(), below.files.end());
  std::sort(below.closed.begin(), below.closed.end());
  return below;
}

}  // namespace

std::optional<Input> ReadInput(const std::string& path, std::string* why) {
  std::optional<std::string> text;
  if (path == "-") {
    text = ReadAll(std::cin, 0);
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
    const auto size = fs::file_size(path, error);
    if (in) text = ReadAll(in, error ? 0 : static_cast<size_t>(size));
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
    const Below below = PoliciesBelow(path);
    if (below.files.empty() && below.closed.empty()) failed(path, "this folder holds no .policy file");
    for (const auto& [folder, why] : below.closed) failed(folder, why);
    for (const std::string& file : below.files) one(file);
  }
}

}  // namespace cli
