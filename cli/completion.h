// `breakwater completion SHELL`: completion of commands, options and their words, made from the table of commands.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

namespace cli {

std::vector<std::string> Shells();

// What the shell is to read. Empty for a shell that is not in Shells().
std::string Completion(std::string_view shell, const CLI::App& app);

}  // namespace cli
