#include "cli/command_line.h"

#include <unistd.h>

#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/admin_commands.h"
#include "cli/check.h"
#include "cli/compile.h"
#include "cli/completion.h"
#include "cli/dashboards.h"
#include "cli/exit_codes.h"
#include "cli/explain.h"
#include "cli/explain_log_line.h"
#include "cli/fix.h"
#include "cli/format.h"
#include "cli/manual.h"
#include "cli/migrate.h"
#include "cli/report.h"
#include "cli/run.h"
#include "cli/start_lines.h"
#include "cli/test.h"
#include "compiler/abi/predicate_image.h"
#include "base/text.h"

namespace cli {
namespace {

// Each declares the options of one command and returns what runs it once they have been read.
using Runner = std::function<int()>;

Runner DeclareCheck(CLI::App* command) {
  auto options = std::make_shared<CheckOptions>();
  auto deny = std::make_shared<std::string>();
  command->alias("lint");
  command->add_option("files", options->paths, "Files or folders; - is standard input")->required();
  command->add_option("--format", options->format, "How findings are written")->check(CLI::IsMember(ReportFormats()));
  command->add_option("--deny", *deny, "Exit with 1 on warnings, too")->check(CLI::IsMember({"warnings"}));
  command->add_flag("--deny-mock", options->deny_mock, "A mock block is an error (for production)");
  return [options, deny] {
    options->deny_warnings = *deny == "warnings";
    return RunCheck(*options);
  };
}

Runner DeclareCompile(CLI::App* command) {
  auto options = std::make_shared<CompileCommandOptions>();
  options->cpu = std::string(compiler::abi::kDefaultCpuLevel);
  command->add_option("file", options->file, "The policy; - is standard input")->required();
  command->add_option("-o,--output", options->output, "The bundle")->required();
  command->add_option("--cpu", options->cpu, "The least CPU that it is to run on; any: every machine, with interpreted conditions")
      ->check(CLI::IsMember(CpuLevels()))
      ->capture_default_str();
  command->add_option("--sign", options->sign, "A private key to sign the bundle with");
  command->add_flag("--deny-mock", options->deny_mock, "Refuse a policy with a mock block (for production)");
  return [options] { return RunCompile(*options); };
}

Runner DeclareKey(CLI::App* command) {
  auto options = std::make_shared<KeyOptions>();
  command->add_option("what", options->what, "new: make one")->required()->check(CLI::IsMember({"new"}));
  command->add_flag("--signing", options->signing, "For bundles: compile --sign and run --trust");
  command->add_option("-o,--output", options->output, "Its files are this with .key (private) and .pub")->capture_default_str();
  return [options] { return RunKey(*options); };
}

Runner DeclareExplain(CLI::App* command) {
  auto options = std::make_shared<ExplainOptions>();
  command->add_option("what", options->what,
                      "A policy, the code of a finding such as PL0101, or a setting such as upstream.timeouts.idle; without one, all codes are listed");
  command->add_option("policy", options->policy, "Beside a setting: the policy in which to look for it");
  CLI::Option* request = command->add_option("--request", options->request,
                                             "Say which route of the policy takes this request: 'POST /api/chat'");
  command->add_option("--header", options->headers, "A header of the request, 'Name: value'; several times for several")
      ->allow_extra_args(false)
      ->needs(request);
  command->add_option("--body", options->body, "The body of the request, or @FILE")->needs(request);
  command->add_option("--client", options->client, "The address that the request comes from")
      ->capture_default_str()
      ->needs(request);
  return [options] { return RunExplain(*options); };
}

Runner DeclareExplainRequest(CLI::App* command) {
  auto options = std::make_shared<ExplainLogLineOptions>();
  command->add_option("line", options->line, "A line of the access log, in quotes; - reads lines from standard input")->required();
  command->add_option("--policy", options->policy, "The policy that was in force: says which of its lines decided");
  return [options] { return RunExplainLogLine(*options); };
}

Runner DeclareFix(CLI::App* command) {
  auto options = std::make_shared<FixCommandOptions>();
  command->add_option("files", options->paths, "Files or folders; - is standard input")->required();
  command->add_flag("--dry-run", options->dry_run, "Print what would change, and write nothing");
  command->add_flag("--unsafe", options->unsafe, "Also make changes that need a choice; read them before you keep them");
  return [options] { return RunFix(*options); };
}

Runner DeclareFormat(CLI::App* command) {
  auto options = std::make_shared<FormatOptions>();
  command->add_option("files", options->paths, "Files or folders; - is standard input")->required();
  command->add_flag("--check", options->check, "Write nothing; list every file that is laid out otherwise");
  command->add_flag("--diff", options->diff, "Write nothing; show what would change");
  return [options] { return RunFormat(*options); };
}

Runner DeclareMigrate(CLI::App* command) {
  auto options = std::make_shared<MigrateOptions>();
  command->add_option("file", options->file, "The YAML; - is standard input")->required();
  command->add_option("-o,--output", options->output, "Where the policy goes; default: standard output");
  return [options] { return RunMigrate(*options); };
}

Runner DeclareDashboards(CLI::App* command) {
  auto options = std::make_shared<DashboardsOptions>();
  command->add_option("file", options->file, "The policy; - is standard input")->required();
  command->add_option("-o,--output", options->output, "The folder for breakwater.json and alerts.yml")->required();
  return [options] { return RunDashboards(*options); };
}

Runner DeclareRun(CLI::App* command) {
  auto options = std::make_shared<RunOptions>();
  command->add_option("file", options->file, "The policy, or a bundle of one; - is standard input")->required();
  command->add_option("--workers", options->workers, "Event loops; default: the policy's setting, else the usable CPUs")
      ->check(CLI::Range(1, 1024));
  command->add_flag("--deny-mock", options->deny_mock, "Refuse a policy with a mock block (for production)");
  command->add_option("--trust", options->trust, "A public key: run only a bundle that its private key signed");
  command->add_flag("!--no-warm", options->warms, "A reload does not load models first (cold_load)");
  command->add_flag("--watch", options->watch, "Reload when the file, or one that it imports, changes");
  return [options] { return RunGateway(*options); };
}

// What all commands to a running gateway take.
void DeclareAdmin(CLI::App* command, AdminOptions* options) {
  command->add_option("--admin", options->address,
                      "The admin address of the gateway; default: $BREAKWATER_ADMIN, else 127.0.0.1:9180");
  command->add_option("--token", options->token,
                      "Its token; default: $BREAKWATER_ADMIN_TOKEN, else the file that the gateway wrote");
}

Runner DeclareHealthy(CLI::App* command) {
  auto options = std::make_shared<AdminOptions>();
  command->add_option("--admin", options->address,
                      "The admin address of the gateway; default: $BREAKWATER_ADMIN, else 127.0.0.1:9180");
  command->add_option("--timeout", options->timeout_seconds, "Seconds to wait for the answer")
      ->check(CLI::Range(1, 600))
      ->capture_default_str();
  return [options] { return RunHealthy(*options); };
}

Runner DeclareReload(CLI::App* command) {
  auto options = std::make_shared<AdminOptions>();
  DeclareAdmin(command, options.get());
  return [options] { return RunReload(*options); };
}

Runner DeclareStop(CLI::App* command) {
  auto options = std::make_shared<AdminOptions>();
  DeclareAdmin(command, options.get());
  return [options] { return RunAction(*options, "stop"); };
}

// "drain NAME" and "resume NAME".
Runner DeclareUpstream(CLI::App* command) {
  auto options = std::make_shared<AdminOptions>();
  auto name = std::make_shared<std::string>();
  command->add_option("upstream", *name, "The upstream that is meant")->required();
  DeclareAdmin(command, options.get());
  return [command, options, name] { return RunAction(*options, "upstream/" + *name + "/" + command->get_name()); };
}

Runner DeclareLogLevel(CLI::App* command) {
  auto options = std::make_shared<AdminOptions>();
  auto level = std::make_shared<std::string>();
  command->add_option("level", *level, "info, warn or error")->required();
  DeclareAdmin(command, options.get());
  return [options, level] { return RunAction(*options, "log-level/" + *level); };
}

template <int kTakesTime>
Runner DeclareBreaker(CLI::App* command) {
  auto options = std::make_shared<AdminOptions>();
  auto name = std::make_shared<std::string>();
  auto time = std::make_shared<std::string>();
  command->add_option("upstream", *name, "The upstream whose breaker is meant")->required();
  if (kTakesTime != 0) command->add_option("--for", *time, "For how long: 90s, 10min, 1h; afterwards it is as before");
  DeclareAdmin(command, options.get());
  return [command, options, name, time] {
    return RunAction(*options, "breaker/" + *name + "/" + command->get_name() + (time->empty() ? "" : "?for=" + *time));
  };
}

Runner DeclarePurge(CLI::App* command) {
  auto options = std::make_shared<AdminOptions>();
  auto name = std::make_shared<std::string>();
  command->add_option("cache", *name, "The cache whose entries go")->required();
  DeclareAdmin(command, options.get());
  return [options, name] { return RunAction(*options, "cache/" + *name + "/purge"); };
}

Runner DeclareTest(CLI::App* command) {
  auto options = std::make_shared<TestOptions>();
  command->add_option("files", options->paths, "Files or folders; - is standard input")->required();
  command->add_option("--filter", options->filter, "Only the tests that have this text in their names");
  command->add_option("--format", options->format, "How results are written")->check(CLI::IsMember(TestFormats()));
  command->add_flag("--coverage", options->coverage, "List the conditions that no test made true, or false");
  return [options] { return RunTests(*options); };
}

Runner DeclareCompletion(CLI::App* command) {
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "The shell that will read it")->required()->check(CLI::IsMember(Shells()));
  return [command, shell] {
    std::cout << Completion(*shell, *command->get_parent());
    return kClean;
  };
}

Runner DeclareManual(CLI::App* command) {
  return [command] {
    std::cout << ManualPage(*command->get_parent());
    return kClean;
  };
}

struct Command {
  const char* name;
  const char* summary;
  Runner (*declare)(CLI::App* command);
};
constexpr Command kCommands[] = {
    {"check", "Check policies: syntax, names, types and what they will do", DeclareCheck},
    {"compile", "Make a bundle of a policy: one file that runs without a compiler", DeclareCompile},
    {"dashboards", "Write a Grafana board and Prometheus alerts for a policy", DeclareDashboards},
    {"explain", "Explain the code of a finding, or what a policy comes to", DeclareExplain},
    {"explain-request", "Tell in words what happened to a request, from its line of the access log",
     DeclareExplainRequest},
    {"fix", "Write the fixes that findings carry", DeclareFix},
    {"fmt", "Give policies the one layout", DeclareFormat},
    {"key", "Make keys to sign bundles with", DeclareKey},
    {"migrate", "Make a policy of a gateway.yaml, or of LiteLLM's config.yaml", DeclareMigrate},
    {"run", "Run the gateway on a policy", DeclareRun},
    {"test", "Run the tests of policies, on a virtual clock", DeclareTest},
    {"reload", "Tell a running gateway to read its policy anew, and say what became of it", DeclareReload},
    {"open", "Open the breaker of an upstream: nothing is let through", DeclareBreaker<1>},
    {"close", "Close the breaker of an upstream", DeclareBreaker<1>},
    {"reset", "Put the breaker of an upstream back to its beginning", DeclareBreaker<0>},
    {"drain", "Send nothing new to an upstream; what is under way there goes on", DeclareUpstream},
    {"resume", "Send requests to a drained upstream again", DeclareUpstream},
    {"purge", "Empty a cache", DeclarePurge},
    {"log-level", "Leave out events below a level", DeclareLogLevel},
    {"stop", "Stop a running gateway as SIGTERM does", DeclareStop},
    {"healthy", "Exit with 0 if a gateway is ready (for health checks of containers)", DeclareHealthy},
    {"completion", "Print what completes commands and options in a shell", DeclareCompletion},
    {"man", "Print the manual page", DeclareManual},
};

}  // namespace

