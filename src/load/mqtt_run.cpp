#include "load/mqtt_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace millrace::load {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::size_t kLastSeenLimit = 16U << 20U;  // entries of the sequence check: 64 MiB

std::uint64_t to_ns(double seconds) {
  return static_cast<std::uint64_t>(seconds * 1e9);
}

std::string fill(std::string text, std::string_view with) {
  for (std::size_t at = text.find("{n}"); at != std::string::npos; at = text.find("{n}", at)) text.replace(at, 3, with);
  return text;
}

}  // namespace

MqttRun::MqttRun(const MqttPlan& plan) : plan_(plan) {
  if (plan_.subscribe_qos < 0) plan_.subscribe_qos = plan_.qos;
  if (plan_.filter.empty()) plan_.filter = fill(plan_.topic, "+");
}

void MqttRun::make_clients() {
  const auto total = static_cast<std::size_t>(plan_.subscribers + plan_.publishers + plan_.idle);
  clients_.reserve(total);
  const auto add = [this](Role role, std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      Client& client = clients_.emplace_back();
      client.role = role;
      client.index = static_cast<std::uint32_t>(i);
    }
  };
  add(Role::subscriber, plan_.subscribers);
  add(Role::publisher, plan_.publishers);
  add(Role::idle, plan_.idle);

  std::size_t largest = 0;
  for (std::int64_t i = 0; i < plan_.publishers; ++i) {
    PayloadShape shape = plan_.payload;
    shape.type = plan_.types[static_cast<std::size_t>(i) % plan_.types.size()];
    const auto window = static_cast<std::uint32_t>(plan_.window);
    Publisher& publisher = publishers_.emplace_back(
        Publisher{Publish(plan_.version, static_cast<std::uint8_t>(plan_.qos), fill(plan_.topic, std::to_string(i)),
                          shape, static_cast<std::uint32_t>(i)),
                  plan_.qos == 0 ? window * MqttPlan::kQos0Factor : window,
                  {},
                  {},
                  0,
                  0,
                  0,
                  0,
                  {}});
    if (plan_.qos > 0) {
      publisher.due_by_id.resize(window + 1);
      for (std::uint32_t id = window; id >= 1; --id) publisher.free_ids.push_back(static_cast<std::uint16_t>(id));
    }
    largest = std::max(largest, publisher.publish.size());
  }
  out_.reserve(std::max<std::size_t>(64_KiB, largest) + largest + 64);
  const auto pairs = static_cast<std::size_t>(plan_.subscribers * plan_.publishers);
  if (pairs <= kLastSeenLimit) last_seen_.assign(pairs, 0);
}

Result<MqttResult> MqttRun::run() {
  MR_TRY_ASSIGN(server_, resolve(plan_.host, plan_.port));
  make_clients();
  if (!plan_.tls_authorities.empty()) {
    MR_TRY_ASSIGN(auto context, net::TlsContext::client({.authorities = plan_.tls_authorities}, plan_.host));
    for (Client& client : clients_) client.link.use_tls(context);
  }
  MR_TRY_ASSIGN(result_.connect.before, sample_processes(plan_.pids));
  connect_all(result_.connect);
  MR_TRY_ASSIGN(result_.connect.after, sample_processes(plan_.pids));
  if (ready_ < clients_.size() && plan_.idle == 0 && plan_.storms == 0) {
    return fail(ErrorCode::unavailable, "connections did not come up",
                fmt::format("{} of {} to {}; {}", ready_, clients_.size(), server_.name,
                            result_.first_loss.empty() ? "no answer in time" : result_.first_loss));
  }
  for (std::int64_t i = 0; i < plan_.storms; ++i) MR_TRY(storm());
  if (plan_.duration > 0) MR_TRY(measure());
  say_goodbye();
  return std::move(result_);
}

void MqttRun::start_connect(std::uint32_t id) {
  Client& client = clients_[id];
  client.started_ns = now_ns();
  client.stage = Stage::connecting;
  ++pending_;
  if (Result<void> done = client.link.connect(server_, poller_, id); !done) {
    lose(client, done.error().message());
    return;
  }
  const char* const kinds[] = {"s", "p", "i"};
  const Buffer hello = encode_connect(
      {plan_.version, fmt::format("{}-{}{}", plan_.client_prefix, kinds[std::to_underlying(client.role)], client.index),
       plan_.user, plan_.password, static_cast<std::uint16_t>(plan_.keep_alive), true});
  (void)client.link.send(hello.view());  // kept until the connection is through
}

