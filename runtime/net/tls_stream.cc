#include "runtime/net/tls_stream.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "runtime/net/tls_failure.h"

namespace runtime::net {
namespace {

constexpr size_t kRecord = 16 << 10;         // most plain text of one record (RFC 8446 5.1)
constexpr size_t kPlainBuffer = 128 << 10;   // a read of 64 KiB and a record that was begun before it fit
constexpr base::Duration kAlertLinger = std::chrono::seconds(1);
constexpr std::string_view kPlainAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 63\r\nConnection: close\r\n\r\n"
    "This port speaks HTTPS. Write https:// in front of the address.";

// One of each for a thread: no callback comes from inside another.
std::string& Outgoing() {
  thread_local std::string buffer;
  return buffer;
}
char* Plain() {
  thread_local const std::unique_ptr<char[]> buffer(new char[kPlainBuffer]);
  return buffer.get();
}
char* Record() {
  thread_local const std::unique_ptr<char[]> buffer(new char[kRecord]);
  return buffer.get();
}

// SSL_get_error. It takes whatever is in the library's queue of this thread for this call's, so the queue is kept empty by whoever fills
// it (FailureOfQueue, base/crypto.h) and looked at only where a call has failed: emptying it before each costs as much as a system call.
int ErrorOf(const SSL* ssl, int result) {
  return SSL_want(ssl) == SSL_READING ? SSL_ERROR_WANT_READ : SSL_get_error(ssl, result);
}

int StreamIndex() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

}  // namespace

struct TlsStream::Bio {
  static int Read(BIO* bio, char* out, int size) {
    auto* self = static_cast<TlsStream*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const size_t count = std::min(self->incoming_.size(), static_cast<size_t>(std::max(size, 0)));
    if (count == 0) {
      BIO_set_retry_read(bio);
      return -1;
    }
    std::memcpy(out, self->incoming_.data(), count);
    self->incoming_.remove_prefix(count);
    return static_cast<int>(count);
  }
  static int Write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    Outgoing().append(bytes, static_cast<size_t>(size));
    return size;
  }
  static long Control(BIO*, int command, long, void*) {  // NOLINT(google-runtime-int): OpenSSL's type
    return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
  }
  static const BIO_METHOD* Method() {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");
      BIO_meth_set_read(made, Read);
      BIO_meth_set_write(made, Write);
      BIO_meth_set_ctrl(made, Control);
      return made;
    }();
    return method;
  }
};

