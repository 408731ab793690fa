// TLS 1.2 and 1.3 over any Stream, and a Stream itself: both transports carry it. The one home of libssl.
//
// TlsClient and TlsServer are what a configuration comes to: immutable, thread-safe, shared by all loops. A stream keeps what it
// began with; certificates are renewed by making another one and using it for the next connections.
//
// What every stream keeps to: no renegotiation, no compression, no early data, ALPN http/1.1 only, SNI. The end of a stream is the
// peer's close_notify; FIN without one is OnError(kTruncated). Nothing falls back to plain text.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/net/transport.h"

namespace runtime::net {

enum class TlsReason : uint8_t {
#define TLS_REASON(name, text) k_##name,
#include "runtime/net/tls_reasons.def"
#undef TLS_REASON
};
std::string_view Name(TlsReason reason);  // "unknown_authority"
std::string_view Text(TlsReason reason);  // a sentence without its beginning

struct TlsFailure {
  TlsReason reason = TlsReason::k_internal;
  std::string detail;  // for people: names, dates, the alert, what the library says; may be empty
};

// A certificate, for logs and metrics.
struct CertificateInfo {
  std::string subject;
  std::vector<std::string> names;  // DNS names and addresses that it is for
  std::string serial;              // hex digits
  int64_t not_before = 0;          // seconds since 1970
  int64_t not_after = 0;
  std::string warning;             // something a person should look at; empty: nothing
};

// ---- Towards servers ----------------------------------------------------------------------------------------------------

struct TlsClientSettings {
  std::string ca = {};                  // path of a PEM file of authorities; empty: the system's
  std::string certificate = {};         // path of a PEM file, shown when asked for; empty: none
  std::string key = {};
  std::string name = {};                // asked for (SNI) and checked instead of the host
  std::vector<std::string> pins = {};   // "sha256:" and 64 hex digits, or base64: of the public key (SubjectPublicKeyInfo). Alone they
                                   // replace chain, name and dates; beside `ca` or `name` they are asked for as well

  bool operator==(const TlsClientSettings&) const = default;
};

class TlsClient {
 public:
  // Reads the files. An error names the file and what is wrong with it.
  static base::Result<std::shared_ptr<TlsClient>> Make(const TlsClientSettings& settings);
  virtual ~TlsClient() = default;

  // OnConnected follows once the handshake is over and the server has proved who it is; OnError(kTls) if not. Sessions are
  // resumed per address and name. `host`: what the server is called where the settings have no name.
  virtual std::unique_ptr<Stream> Connect(Transport& transport, const Address& address, const std::string& host,
                                          StreamObserver* observer) = 0;

  // What the files held, as a digest: another one says that they were renewed.
  virtual const std::string& fingerprint() const = 0;
};

// Whether a text is a pin.
bool IsTlsPin(std::string_view text);

// ---- Towards clients ----------------------------------------------------------------------------------------------------

struct TlsIdentitySettings {
  std::string name = {};         // of the block
  std::string certificate = {};  // path of a PEM file: its own certificate first, then the chain in order
  std::string key = {};          // path of a PEM file
  std::string client_ca = {};    // path of a PEM file; empty: clients are not asked for a certificate

  bool operator==(const TlsIdentitySettings&) const = default;
};

class TlsServer {
 public:
  // Reads all files. A pair is taken as a pair: the key fits, the chain is in order, the certificate has not expired at `now`; else
  // an error that says which and why. The first is shown to clients that name no other. `before`: tickets that it gave remain good where
  // name and client_ca are the same.
  static base::Result<std::shared_ptr<TlsServer>> Make(const std::vector<TlsIdentitySettings>& identities, WallTime now,
                                                       const TlsServer* before);
  virtual ~TlsServer() = default;

  // Takes an accepted stream over. OnConnected follows, or OnError(kTls). A client that speaks plain HTTP gets a plain 400.
  virtual std::unique_ptr<Stream> Accept(Transport& transport, std::unique_ptr<Stream> stream, StreamObserver* observer) = 0;

  struct Identity {
    std::string name = {};
    CertificateInfo certificate;
  };
  virtual const std::vector<Identity>& identities() const = 0;
  virtual const std::string& fingerprint() const = 0;  // see TlsClient
};

// The digest of what the files of these settings hold now, as fingerprint() has it; files that can't be read count as empty.
std::string FingerprintOf(const TlsClientSettings& settings);
std::string FingerprintOf(const std::vector<TlsIdentitySettings>& identities);

// How long the keys of tickets are used; each is accepted for as long again.
inline constexpr base::Duration kTicketKeyLife = std::chrono::hours(1);

}  // namespace runtime::net
