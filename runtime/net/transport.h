// The seam to the outside world: sockets, names, timers and time. UvTransport is the real one (libuv, one for each worker
// thread), SimTransport (runtime/sim) an in-memory one with a virtual clock. The proxy is written against this only.
//
// Threads: everything belongs to the thread that runs Run(), except Post and Stop.
// Re-entrancy: the owner may destroy a Stream, Timer, Listener or Resolution inside any callback, its own included; no
// callback of it comes afterwards. No callback is ever made from inside the call that asks for something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace runtime::net {

using base::TimePoint;
using base::WallTime;

enum class NetError : uint8_t {
  kRefused,       // ECONNREFUSED
  kReset,         // ECONNRESET, EPIPE
  kUnreachable,   // no route, host or network down
  kTimedOut,      // ETIMEDOUT of the kernel
  kNameNotFound,  // the name has no address
  kNameFailure,   // the name service did not answer or refused
  kExhausted,     // out of file descriptors or memory, here
  kTls,           // the handshake failed, or what came is no TLS; Stream::tls_failure() says why
  kTruncated,     // FIN without TLS's own end (close_notify): what came may not be all
  kOther,
};
std::string_view Name(NetError error);

// A numeric address.
struct Address {
  std::string ip;  // "127.0.0.1", "::1"
  uint16_t port = 0;

  bool operator==(const Address&) const = default;
};

class StreamObserver {
 public:
  virtual ~StreamObserver() = default;
  virtual void OnConnected() {}                      // an outgoing stream is established
  virtual void OnData(std::string_view bytes) = 0;   // never empty; valid during the call
  virtual void OnEnd() = 0;                          // the peer sent FIN; writing may go on
  virtual void OnError(NetError error) = 0;          // the stream is dead; nothing follows
  virtual void OnWriteDrained() {}                   // queued_bytes() fell to 0 after it was above 0
};

struct TlsFailure;

// What the peer has sent and the loop did not tell yet.
enum class Unread : uint8_t {
  kNothing,
  kBytes,
  kEnd,  // it ended or reset the connection, or it is dead
};

// A TCP connection, or TLS on one (tls.h). Destroying it closes it at once: queued bytes that the kernel has not taken are dropped.
// TCP_NODELAY is set on every stream.
class Stream {
 public:
  virtual ~Stream() = default;

  // Not owned; must outlive the stream or be replaced. May be set to another observer at any time (connection pools).
  virtual void SetObserver(StreamObserver* observer) = 0;

  // Sends the pieces in order: tries the socket first, copies and queues only what it did not take. Errors come by
  // OnError, later.
  virtual void Write(std::span<const std::string_view> pieces) = 0;
  void Write(std::string_view bytes) { Write(std::span<const std::string_view>(&bytes, 1)); }

  // Bytes that the kernel has not taken yet: the caller's measure for back-pressure.
  virtual size_t queued_bytes() const = 0;

  // Reading is on from the start. Pause only for back-pressure: on libuv 1.44 each change costs a system call.
  virtual void PauseReading() = 0;
  virtual void ResumeReading() = 0;

  // FIN once the queue is written.
  virtual void FinishWriting() = 0;

  // Closes with RST, so that the peer can't take what it has for complete. No callback follows.
  virtual void Reset() = 0;

  virtual const Address& peer() const = 0;

  // Looks at the socket itself, ahead of the loop, and takes nothing (MSG_PEEK). With TLS bytes need not be content. One system call.
  virtual Unread Look() const = 0;

  virtual bool is_dead() const = 0;  // an error was reported, or Reset was called, or the loop stopped
  virtual bool saw_end() const = 0;  // OnEnd was called

  // Why TLS failed, after OnError(kTls); null where it did not.
  virtual const TlsFailure* tls_failure() const { return nullptr; }
};

// Several loops may listen on one port (SO_REUSEPORT): the first of them makes sure, with the socket that it keeps, that nobody else does.
enum class PortUse : uint8_t { kAlone, kFirst, kMore };

class Listener {
 public:
  virtual ~Listener() = default;  // closes
  virtual uint16_t port() const = 0;

  // While it is paused, connections wait in the kernel's backlog. May be called from inside the accept callback.
  virtual void PauseAccepting() = 0;
  virtual void ResumeAccepting() = 0;
};

class Timer {
 public:
  virtual ~Timer() = default;  // cancels
  virtual void Set(TimePoint when) = 0;  // fires once, at or after `when`; replaces an earlier time
  virtual void Cancel() = 0;
};

// A name look-up that is under way. Destroying it cancels it.
class Resolution {
 public:
  virtual ~Resolution() = default;
};

struct ResolveResult {
  std::vector<Address> addresses;            // in the order to try; empty on failure
  NetError error = NetError::kNameNotFound;  // meaningful when addresses is empty
};

// Base of what Transport::DeleteLater takes.
class Deletable {
 public:
  virtual ~Deletable() = default;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Monotonic, ns. It stands still while what one read brought is dealt with.
  virtual TimePoint Now() const = 0;
  virtual WallTime WallNow() const = 0;

  using AcceptCallback = std::function<void(std::unique_ptr<Stream>)>;
  // Listens on a numeric address or a name of this machine. When file descriptors run out, accepting pauses and is taken up again by
  // itself.
  virtual base::Result<std::unique_ptr<Listener>> Listen(const std::string& host, uint16_t port, PortUse use,
                                                         AcceptCallback on_accept) = 0;

  // OnConnected or OnError follows.
  virtual std::unique_ptr<Stream> Connect(const Address& address, StreamObserver* observer) = 0;

  using ResolveCallback = std::function<void(ResolveResult)>;
  // Looks a name up off the loop; a numeric address is answered without a look-up (still by a later callback).
  virtual std::unique_ptr<Resolution> Resolve(const std::string& host, uint16_t port, ResolveCallback done) = 0;

  virtual std::unique_ptr<Timer> NewTimer(std::function<void()> on_fire) = 0;

  // Flushes what is queued, sends FIN, reads and drops what still comes for at most `limit`, then closes: the peer gets the
  // whole answer instead of an RST that erases it (RFC 9112 9.6).
  // `holds` is let go of when the stream is closed: a place in a count of what is open.
  virtual void CloseGracefully(std::unique_ptr<Stream> stream, base::Duration limit, std::shared_ptr<void> holds) = 0;
  void CloseGracefully(std::unique_ptr<Stream> stream, base::Duration limit) { CloseGracefully(std::move(stream), limit, nullptr); }

  // Streams that are still being closed gracefully; Stop would cut them off.
  virtual size_t closing_gracefully() const = 0;

  // Destroys it at the end of this turn of the loop: for objects that finish inside their own callback.
  virtual void DeleteLater(std::unique_ptr<Deletable> object) = 0;

  virtual void Post(std::function<void()> task) = 0;  // thread-safe; runs on the loop
  virtual void Run() = 0;                             // until Stop
  virtual void Stop() = 0;                            // thread-safe
};

}  // namespace runtime::net
