#include "cli/completion.h"

#include <CLI/CLI.hpp>

#include "cli/command_line.h"
#include "cli/explain_setting.h"
#include "compiler/diagnostics/codes.h"

namespace cli {
namespace {

std::string Join(const std::vector<std::string>& words, std::string_view separator) {
  std::string out;
  for (const std::string& word : words) {
    if (!out.empty()) out += separator;
    out += word;
  }
  return out;
}

// "check", and "lint" as its alias.
std::vector<std::string> NamesOf(const CLI::App& command) {
  std::vector<std::string> names = {command.get_name()};
  for (const std::string& alias : command.get_aliases()) names.push_back(alias);
  return names;
}

std::vector<std::string> FlagsOf(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const std::string& name : option.get_lnames()) flags.push_back("--" + name);
  for (const std::string& name : option.get_snames()) flags.push_back("-" + name);
  return flags;
}

std::vector<const CLI::Option*> OptionsOf(const CLI::App& app) {
  return app.get_options([](const CLI::Option* option) { return !option->get_positional(); });
}

// The closed list of words that the command itself takes, if it takes one.
std::vector<std::string> WordsOf(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    if (const auto choices = ChoicesOf(*option); !choices.empty()) return choices;
  }
  // The codes of findings and the settings, beside policies.
  if (command.get_name() == "explain") {
    std::vector<std::string> codes;
    for (const auto& info : compiler::diagnostics::Codes()) codes.emplace_back(info.code);
    for (const std::string& setting : SettingPaths()) codes.push_back(setting);
    return codes;
  }
  return {};
}

bool TakesFiles(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options([](const CLI::Option* o) { return o->get_positional(); })) {
    if (option->get_name() == "file" || option->get_name() == "files" || option->get_name() == "what") return true;
  }
  return false;
}

std::string AllFlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : OptionsOf(app)) {
    for (const std::string& flag : FlagsOf(*option)) flags.push_back(flag);
  }
  return Join(flags, " ");
}

std::vector<std::string> AllNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : CommandsOf(app)) {
    for (const std::string& name : NamesOf(*command)) names.push_back(name);
  }
  return names;
}

std::string Bash(const CLI::App& app) {
  std::string out =
      "# bash completion of breakwater. Read it with: source <(breakwater completion bash)\n"
      "_breakwater() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\"\"\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"" +
      Join(AllNames(app), " ") + " " + AllFlagsOf(app) +
      "\" -- \"$word\"))\n"
      "    return\n"
      "  fi\n"
      "  case \"${COMP_WORDS[1]} $before\" in\n";
  for (const CLI::App* command : CommandsOf(app)) {
    for (const CLI::Option* option : OptionsOf(*command)) {
      const auto choices = ChoicesOf(*option);
      if (choices.empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : NamesOf(*command)) {
        for (const std::string& flag : FlagsOf(*option)) patterns.push_back("\"" + name + " " + flag + "\"");
      }
      out += "    " + Join(patterns, "|") + ") COMPREPLY=($(compgen -W \"" + Join(choices, " ") +
             "\" -- \"$word\")); return ;;\n";
    }
  }
  out +=
      "  esac\n"
      "  case \"${COMP_WORDS[1]}\" in\n";
  for (const CLI::App* command : CommandsOf(app)) {
    const std::string words = Join(WordsOf(*command), " ");
    out += "    " + Join(NamesOf(*command), "|") + ") words=\"" + AllFlagsOf(*command) +
           (words.empty() ? "" : " " + words) + "\" ;;\n";
  }
  out +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "  case \"$word\" in -*) ;; *)\n"
      "    case \"${COMP_WORDS[1]}\" in\n";
  std::vector<std::string> with_files;
  for (const CLI::App* command : CommandsOf(app)) {
    if (!TakesFiles(*command)) continue;
    for (const std::string& name : NamesOf(*command)) with_files.push_back(name);
  }
  out += "      " + Join(with_files, "|") +
         ") COMPREPLY+=($(compgen -f -- \"$word\")) ;;\n"
         "    esac ;;\n"
         "  esac\n"
         "}\n"
         "complete -o filenames -F _breakwater breakwater\n";
  return out;
}

