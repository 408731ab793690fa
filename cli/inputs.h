// The policies that a command line names: files, folders (all *.policy below them) and - for standard input.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace cli {

struct Input {
  std::string path;  // as named or found; "-" for standard input
  std::string name;  // what messages call it: the path, or <stdin>
  std::string text;  // at most one byte more than a policy may have; of a bundle all of it

  bool is_stdin() const { return path == "-"; }
};

// Calls `read` for each policy in the order of the command line, those of a folder in alphabetical order, and `failed` with a
// path and a reason for what cannot be read: a file, a folder below one that was named, or a folder without policies. What is readable
// beside it is read all the same.
void ForEachInput(const std::vector<std::string>& paths, const std::function<void(const Input&)>& read,
                  const std::function<void(const std::string& path, const std::string& why)>& failed);

// One file or standard input; nothing, and the reason, if it cannot be read.
std::optional<Input> ReadInput(const std::string& path, std::string* why);

}  // namespace cli
