#include "mqtt/server/sys_topics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "mqtt/server/loop_server.h"

namespace millrace::mqtt {

void SysTopics::publish(LoopServer& server, Exchange& exchange, std::uint32_t now_s) {
  const auto interval = static_cast<std::uint32_t>(exchange.settings.sys_interval.count());
  const bool first = published_s_ == 0;
  if (interval == 0 || (!first && now_s - published_s_ < interval)) return;
  const double seconds = first ? 0 : now_s - published_s_;
  published_s_ = now_s;

  ServerMetrics& metrics = exchange.metrics;
  const auto sum = [](const auto& counters) {
    std::uint64_t total = 0;
    for (const auto* counter : counters) total += counter->value();
    return total;
  };
  const std::uint64_t received = sum(metrics.received);
  const std::uint64_t delivered = sum(metrics.delivered);
  const std::uint64_t dropped = metrics.dropped_slow.value() + metrics.dropped_too_large.value() +
                                metrics.dropped_crossing.value() + metrics.dropped_expired.value() +
                                metrics.dropped_quota.value();
  const std::int64_t connected = metrics.connections.value();
  const auto stored = static_cast<std::int64_t>(exchange.registry.stored());
  most_connected_ = std::max(most_connected_, connected);

  say(server, "version", exchange.settings.version);
  say(server, "uptime", fmt::format("{} seconds", now_s - 1));
  say(server, "clients/connected", fmt::to_string(connected));
  say(server, "clients/active", fmt::to_string(connected));
  say(server, "clients/disconnected", fmt::to_string(stored));
  say(server, "clients/inactive", fmt::to_string(stored));
  say(server, "clients/total", fmt::to_string(connected + stored));
  say(server, "clients/expired", fmt::to_string(metrics.expired_sessions.value()));
  say(server, "clients/maximum", fmt::to_string(most_connected_));
  say(server, "subscriptions/count", fmt::to_string(metrics.subscriptions.value()));
  say(server, "shared_subscriptions/count", fmt::to_string(metrics.share_groups.value()));
  say(server, "retained messages/count", fmt::to_string(metrics.retained_messages.value()));
  say(server, "messages/stored", fmt::to_string(metrics.retained_messages.value()));
  say(server, "store/messages/count", fmt::to_string(metrics.retained_messages.value()));
  say(server, "store/messages/bytes", fmt::to_string(metrics.retained_bytes.value()));
  const std::uint64_t packets_in = metrics.packets_received.value();
  const std::uint64_t packets_out = metrics.packets_sent.value();
  say(server, "messages/received", fmt::to_string(packets_in));
  say(server, "messages/sent", fmt::to_string(packets_out));
  say(server, "publish/bytes/received", fmt::to_string(metrics.payload_received.value()));
  say_load(server, "messages/received", packets_in, seconds);
  say_load(server, "messages/sent", packets_out, seconds);
  say_load(server, "sockets", metrics.sockets.value(), seconds);
  say(server, "publish/messages/received", fmt::to_string(received));
  say(server, "publish/messages/sent", fmt::to_string(delivered));
  say(server, "publish/messages/dropped", fmt::to_string(dropped));
  say(server, "bytes/received", fmt::to_string(metrics.received_bytes.value()));
  say(server, "publish/bytes/sent", fmt::to_string(metrics.sent_bytes.value()));
  say_load(server, "publish/received", received, seconds);
  say_load(server, "publish/sent", delivered, seconds);
  say_load(server, "publish/dropped", dropped, seconds);
  say_load(server, "bytes/received", metrics.received_bytes.value(), seconds);
  say_load(server, "connections", metrics.connects.value(), seconds);
}

void SysTopics::say(LoopServer& server, std::string_view name, std::string text) {
  std::string& said = said_[std::string(name)];
  if (said == text) return;
  said = std::move(text);
  server.publish_of_its_own(fmt::format("$SYS/broker/{}", name), as_bytes(said));
}

void SysTopics::say_load(LoopServer& server, std::string_view name, std::uint64_t total, double seconds) {
  constexpr std::array<int, 3> kMinutes{1, 5, 15};
  Load& load = loads_[std::string(name)];
  const double per_minute = seconds == 0 ? 0 : static_cast<double>(total - load.last) * 60 / seconds;
  load.last = total;
  for (std::size_t i = 0; i < kMinutes.size(); ++i) {
    const double weight = 1 - std::exp(-seconds / (60.0 * kMinutes[i]));
    load.averages[i] += weight * (per_minute - load.averages[i]);
    say(server, fmt::format("load/{}/{}min", name, kMinutes[i]), fmt::format("{:.2f}", load.averages[i]));
  }
}

}  // namespace millrace::mqtt
