#include "compiler/expand/imports.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "compiler/expand/expand.h"

namespace compiler {

std::shared_ptr<const source::SourceBuffer> ReadSource(std::string name, std::string_view text, const ReadImport& read) {
  auto source = std::make_shared<source::SourceBuffer>(std::move(name), text);
  size_t count = 0;
  // `at`: where the path is seen from.
  const auto add = [&](const std::string& path, const std::string& at) {
    std::string text_of_it;
    if (++count > source::kMaxImports) {
      source->AddUnreadable(path, "more than " + std::to_string(source::kMaxImports) + " files are imported");
      return text_of_it;
    }
    if (read == nullptr) return text_of_it;
    ImportedText imported = read(at + path);
    if (imported.why.empty()) source->AddImport(path, std::move(imported.name), imported.text);
    else source->AddUnreadable(path, std::move(imported.why));
    return imported.text;
  };
  if (const std::optional<std::string> policy = expand::TestedPolicy(text)) {
    const size_t slash = policy->rfind('/');
    const std::string folder = slash == std::string::npos ? "" : policy->substr(0, slash + 1);
    for (const std::string& path : expand::ImportedPaths(add(*policy, ""))) {
      if (path != *policy) add(path, path.starts_with('/') ? "" : folder);
    }
    return source;
  }
  for (const std::string& path : expand::ImportedPaths(text)) add(path, "");
  return source;
}

ReadImport ImportsBeside(const std::string& policy_path) {
  const std::filesystem::path folder = policy_path == "-" ? std::filesystem::path() : std::filesystem::path(policy_path).parent_path();
  return [folder, policy_path](const std::string& path) {
    ImportedText imported;
    const std::filesystem::path at = folder / path;
    imported.name = at.string();
    std::error_code error;
    if (std::filesystem::is_directory(at, error)) {
      imported.why = "it is a folder";
      return imported;
    }
    if (policy_path != "-" && std::filesystem::equivalent(at, policy_path, error)) {
      imported.why = "it is this very file";
      return imported;
    }
    errno = 0;
    std::ifstream in(at, std::ios::binary);
    if (!in) {
      imported.why = std::strerror(errno);
      return imported;
    }
    // One byte more than a policy may have is enough to know that it is too large.
    constexpr size_t kMost = source::kMaxFileBytes + 1;
    while (in && imported.text.size() < kMost) {
      const size_t had = imported.text.size();
      imported.text.resize(std::min(kMost, had + (size_t{64} << 10)));
      in.read(imported.text.data() + had, static_cast<std::streamsize>(imported.text.size() - had));
      imported.text.resize(had + static_cast<size_t>(in.gcount()));
    }
    return imported;
  };
}

}  // namespace compiler
