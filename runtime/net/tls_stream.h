// Private to this folder. One TLS connection over a Stream: the same for both sides, which set up `ssl` before Start.
//
// OpenSSL reads from the bytes that the stream below has just brought and writes into a buffer of the thread that is handed on at
// once, so neither side keeps a copy. What one read brings is decrypted as a whole and told in one call, as a plain stream would.
#pragma once

#include <memory>
#include <string>

#include "runtime/net/tls.h"
#include "runtime/net/tls_pem.h"

namespace runtime::net {

class TlsStream final : public Stream, private StreamObserver {
 public:
  enum class Side : uint8_t { kClient, kServer };

  // `keep`: what must live as long as the stream (its TlsClient or TlsServer). `wanted`: the name that the server is asked for.
  TlsStream(Side side, Transport& transport, SslPtr ssl, std::shared_ptr<const void> keep, std::string wanted,
            StreamObserver* observer);
  ~TlsStream() override;
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  void Connect(const Address& address);           // a client
  void Accept(std::unique_ptr<Stream> accepted);  // a server

  // The stream that an SSL belongs to, inside the library's callbacks.
  static TlsStream* Of(const SSL* ssl);
  SSL* ssl() { return ssl_.get(); }
  const std::string& wanted() const { return wanted_; }
  TimePoint Now() const { return transport_.Now(); }
  // A callback of the library knows better than its error queue.
  void SetFailure(TlsFailure failure);
  std::string session_key;  // of a client's session cache

  // Stream
  void SetObserver(StreamObserver* observer) override { observer_ = observer; }
  void Write(std::span<const std::string_view> pieces) override;
  size_t queued_bytes() const override;
  void PauseReading() override;
  void ResumeReading() override;
  void FinishWriting() override;
  void Reset() override;
  const Address& peer() const override { return peer_; }
  Unread Look() const override { return is_dead() || saw_end_ ? Unread::kEnd : inner_ != nullptr ? inner_->Look() : Unread::kNothing; }
  bool is_dead() const override { return stage_ == Stage::kDead || (inner_ != nullptr && inner_->is_dead()); }
  bool saw_end() const override { return saw_end_; }
  const TlsFailure* tls_failure() const override { return failure_ ? failure_.get() : nullptr; }

 private:
  enum class Stage : uint8_t { kConnecting, kHandshake, kOpen, kDead };
  struct Bio;

  // StreamObserver, of the stream below.
  void OnConnected() override;
  void OnData(std::string_view bytes) override;
  void OnEnd() override;
  void OnError(NetError error) override;
  void OnWriteDrained() override;

  bool Handshake();  // false: not yet, or this is gone
  void Decrypt();
  void Encrypt(std::string_view bytes);
  void Flush();      // what the library wrote goes to the stream below
  void SendEnd();
  void Fail(NetError error);  // tells the observer; this may be gone afterwards
  void FailLater(NetError error);
  void RefusePlainHttp();
  // Whether `this` still lives after a call of the observer.
  template <typename Call>
  bool Tell(Call call);

  const Side side_;
  Transport& transport_;
  const std::shared_ptr<const void> keep_;
  SslPtr ssl_;
  std::unique_ptr<Stream> inner_;
  StreamObserver* observer_;
  Address peer_;
  const std::string wanted_;
  Stage stage_ = Stage::kConnecting;
  bool saw_any_ = false;
  bool saw_end_ = false;
  bool finishing_ = false;
  bool end_sent_ = false;
  std::string_view incoming_;  // during OnData
  std::string early_;          // written before the handshake was over
  std::unique_ptr<TlsFailure> failure_;
  std::shared_ptr<bool> alive_;  // made when it is needed; false once this is gone
  bool* gone_ = nullptr;         // set while an observer is called
};

}  // namespace runtime::net
