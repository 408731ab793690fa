#include "cli/manual.h"

#include <CLI/CLI.hpp>

#include "cli/command_line.h"

namespace cli {
namespace {

// Text for troff: no hyphenation of options, no line that begins with a request.
std::string Plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
  }
  if (out.starts_with('.') || out.starts_with('\'')) out.insert(0, "\\&");
  return out;
}

std::string NameOf(const CLI::Option& option) {
  std::string out;
  for (const std::string& name : option.get_snames()) out += (out.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) out += (out.empty() ? "--" : ", --") + name;
  return out;
}

std::string ValueOf(const CLI::Option& option) {
  const auto choices = ChoicesOf(option);
  std::string out;
  for (const std::string& choice : choices) out += (out.empty() ? "" : "|") + choice;
  return !out.empty() ? out : option.get_items_expected_max() > 0 ? "value" : "";
}

std::string Synopsis(const CLI::App& command) {
  std::string out = ".B breakwater " + Plain(command.get_name()) + "\n";
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) {
      const bool many = option->get_items_expected_max() > 1;
      out += std::string(option->get_required() ? "" : "[") + "\\fI" + Plain(option->get_name()) + "\\fR" +
             (many ? " ..." : "") + (option->get_required() ? "" : "]") + "\n";
      continue;
    }
    if (option->get_lnames().empty() || option->get_lnames()[0] == "help") continue;
    const std::string value = ValueOf(*option);
    out += "[\\fB" + Plain("--" + option->get_lnames()[0]) + "\\fR" +
           (value.empty() ? "" : " \\fI" + Plain(value) + "\\fR") + "]\n";
  }
  return out;
}

}  // namespace

std::string ManualPage(const CLI::App& app) {
  std::string out = ".TH BREAKWATER 1 \"\" \"breakwater " + std::string(BREAKWATER_VERSION) +
                    "\" \"User Commands\"\n.SH NAME\nbreakwater \\- a resilience gateway for model servers\n.SH SYNOPSIS\n";
  bool first = true;
  for (const CLI::App* command : CommandsOf(app)) {
    if (!first) out += ".br\n";
    out += Synopsis(*command);
    first = false;
  }
  out += ".SH DESCRIPTION\n" + Plain(app.get_description()) + ".\n.SH COMMANDS\n";
  for (const CLI::App* command : CommandsOf(app)) {
    out += ".SS " + Plain(command->get_name());
    for (const std::string& alias : command->get_aliases()) out += " (" + Plain(alias) + ")";
    out += "\n" + Plain(command->get_description()) + ".\n";
    for (const CLI::Option* option : command->get_options()) {
      if (!option->get_lnames().empty() && option->get_lnames()[0] == "help") continue;
      const std::string value = option->get_positional() ? "" : ValueOf(*option);
      out += ".TP\n";
      if (option->get_positional()) out += ".I " + Plain(option->get_name()) + "\n";
      else out += "\\fB" + Plain(NameOf(*option)) + "\\fR" + (value.empty() ? "" : " \\fI" + Plain(value) + "\\fR") + "\n";
      out += Plain(option->get_description()) + ".\n";
    }
  }
  out +=
      ".SH EXIT STATUS\n"
      ".TP\n.B 0\nNothing to say.\n"
      ".TP\n.B 1\nFindings: errors, or warnings where they are denied.\n"
      ".TP\n.B 2\nA file cannot be read or parsed, or the command line is wrong.\n"
      ".TP\n.B 3\nA fault of breakwater itself.\n"
      ".SH ENVIRONMENT\n"
      ".TP\n.B NO_COLOR\nIf it is set and not empty, nothing is coloured.\n";
  return out;
}

}  // namespace cli
