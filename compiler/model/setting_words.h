// setting_words.def both ways. An enum that has no words there does not compile.
#pragma once

#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "compiler/model/settings.h"

namespace compiler::model {

// The words of one enum, in the order of the table.
template <typename Of>
std::vector<std::pair<std::string_view, Of>> Words() {
  std::vector<std::pair<std::string_view, Of>> words;
#define WORD(Enum, enumerator, word) \
  if constexpr (std::is_same_v<Of, Enum>) words.emplace_back(word, Enum::enumerator);
#include "compiler/model/setting_words.def"
  return words;
}

template <typename Of>
constexpr bool HasWords() {
#define WORD(Enum, enumerator, word) \
  if constexpr (std::is_same_v<Of, Enum>) return true;
#include "compiler/model/setting_words.def"
  return false;
}

template <typename Of>
constexpr std::string_view WordOf(Of value) {
  static_assert(HasWords<Of>(), "give it its words in setting_words.def");
#define WORD(Enum, enumerator, word) \
  if constexpr (std::is_same_v<Of, Enum>) { \
    if (value == Enum::enumerator) return word; \
  }
#include "compiler/model/setting_words.def"
  return "";
}

}  // namespace compiler::model
