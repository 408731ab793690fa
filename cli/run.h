// `breakwater run`: compile a policy, or load a bundle of one, and serve it until SIGTERM or SIGINT; SIGHUP reads it anew
// (reloader.h).
#pragma once

#include <string>

namespace cli {

struct RunOptions {
  std::string file;
  int workers = 0;         // 0: the policy's setting, else the usable CPUs
  bool deny_mock = false;
  std::string trust;       // public key that must have signed the bundle; "": anything runs
  bool warms = true;       // a reload first loads models where `cold_load` is set
  bool watch = false;      // reload when the file, or one that it imports, changes
};

// Returns 0 after a drain, 1 when the policy has errors or an address can't be bound, 2 when the file can't be read.
int RunGateway(const RunOptions& options);

}  // namespace cli
