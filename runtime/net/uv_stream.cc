// Writing: to the socket first, because on libuv 1.44 uv_write costs two epoll_ctl; only what the socket did not take is
// copied. At most one uv_write is in flight; what is written meanwhile collects in one string.
//
// A failed write is not reported at once when the peer may have answered before it closed (an early 413, RFC 9112 9.6):
// what it sent is read first, and the error takes the place of the end.
#include "runtime/net/uv_stream.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/recycled.h"
#include "base/short_text.h"

namespace runtime::net {

class StreamHandle final : public Handle, public base::Recycled<StreamHandle> {
 public:
  using Handle::Handle;

  void OpenAccepted(int socket);
  void OpenConnecting(const Address& address);

  void Write(std::span<const std::string_view> pieces);
  Unread Look();
  size_t queued_bytes() const { return in_flight_left() + waiting_.size(); }
  void SetReading(bool on);
  void FinishWriting();
  void Reset();

  StreamObserver* observer = nullptr;
  bool saw_end() const { return saw_end_; }

 private:
  ~StreamHandle() override = default;
  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp_); }
  size_t in_flight_left() const { return write_in_flight_ ? tcp_.write_queue_size : 0; }
  void Init();
  void UpdateReading();
  void OnConnected(int status);
  void OnRead(ssize_t count, const char* bytes);
  void OnWritten(int status);
  void WriteOne(std::string_view bytes);
  void WritePieces(std::span<const std::string_view> pieces);
  int TryWrite(const uv_buf_t* buffers, unsigned count);
  void StartQueuedWrite();
  void ShutDownIfDone();
  void WriteFailed(int status);
  void Fail(NetError error);

  uv_tcp_t tcp_;
  uv_os_fd_t socket_ = -1;  // from when it is connected
  uv_connect_t connect_;
  uv_write_t write_;
  uv_shutdown_t shutdown_;
  std::string in_flight_;
  std::string waiting_;
  int write_error_ = 0;
  bool connected_ = false;
  bool wants_reading_ = true;
  bool is_reading_ = false;
  bool saw_end_ = false;
  bool write_in_flight_ = false;
  bool finishing_ = false;
  bool shut_down_ = false;
};

void StreamHandle::Init() {
  uv_tcp_init(loop()->uv(), &tcp_);  // makes no socket yet, so it can't fail
  Opened(reinterpret_cast<uv_handle_t*>(&tcp_));
  connect_.data = write_.data = shutdown_.data = this;
}

void StreamHandle::OpenAccepted(int socket) {
  Init();
  const int result = uv_tcp_open(&tcp_, socket);
  if (result != 0) {
    close(socket);
    DeferUnlessClosed([this, result] { Fail(NetErrorOf(result)); });
    return;
  }
  socket_ = socket;
  connected_ = true;  // with TCP_NODELAY of its listener
  UpdateReading();
}

void StreamHandle::OpenConnecting(const Address& address) {
  Init();
  uv_tcp_nodelay(&tcp_, 1);  // remembered until the socket is made
  sockaddr_storage remote;
  int result = UV_EINVAL;
  if (ParseAddress(address.ip, address.port, &remote)) {
    result = uv_tcp_connect(
        &connect_, &tcp_, reinterpret_cast<const sockaddr*>(&remote),
        [](uv_connect_t* req, int status) { static_cast<StreamHandle*>(req->data)->OnConnected(status); });
  }
  if (result != 0) DeferUnlessClosed([this, result] { Fail(NetErrorOf(result)); });
}

void StreamHandle::OnConnected(int status) {
  if (is_closing()) return;
  if (status != 0) {
    Fail(NetErrorOf(status));
    return;
  }
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(&tcp_), &socket_) != 0) {
    Fail(NetError::kOther);
    return;
  }
  connected_ = true;
  UpdateReading();
  ShutDownIfDone();
  if (observer != nullptr) observer->OnConnected();
}

Unread StreamHandle::Look() {
  if (is_closing() || saw_end_) return Unread::kEnd;
  if (!connected_) return Unread::kNothing;
  char byte = 0;
  const ssize_t count = recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (count > 0) return Unread::kBytes;
  const bool is_quiet = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
  return is_quiet ? Unread::kNothing : Unread::kEnd;
}

void StreamHandle::SetReading(bool on) {
  wants_reading_ = on;
  UpdateReading();
}

