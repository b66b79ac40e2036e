#include "load/fake_mqtt_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/assert.h"
#include "base/byte_reader.h"
#include "load/mqtt_packets.h"

namespace millrace::load {
namespace {

/// Neither reads nor writes for so long: the fault itself, not a wait for something.
void stall(std::chrono::nanoseconds time) {
  const timespec timeout{static_cast<time_t>(time.count() / 1'000'000'000), time.count() % 1'000'000'000};
  ppoll(nullptr, 0, &timeout, nullptr);
}

}  // namespace

FakeMqttServer::FakeMqttServer(Behaviour behaviour) : behaviour_(behaviour) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  MR_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 && listen(listener_, 1024) == 0);
  MR_ASSERT(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

void FakeMqttServer::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  thread_.join();
  for (Peer& peer : peers_) drop(peer);
  close(listener_);
}

void FakeMqttServer::drop(Peer& peer) {
  if (peer.fd < 0) return;
  // Answers for this descriptor must not reach a later connection that gets the same number.
  for (Answer& answer : answers_) {
    if (answer.fd == peer.fd) answer.fd = -1;
  }
  close(peer.fd);
  peer.fd = -1;
}

void FakeMqttServer::serve() {
  while (!stopping_) {
    std::erase_if(peers_, [](const Peer& peer) { return peer.fd < 0; });
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    for (const Peer& peer : peers_) fds.push_back({peer.fd, POLLIN, 0});
    timespec timeout{0, 2'000'000};
    if (answers_from_ < answers_.size()) {
      const auto wait =
          std::chrono::duration_cast<std::chrono::nanoseconds>(answers_[answers_from_].due - SystemClock().mono())
              .count();
      timeout.tv_nsec = std::clamp<std::int64_t>(wait, 0, timeout.tv_nsec);
    }
    if (ppoll(fds.data(), fds.size(), &timeout, nullptr) < 0) continue;
    for (std::size_t i = 1; i < fds.size(); ++i) {
      if (fds[i].revents != 0 && !read_from(peers_[i - 1])) drop(peers_[i - 1]);
    }
    if (fds[0].revents != 0) accept_one();
    answer_due(SystemClock().mono());
  }
}

void FakeMqttServer::accept_one() {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return;
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ++connections;
  peers_.emplace_back().fd = fd;
}

bool FakeMqttServer::read_from(Peer& peer) {
  const ssize_t got = recv(peer.fd, peer.in.prepare(64_KiB), 64_KiB, 0);
  if (got <= 0) return false;
  peer.in.commit(static_cast<std::size_t>(got));
  std::size_t used = 0;
  Packet packet;
  while (true) {
    const int taken = take_packet(peer.in.view().subspan(used), packet);
    if (taken < 0) return false;
    if (taken == 0) break;
    if (!on_packet(peer, packet.first, packet.body)) return false;
    used += static_cast<std::size_t>(taken);
  }
  peer.in.consume(used);
  return true;
}

void FakeMqttServer::answer(Peer& peer, std::string bytes, bool acknowledgement) {
  answers_.push_back({SystemClock().mono() + behaviour_.acknowledge_after, peer.fd, std::move(bytes), acknowledgement});
}

void FakeMqttServer::answer_due(MonoTime now) {
  while (answers_from_ < answers_.size() && answers_[answers_from_].due <= now) {
    // One write for neighbours of the same connection.
    const int fd = answers_[answers_from_].fd;
    std::string bytes;
    std::uint64_t count = 0;
    while (answers_from_ < answers_.size() && answers_[answers_from_].due <= now && answers_[answers_from_].fd == fd) {
      bytes += answers_[answers_from_].bytes;
      count += answers_[answers_from_++].acknowledgement ? 1 : 0;
    }
    for (Peer& peer : peers_) {
      if (peer.fd == fd && fd >= 0) peer.unacknowledged -= std::min(count, peer.unacknowledged);
    }
    if (fd >= 0) (void)!send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  if (answers_from_ == answers_.size()) {
    answers_.clear();
    answers_from_ = 0;
  }
}

bool FakeMqttServer::on_packet(Peer& peer, std::uint8_t first, ByteView body) {
  using std::string_literals::operator""s;
  ByteReader in(body);
  switch (first >> 4U) {
    case 1: {
      in.skip(6);
      peer.v5 = in.u8() == 5;
      in.skip(3);
      if (peer.v5) in.skip(in.uvarint(4));
      peer.client = in.text(in.be<std::uint16_t>());
      std::string welcome = "\x20\x02\0\0"s;
      if (peer.v5) welcome = "\x20\x03\0\0\0"s;
      if (peer.v5 && behaviour_.receive_maximum != 0) {
        welcome = "\x20\x06\0\0\x03\x21"s + static_cast<char>(behaviour_.receive_maximum >> 8U) +
                  static_cast<char>(behaviour_.receive_maximum & 0xFFU);
      }
      return in.ok() && send(peer.fd, welcome.data(), welcome.size(), MSG_NOSIGNAL) > 0;
    }
    case 3:
      return on_publish(peer, first, body);
    case 6:
      answer(peer, {'\x70', '\x02', static_cast<char>(body[0]), static_cast<char>(body[1])}, true);
      return true;
    case 8: {
      peer.subscribed = true;
      std::string granted = {'\x90', '\x03', static_cast<char>(body[0]), static_cast<char>(body[1])};
      if (peer.v5) granted = {'\x90', '\x04', static_cast<char>(body[0]), static_cast<char>(body[1]), '\0'};
      granted += '\0';
      return send(peer.fd, granted.data(), granted.size(), MSG_NOSIGNAL) > 0;
    }
    case 12:
      answer(peer, "\xD0\0"s, false);
      return true;
    case 14:
      return false;
    default:
      return true;
  }
}

bool FakeMqttServer::on_publish(Peer& peer, std::uint8_t first, ByteView body) {
  ByteReader in(body);
  const unsigned qos = first >> 1U & 3U;
  const std::string topic(in.text(in.be<std::uint16_t>()));
  const std::uint16_t id = qos == 0 ? std::uint16_t{0} : in.be<std::uint16_t>();
  if (peer.v5) in.skip(in.uvarint(4));
  const std::string payload(in.text(in.remaining()));
  if (!in.ok()) return false;
  ++messages;
  if (messages == behaviour_.stall_at_message) stall(behaviour_.stall_for);
  const bool cut = behaviour_.cut_every != 0 && messages % behaviour_.cut_every == 0;
  if (cut && !behaviour_.acknowledge_before_cut) return false;
  if (qos == 1) received[peer.client].push_back({topic, payload, (first & 8U) != 0});
  if (cut) return false;
  for (Peer& other : peers_) {
    if (!other.subscribed || other.fd < 0) continue;
    Buffer copy;
    append_publish(copy, other.v5 ? MqttVersion::v5 : MqttVersion::v311, topic, 0, false, 0, as_bytes(payload));
    (void)!send(other.fd, copy.data(), copy.size(), MSG_NOSIGNAL);
  }
  if (qos == 0) return true;
  most_unacknowledged = std::max(most_unacknowledged, ++peer.unacknowledged);
  const bool refused = peer.v5 && behaviour_.refuse_every != 0 && ++acknowledged_ % behaviour_.refuse_every == 0;
  std::string bytes = {static_cast<char>(qos == 1 ? 0x40 : 0x50), '\x02', static_cast<char>(id >> 8U),
                       static_cast<char>(id & 0xFFU)};
  if (refused) {
    bytes[1] = 3;
    bytes += '\x97';
  }
  answer(peer, std::move(bytes), qos == 1);
  return true;
}

}  // namespace millrace::load
