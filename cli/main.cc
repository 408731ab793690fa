// breakwater: the commands and their options are in command_line.cc, the work of each in a file of its own.
#include <exception>
#include <iostream>

#include "cli/command_line.h"
#include "cli/exit_codes.h"

int main(int argc, char** argv) {
  try {
    return cli::CommandLine().Run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "breakwater: internal error: " << error.what()
              << "\nThis is a fault of breakwater, not of the policy.\n";
    return cli::kInternal;
  }
}
