#include "kafka/server/endpoint.h"

#include <algorithm>

namespace millrace::kafka {
namespace {

constexpr std::chrono::milliseconds kStalledInterval{2};
constexpr std::size_t kKeptScratch = 4_MiB;
constexpr std::size_t kSpareAppends = 64;  // as many as requests that are usually with the log at once

}  // namespace

Endpoint::Endpoint(TimedExecutor& executor, Executor& disk, Groups& groups, topics::TopicLog& log, const Clock& clock,
                   ServerMetrics& metrics, const ServerSettings& settings)
    : executor_(executor),
      disk_(disk),
      groups_(groups),
      log_(log),
      clock_(clock),
      metrics_(metrics),
      settings_(settings),
      cluster_id_(log.cluster_id().to_string()),
      table_(log.table()),
      watches_(executor) {}

Endpoint::~Endpoint() {
  for (const auto& [key, connection] : connections_) connection->detach();
}

void Endpoint::accept(std::unique_ptr<net::Stream> stream, std::size_t listener) {
  if (draining_) return;
  if (metrics_.connections.value() >= static_cast<std::int64_t>(settings_.max_connections)) {
    metrics_.closed[static_cast<std::size_t>(CloseReason::too_many)]->add();
    return;
  }
  const ListenerSettings& from = listener == 0 ? settings_ : settings_.further[listener - 1];
  auto connection = std::make_shared<Connection>(*this, std::move(stream), from);
  connections_.emplace(connection.get(), connection);
  metrics_.connections.add(1);
  metrics_.connections_accepted.add();
  connection->start();
  if (!from.sasl.empty()) {
    executor_.run_after(settings_.authentication_timeout, [weak = std::weak_ptr(connection)] {
      const auto late = weak.lock();
      if (late && !late->admitted()) late->close(CloseReason::unauthenticated, "no log-in in time");
    });
  }
  if (idle_timer_ == 0) idle_timer_ = executor_.run_after(settings_.idle_timeout / 4, [this] { sweep_idle(); });
}

void Endpoint::remove(Connection& connection) {
  metrics_.connections.add(-1);
  connections_.erase(&connection);
  if (draining_ && connections_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void Endpoint::drain(Task drained) {
  draining_ = true;
  drained_ = std::move(drained);
  if (idle_timer_ != 0) executor_.cancel(std::exchange(idle_timer_, 0));
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->drain();
  if (connections_.empty() && drained_) std::exchange(drained_, nullptr)();
}

void Endpoint::abort() {
  std::vector<std::shared_ptr<Connection>> all;
  for (const auto& [key, connection] : connections_) all.push_back(connection);
  for (const auto& connection : all) connection->abort();
}

const std::shared_ptr<const topics::TopicTable>& Endpoint::table() {
  if (log_.table_version() != table_->version) table_ = log_.table();
  return table_;
}

std::unique_ptr<topics::AppendRequest> Endpoint::take_append() {
  if (spare_appends_.empty()) return std::make_unique<topics::AppendRequest>();
  auto append = std::move(spare_appends_.back());
  spare_appends_.pop_back();
  return append;
}

void Endpoint::give_back(std::unique_ptr<topics::AppendRequest> append) {
  append->items.clear();
  append->done = nullptr;
  if (spare_appends_.size() < kSpareAppends) spare_appends_.push_back(std::move(append));
}

void Endpoint::trim_scratch() {
  if (scratch_.capacity() > kKeptScratch) scratch_ = Buffer();
}

void Endpoint::count_request(const ApiCodec& codec) {
  metrics_.requests[static_cast<std::size_t>(&codec - std::begin(kApiCodecs))]->add();
}

void Endpoint::watch_stalled(std::weak_ptr<Connection> connection) {
  stalled_.push_back(std::move(connection));
  if (stalled_timer_ == 0) stalled_timer_ = executor_.run_after(kStalledInterval, [this] { check_stalled(); });
}

void Endpoint::check_stalled() {
  stalled_timer_ = 0;
  for (auto& weak : std::exchange(stalled_, {})) {
    const auto connection = weak.lock();
    if (!connection || connection->closed()) continue;
    connection->check_pressure();
    if (connection->stalled()) stalled_.push_back(std::move(weak));
  }
  if (!stalled_.empty() && stalled_timer_ == 0) {
    stalled_timer_ = executor_.run_after(kStalledInterval, [this] { check_stalled(); });
  }
}

void Endpoint::sweep_idle() {
  idle_timer_ = 0;
  const MonoTime limit = clock_.mono() - settings_.idle_timeout;
  std::vector<std::shared_ptr<Connection>> idle;
  for (const auto& [key, connection] : connections_) {
    if (connection->idle_since(limit)) idle.push_back(connection);
  }
  for (const auto& connection : idle) connection->close(CloseReason::idle, "");
  if (!connections_.empty()) idle_timer_ = executor_.run_after(settings_.idle_timeout / 4, [this] { sweep_idle(); });
}

}  // namespace millrace::kafka