// Text between single quotes, for zsh's _arguments and for fish.
std::string Quoted(std::string text, bool for_zsh) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') out += for_zsh ? "'\\''" : "\\'";
    else if (for_zsh && (c == '[' || c == ']' || c == ':')) (out += '\\') += c;
    else out += c;
  }
  return out + "'";
}

std::string Zsh(const CLI::App& app) {
  std::string out =
      "#compdef breakwater\n"
      "# zsh completion of breakwater. Put it into a folder of $fpath as _breakwater.\n"
      "_breakwater() {\n"
      "  local -a commands\n"
      "  commands=(\n";
  for (const CLI::App* command : CommandsOf(app)) {
    for (const std::string& name : NamesOf(*command))
      out += "    " + Quoted(name, true).insert(name.size() + 1, ":" + command->get_description()) + "\n";
  }
  out +=
      "  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe 'command' commands\n"
      "    return\n"
      "  fi\n"
      "  local command=$words[2]\n"
      "  shift words\n"
      "  (( CURRENT-- ))\n"
      "  case $command in\n";
  for (const CLI::App* command : CommandsOf(app)) {
    out += "    " + Join(NamesOf(*command), "|") + ") _arguments";
    for (const CLI::Option* option : OptionsOf(*command)) {
      for (const std::string& flag : FlagsOf(*option)) {
        std::string spec = Quoted(flag + "[", false);
        spec.pop_back();
        std::string description = Quoted(option->get_description(), true);
        spec += description.substr(1, description.size() - 2) + "]";
        const auto choices = ChoicesOf(*option);
        if (!choices.empty()) spec += ":word:(" + Join(choices, " ") + ")";
        else if (option->get_items_expected_max() > 0) spec += ":value:";
        out += " " + spec + "'";
      }
    }
    const auto words = WordsOf(*command);
    if (!words.empty() && TakesFiles(*command)) {
      std::string spec = " '*: :{ _alternative \"words:word:(";
      out += spec + Join(words, " ") + ")\" \"files:file:_files\" }'";
    } else if (!words.empty()) out += " '*:word:(" + Join(words, " ") + ")'";
    else if (TakesFiles(*command)) out += " '*:file:_files'";
    out += " ;;\n";
  }
  out +=
      "  esac\n"
      "}\n"
      "_breakwater \"$@\"\n";
  return out;
}

std::string Fish(const CLI::App& app) {
  std::string out =
      "# fish completion of breakwater. Put it into ~/.config/fish/completions/breakwater.fish.\n"
      "complete -c breakwater -f\n";
  for (const CLI::App* command : CommandsOf(app)) {
    for (const std::string& name : NamesOf(*command))
      out += "complete -c breakwater -n __fish_use_subcommand -a " + name + " -d " +
             Quoted(command->get_description(), false) + "\n";
    const std::string seen = "complete -c breakwater -n '__fish_seen_subcommand_from " + Join(NamesOf(*command), " ") + "'";
    for (const CLI::Option* option : OptionsOf(*command)) {
      for (const std::string& name : option->get_lnames()) {
        out += seen + " -l " + name;
        const auto choices = ChoicesOf(*option);
        if (!choices.empty()) out += " -x -a '" + Join(choices, " ") + "'";
        else if (option->get_items_expected_max() > 0) out += " -r";
        out += " -d " + Quoted(option->get_description(), false) + "\n";
      }
    }
    if (const auto words = WordsOf(*command); !words.empty()) out += seen + " -a '" + Join(words, " ") + "'\n";
    if (TakesFiles(*command)) out += seen + " -F\n";
  }
  return out;
}

struct Shell {
  const char* name;
  std::string (*complete)(const CLI::App& app);
};
constexpr Shell kShells[] = {{"bash", Bash}, {"zsh", Zsh}, {"fish", Fish}};

}  // namespace

std::vector<std::string> Shells() {
  std::vector<std::string> names;
  for (const Shell& shell : kShells) names.emplace_back(shell.name);
  return names;
}

std::string Completion(std::string_view shell, const CLI::App& app) {
  for (const Shell& known : kShells) {
    if (known.name == shell) return known.complete(app);
  }
  return "";
}

}  // namespace cli
