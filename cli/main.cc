// breakwater: the commands and their options are in command_line.cc, the work of each in a file of its own.
#include <exception>
#include <iostream>
#include <string_view>

#include "cli/command_line.h"
#include "cli/exit_codes.h"
#include "cli/load_policy.h"
#include "cli/process_setup.h"
#include "compiler/compile_apart.h"

int main(int argc, char** argv) {
  cli::OpenStandardStreams();
  try {
    if (argc == 2 && std::string_view(argv[1]) == compiler::kCodeCommand) return compiler::MakeCode();
    cli::AllowCompilingApart();
    return cli::CommandLine().Run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "breakwater: internal error: " << error.what()
              << "\nThis is a fault of breakwater, not of the policy.\n";
    return cli::kInternal;
  }
}
