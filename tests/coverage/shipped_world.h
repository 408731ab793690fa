// A policy in the real proxy on a simulated network, model servers that behave in one way after the other, and clients that ask
// what the routes of the shipped policies are for. What everybody sees comes back as text with its times: two policies that
// differ in anything that can be noticed there give different texts.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tests::coverage {

struct WorldScene {
  std::string_view name;
  // What was seen: each byte that a client or a server got, with the time. Throws if the policy does not compile.
  std::string (*play)(const std::string& policy);
};

// The cheap ones first.
std::span<const WorldScene> WorldScenes();

// The variables that the policies read in it: an upstream's address is not set, a key is.
std::string WorldVariable(const std::string& name);

}  // namespace tests::coverage
