// The hot half of MqttRun: what happens per read, per packet and per write.
#include <algorithm>

#include <fmt/format.h>

#include "load/mqtt_run.h"

namespace millrace::load {

void MqttRun::on_writable(std::uint32_t id) {
  Client& client = clients_[id];
  if (client.stage == Stage::connecting) {
    if (Result<void> done = client.link.finish_connect(); !done) {
      lose(client, done.error().message());
      return;
    }
    client.stage = Stage::connack;
  }
  const bool was_blocked = client.link.blocked();
  if (!client.link.flush()) {
    lose(client, client.link.why());
    return;
  }
  if (was_blocked && !client.link.blocked() && client.role == Role::publisher) list(id);
}

void MqttRun::on_readable(std::uint32_t id) {
  Client& client = clients_[id];
  bool drained = false;
  while (!drained) {
    ByteView bytes;
    if (!client.link.receive(in_, bytes, drained)) {
      lose(client, client.link.why());
      return;
    }
    const std::uint64_t now = now_ns();
    Packet packet;
    while (!bytes.empty()) {
      const int taken = take_packet(bytes, packet);
      if (taken == 0) break;
      if (taken < 0 || !on_packet(client, packet, now)) {
        if (client.link.open()) lose(client, fmt::format("unexpected packet 0x{:02x} from the server", packet.first));
        return;
      }
      bytes = bytes.subspan(static_cast<std::size_t>(taken));
    }
    client.link.keep(bytes);
  }
  if (!answers_.empty()) {
    const bool sent = client.link.send(answers_.view());
    answers_.clear();
    if (!sent) lose(client, client.link.why());
  }
  if (client.role == Role::publisher && client.stage == Stage::ready) pump(id);
}

void MqttRun::become_ready(Client& client) {
  client.stage = Stage::ready;
  client.last_sent_ns = now_ns();
  --pending_;
  ++ready_;
  if (connect_latency_ != nullptr) connect_latency_->record(client.last_sent_ns - client.started_ns);
}

bool MqttRun::on_connack(Client& client, const Packet& packet) {
  Welcome welcome;
  if (client.stage != Stage::connack || !take_connack(packet, plan_.version, welcome)) return false;
  if (welcome.code != 0) {
    lose(client, "refused: " + connack_text(plan_.version, welcome.code));
    return false;
  }
  if (client.role == Role::subscriber) {
    client.stage = Stage::suback;
    const Buffer subscribe =
        encode_subscribe(plan_.version, plan_.filter, static_cast<std::uint8_t>(plan_.subscribe_qos));
    if (client.link.send(subscribe.view())) return true;
    lose(client, client.link.why());
    return false;
  }
  if (client.role == Role::publisher && plan_.qos > 0) {
    // Ids are handed out from the back, so dropping those in front narrows the window. A storm narrows it again, never
    // widens.
    Publisher& publisher = publishers_[client.index];
    while (publisher.window > welcome.receive_maximum && !publisher.free_ids.empty()) {
      publisher.free_ids.erase(publisher.free_ids.begin());
      --publisher.window;
    }
  }
  become_ready(client);
  return true;
}

bool MqttRun::on_packet(Client& client, const Packet& packet, std::uint64_t now) {
  switch (packet.type()) {
    case mqtt_packet::kPuback:
    case mqtt_packet::kPubcomp:
      return client.role == Role::publisher && on_acknowledged(publishers_[client.index], packet, now);
    case mqtt_packet::kPublish:
      return on_delivery(client, packet, now);
    case mqtt_packet::kPubrec:
      if (packet.body.size() < 2 || client.role != Role::publisher) return false;
      // MQTT 5 4.3.3: an error in PUBREC ends the exchange; otherwise PUBREL follows.
      if (packet.body.size() > 2 && packet.body[2] >= 0x80)
        return on_acknowledged(publishers_[client.index], packet, now);
      answer(0x62, packet.body);
      return true;
    case mqtt_packet::kPubrel:
      if (packet.body.size() < 2) return false;
      answer(0x70, packet.body);
      return true;
    case mqtt_packet::kPingresp:
      if (client.role == Role::publisher && plan_.qos == 0) on_ping_answer(publishers_[client.index], now);
      return true;
    case mqtt_packet::kConnack:
      return on_connack(client, packet);
    case mqtt_packet::kSuback:
      if (client.stage != Stage::suback || packet.body.empty()) return false;
      if (packet.body.back() >= 0x80) {
        lose(client, fmt::format("subscription to '{}' refused with 0x{:02x}", plan_.filter, packet.body.back()));
        return false;
      }
      become_ready(client);
      return true;
    case mqtt_packet::kDisconnect:
      lose(client, fmt::format("the server said DISCONNECT 0x{:02x}", packet.body.empty() ? 0 : packet.body[0]));
      return false;
    default:
      return false;
  }
}

void MqttRun::answer(std::uint8_t first, ByteView packet_id) {
  const std::uint8_t bytes[4] = {first, 2, packet_id[0], packet_id[1]};
  answers_.append(bytes);
}

bool MqttRun::on_acknowledged(Publisher& publisher, const Packet& packet, std::uint64_t now) {
  if (packet.body.size() < 2) return false;
  const std::uint16_t id = load_be<std::uint16_t>(packet.body.data());
  if (id >= publisher.due_by_id.size() || publisher.due_by_id[id] == 0)
    return false;  // never sent, or acknowledged twice
  if (recording_) result_.acknowledgement.record(now - std::min(now, publisher.due_by_id[id]));
  publisher.due_by_id[id] = 0;
  publisher.free_ids.push_back(id);
  if (packet.body.size() > 2 && packet.body[2] >= 0x80) {
    ++result_.refused;
  } else {
    ++result_.total_acknowledged;
  }
  return true;
}

void MqttRun::on_ping_answer(Publisher& publisher, std::uint64_t now) {
  if (publisher.pings.empty()) return;
  const PingGroup group = publisher.pings.front();
  publisher.pings.pop_front();
  if (recording_) result_.acknowledgement.record(now - std::min(now, group.due_ns));
  result_.total_acknowledged += group.messages;
  publisher.unproved -= group.messages;
}

bool MqttRun::on_delivery(Client& client, const Packet& packet, std::uint64_t now) {
  Delivery delivery;
  if (client.role != Role::subscriber || !take_delivery(packet, plan_.version, delivery)) return false;
  ++result_.total_delivered;
  if (Stamp stamp; plan_.payload.stamped() && read_stamp(delivery.payload, plan_.payload, stamp)) {
    if (recording_ && now >= stamp.due_ns) result_.end_to_end.record(now - stamp.due_ns);
    const std::size_t pair = client.index * publishers_.size() + stamp.sender;
    if (stamp.sender < publishers_.size() && pair < last_seen_.size()) {
      std::uint32_t& last = last_seen_[pair];
      if (stamp.number > last) {
        result_.missing += stamp.number - last - 1;
        last = stamp.number;
      } else {
        ++result_.backwards;
      }
    }
  }
  const std::uint8_t id[2] = {static_cast<std::uint8_t>(delivery.packet_id >> 8U),
                              static_cast<std::uint8_t>(delivery.packet_id & 0xFFU)};
  if (delivery.qos == 1) answer(0x40, id);
  if (delivery.qos == 2) answer(0x50, id);
  return true;
}

std::uint8_t* MqttRun::add_ping(Publisher& publisher, std::uint8_t* out) {
  publisher.pings.push_back({publisher.group_due_ns, publisher.since_ping});
  publisher.since_ping = 0;
  out[0] = mqtt_packet::kPingreq[0];
  out[1] = mqtt_packet::kPingreq[1];
  return out + 2;
}

void MqttRun::pump(std::uint32_t id) {
  Client& client = clients_[id];
  if (!sending_ || client.stage != Stage::ready || client.link.blocked()) return;
  Publisher& publisher = publishers_[client.index];
  const auto senders = static_cast<std::uint64_t>(plan_.publishers);
  const std::uint64_t now = now_ns();

  const std::uint64_t room = plan_.qos > 0 ? publisher.free_ids.size() : publisher.window - publisher.unproved;
  std::uint64_t wanted = room;
  if (plan_.open_loop()) {
    wanted = std::min(room, Pacer::share_of(listed_due_, client.index, senders) - publisher.own_sent);
  }
  const std::size_t size = publisher.publish.size();
  const std::uint64_t now_fits = std::max<std::uint64_t>(1, 64_KiB / (size + 1));
  const std::uint64_t count = std::min(wanted, now_fits);
  const bool unproved_rest = plan_.qos == 0 && publisher.since_ping > 0 && publisher.pings.empty();
  if (count == 0 && !unproved_rest) return;

  std::uint8_t* at = out_.data();
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t due = now;
    if (plan_.open_loop()) {
      due = pacer_.due(Pacer::index_of(publisher.own_sent, client.index, senders));
      if (recording_) result_.lateness.record(now - std::min(now, due));
    }
    ++publisher.own_sent;
    if (plan_.qos > 0) {
      const std::uint16_t packet_id = publisher.free_ids.back();
      publisher.free_ids.pop_back();
      publisher.due_by_id[packet_id] = due;
      at = publisher.publish.next(at, packet_id, due);
      continue;
    }
    at = publisher.publish.next(at, 0, due);
    if (publisher.since_ping == 0) publisher.group_due_ns = due;
    ++publisher.unproved;
    if (++publisher.since_ping == MqttPlan::kPingEvery) at = add_ping(publisher, at);
  }
  // A group that is not full must not wait for messages that may not come: ask when nothing else is under way.
  if (plan_.qos == 0 && publisher.since_ping > 0 && (publisher.pings.empty() || count == room))
    at = add_ping(publisher, at);
  result_.total_sent += count;
  client.last_sent_ns = now;
  if (!client.link.send({out_.data(), static_cast<std::size_t>(at - out_.data())})) {
    lose(client, client.link.why());
    return;
  }
  if (count < wanted && !client.link.blocked()) list(id);
}

}  // namespace millrace::load
