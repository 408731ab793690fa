#include "cli/check.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "compiler/compile.h"
#include "compiler/diagnostics/diagnostic.h"
#include "compiler/diagnostics/render.h"
#include "compiler/source/source_buffer.h"

namespace cli {
namespace {

namespace fs = std::filesystem;

constexpr int kClean = 0;
constexpr int kFindings = 1;
constexpr int kUnreadable = 2;
constexpr int kInternal = 3;

bool WantsColor() {
  const char* no_color = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) == 1 && (no_color == nullptr || *no_color == '\0');
}

std::optional<std::string> ReadAll(std::istream& in) {
  // One byte more than a policy may have is enough to know that it is too large.
  std::string text(compiler::source::kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) return std::nullopt;
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

bool IsSyntax(const compiler::diagnostics::Diagnostic& diagnostic) {
  // PL0103 and PL0110 … PL0129 come from reading, PL0140 … PL0143 from the limits (diagnostic_kinds.def).
  return diagnostic.code == "PL0103" || (diagnostic.code >= "PL0110" && diagnostic.code <= "PL0129") ||
         (diagnostic.code >= "PL0140" && diagnostic.code <= "PL0143");
}

class Run {
 public:
  explicit Run(const CheckOptions& options) : options_(options), color_(WantsColor()) {}

  int All() {
    for (const std::string& path : options_.paths) {
      if (path == "-") {
        const std::optional<std::string> text = ReadAll(std::cin);
        if (text) Text("<stdin>", *text);
        else Unreadable(path, "cannot be read");
        continue;
      }
      std::error_code error;
      if (fs::is_directory(path, error)) Folder(path);
      else File(path);
    }
    return worst_;
  }

 private:
  void Raise(int code) { worst_ = std::max(worst_, code); }

  void Unreadable(const std::string& path, const std::string& why) {
    std::cerr << path << ": " << why << "\n";
    Raise(kUnreadable);
  }

  void Folder(const std::string& path) {
    std::vector<std::string> files;
    std::error_code error;
    fs::recursive_directory_iterator at(path, error);
    for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
      if (at->path().extension() == ".policy" && at->is_regular_file(error)) files.push_back(at->path().string());
    }
    if (error) return Unreadable(path, error.message());
    if (files.empty()) return Unreadable(path, "this folder holds no .policy file");
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) File(file);
  }

  void File(const std::string& path) {
    std::error_code error;
    if (!fs::exists(path, error)) return Unreadable(path, "no such file");
    std::ifstream in(path, std::ios::binary);
    const std::optional<std::string> text = in ? ReadAll(in) : std::nullopt;
    if (!text) return Unreadable(path, "cannot be read");
    Text(path, *text);
  }

  void Text(const std::string& name, const std::string& text) {
    compiler::CompileOptions options;
    options.deny_mock = options_.deny_mock;
    compiler::diagnostics::Diagnostics diagnostics;
    compiler::CheckPolicy(text, options, &diagnostics);
    if (diagnostics.empty()) return;
    const compiler::source::SourceBuffer source(name, text);
    if (printed_) std::cout << "\n";
    std::cout << compiler::diagnostics::RenderAll(source, diagnostics, {color_});
    printed_ = true;
    if (diagnostics.has_errors() || options_.deny_warnings) Raise(kFindings);
    const auto& items = diagnostics.items();
    if (std::any_of(items.begin(), items.end(), IsSyntax)) Raise(kUnreadable);
  }

  const CheckOptions& options_;
  const bool color_;
  bool printed_ = false;
  int worst_ = kClean;
};

}  // namespace

int RunCheck(const CheckOptions& options) {
  try {
    const int code = Run(options).All();
    std::cout.flush();
    return code;
  } catch (const std::exception& error) {
    std::cerr << "internal error: " << error.what() << "\nThis is a fault of breakwater, not of the policy.\n";
    return kInternal;
  }
}

}  // namespace cli
