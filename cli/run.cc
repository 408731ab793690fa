#include "cli/run.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "cli/access_log_target.h"
#include "cli/exit_codes.h"
#include "cli/inputs.h"
#include "cli/load_policy.h"
#include "cli/notify.h"
#include "cli/process_setup.h"
#include "cli/reloader.h"
#include "cli/start_lines.h"
#include "runtime/gateway/gateway.h"
#include "runtime/observe/line_log.h"
#include "runtime/observe/wall_clock.h"

namespace cli {
namespace {

// Signals are taken by one thread that waits for them; every other thread, the JIT's included, has them blocked.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return signals;
}

runtime::observe::JsonLine Event(std::string_view level, std::string_view message) {
  runtime::observe::JsonLine line;
  line.Add("time", runtime::observe::Rfc3339Millis(std::chrono::system_clock::now()))
      .Add("level", level)
      .Add("message", message);
  return line;
}

// A file that was renamed is written on under its new name; from now on the lines go to the one that has the name.
void ReopenAccessLog(const AccessLogTarget& access, runtime::observe::LineLog& events) {
  const auto reopened = access.Reopen();
  auto line = Event(reopened ? "info" : "error", reopened ? "access log reopened" : "access log not reopened");
  if (!reopened) line.Add("reason", reopened.error()).Add("help", "lines still go to the file as it was");
  events.Write(line.Finish());
}

CompiledText CompileAgain(const LoadOptions& options) {
  CompiledText read;
  if (options.file == "-") {
    read.reason = "the policy came by standard input, which is read once";
    return read;
  }
  std::ostringstream findings;
  LoadedPolicy loaded = LoadPolicy(options, findings);
  read.compiled = std::move(loaded.compiled);
  if (loaded.exit_code == kUnreadable) read.reason = "the policy can't be read";
  read.findings = findings.str();
  return read;
}

// Of the policy's text and of what it imports, or of the bundle.
std::string DigestOf(const std::string& file) {
  std::string why;
  const auto input = file == "-" ? std::nullopt : ReadInput(file, &why);
  if (!input) return "";
  const auto source = SourceOfInput(*input, &why);
  return base::Sha256Hex(source == nullptr ? std::string_view(input->text) : source->text(), 64);
}

}  // namespace

int RunGateway(const RunOptions& options) {
  RaiseFileLimit();
  GiveLargeBlocksBack();
  const sigset_t signals = BlockSignals();
  const bool as_json = isatty(STDERR_FILENO) == 0;
  StartLines lines(std::cerr, as_json);
  const LoadOptions load_options{options.file, options.deny_mock, /*json_lines=*/false, options.trust};  // of later ones an event tells
  LoadOptions first = load_options;
  first.json_lines = as_json;
  LoadedPolicy loaded = LoadPolicy(first, std::cerr);
  if (loaded.compiled == nullptr) return loaded.exit_code;
  auto compiled = std::move(loaded.compiled);

  runtime::observe::LineLog events(STDERR_FILENO);
  auto opened = OpenAccessLog(compiled->policy.gateway);
  if (!opened) {
    lines.Fatal(opened.error());
    return 1;
  }
  const std::unique_ptr<AccessLogTarget> access = std::move(*opened);

  std::random_device entropy;
  runtime::gateway::GatewayOptions gateway_options;
  gateway_options.workers = options.workers;
  gateway_options.seed = (static_cast<uint64_t>(entropy()) << 32) | entropy();
  gateway_options.bundle = loaded.bundle;
  gateway_options.file = options.file;
  gateway_options.version = BREAKWATER_VERSION;
  gateway_options.stop = [] { kill(getpid(), SIGTERM); };
  auto gateway = runtime::gateway::Gateway::Start(std::move(compiled), gateway_options, events, access->log.get());
  if (!gateway) {
    lines.Fatal(gateway.error());
    return 1;
  }

  {
    (*gateway)->common().reload.Started(options.file, std::chrono::system_clock::now());
    ReloaderOptions reload_options;
    reload_options.watch = options.watch;
    reload_options.warms = options.warms;
    const auto compile = [&load_options] { return CompileAgain(load_options); };
    const auto text = [&options] { return DigestOf(options.file); };
    Reloader reloader(**gateway, compile, text, reload_options);
    Notify("READY=1\nSTATUS=serving " + (*gateway)->policy()->hash);
    GiveTheStartBack();
    int signal_number = 0;
    while (sigwait(&signals, &signal_number) == 0 && (signal_number == SIGHUP || signal_number == SIGUSR1)) {
      if (signal_number == SIGHUP) reloader.Ask("SIGHUP");
      else ReopenAccessLog(*access, events);
    }
    Notify("STOPPING=1\nSTATUS=finishing what is under way");
    (*gateway)->Drain();
    // A second signal ends the drain: who sends it has waited long enough.
    constexpr timespec kLook{0, 20'000'000};
    while (!(*gateway)->is_over()) {
      const int again = sigtimedwait(&signals, nullptr, &kLook);
      if (again == SIGTERM || again == SIGINT) (*gateway)->EndDrain();
      if (again == SIGHUP) reloader.Ask("SIGHUP");  // refused, and the log says so
    }
    (*gateway)->Join();
  }
  runtime::observe::JsonLine line = Event("info", "stopped");
  events.Write(line.Finish());
  return 0;
}

}  // namespace cli
