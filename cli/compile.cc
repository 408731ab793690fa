#include "cli/compile.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <iterator>

#include "base/ed25519.h"
#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/report.h"
#include "cli/write_file.h"
#include "compiler/bundle/bundle.h"
#include "compiler/compile_bundle.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/diagnostics/render.h"
#include "compiler/expand/imports.h"

namespace cli {
namespace {

constexpr std::string_view kAnyCpu = "any";

int Unreadable(const std::string& path, const std::string& why) {
  std::cerr << "breakwater: can't read " << path << ": " << why << "\n";
  return kUnreadable;
}

// A file that is not there yet: a key is never written over another.
bool WriteNew(const std::string& path, mode_t rights, const std::string& text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, rights);
  bool good = fd >= 0;
  for (size_t written = 0; good && written < text.size();) {
    const ssize_t n = write(fd, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    good = n > 0;
    if (good) written += static_cast<size_t>(n);
  }
  const int why = errno;
  if (fd >= 0) close(fd);
  if (good) return true;
  std::cerr << "breakwater: can't write " << path << ": "
            << (why == EEXIST ? "there is such a file, and no key is written over; name another with -o" : std::strerror(why)) << "\n";
  return false;
}

}  // namespace

std::vector<std::string> CpuLevels() {
  std::vector<std::string> levels(std::begin(compiler::abi::kCpuLevels), std::end(compiler::abi::kCpuLevels));
  levels.emplace_back(kAnyCpu);
  return levels;
}

int RunCompile(const CompileCommandOptions& options) {
  std::string why;
  const auto input = ReadInput(options.file, &why);
  if (!input) return Unreadable(options.file, why);
  if (compiler::bundle::IsBundle(input->text)) return Unreadable(options.file, "it is a bundle already");
  std::string key;
  if (!options.sign.empty()) {
    const auto file = ReadInput(options.sign, &why);
    if (!file) return Unreadable(options.sign, why);
    key = file->text;
  }

  compiler::diagnostics::Diagnostics diagnostics;
  compiler::BundleOptions bundle_options;
  bundle_options.cpu_level = options.cpu == kAnyCpu ? "" : options.cpu;
  bundle_options.deny_mock = options.deny_mock;
  bundle_options.made_by = BREAKWATER_VERSION;
  const auto source = compiler::ReadSource(input->name, input->text, compiler::ImportsBeside(input->path));
  const auto content = compiler::CompileBundle(source, bundle_options, &diagnostics);
  if (!diagnostics.empty()) {
    compiler::diagnostics::RenderOptions render;
    render.color = WantsColor(STDERR_FILENO);
    std::cerr << compiler::diagnostics::RenderAll(*source, diagnostics, render);
  }
  if (!content) {
    const auto& findings = diagnostics.items();
    const bool is_jit = std::any_of(findings.begin(), findings.end(), [](const compiler::diagnostics::Diagnostic& finding) {
      return finding.kind == compiler::diagnostics::Kind::kJitFailed;
    });
    return is_jit ? kInternal : kFindings;
  }
  std::string bundle = compiler::bundle::Pack(*content);
  if (!options.sign.empty() && !compiler::bundle::SignBundle(key, &bundle)) {
    std::cerr << "breakwater: --sign " << options.sign
              << ": this is no private Ed25519 key in a PEM file without a pass phrase; `breakwater key new --signing` makes one\n";
    return kUnreadable;
  }
  if (!WriteFileAtomically(options.output, bundle, &why)) {
    std::cerr << "breakwater: can't write " << options.output << ": " << why << "\n";
    return kUnreadable;
  }
  return kClean;
}

int RunKey(const KeyOptions& options) {
  if (!options.signing) {
    std::cerr << "breakwater: a key for what? Write `breakwater key new --signing` for one that signs bundles.\n";
    return kUnreadable;
  }
  const auto keys = base::NewKeyPair();
  if (!keys) {
    std::cerr << "breakwater: the system gives no randomness for a key\n";
    return kInternal;
  }
  const std::string secret = options.output + ".key";
  const std::string open = options.output + ".pub";
  if (!WriteNew(secret, 0600, keys->private_pem) || !WriteNew(open, 0644, keys->public_pem)) return kUnreadable;
  std::cout << secret << "  signs: keep it where only the build that compiles policies can read it\n"
            << open << "  tells what it signed: `breakwater run FILE.bundle --trust " << open << "`\n";
  return kClean;
}

}  // namespace cli
