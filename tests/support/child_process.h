// A program started by a test: its lines on standard output and standard error are collected by threads. It dies with
// the object, and with the test program.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/wait.h"

namespace tests::support {

// A folder of its own, removed with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::filesystem::path& path() const { return path_; }
  // Writes a file and returns its path.
  std::string Write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

// Text with every `from` replaced. Throws if there is none: a test that replaces nothing tests something else.
std::string ReplaceAll(std::string text, const std::string& from, const std::string& to);

std::string ReadFile(const std::filesystem::path& path);

class ChildProcess {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  // Starts command[0]. `environment` is added to that of the test.
  ChildProcess(const std::vector<std::string>& command, const Environment& environment);
  ~ChildProcess();  // SIGKILL if it still runs
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }
  // Whole lines so far, without the first `skip`.
  std::vector<std::string> out(size_t skip = 0) const;
  std::vector<std::string> err(size_t skip = 0) const;

  void Signal(int signal);
  // The exit code, or −signal; nothing if it still runs after `limit`. All its lines are there afterwards.
  std::optional<int> WaitForExit(Clock::duration limit = kPatience);
  bool is_running();

  size_t resident_bytes() const;  // VmRSS; 0 if it is gone
  size_t open_files() const;      // file descriptors

 private:
  struct Output {
    mutable std::mutex mutex;
    std::vector<std::string> lines;
    std::thread reader;
  };
  static void Read(int fd, Output* output);
  static std::vector<std::string> Copy(const Output& output, size_t skip);

  pid_t pid_ = -1;
  std::optional<int> exit_;
  Output out_;
  Output err_;
};

}  // namespace tests::support
