// Certificates for tests, made by the openssl program: authorities, servers, clients, and everything that may be wrong with them.
// Nothing of it is kept in the repository.
#pragma once

#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace tests::support {

struct Certificate {
  std::string certificate;  // path of the PEM file, of this one alone
  std::string key;          // path
  std::string subject;
};

struct CertificateOptions {
  std::vector<std::string> names = {"DNS:localhost", "IP:127.0.0.1"};
  std::string begins = "20200101000000Z";
  std::string ends = "20490101000000Z";
  bool is_authority = false;
};

// One folder of certificates. Throws, with what openssl printed, when one can't be made.
class CertificateMaker {
 public:
  CertificateMaker();

  // Signed by itself.
  Certificate Root(const std::string& name, CertificateOptions options = {.names = {}, .is_authority = true});
  Certificate Issue(const Certificate& issuer, const std::string& name, CertificateOptions options = {});

  // One file after the other; returns the path.
  std::string Join(const std::string& name, const std::vector<std::string>& files);
  // "sha256:…" of its public key, as `pin` takes it.
  std::string Pin(const Certificate& certificate);

  const TempDir& folder() const { return folder_; }
  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

 private:
  Certificate Sign(const Certificate* issuer, const std::string& name, const CertificateOptions& options);
  std::string Run(const std::string& command);

  TempDir folder_;
  int next_ = 1;
};

}  // namespace tests::support
