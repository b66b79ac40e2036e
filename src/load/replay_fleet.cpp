#include "load/replay_fleet.h"

#include <fmt/format.h>

#include <algorithm>

#include "load/process_use.h"

namespace millrace::load {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kFirstRetry = 50 * kMillisecond;
constexpr std::uint64_t kLongestRetry = kSecond;
constexpr std::uint16_t kKeepAlive = 60;
constexpr std::size_t kChunk = 64_KiB;
constexpr std::size_t kConnectsAtOnce = 256;

}  // namespace

ReplayFleet::ReplayFleet(const ReplayPlan& plan, ReplayScript& script) : plan_(plan), script_(script) {}

std::uint64_t ReplayFleet::due_ns(std::uint32_t id, std::uint32_t event) const {
  const auto ms = static_cast<double>(script_.devices()[id].events[event].due_ms);
  return start_ns_ + static_cast<std::uint64_t>(ms * 1e6 / plan_.speed);
}

Result<ReplayState> ReplayFleet::run(const Progress& progress, const volatile int* stop) {
  MR_TRY_ASSIGN(server_, resolve(plan_.host, plan_.port));
  start_ns_ = answered_ns_ = now_ns();
  clients_.resize(script_.devices().size());
  resent_.assign(clients_.size(), 0);
  for (std::uint32_t id = 0; id < clients_.size(); ++id) {
    Client& client = clients_[id];
    client.window = static_cast<std::uint32_t>(plan_.in_flight);
    if (plan_.speed > 0) {
      agenda_.push_back({due_ns(id, 0), id});
    } else {
      client.released = static_cast<std::uint32_t>(script_.devices()[id].events.size());
    }
    down_.push_back(id);
  }
  std::ranges::make_heap(agenda_, std::greater<>());

  std::uint64_t next_progress = 0;
  bool ever = false;
  while (state_.acknowledged + state_.refused < script_.events()) {
    const std::uint64_t now = now_ns();
    if (stop != nullptr && *stop != 0) {
      state_.interrupted = true;
      break;
    }
    ever = ever || state_.connected > 0;
    if (!ever && !state_.trouble.empty() && now - start_ns_ > kSecond) {
      return fail(ErrorCode::unavailable, "cannot connect", fmt::format("{}: {}", server_.name, state_.trouble));
    }
    // Silence while nothing is asked (a quiet stretch of the recording) is not the server's fault.
    if (state_.in_flight == 0 && down_.empty()) answered_ns_ = now;
    if (static_cast<double>(now - answered_ns_) / 1e9 > plan_.give_up) break;
    connect_due(now);
    release_due(now);
    keep_alive(now);
    if (now >= next_progress) {
      state_.seconds = static_cast<double>(now - start_ns_) / 1e9;
      progress(state_);
      next_progress = now + kSecond / 10;
    }
    std::uint64_t wake = next_progress;
    if (!agenda_.empty()) wake = std::min(wake, agenda_.front().at_ns);
    for (const std::uint32_t id : down_) wake = std::min(wake, clients_[id].retry_at_ns);
    poll(wake > now ? wake - now : 0);
  }
  state_.seconds = static_cast<double>(now_ns() - start_ns_) / 1e9;
  for (Client& client : clients_) {
    if (client.stage == Stage::ready && !client.link.blocked()) (void)client.link.send(mqtt_packet::kFarewell);
  }
  return std::move(state_);
}

void ReplayFleet::connect_due(std::uint64_t now) {
  std::size_t under_way = clients_.size() - state_.connected - down_.size();
  for (std::size_t i = 0; i < down_.size() && under_way < kConnectsAtOnce;) {
    if (clients_[down_[i]].retry_at_ns > now) {
      ++i;
      continue;
    }
    const std::uint32_t id = down_[i];
    down_[i] = down_.back();
    down_.pop_back();
    ++under_way;
    start_connect(id, now);
  }
}

void ReplayFleet::start_connect(std::uint32_t id, std::uint64_t now) {
  Client& client = clients_[id];
  client.stage = Stage::connecting;
  client.last_sent_ns = now;
  if (Result<void> done = client.link.connect(server_, poller_, id); !done) return lose(id, done.error().message());
  const Buffer hello =
      encode_connect({plan_.version, fmt::format("{}-{}", plan_.client_prefix, script_.devices()[id].name), plan_.user,
                      plan_.password, kKeepAlive, true});
  (void)client.link.send(hello.view());
}

void ReplayFleet::release_due(std::uint64_t now) {
  while (!agenda_.empty() && agenda_.front().at_ns <= now) {
    std::ranges::pop_heap(agenda_, std::greater<>());
    const std::uint32_t id = agenda_.back().client;
    agenda_.pop_back();
    Client& client = clients_[id];
    const auto count = static_cast<std::uint32_t>(script_.devices()[id].events.size());
    do {
      ++client.released;
    } while (client.released < count && due_ns(id, client.released) <= now);
    if (client.released < count) {
      agenda_.push_back({due_ns(id, client.released), id});
      std::ranges::push_heap(agenda_, std::greater<>());
    }
    pump(id);
  }
}

void ReplayFleet::lose(std::uint32_t id, std::string why) {
  Client& client = clients_[id];
  if (client.stage == Stage::ready) {
    --state_.connected;
    ++state_.reconnects;
  }
  client.link.close();
  client.stage = Stage::down;
  client.retry_wait_ns = std::clamp(client.retry_wait_ns * 2, kFirstRetry, kLongestRetry);
  client.retry_at_ns = now_ns() + client.retry_wait_ns;
  down_.push_back(id);
  state_.trouble = std::move(why);
}