void StreamHandle::UpdateReading() {
  const bool on = wants_reading_ && connected_ && !saw_end_ && !is_closing();
  if (on == is_reading_) return;
  is_reading_ = on;
  if (!on) {
    uv_read_stop(stream());
    return;
  }
  uv_read_start(
      stream(),
      [](uv_handle_t* handle, size_t, uv_buf_t* buffer) {
        Loop* loop = static_cast<StreamHandle*>(handle->data)->loop();
        *buffer = uv_buf_init(loop->read_buffer(), Loop::kReadBufferSize);
      },
      [](uv_stream_t* handle, ssize_t count, const uv_buf_t* buffer) {
        static_cast<StreamHandle*>(handle->data)->OnRead(count, buffer->base);
      });
}

void StreamHandle::OnRead(ssize_t count, const char* bytes) {
  if (count == 0 || is_closing()) return;  // 0 is EAGAIN
  if (count > 0) {
    const HeldClock clock;
    if (observer != nullptr) observer->OnData({bytes, static_cast<size_t>(count)});
    return;
  }
  is_reading_ = false;
  if (write_error_ != 0) {
    Fail(NetErrorOf(write_error_));
  } else if (count == UV_EOF) {
    saw_end_ = true;
    uv_read_stop(stream());
    if (observer != nullptr) observer->OnEnd();
  } else {
    Fail(NetErrorOf(static_cast<int>(count)));
  }
}

// Few bytes in several pieces, such as a token between the ends of its chunk, are put together: the kernel takes one buffer with
// less ado than several, and for more than that the copy costs.
void StreamHandle::Write(std::span<const std::string_view> pieces) {
  constexpr size_t kSmall = 1024;
  size_t size = 0;
  for (const std::string_view piece : pieces) size += piece.size();
  if (pieces.size() == 1) return WriteOne(pieces.front());
  if (pieces.empty() || size > kSmall) return WritePieces(pieces);
  char together[kSmall];
  char* end = together;
  for (const std::string_view piece : pieces) end = base::CopyText(end, piece);
  WriteOne({together, size});
}

void StreamHandle::WriteOne(std::string_view bytes) {
  if (is_closing() || finishing_ || write_error_ != 0 || bytes.empty()) return;
  if (connected_ && queued_bytes() == 0) {
    const uv_buf_t buffer = uv_buf_init(const_cast<char*>(bytes.data()), static_cast<unsigned>(bytes.size()));
    const int sent = TryWrite(&buffer, 1);
    if (sent < 0) return WriteFailed(sent);
    bytes.remove_prefix(static_cast<size_t>(sent));
    if (bytes.empty()) return;
  }
  waiting_.append(bytes);
  if (!write_in_flight_) StartQueuedWrite();
}

void StreamHandle::WritePieces(std::span<const std::string_view> pieces) {
  if (is_closing() || finishing_ || write_error_ != 0) return;
  constexpr size_t kMaxPieces = 32;
  size_t skip = 0;  // bytes of the first piece that are already sent
  while (connected_ && queued_bytes() == 0 && !pieces.empty()) {
    uv_buf_t buffers[kMaxPieces];
    unsigned count = 0;
    size_t total = 0;
    for (std::string_view piece : pieces.first(std::min(pieces.size(), kMaxPieces))) {
      const size_t from = count == 0 ? skip : 0;
      buffers[count++] =
          uv_buf_init(const_cast<char*>(piece.data()) + from, static_cast<unsigned>(piece.size() - from));
      total += piece.size() - from;
    }
    int sent = 0;
    if (total > 0) {
      sent = TryWrite(buffers, count);
      if (sent < 0) {
        WriteFailed(sent);
        return;
      }
    }
    size_t left = static_cast<size_t>(sent);
    while (!pieces.empty() && left >= pieces.front().size() - skip && count > 0) {
      left -= pieces.front().size() - skip;
      skip = 0;
      pieces = pieces.subspan(1);
      --count;
    }
    skip += left;
    if (static_cast<size_t>(sent) < total) break;  // the socket is full
  }
  for (std::string_view piece : pieces) {
    waiting_.append(piece.substr(skip));
    skip = 0;
  }
  if (!waiting_.empty() && !write_in_flight_) StartQueuedWrite();
}