TlsStream::TlsStream(Side side, Transport& transport, SslPtr ssl, std::shared_ptr<const void> keep, std::string wanted,
                     StreamObserver* observer)
    : side_(side),
      transport_(transport),
      keep_(std::move(keep)),
      ssl_(std::move(ssl)),
      observer_(observer),
      wanted_(std::move(wanted)) {
  BIO* bio = BIO_new(Bio::Method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // owns it
  SSL_set_ex_data(ssl_.get(), StreamIndex(), this);
  // Certificates are judged by the time of the transport: a simulated one, too.
  const auto wall = std::chrono::duration_cast<std::chrono::seconds>(transport.WallNow().time_since_epoch());
  X509_VERIFY_PARAM_set_time(SSL_get0_param(ssl_.get()), wall.count());
  if (side_ == Side::kClient) {
    SSL_set_connect_state(ssl_.get());
  } else {
    SSL_set_accept_state(ssl_.get());
  }
}

TlsStream::~TlsStream() {
  if (gone_ != nullptr) *gone_ = true;
  if (alive_ != nullptr) *alive_ = false;
  observer_ = nullptr;
  if (stage_ == Stage::kOpen && inner_ != nullptr) SendEnd();
  // The library takes a session for broken whose end was not told, and would not resume it.
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  if (inner_ != nullptr) inner_->SetObserver(nullptr);
}

TlsStream* TlsStream::Of(const SSL* ssl) { return static_cast<TlsStream*>(SSL_get_ex_data(ssl, StreamIndex())); }

void TlsStream::SetFailure(TlsFailure failure) { failure_ = std::make_unique<TlsFailure>(std::move(failure)); }

void TlsStream::Connect(const Address& address) {
  peer_ = address;
  inner_ = transport_.Connect(address, this);
}

void TlsStream::Accept(std::unique_ptr<Stream> accepted) {
  peer_ = accepted->peer();
  inner_ = std::move(accepted);
  inner_->SetObserver(this);
  stage_ = Stage::kHandshake;
}

template <typename Call>
bool TlsStream::Tell(Call call) {
  if (observer_ == nullptr) return true;
  bool gone = false;
  bool* const outer = std::exchange(gone_, &gone);
  call(*observer_);
  if (gone) {
    if (outer != nullptr) *outer = true;
    return false;
  }
  gone_ = outer;
  return true;
}

// ---- The stream below -----------------------------------------------------------------------------------------------

void TlsStream::OnConnected() {
  stage_ = Stage::kHandshake;
  Handshake();
}

void TlsStream::OnData(std::string_view bytes) {
  if (stage_ == Stage::kDead) return;
  if (!std::exchange(saw_any_, true) && side_ == Side::kServer && bytes[0] >= 'A' && bytes[0] <= 'Z') {
    RefusePlainHttp();  // a handshake begins with the byte 22
    return;
  }
  incoming_ = bytes;
  if (stage_ == Stage::kHandshake && !Handshake()) return;
  if (stage_ == Stage::kOpen) Decrypt();
}

void TlsStream::OnEnd() {
  if (saw_end_ || stage_ == Stage::kDead) return;
  if (stage_ == Stage::kOpen) {
    Fail(NetError::kTruncated);
    return;
  }
  SetFailure({TlsReason::k_closed, ""});
  Fail(NetError::kTls);
}

void TlsStream::OnError(NetError error) {
  if (stage_ == Stage::kDead) return;
  if (stage_ == Stage::kHandshake) {
    SetFailure({TlsReason::k_closed, std::string(net::Name(error))});
    error = NetError::kTls;
  }
  Fail(error);
}

void TlsStream::OnWriteDrained() {
  if (stage_ == Stage::kOpen) Tell([](StreamObserver& observer) { observer.OnWriteDrained(); });
}

bool TlsStream::Handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  Flush();
  if (result == 1) {
    ERR_clear_error();  // what it tried in vain on the way
    stage_ = Stage::kOpen;
    if (!early_.empty()) {
      Encrypt(std::exchange(early_, std::string()));
      Flush();
    }
    if (finishing_) SendEnd();
    return Tell([](StreamObserver& observer) { observer.OnConnected(); });
  }
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return false;
  if (failure_ == nullptr) {
    SetFailure(FailureOfQueue(ssl_.get(), side_ == Side::kServer));
  } else {
    ERR_clear_error();
  }
  Fail(NetError::kTls);
  return false;
}

void TlsStream::Decrypt() {
  char* const plain = Plain();
  while (true) {
    size_t have = 0;
    int error = SSL_ERROR_NONE;
    while (have < kPlainBuffer) {
      const int got = SSL_read(ssl_.get(), plain + have, static_cast<int>(kPlainBuffer - have));
      if (got <= 0) {
        error = ErrorOf(ssl_.get(), got);
        break;
      }
      have += static_cast<size_t>(got);
      // Asked once more, it would say so, for what a record costs.
      if (incoming_.empty() && SSL_has_pending(ssl_.get()) == 0) {
        error = SSL_ERROR_WANT_READ;
        break;
      }
    }
    std::unique_ptr<TlsFailure> why;  // the queue is read before anybody else may use the library
    if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_ZERO_RETURN) {
      why = std::make_unique<TlsFailure>(FailureOfQueue(ssl_.get(), side_ == Side::kServer));
    }
    Flush();
    if (have > 0 && !Tell([&](StreamObserver& observer) { observer.OnData({plain, have}); })) return;
    if (stage_ == Stage::kDead) return;
    if (error == SSL_ERROR_ZERO_RETURN) {
      saw_end_ = true;
      Tell([](StreamObserver& observer) { observer.OnEnd(); });
      return;
    }
    if (why != nullptr) {
      failure_ = std::move(why);
      Fail(NetError::kTls);
      return;
    }
    if (error == SSL_ERROR_WANT_READ) return;
  }
}

