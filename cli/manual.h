// `breakwater man`: the manual page (man(7) macros), made from the table of commands.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace cli {

std::string ManualPage(const CLI::App& app);

}  // namespace cli