// What the socket takes at once; an error of libuv. As uv_try_write, which looks at more than there is to see here: that nothing is queued
// and the connection stands is known.
int StreamHandle::TryWrite(const uv_buf_t* buffers, unsigned count) {
  ssize_t sent = 0;
  do {
    if (count == 1) {
      sent = send(socket_, buffers[0].base, buffers[0].len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(reinterpret_cast<const iovec*>(buffers));  // the same layout (libuv's uv_buf_t)
      message.msg_iovlen = count;
      sent = sendmsg(socket_, &message, MSG_NOSIGNAL);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<int>(sent);
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? 0 : uv_translate_sys_error(errno);
}

void StreamHandle::StartQueuedWrite() {
  in_flight_.swap(waiting_);
  waiting_.clear();
  uv_buf_t buffer = uv_buf_init(in_flight_.data(), static_cast<unsigned>(in_flight_.size()));
  const int result = uv_write(&write_, stream(), &buffer, 1, [](uv_write_t* req, int status) {
    static_cast<StreamHandle*>(req->data)->OnWritten(status);
  });
  if (result != 0) {
    WriteFailed(result);
  } else {
    write_in_flight_ = true;
  }
}

void StreamHandle::OnWritten(int status) {
  write_in_flight_ = false;
  if (is_closing()) return;
  if (status != 0) {
    WriteFailed(status);
    return;
  }
  if (!waiting_.empty()) {
    StartQueuedWrite();
    return;
  }
  std::string().swap(in_flight_);  // an idle connection keeps no buffers
  std::string().swap(waiting_);
  ShutDownIfDone();
  if (observer != nullptr) observer->OnWriteDrained();
}

void StreamHandle::WriteFailed(int status) {
  write_error_ = status;
  in_flight_.clear();
  waiting_.clear();
  const bool peer_is_gone = status == UV_EPIPE || status == UV_ECONNRESET;
  if (peer_is_gone && is_reading_) return;  // OnRead reports it, after what the peer had sent
  DeferUnlessClosed([this, status] { Fail(NetErrorOf(status)); });
}

void StreamHandle::FinishWriting() {
  finishing_ = true;
  ShutDownIfDone();
}

void StreamHandle::ShutDownIfDone() {
  if (!finishing_ || shut_down_ || !connected_ || is_closing() || queued_bytes() > 0 || write_error_ != 0) return;
  shut_down_ = true;
  uv_shutdown(&shutdown_, stream(), [](uv_shutdown_t*, int) {});  // a failure shows itself by the next read
}

void StreamHandle::Reset() {
  if (is_closing()) return;
  // Not uv_tcp_close_reset: it refuses once uv_shutdown was called.
  uv_os_fd_t socket;
  if (uv_fileno(reinterpret_cast<uv_handle_t*>(&tcp_), &socket) == 0) {
    const linger reset = {1, 0};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  }
  Close();
}

void StreamHandle::Fail(NetError error) {
  Close();
  if (observer != nullptr) observer->OnError(error);
}

UvStream::UvStream(Loop* loop, const Address& address, StreamObserver* observer)
    : handle_(new StreamHandle(loop)), peer_(address) {
  handle_->observer = observer;
  handle_->OpenConnecting(address);
}

UvStream::UvStream(Loop* loop, int accepted_socket, const Address& peer)
    : handle_(new StreamHandle(loop)), peer_(peer) {
  handle_->OpenAccepted(accepted_socket);
}

UvStream::~UvStream() {
  handle_->observer = nullptr;
  handle_->Abandon();
}

void UvStream::SetObserver(StreamObserver* observer) { handle_->observer = observer; }
void UvStream::Write(std::span<const std::string_view> pieces) { handle_->Write(pieces); }
size_t UvStream::queued_bytes() const { return handle_->is_closing() ? 0 : handle_->queued_bytes(); }
void UvStream::PauseReading() { handle_->SetReading(false); }
void UvStream::ResumeReading() { handle_->SetReading(true); }
void UvStream::FinishWriting() { handle_->FinishWriting(); }
void UvStream::Reset() { handle_->Reset(); }
Unread UvStream::Look() const { return handle_->Look(); }
bool UvStream::is_dead() const { return handle_->is_closing(); }
bool UvStream::saw_end() const { return handle_->saw_end(); }

}  // namespace runtime::net