void MqttRun::connect_all(ConnectPhase& phase) {
  const std::uint64_t start = now_ns();
  connect_latency_ = &phase.latency;
  phase.wanted = clients_.size();
  failed_ = 0;
  std::uint32_t next = 0;
  while (ready_ + failed_ < clients_.size()) {
    while (next < clients_.size() && pending_ < static_cast<std::size_t>(plan_.connecting)) start_connect(next++);
    poll(kSecond / 10);
    if (now_ns() - start > to_ns(plan_.connect_timeout)) break;
  }
  phase.up = ready_;
  for (const Client& client : clients_) phase.resumed += client.stage == Stage::ready && client.link.resumed() ? 1 : 0;
  phase.seconds = static_cast<double>(now_ns() - start) / 1e9;
}

Result<void> MqttRun::storm() {
  const std::uint64_t until = now_ns() + to_ns(plan_.warmup);
  for (std::uint64_t now = now_ns(); now < until; now = now_ns()) {
    poll(std::min(kSecond / 20, until - now));
    keep_alive(now);
  }
  ConnectPhase& phase = result_.storms.emplace_back();
  MR_TRY_ASSIGN(phase.before, sample_processes(plan_.pids));
  for (Client& client : clients_) {
    client.link.reset();
    client.stage = Stage::none;
  }
  ready_ = 0;
  pending_ = 0;
  connect_all(phase);
  MR_TRY_ASSIGN(phase.after, sample_processes(plan_.pids));
  return {};
}

void MqttRun::lose(Client& client, std::string_view why) {
  client.link.close();
  if (closing_ || client.stage == Stage::lost) return;
  if (client.stage == Stage::ready) {
    --ready_;
  } else {
    --pending_;
  }
  client.stage = Stage::lost;
  ++failed_;
  ++result_.lost_connections;
  if (result_.first_loss.empty()) result_.first_loss = why;
}

void MqttRun::poll(std::uint64_t timeout_ns) {
  for (const Poller::Event& event : poller_.wait(timeout_ns)) {
    if (event.writable && clients_[event.id].link.open()) on_writable(event.id);
    if (event.readable && clients_[event.id].link.open()) on_readable(event.id);
  }
}

void MqttRun::keep_alive(std::uint64_t now) {
  if (plan_.keep_alive == 0 || now < next_keep_alive_ns_) return;
  next_keep_alive_ns_ = now + kSecond;
  for (Client& client : clients_) {
    const bool busy = client.role == Role::publisher && sending_ && !plan_.open_loop();
    if (client.stage != Stage::ready || busy || client.role == Role::publisher) continue;
    if (now - client.last_sent_ns < static_cast<std::uint64_t>(plan_.keep_alive) * kSecond / 2) continue;
    client.last_sent_ns = now;
    if (!client.link.send(mqtt_packet::kPingreq)) lose(client, client.link.why());
  }
}

void MqttRun::list(std::uint32_t id) {
  Client& client = clients_[id];
  if (client.listed || client.stage != Stage::ready) return;
  client.listed = true;
  turn_.push_back(id);
}

void MqttRun::list_due(std::uint64_t now) {
  const std::uint64_t due = pacer_.count_due(now);
  const auto senders = static_cast<std::uint64_t>(plan_.publishers);
  const std::uint64_t fresh = std::min(due - listed_due_, senders);
  for (std::uint64_t i = 0; i < fresh; ++i) list(client_id_of(static_cast<std::uint32_t>((listed_due_ + i) % senders)));
  listed_due_ = due;
}

void MqttRun::take_turns() {
  taking_.swap(turn_);
  for (const std::uint32_t id : taking_) {
    clients_[id].listed = false;
    pump(id);
  }
  taking_.clear();
}

