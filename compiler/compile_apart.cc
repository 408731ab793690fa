#include "compiler/compile_apart.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "compiler/bundle/bundle.h"
#include "compiler/bundle/code_mapping.h"
#include "compiler/bundle/model_codec.h"
#include "compiler/compile.h"
#include "compiler/diagnostics/kinds.h"
#include "compiler/jit/jit.h"

extern char** environ;

namespace compiler {
namespace {

constexpr char kCode = 'C';   // how what comes back begins
constexpr char kError = 'E';

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

std::string ReadAll(int fd) {
  std::string text;
  char buffer[16384];
  for (;;) {
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  ~Descriptor() { Close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  void Reset(int fd) {
    Close();
    fd_ = fd;
  }
  void Close() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// What the other process wrote; nothing if it could not be started or was killed.
std::optional<std::string> AskAnotherProcess(const std::string& input) {
  const Descriptor in(memfd_create("breakwater-policy", MFD_CLOEXEC));
  int ends[2];
  if (in.get() < 0 || !WriteAll(in.get(), input) || lseek(in.get(), 0, SEEK_SET) != 0 || pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
  const Descriptor out(ends[0]);
  Descriptor child_out(ends[1]);

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, child_out.get(), STDOUT_FILENO);
  sigset_t none;  // the gateway's threads have signals blocked
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  char name[] = "breakwater";
  std::string command = kCodeCommand;
  char* arguments[] = {name, command.data(), nullptr};
  pid_t child = -1;
  const int result = posix_spawn(&child, "/proc/self/exe", &actions, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (result != 0) return std::nullopt;
  child_out.Close();
  std::string answer = ReadAll(out.get());
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || answer.empty()) return std::nullopt;
  return answer;
}

}  // namespace

std::shared_ptr<CompiledPolicy> CompileApart(model::Policy policy, std::string hash, diagnostics::Diagnostics* diagnostics) {
  if (abi::CpuLevelHere().empty()) return CompileChecked(std::move(policy), std::move(hash), diagnostics);
  const std::optional<std::string> answer = AskAnotherProcess(bundle::EncodePolicy(policy));
  if (!answer) return CompileChecked(std::move(policy), std::move(hash), diagnostics);  // no /proc, say
  auto compiled = std::make_shared<CompiledPolicy>();
  compiled->policy = std::move(policy);
  compiled->hash = std::move(hash);
  std::string why;
  if ((*answer)[0] == kError) {
    why = answer->substr(1);
  } else if (const auto image = bundle::UnpackImage(std::string_view(*answer).substr(1))) {
    compiled->code = bundle::MapCode(*image, compiled->policy, &compiled->predicates, &why);
  } else {
    why = "the process that makes code wrote none";
  }
  if (compiled->code == nullptr) {
    diagnostics->Emit(diagnostics::Kind::kJitFailed, {0, 0}, {why});
    return nullptr;
  }
  compiled->routes = routes::RouteIndex(compiled->policy);
  return compiled;
}

int MakeCode() {
  const std::optional<model::Policy> policy = bundle::DecodePolicy(ReadAll(STDIN_FILENO));
  if (!policy) return 1;
  const jit::ImageResult result = jit::MakeImage(*policy, abi::CpuLevelHere());
  const std::string answer = result.image ? kCode + bundle::PackImage(*result.image) : kError + result.error;
  return WriteAll(STDOUT_FILENO, answer) ? 0 : 1;
}

}  // namespace compiler
