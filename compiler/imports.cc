#include "compiler/imports.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include "compiler/expand/expand.h"

namespace compiler {

std::shared_ptr<const source::SourceBuffer> ReadSource(std::string name, std::string_view text, const ReadImport& read) {
  auto source = std::make_shared<source::SourceBuffer>(std::move(name), text);
  size_t count = 0;
  for (const std::string& path : expand::ImportedPaths(text)) {
    if (++count > source::kMaxImports) {
      source->AddUnreadable(path, "more than " + std::to_string(source::kMaxImports) + " files are imported");
      continue;
    }
    if (read == nullptr) continue;
    ImportedText imported = read(path);
    if (imported.why.empty()) source->AddImport(path, std::move(imported.name), imported.text);
    else source->AddUnreadable(path, std::move(imported.why));
  }
  return source;
}

ReadImport ImportsBeside(const std::string& policy_path) {
  const std::filesystem::path folder = policy_path == "-" ? std::filesystem::path() : std::filesystem::path(policy_path).parent_path();
  return [folder](const std::string& path) {
    ImportedText imported;
    const std::filesystem::path at = folder / path;
    imported.name = at.string();
    std::error_code error;
    if (std::filesystem::is_directory(at, error)) {
      imported.why = "it is a folder";
      return imported;
    }
    errno = 0;
    std::ifstream in(at, std::ios::binary);
    if (!in) {
      imported.why = std::strerror(errno);
      return imported;
    }
    imported.text.resize(source::kMaxFileBytes + 1);
    in.read(imported.text.data(), static_cast<std::streamsize>(imported.text.size()));
    imported.text.resize(static_cast<size_t>(in.gcount()));
    return imported;
  };
}

}  // namespace compiler
