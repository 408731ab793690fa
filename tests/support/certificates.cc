#include "tests/support/certificates.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <stdexcept>

namespace tests::support {

CertificateMaker::CertificateMaker() {
  folder_.Write("index.txt", "");
  folder_.Write("ca.cnf",
                "[ca]\ndefault_ca = it\n[it]\ndir = .\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n"
                "unique_subject = no\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n");
}

std::string CertificateMaker::Run(const std::string& command) {
  const std::string whole = "cd '" + folder_.path().string() + "' && { " + command + "; } 2>&1";
  FILE* const pipe = popen(whole.c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("can't run " + command);
  std::string output;
  std::array<char, 4096> buffer{};
  while (const size_t got = fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), got);
  if (pclose(pipe) != 0) throw std::runtime_error(command + "\n" + output);
  return output;
}

Certificate CertificateMaker::Root(const std::string& name, CertificateOptions options) { return Sign(nullptr, name, options); }

Certificate CertificateMaker::Issue(const Certificate& issuer, const std::string& name, CertificateOptions options) {
  return Sign(&issuer, name, options);
}

Certificate CertificateMaker::Sign(const Certificate* issuer, const std::string& name, const CertificateOptions& options) {
  std::string base = std::to_string(next_++) + "-" + name;
  std::replace(base.begin(), base.end(), ' ', '-');  // the paths go into command lines
  Certificate made{path(base + ".crt"), path(base + ".key"), name};
  std::string extensions = "basicConstraints = critical,CA:" + std::string(options.is_authority ? "TRUE" : "FALSE") + "\n";
  if (options.is_authority) extensions += "keyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n";
  std::string names;
  for (const std::string& entry : options.names) names += (names.empty() ? "" : ",") + entry;
  if (!names.empty()) extensions += "subjectAltName = " + names + "\n";
  folder_.Write(base + ".ext", extensions);
  Run("openssl ecparam -name prime256v1 -genkey -noout -out '" + made.key + "' && openssl req -new -key '" + made.key +
      "' -subj '/CN=" + name + "' -out '" + base + ".csr'");
  const std::string by = issuer == nullptr ? "-selfsign -keyfile '" + made.key + "'"
                                           : "-cert '" + issuer->certificate + "' -keyfile '" + issuer->key + "'";
  Run("openssl ca -batch -notext -config ca.cnf " + by + " -startdate " + options.begins + " -enddate " + options.ends +
      " -extfile '" + base + ".ext' -in '" + base + ".csr' -out '" + made.certificate + "'");
  return made;
}

std::string CertificateMaker::Join(const std::string& name, const std::vector<std::string>& files) {
  std::string text;
  for (const std::string& file : files) text += ReadFile(file);
  return folder_.Write(name, text);
}

std::string CertificateMaker::Pin(const Certificate& certificate) {
  const std::string output =
      Run("openssl x509 -in '" + certificate.certificate + "' -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -r");
  return "sha256:" + output.substr(0, 64);
}

}  // namespace tests::support