CommandLine::CommandLine() : app_("Breakwater: a resilience gateway for model servers, driven by .policy files", "breakwater") {
  app_.require_subcommand(1);
  app_.set_version_flag("--version", std::string("breakwater ") + BREAKWATER_VERSION);
  for (const Command& command : kCommands) {
    CLI::App* declared = app_.add_subcommand(command.name, command.summary);
    commands_.emplace_back(declared, command.declare(declared));
  }
}

int CommandLine::Run(int argc, const char* const* argv) {
  if (argc <= 1) {
    std::cerr << app_.help();
    return kUnreadable;
  }
  // `breakwater help`, `breakwater help check`.
  const std::string first = argv[1];
  if (first == "help") {
    if (argc == 2) {
      std::cout << app_.help();
      return kClean;
    }
    const std::string topic = argv[2];
    for (const CLI::App* command : CommandsOf(app_)) {
      if (!command->check_name(topic)) continue;
      std::cout << command->help();
      return kClean;
    }
    std::cerr << "breakwater: there is no command '" << topic << "'. See breakwater help.\n";
    return kUnreadable;
  }
  // CLI11 would say that a subcommand is required, whatever was written.
  bool known = first.empty() || first.front() == '-';
  std::vector<std::string> names;
  for (const CLI::App* command : CommandsOf(app_)) {
    known = known || command->check_name(first);
    names.push_back(command->get_name());
  }
  names.push_back("help");
  if (!known) {
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    const auto nearest = base::Nearest(first, candidates);
    std::cerr << "breakwater: there is no command '" << first << "'; ";
    if (nearest) std::cerr << "did you mean `" << *nearest << "`?";
    else std::cerr << "there are " << CLI::detail::join(names, ", ") << ".";
    std::cerr << " See breakwater --help.\n";
    return kUnreadable;
  }
  try {
    app_.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (first == "run" && error.get_exit_code() != 0 && isatty(STDERR_FILENO) == 0) {
      StartLines(std::cerr, true).Fatal(std::string(error.what()) + "; breakwater run --help says what there is");
      return kUnreadable;
    }
    return app_.exit(error) == 0 ? kClean : kUnreadable;
  }
  for (const auto& [command, run] : commands_) {
    if (*command) return run();
  }
  return kInternal;
}

std::vector<const CLI::App*> CommandsOf(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  // CLI11 keeps the list in the name of the option's type: TEXT:{a,b}.
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.find('}', open);
  std::vector<std::string> choices;
  if (open == std::string::npos || close == std::string::npos) return choices;
  for (size_t begin = open + 1; begin < close;) {
    const size_t end = std::min(type.find(',', begin), close);
    choices.push_back(type.substr(begin, end - begin));
    begin = end + 1;
  }
  return choices;
}

}  // namespace cli
