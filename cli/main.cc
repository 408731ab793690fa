// breakwater: the table of commands. Each lives in a file of its own and returns the exit code:
// 0 clean, 1 findings, 2 cannot read or parse, 3 internal.
#include <exception>
#include <iostream>
#include <string>
#include <string_view>

#include <CLI/CLI.hpp>

#include "cli/check.h"
#include "cli/run.h"

int main(int argc, char** argv) {
  CLI::App app{"Breakwater: a resilience gateway for model servers, driven by .policy files"};
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("breakwater ") + BREAKWATER_VERSION);

  cli::CheckOptions check_options;
  CLI::App* check = app.add_subcommand("check", "Check policies: syntax, names, types and what they will do");
  check->alias("lint");
  check->add_option("files", check_options.paths, "Files or folders; - is standard input")->required();
  check->add_flag("--deny-mock", check_options.deny_mock, "A mock block is an error (for production)");
  std::string deny;
  check->add_option("--deny", deny, "\"warnings\": exit with 1 on warnings, too")->check(CLI::IsMember({"warnings"}));

  cli::RunOptions run_options;
  CLI::App* run = app.add_subcommand("run", "Run the gateway on a policy");
  run->add_option("file", run_options.file, "The policy")->required();
  run->add_option("--workers", run_options.workers, "Event loops; default: the policy's setting, else the usable CPUs")
      ->check(CLI::Range(1, 1024));
  run->add_flag("--deny-mock", run_options.deny_mock, "Refuse a policy with a mock block (for production)");

  const std::string_view command = argc > 1 ? argv[1] : "";
  const auto named = [&](const CLI::App* known) { return known->check_name(std::string(command)); };
  if (!command.empty() && command.front() != '-' && !named(check) && !named(run)) {
    std::cerr << "breakwater: there is no command '" << command << "'; there are check (or lint) and run. See breakwater --help.\n";
    return 2;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  try {
    check_options.deny_warnings = deny == "warnings";
    if (*check) return cli::RunCheck(check_options);
    if (*run) return cli::RunGateway(run_options);
  } catch (const std::exception& error) {
    std::cerr << "breakwater: internal error: " << error.what() << "\n";
    return 3;
  }
  return 3;
}
