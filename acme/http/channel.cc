#include "acme/http/channel.h"

#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "acme/http/socket_bio.h"
#include "acme/http/tls_clients.h"

namespace agentca::acme::http {
namespace {

constexpr int kMaxRecord = 16 * 1024;

}  // namespace

Channel::Channel(int descriptor, std::shared_ptr<SSL_CTX> context,
                 std::shared_ptr<TlsClients> clients)
    : descriptor_(descriptor), clients_(std::move(clients)) {
  if (!context) return;
  ssl_.reset(SSL_new(context.get()));  // holds the context by its own reference
  BIO* bio = NewSocketBio(descriptor);
  if (!ssl_ || bio == nullptr) {
    BIO_free(bio);
    failed_ = true;
    return;
  }
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
  if (clients_ && !DemandCertificate(ssl_.get(), *clients_->state())) failed_ = true;
}

Channel::Outcome Channel::Explain(int ssl_result) {
  switch (SSL_get_error(ssl_.get(), ssl_result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::kNeedsRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kNeedsWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kEnded;
    default:
      break;
  }
  failed_ = true;
  ERR_clear_error();
  return Outcome::kFailed;
}

Channel::Outcome Channel::Handshake() {
  if (failed_) return Outcome::kFailed;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) return Explain(result);
  // OpenSSL has refused by now whoever is not verified; a mistake of ours with it must not let
  // anybody in.
  if (clients_ && PeerCertificate().empty()) failed_ = true;
  return failed_ ? Outcome::kFailed : Outcome::kProgress;
}

Bytes Channel::PeerCertificate() const {
  return ssl_ && clients_ ? VerifiedCertificate(ssl_.get()) : Bytes();
}

Channel::Transfer Channel::Read(std::span<char> into) {
  if (!ssl_) return ReadRaw(into);
  ERR_clear_error();
  const int n = SSL_read(ssl_.get(), into.data(), static_cast<int>(into.size()));
  if (n > 0) return {Outcome::kProgress, static_cast<size_t>(n)};
  return {Explain(n)};
}

bool Channel::MayHaveMore(size_t octets, size_t asked) const {
  return ssl_ ? HoldsOctets() : octets == asked;
}

Channel::Transfer Channel::Write(ByteView head, ByteView body, std::span<char> scratch) {
  return ssl_ ? WriteSecure(head, body, scratch) : WritePlain(head, body);
}

Channel::Transfer Channel::WritePlain(ByteView head, ByteView body) {
  const auto vector = [](ByteView part) {
    return iovec{const_cast<uint8_t*>(part.data()), part.size()};  // sendmsg does not write to it
  };
  iovec parts[2] = {vector(head), vector(body)};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  for (;;) {
    const ssize_t n = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL);
    if (n >= 0) return {Outcome::kProgress, static_cast<size_t>(n)};
    if (errno == EINTR) continue;
    return {errno == EAGAIN ? Outcome::kNeedsWrite : Outcome::kFailed};
  }
}

Channel::Transfer Channel::WriteSecure(ByteView head, ByteView body, std::span<char> scratch) {
  if (failed_) return {Outcome::kFailed};
  // A retried SSL_write must offer the same octets again: they depend on what is left alone.
  ByteView next = head;
  if (head.empty()) {
    next = body.first(std::min<size_t>(body.size(), kMaxRecord));
  } else if (!body.empty() && head.size() < scratch.size()) {
    const size_t space = std::min<size_t>(scratch.size(), kMaxRecord);
    const size_t from_head = std::min(head.size(), space);
    const size_t from_body = std::min(body.size(), space - from_head);
    std::memcpy(scratch.data(), head.data(), from_head);
    std::memcpy(scratch.data() + from_head, body.data(), from_body);
    next = AsBytes({scratch.data(), from_head + from_body});
  }
  ERR_clear_error();
  const int n = SSL_write(ssl_.get(), next.data(), static_cast<int>(next.size()));
  if (n > 0) return {Outcome::kProgress, static_cast<size_t>(n)};
  return {Explain(n)};
}

void Channel::EndWriting() {
  if (ssl_ && !failed_ && SSL_is_init_finished(ssl_.get())) {
    ERR_clear_error();
    (void)SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  (void)::shutdown(descriptor_, SHUT_WR);
}

Channel::Transfer Channel::ReadRaw(std::span<char> into) {
  for (;;) {
    const ssize_t n = ::recv(descriptor_, into.data(), into.size(), 0);
    if (n > 0) return {Outcome::kProgress, static_cast<size_t>(n)};
    if (n == 0) return {Outcome::kEnded};
    if (errno == EINTR) continue;
    return {errno == EAGAIN ? Outcome::kNeedsRead : Outcome::kFailed};
  }
}

}  // namespace agentca::acme::http
