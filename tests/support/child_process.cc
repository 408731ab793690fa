// Starting, watching and ending programs: fork and exec, pipes, /proc.
#include "tests/support/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace tests::support {

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "breakwater-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder: " + pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TempDir::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path file = path_ / name;
  std::ofstream(file, std::ios::binary) << text;
  return file.string();
}

std::string ReplaceAll(std::string text, const std::string& from, const std::string& to) {
  size_t at = text.find(from);
  if (at == std::string::npos) throw std::runtime_error("nothing to replace: no \"" + from + "\" in\n" + text);
  for (; at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("can't read " + path.string());
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

ChildProcess::ChildProcess(const std::vector<std::string>& command, const Environment& environment) {
  int out_pipe[2];
  int err_pipe[2];
  if (pipe2(out_pipe, O_CLOEXEC) != 0 || pipe2(err_pipe, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");

  // Everything that allocates is done before fork: the child of a program with threads may only make system calls.
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    bool is_replaced = false;
    for (const auto& [name, value] : environment) is_replaced |= text.substr(0, text.find('=')) == name;
    if (!is_replaced) variables.emplace_back(text);
  }
  for (const auto& [name, value] : environment) variables.push_back(name + "=" + value);
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> variable_list;
  for (const std::string& variable : variables) variable_list.push_back(const_cast<char*>(variable.c_str()));
  variable_list.push_back(nullptr);

  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("no process");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(out_pipe[1], STDOUT_FILENO);
    dup2(err_pipe[1], STDERR_FILENO);
    execve(arguments[0], arguments.data(), variable_list.data());
    constexpr char kMessage[] = "exec failed\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kMessage, sizeof kMessage - 1);
    _exit(127);
  }
  close(out_pipe[1]);
  close(err_pipe[1]);
  out_.reader = std::thread(&ChildProcess::Read, out_pipe[0], &out_);
  err_.reader = std::thread(&ChildProcess::Read, err_pipe[0], &err_);
}

ChildProcess::~ChildProcess() {
  if (is_running()) {
    Signal(SIGKILL);
    WaitForExit();
  }
  if (out_.reader.joinable()) out_.reader.join();
  if (err_.reader.joinable()) err_.reader.join();
}

void ChildProcess::Read(int fd, Output* output) {
  std::string partial;
  char buffer[16 << 10];
  while (true) {
    const ssize_t size = read(fd, buffer, sizeof buffer);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    partial.append(buffer, static_cast<size_t>(size));
    size_t start = 0;
    const std::lock_guard lock(output->mutex);
    for (size_t end = partial.find('\n'); end != std::string::npos; end = partial.find('\n', start)) {
      output->lines.push_back(partial.substr(start, end - start));
      start = end + 1;
    }
    partial.erase(0, start);
  }
  if (!partial.empty()) {
    const std::lock_guard lock(output->mutex);
    output->lines.push_back(partial);
  }
  close(fd);
}

std::vector<std::string> ChildProcess::Copy(const Output& output, size_t skip) {
  const std::lock_guard lock(output.mutex);
  if (skip >= output.lines.size()) return {};
  return {output.lines.begin() + static_cast<std::ptrdiff_t>(skip), output.lines.end()};
}
std::vector<std::string> ChildProcess::out(size_t skip) const { return Copy(out_, skip); }
std::vector<std::string> ChildProcess::err(size_t skip) const { return Copy(err_, skip); }

void ChildProcess::Signal(int signal) {
  if (is_running()) kill(pid_, signal);
}

bool ChildProcess::is_running() {
  if (exit_.has_value()) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    exit_ = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  return !exit_.has_value();
}

std::optional<int> ChildProcess::WaitForExit(Clock::duration limit) {
  if (!WaitUntil([this] { return !is_running(); }, limit)) return std::nullopt;
  if (out_.reader.joinable()) out_.reader.join();
  if (err_.reader.joinable()) err_.reader.join();
  return exit_;
}

size_t ChildProcess::resident_bytes() const {
  std::ifstream in("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return static_cast<size_t>(std::atoll(line.c_str() + 6)) << 10;
  }
  return 0;
}

size_t ChildProcess::open_files() const {
  std::error_code error;
  size_t count = 0;
  for (auto it = std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/fd", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    ++count;
  }
  return count;
}

}  // namespace tests::support