void TlsStream::RefusePlainHttp() {
  inner_->Write(kPlainAnswer);
  SetFailure({TlsReason::k_plain_http, ""});
  Fail(NetError::kTls);
}

void TlsStream::Fail(NetError error) {
  if (stage_ == Stage::kDead) return;
  stage_ = Stage::kDead;
  early_.clear();
  if (inner_ != nullptr) {
    inner_->SetObserver(nullptr);
    // An alert, or the plain 400, is to arrive.
    if (error == NetError::kTls) {
      transport_.CloseGracefully(std::move(inner_), kAlertLinger);
    } else {
      inner_.reset();
    }
  }
  Tell([error](StreamObserver& observer) { observer.OnError(error); });
}

void TlsStream::FailLater(NetError error) {
  if (alive_ == nullptr) alive_ = std::make_shared<bool>(true);
  transport_.Post([this, alive = alive_, error] {
    if (*alive) Fail(error);
  });
}

// ---- Stream ---------------------------------------------------------------------------------------------------------

void TlsStream::Write(std::span<const std::string_view> pieces) {
  if (stage_ == Stage::kDead || finishing_) return;
  if (stage_ != Stage::kOpen) {
    for (const std::string_view piece : pieces) early_.append(piece);
    return;
  }
  if (pieces.size() == 1) {
    Encrypt(pieces[0]);
    Flush();
    return;
  }
  // One record for one write, as far as a record goes. Not in the buffer of Decrypt: the pieces may stand in it, when a proxy passes
  // a read straight on.
  char* const record = Record();
  size_t have = 0;
  for (std::string_view piece : pieces) {
    while (!piece.empty()) {
      const size_t part = std::min(piece.size(), kRecord - have);
      std::memcpy(record + have, piece.data(), part);
      have += part;
      piece.remove_prefix(part);
      if (have < kRecord) continue;
      Encrypt({record, have});
      have = 0;
    }
  }
  Encrypt({record, have});
  Flush();
}

void TlsStream::Encrypt(std::string_view bytes) {
  while (!bytes.empty() && stage_ == Stage::kOpen) {
    const size_t size = std::min(bytes.size(), kRecord);
    const int written = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(size));
    if (written <= 0) {
      SetFailure(FailureOfQueue(ssl_.get(), side_ == Side::kServer));
      FailLater(NetError::kTls);
      return;
    }
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void TlsStream::Flush() {
  std::string& outgoing = Outgoing();
  if (outgoing.empty()) return;
  if (inner_ != nullptr) inner_->Write(outgoing);
  if (outgoing.capacity() > kPlainBuffer) {
    std::string().swap(outgoing);
  } else {
    outgoing.clear();
  }
}

void TlsStream::SendEnd() {
  if (std::exchange(end_sent_, true)) return;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
  Flush();
  if (finishing_ && inner_ != nullptr) inner_->FinishWriting();
}

size_t TlsStream::queued_bytes() const { return early_.size() + (inner_ != nullptr ? inner_->queued_bytes() : 0); }
void TlsStream::PauseReading() {
  if (inner_ != nullptr) inner_->PauseReading();
}
void TlsStream::ResumeReading() {
  if (inner_ != nullptr) inner_->ResumeReading();
}

void TlsStream::FinishWriting() {
  if (std::exchange(finishing_, true)) return;
  if (stage_ == Stage::kOpen) SendEnd();
}

void TlsStream::Reset() {
  stage_ = Stage::kDead;
  if (inner_ != nullptr) inner_->Reset();
}

}  // namespace runtime::net