std::uint64_t MqttRun::next_wake(std::uint64_t now, std::uint64_t until) const {
  if (!turn_.empty() || plan_.spin) return 0;
  std::uint64_t wake = until;
  if (plan_.open_loop() && plan_.publishers > 0) {
    wake = std::min(wake, std::max(pacer_.due(listed_due_), last_turn_ns_ + to_ns(plan_.tick)));
  }
  if (plan_.keep_alive != 0) wake = std::min(wake, next_keep_alive_ns_);
  return wake > now ? wake - now : 0;
}

Result<void> MqttRun::measure() {
  const std::uint64_t start = now_ns();
  const std::uint64_t measure_at = start + to_ns(plan_.warmup);
  const std::uint64_t end_at = measure_at + to_ns(plan_.duration);
  if (plan_.open_loop()) pacer_ = Pacer(plan_.rate, start);
  sending_ = plan_.publishers > 0;
  for (std::uint32_t i = 0; i < publishers_.size(); ++i) list(client_id_of(i));

  std::uint64_t measured_from = 0;
  double own_cpu = 0;
  std::uint64_t sent = 0;
  std::uint64_t acknowledged = 0;
  std::uint64_t delivered = 0;
  while (true) {
    const std::uint64_t now = now_ns();
    if (!recording_ && now >= measure_at) {
      MR_TRY_ASSIGN(result_.before, sample_processes(plan_.pids));
      own_cpu = own_cpu_seconds();
      measured_from = now_ns();
      sent = result_.total_sent;
      acknowledged = result_.total_acknowledged;
      delivered = result_.total_delivered;
      recording_ = true;
    }
    if (now >= end_at) break;
    if (ready_ == 0) {
      return fail(ErrorCode::unavailable, "every connection was lost", std::exchange(result_.first_loss, {}));
    }
    if (plan_.open_loop() && sending_ && now >= last_turn_ns_ + to_ns(plan_.tick)) {
      list_due(now);
      last_turn_ns_ = now;
    }
    take_turns();
    poll(next_wake(now_ns(), recording_ ? end_at : measure_at));
    keep_alive(now);
  }
  result_.seconds = static_cast<double>(now_ns() - measured_from) / 1e9;
  result_.sent = result_.total_sent - sent;
  result_.acknowledged = result_.total_acknowledged - acknowledged;
  result_.delivered = result_.total_delivered - delivered;
  result_.generator_cores = (own_cpu_seconds() - own_cpu) / result_.seconds;
  MR_TRY_ASSIGN(result_.after, sample_processes(plan_.pids));
  sending_ = false;
  drain();
  return {};
}

void MqttRun::drain() {
  for (std::uint32_t i = 0; i < publishers_.size(); ++i) {
    Publisher& publisher = publishers_[i];
    Client& client = clients_[client_id_of(i)];
    if (plan_.qos != 0 || publisher.since_ping == 0 || client.stage != Stage::ready) continue;
    const std::uint8_t* const end = add_ping(publisher, out_.data());
    if (!client.link.send({out_.data(), static_cast<std::size_t>(end - out_.data())})) lose(client, client.link.why());
  }
  const std::uint64_t start = now_ns();
  std::uint64_t progress_at = start;
  std::uint64_t seen = result_.total_acknowledged + result_.total_delivered;
  while (ready_ > 0) {
    poll(kSecond / 50);
    const std::uint64_t now = now_ns();
    const std::uint64_t have = result_.total_acknowledged + result_.total_delivered;
    if (have != seen) {
      seen = have;
      progress_at = now;
    }
    const bool all_acknowledged = result_.total_acknowledged + result_.refused >= result_.total_sent;
    const bool all_delivered =
        result_.total_delivered >= result_.total_sent * static_cast<std::uint64_t>(plan_.subscribers);
    if (all_acknowledged && (all_delivered || now - progress_at > kSecond / 2)) break;
    if (now - progress_at > to_ns(plan_.drain) || now - start > 60 * kSecond) break;
  }
}

void MqttRun::say_goodbye() {
  closing_ = true;
  for (Client& client : clients_) {
    if (!client.link.open()) continue;
    if (!client.link.blocked()) (void)client.link.send(mqtt_packet::kFarewell);
    // Thousands of orderly closes would leave as many sockets in TIME_WAIT and starve the next run of ports.
    if (clients_.size() > 5000) {
      client.link.reset();
    } else {
      client.link.close();
    }
  }
}

}  // namespace millrace::load
