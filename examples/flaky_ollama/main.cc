// flaky_ollama: flags in, a running server out.
#include <cstdio>
#include <deque>
#include <string>

#include <CLI/CLI.hpp>

#include "examples/flaky_ollama/server.h"
#include "runtime/net/uv_transport.h"

namespace {

using examples::flaky_ollama::AllSettings;
using examples::flaky_ollama::Server;
using examples::flaky_ollama::ServerOptions;
using examples::flaky_ollama::SettingInfo;

std::string FlagOf(std::string_view name) {
  std::string flag = "--" + std::string(name);
  for (char& c : flag) c = c == '_' ? '-' : c;
  return flag;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "A server that speaks Ollama's API and fails on command: by flags, and while it runs by POST /control "
      "(see examples/flaky_ollama/README.md)."};
  ServerOptions options;
  app.add_option("--host", options.host, "address to listen on")->capture_default_str();
  app.add_option("--port", options.port, "port to listen on; 0: the system chooses")->capture_default_str();
  app.add_option("--model", options.model, "name of the model in /api/tags and /api/ps")->capture_default_str();
  app.add_option("--base", options.base, "path that stands in front of the API's, as /openai of some hosted ones");
  app.add_flag("--any-host", options.any_host, "answer whatever Host a request names (Ollama refuses foreign ones)");

  // One flag for each setting; std::deque keeps their addresses.
  std::deque<double> values;
  for (const SettingInfo& info : AllSettings()) {
    values.push_back(info.default_value);
    app.add_option(FlagOf(info.name), values.back(), std::string(info.doc))
        ->type_name(info.is_count ? "COUNT" : "NUMBER")
        ->capture_default_str();
  }
  CLI11_PARSE(app, argc, argv);

  std::string problem;
  for (size_t i = 0; i < values.size() && problem.empty(); ++i) {
    problem = Set(AllSettings()[i].name, values[i], &options.settings);
  }
  if (problem.empty()) problem = Validate(options.settings);
  if (!problem.empty()) {
    std::fprintf(stderr, "flaky_ollama: %s\n", problem.c_str());
    return 2;
  }

  runtime::net::UvTransport transport;
  Server server(&transport, options);
  const auto port = server.Start();
  if (!port.ok()) {
    std::fprintf(stderr, "flaky_ollama: can't listen on %s:%d: %s\n", options.host.c_str(), options.port,
                 port.error().c_str());
    return 1;
  }
  std::printf("listening on %s:%d\n", options.host.c_str(), port.value());
  std::fflush(stdout);
  transport.Run();
  return 0;
}
