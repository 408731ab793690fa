// The policies that are mutated.
#pragma once

#include <string>
#include <vector>

namespace tests::mutation {

struct Source {
  std::string name;  // its path below the root, or the page that it is the good example of
  std::string text;
};

// What is shipped: policies/, examples/ and the good examples of docs/checks. The messages were worked on with these.
std::vector<Source> SeenPolicies();
// tests/mutation/unseen: written for this measurement before its first result, and never used to work on the messages.
std::vector<Source> UnseenPolicies();

}  // namespace tests::mutation
