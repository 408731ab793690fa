// The commands of the tool and their options, as CLI11 knows them: what main reads, and what shell completion and the manual
// page are made from. A command's work is in a file of its own.
#pragma once

#include <functional>
#include <vector>

#include <CLI/CLI.hpp>

namespace cli {

class CommandLine {
 public:
  CommandLine();

  // Reads the arguments and runs the command. Returns the exit code.
  int Run(int argc, const char* const* argv);

  const CLI::App& app() const { return app_; }

 private:
  CLI::App app_;
  std::vector<std::pair<CLI::App*, std::function<int()>>> commands_;
};

// The named commands of an app, in the order of the table.
std::vector<const CLI::App*> CommandsOf(const CLI::App& app);

// The words that an option takes, if they are a closed list.
std::vector<std::string> ChoicesOf(const CLI::Option& option);

}  // namespace cli
