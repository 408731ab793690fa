#include "tests/compiler/mistake_pool.h"

#include <fstream>
#include <stdexcept>

namespace tests {
namespace {

constexpr std::string_view kTokenOpen = "⟦", kTokenClose = "⟧", kWideOpen = "⟨", kWideClose = "⟩";

// One side of what stands inside of brackets: `bad|good`, or the same on both sides.
std::string SideOf(std::string_view pair, bool good) {
  std::string sides[2];
  int side = 0;
  for (size_t i = 0; i < pair.size(); ++i) {
    if (pair.substr(i, 2) == "\\|") {
      sides[side] += pair[++i];
    } else if (pair[i] == '|') {
      if (++side > 1) throw std::runtime_error("two bars in " + std::string(pair));
    } else {
      sides[side] += pair[i];
    }
  }
  return sides[good && side == 1 ? 1 : 0];
}

// The text with the mistake, its token still in ⟦⟧, or without it.
std::string TextOf(std::string_view marked, bool good) {
  std::string text;
  while (!marked.empty()) {
    const bool is_wide = marked.starts_with(kWideOpen);
    if (!is_wide && !marked.starts_with(kTokenOpen)) {
      text += marked.front();
      marked.remove_prefix(1);
      continue;
    }
    const size_t begin = kTokenOpen.size();  // all brackets have one length
    const size_t end = marked.find(is_wide ? kWideClose : kTokenClose);
    if (end == std::string_view::npos) throw std::runtime_error("a bracket is not closed: " + std::string(marked));
    const std::string side = SideOf(marked.substr(begin, end - begin), good);
    text += is_wide || good ? side : std::string(kTokenOpen) + side + std::string(kTokenClose);
    marked.remove_prefix(end + begin);
  }
  return text;
}

std::vector<Mistake> Read(std::istream& file) {
  std::vector<Mistake> pool;
  std::string marked;
  const auto finish = [&] {
    while (marked.ends_with('\n')) marked.pop_back();
    if (pool.empty()) return;
    pool.back().good = TextOf(marked, true);
    pool.back().bad = TextOf(marked, false);
    marked.clear();
  };
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with('#')) {
      marked += line + "\n";
      continue;
    }
    if (!line.starts_with("## ")) continue;
    finish();
    const size_t colon = line.rfind(": PL");
    if (colon == std::string::npos) throw std::runtime_error("no code: " + line);
    pool.push_back({.name = line.substr(3, colon - 3),
                    .code = line.substr(colon + 2, 6),
                    .is_gateway = line.ends_with(" in gateway")});
  }
  finish();
  return pool;
}

}  // namespace

const std::vector<Mistake>& MistakePool() {
  static const std::vector<Mistake> pool = [] {
    std::ifstream file(BREAKWATER_MISTAKES);
    if (!file) throw std::runtime_error("can't read " BREAKWATER_MISTAKES);
    return Read(file);
  }();
  return pool;
}

}  // namespace tests
