#include "load/fake_kafka_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <ranges>

#include "base/assert.h"
#include "base/byte_writer.h"
#include "load/kafka_connection.h"
#include "model/record_batch.h"

namespace millrace::load {
namespace {

void put_text(ByteWriter& out, std::string_view text) {
  out.be(static_cast<std::int16_t>(text.size()));
  out.text(text);
}

}  // namespace

FakeKafkaServer::FakeKafkaServer(Behaviour behaviour) : behaviour_(behaviour), partitions_(behaviour.partitions) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  MR_ASSERT(bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 && listen(listener_, 64) == 0);
  MR_ASSERT(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

void FakeKafkaServer::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  thread_.join();
  for (Peer& peer : peers_) close(peer.fd);
  close(listener_);
}

void FakeKafkaServer::preload(const std::string& topic, std::int32_t partition, ByteView batch) {
  std::int64_t base = 0;
  MR_ASSERT(keep(topic, partition, batch, base) == 0);
}

void FakeKafkaServer::serve() {
  while (!stopping_) {
    std::erase_if(peers_, [](const Peer& peer) { return peer.fd < 0; });
    std::vector<pollfd> fds{{listener_, POLLIN, 0}};
    std::int64_t wait = 2'000'000;
    const MonoTime now = SystemClock().mono();
    for (const Peer& peer : peers_) {
      fds.push_back({peer.fd, POLLIN, 0});
      if (!peer.answers.empty()) wait = std::clamp<std::int64_t>((peer.answers.front().first - now).count(), 0, wait);
    }
    const timespec timeout{0, wait};
    if (ppoll(fds.data(), fds.size(), &timeout, nullptr) < 0) continue;
    for (std::size_t i = 1; i < fds.size(); ++i) {
      Peer& peer = peers_[i - 1];
      if (fds[i].revents != 0 && !read_from(peer)) {
        close(peer.fd);
        peer.fd = -1;
        continue;
      }
      while (!peer.answers.empty() && peer.answers.front().first <= SystemClock().mono()) {
        const Buffer& bytes = peer.answers.front().second;
        for (std::size_t sent = 0; sent < bytes.size();) {
          const ssize_t taken = send(peer.fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
          if (taken <= 0) break;
          sent += static_cast<std::size_t>(taken);
        }
        peer.answers.pop_front();
      }
    }
    if (fds[0].revents != 0) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (fd >= 0) peers_.push_back({fd, {}, {}});
    }
  }
}

bool FakeKafkaServer::read_from(Peer& peer) {
  const ssize_t got = recv(peer.fd, peer.in.prepare(1_MiB), 1_MiB, 0);
  if (got <= 0) return false;
  peer.in.commit(static_cast<std::size_t>(got));
  std::size_t used = 0;
  while (peer.in.size() - used >= 4) {
    const std::size_t size = load_be<std::uint32_t>(peer.in.data() + used);
    if (peer.in.size() - used - 4 < size) break;
    on_request(peer, ByteReader(peer.in.view(used + 4, size)));
    used += 4 + size;
  }
  peer.in.consume(used);
  return true;
}

void FakeKafkaServer::on_request(Peer& peer, ByteReader in) {
  const std::int16_t key = in.be<std::int16_t>();
  in.skip(2);
  const auto correlation = in.be<std::int32_t>();
  (void)read_kafka_text(in);
  Buffer response;
  ByteWriter out(response);
  out.be(std::int32_t{0});
  out.be(correlation);
  std::chrono::nanoseconds later{0};
  if (key == kMetadata.key) {
    in.skip(4);
    const std::string topic(read_kafka_text(in));
    const bool known = topics_.contains(topic) || topic != "absent";
    out.be(std::int32_t{0});
    out.be(std::int32_t{1});
    out.be(std::int32_t{7});
    put_text(out, "127.0.0.1");
    out.be(std::int32_t{port_});
    out.be(std::int16_t{-1});
    put_text(out, "cluster");
    out.be(std::int32_t{7});
    out.be(std::int32_t{1});
    out.be(static_cast<std::int16_t>(known ? 0 : 3));
    put_text(out, topic);
    out.u8(0);
    out.be(known ? partitions_ : 0);
    for (std::int32_t p = partitions_ - 1; known && p >= 0; --p) {
      out.be(std::int16_t{0});
      out.be(p);
      out.be(std::int32_t{7});
      for (int list = 0; list < 2; ++list) {
        out.be(std::int32_t{1});
        out.be(std::int32_t{7});
      }
    }
  } else if (key == kCreateTopics.key) {
    in.skip(4);
    const std::string topic(read_kafka_text(in));
    partitions_ = in.be<std::int32_t>();
    out.be(std::int32_t{0});
    out.be(std::int32_t{1});
    put_text(out, topic);
    out.be(std::int16_t{0});
    out.be(std::int16_t{-1});
  } else if (key == kListOffsets.key) {
    in.skip(8);
    const std::string topic(read_kafka_text(in));
    in.skip(4);
    const auto partition = in.be<std::int32_t>();
    const auto time = in.be<std::int64_t>();
    out.be(std::int32_t{1});
    put_text(out, topic);
    out.be(std::int32_t{1});
    out.be(partition);
    out.be(std::int16_t{0});
    out.be(std::int64_t{-1});
    out.be(time == -2 ? 0 : topics_[topic][partition].end);
  } else if (key == kInitProducerId.key) {
    out.be(std::int32_t{0});
    out.be(std::int16_t{0});
    out.be(next_producer_++);
    out.be(std::int16_t{0});
  } else if (key == kProduce.key) {
    on_produce(in, response);
    later = behaviour_.answer_after;
  } else if (key == kFetch.key) {
    on_fetch(in, response);
  } else {
    problems.push_back("unknown request " + std::to_string(key));
  }
  store_be(response.data(), static_cast<std::int32_t>(response.size() - 4));
  peer.answers.emplace_back(SystemClock().mono() + later, std::move(response));
}

std::int16_t FakeKafkaServer::keep(const std::string& topic, std::int32_t partition, ByteView batch,
                                   std::int64_t& base) {
  const Result<BatchHeader> header = validate_produced_batch(batch);
  if (!header) {
    problems.push_back(header.error().message());
    return 2;
  }
  if (behaviour_.refuse_every != 0 && (batches + 1) % behaviour_.refuse_every == 0) {
    ++batches;
    return 7;
  }
  Partition& log = topics_[topic][partition];
  if (header->has_producer()) {
    std::int64_t& next = log.next_sequence[header->producer_id.value()];
    if (header->base_sequence != next) problems.push_back("sequence " + std::to_string(header->base_sequence));
    next = header->base_sequence + header->record_count;
  }
  ++batches;
  base = log.end;
  Buffer& kept = log.batches.emplace_back();
  kept.append(batch);
  patch_base_offset({kept.data(), kept.size()}, Offset(base), LeaderEpoch(0));
  log.bases.push_back(base);
  log.end += header->record_count;
  return 0;
}

void FakeKafkaServer::on_produce(ByteReader& in, Buffer& response) {
  ByteWriter out(response);
  in.skip(2 + 2 + 4 + 4);
  const std::string topic(read_kafka_text(in));
  const auto count = in.be<std::int32_t>();
  out.be(std::int32_t{1});
  put_text(out, topic);
  out.be(count);
  struct Answer {
    std::int32_t partition;
    std::int16_t code;
    std::int64_t base;
  };
  std::vector<Answer> answers;
  for (std::int32_t i = 0; i < count && in.ok(); ++i) {
    const auto partition = in.be<std::int32_t>();
    const auto size = in.be<std::uint32_t>();
    std::int64_t base = -1;
    const std::int16_t code = keep(topic, partition, in.bytes(size), base);
    answers.push_back({partition, code, base});
  }
  // Not in the order of the request: Apache Kafka's is that of a hash table.
  for (const Answer& answer : answers | std::views::reverse) {
    out.be(answer.partition);
    out.be(answer.code);
    out.be(answer.base);
    out.be(std::int64_t{-1});
    out.be(std::int64_t{0});
  }
  out.be(std::int32_t{0});
  if (!in.ok() || in.remaining() != 0) problems.push_back("malformed Produce");
}

void FakeKafkaServer::on_fetch(ByteReader& in, Buffer& response) {
  ByteWriter out(response);
  in.skip(4 + 4 + 4 + 4 + 1 + 4);
  const std::string topic(read_kafka_text(in));
  const auto count = in.be<std::int32_t>();
  out.be(std::int32_t{0});
  out.be(std::int32_t{1});
  put_text(out, topic);
  out.be(count);
  for (std::int32_t i = 0; i < count && in.ok(); ++i) {
    const auto partition = in.be<std::int32_t>();
    const auto offset = in.be<std::int64_t>();
    const auto most = static_cast<std::size_t>(in.be<std::int32_t>());
    const Partition& log = topics_[topic][partition];
    out.be(partition);
    out.be(std::int16_t{0});
    out.be(log.end);
    out.be(log.end);
    out.be(std::int32_t{-1});
    Buffer records;
    for (std::size_t b = 0; b < log.batches.size() && records.size() < most; ++b) {
      if (log.bases[b] >= offset) records.append(log.batches[b].view());
    }
    if (records.size() > most) records.resize(most);  // the last batch cut short, as Kafka may
    out.be(static_cast<std::int32_t>(records.size()));
    out.bytes(records.view());
  }
}

}  // namespace millrace::load