void ReplayFleet::poll(std::uint64_t timeout_ns) {
  for (const Poller::Event& event : poller_.wait(timeout_ns)) {
    Client& client = clients_[event.id];
    if (event.writable && client.link.open()) {
      if (client.stage == Stage::connecting) {
        if (Result<void> done = client.link.finish_connect(); !done) {
          lose(event.id, done.error().message());
          continue;
        }
        client.stage = Stage::connack;
      }
      if (!client.link.flush()) {
        lose(event.id, client.link.why());
        continue;
      }
      pump(event.id);
    }
    if (!event.readable) continue;
    bool drained = false;
    while (!drained && client.link.open()) {
      ByteView bytes;
      if (!client.link.receive(in_, bytes, drained)) {
        lose(event.id, client.link.why());
        break;
      }
      const std::uint64_t now = now_ns();
      Packet packet;
      int taken = 0;
      while ((taken = take_packet(bytes, packet)) > 0 && on_packet(event.id, packet, now)) {
        bytes = bytes.subspan(static_cast<std::size_t>(taken));
      }
      if (taken == 0) {
        client.link.keep(bytes);
      } else if (client.link.open()) {
        lose(event.id, fmt::format("unexpected packet 0x{:02x} from the server", packet.first));
      }
    }
    pump(event.id);
  }
}

bool ReplayFleet::on_packet(std::uint32_t id, const Packet& packet, std::uint64_t now) {
  Client& client = clients_[id];
  switch (packet.type()) {
    case mqtt_packet::kPuback:
      return on_puback(id, packet, now);
    case mqtt_packet::kPingresp:
      return true;
    case mqtt_packet::kConnack: {
      Welcome welcome;
      if (client.stage != Stage::connack || !take_connack(packet, plan_.version, welcome)) return false;
      if (welcome.code != 0) {
        lose(id, "refused: " + connack_text(plan_.version, welcome.code));
        return false;
      }
      client.stage = Stage::ready;
      client.window = std::min(static_cast<std::uint32_t>(plan_.in_flight), std::uint32_t{welcome.receive_maximum});
      client.retry_wait_ns = 0;
      client.resend = static_cast<std::uint32_t>(client.flights.size());
      ++state_.connected;
      answered_ns_ = now;
      return true;
    }
    case mqtt_packet::kDisconnect:
      lose(id, fmt::format("the server said DISCONNECT 0x{:02x}", packet.body.empty() ? 0 : packet.body[0]));
      return false;
    default:
      return false;
  }
}

bool ReplayFleet::on_puback(std::uint32_t id, const Packet& packet, std::uint64_t now) {
  Client& client = clients_[id];
  if (packet.body.size() < 2) return false;
  const auto packet_id = load_be<std::uint16_t>(packet.body.data());
  const auto flight = std::ranges::find(client.flights, packet_id, &Flight::packet_id);
  if (flight == client.flights.end()) return false;
  // The last `resend` flights were not sent again on this connection yet, so they cannot be acknowledged on it.
  const auto position = static_cast<std::uint32_t>(flight - client.flights.begin());
  if (position + client.resend >= client.flights.size()) return false;
  state_.acknowledgement.record(now - std::min(now, flight->since_ns));
  client.flights.erase(flight);
  --state_.in_flight;
  answered_ns_ = now;
  if (packet.body.size() > 2 && packet.body[2] >= 0x80) {
    ++state_.refused;
    state_.trouble = fmt::format("a message was refused with 0x{:02x}", packet.body[2]);
  } else {
    ++state_.acknowledged;
  }
  return true;
}

void ReplayFleet::append(std::uint32_t id, Flight& flight, bool dup) {
  const ReplayScript::Device& device = script_.devices()[id];
  message_.clear();
  script_.write_message(device, flight.event, message_);
  append_publish(out_, plan_.version, script_.topic(device.events[flight.event]), 1, dup, flight.packet_id,
                 message_.view());
}

void ReplayFleet::pump(std::uint32_t id) {
  Client& client = clients_[id];
  if (client.stage != Stage::ready) return;
  while (!client.link.blocked()) {
    const std::uint64_t now = now_ns();
    out_.clear();
    // The window holds for resent messages as well: a server may have narrowed its Receive Maximum meanwhile.
    while (client.resend > 0 && client.flights.size() - client.resend < client.window && out_.size() < kChunk) {
      append(id, client.flights[client.flights.size() - client.resend], true);
      --client.resend;
      ++state_.resent;
      ++resent_[id];
    }
    while (client.resend == 0 && client.next_event < client.released && client.flights.size() < client.window &&
           out_.size() < kChunk) {
      const std::uint64_t since = plan_.speed > 0 ? due_ns(id, client.next_event) : now;
      Flight& flight = client.flights.emplace_back(Flight{client.next_event++, client.next_id, since});
      client.next_id = client.next_id == 65535 ? std::uint16_t{1} : static_cast<std::uint16_t>(client.next_id + 1);
      ++state_.in_flight;
      append(id, flight, false);
    }
    if (out_.empty()) return;
    client.last_sent_ns = now;
    if (!client.link.send(out_.view())) return lose(id, client.link.why());
  }
}

void ReplayFleet::keep_alive(std::uint64_t now) {
  if (now < next_keep_alive_ns_) return;
  next_keep_alive_ns_ = now + kSecond;
  for (std::uint32_t id = 0; id < clients_.size(); ++id) {
    Client& client = clients_[id];
    if (client.stage != Stage::ready || now - client.last_sent_ns < kKeepAlive * kSecond / 2) continue;
    client.last_sent_ns = now;
    if (!client.link.send(mqtt_packet::kPingreq)) lose(id, client.link.why());
  }
}

}  // namespace millrace::load
