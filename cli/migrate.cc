#include "cli/migrate.h"

#include <iostream>

#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/write_file.h"
#include "compiler/migrate/migrate.h"

namespace cli {

int RunMigrate(const MigrateOptions& options) {
  std::string why;
  const auto input = ReadInput(options.file, &why);
  if (!input) {
    std::cerr << options.file << ": " << why << "\n";
    return kUnreadable;
  }
  const compiler::migrate::Migration migration = compiler::migrate::MigrateGatewayYaml(input->text);
  const auto place = [&](int line, int column) {
    std::string out = input->name;
    if (line > 0) out += ":" + std::to_string(line);
    if (column > 0) out += ":" + std::to_string(column);
    return out + ": ";
  };
  for (const auto& problem : migration.problems) std::cerr << place(problem.line, problem.column) << problem.text << "\n";
  if (!migration.is_yaml) return kUnreadable;
  if (migration.policy.empty()) {
    std::cerr << input->name << ": no policy was written\n";
    return kFindings;
  }
  if (!migration.choices.empty()) std::cerr << "What " << input->name << " left unsaid, and what was chosen:\n";
  for (const auto& choice : migration.choices)
    std::cerr << "  " << (choice.line > 0 ? "line " + std::to_string(choice.line) + ": " : "") << choice.text << "\n";
  if (options.output.empty()) {
    std::cout << migration.policy;
  } else if (!WriteFileAtomically(options.output, migration.policy, &why)) {
    std::cerr << options.output << ": cannot be written: " << why << "\n";
    return kUnreadable;
  }
  return migration.problems.empty() ? kClean : kFindings;
}

}  // namespace cli
