// Endpoint: everything of the Kafka server that belongs to one loop: its connections, its view of the topics, its
// waiting fetches. Nothing here is shared with another loop, so nothing is locked. Thread: the loop's, but for the
// constructor. It must outlive the loop's last task, and the log's last reply.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/event_limit.h"
#include "kafka/server/connection.h"
#include "kafka/server/partition_watches.h"
#include "kafka/server/server_metrics.h"
#include "kafka/server/settings.h"
#include "kafka/server/timed_executor.h"
#include "topics/topic_log.h"

namespace millrace::kafka {

class Groups;

class Endpoint {
 public:
  /// `disk` runs what may wait for the disk; its tasks end before this object does.
  Endpoint(TimedExecutor& executor, Executor& disk, Groups& groups, topics::TopicLog& log, const Clock& clock,
           ServerMetrics& metrics, const ServerSettings& settings);
  ~Endpoint();

  /// `listener`: 0 the first, then the further ones of the settings.
  void accept(std::unique_ptr<net::Stream> stream, std::size_t listener = 0);
  /// No new requests; connections close as their last answers leave. `drained` is called once, when none is left.
  void drain(Task drained);
  /// Closes what is still there.
  void abort();

  [[nodiscard]] TimedExecutor& executor() { return executor_; }
  /// Where reads that may wait for the disk are run; they post their result back to executor().
  [[nodiscard]] Executor& disk() { return disk_; }
  [[nodiscard]] Groups& groups() { return groups_; }
  [[nodiscard]] topics::TopicLog& log() { return log_; }
  [[nodiscard]] const Clock& clock() const { return clock_; }
  [[nodiscard]] ServerMetrics& metrics() { return metrics_; }
  [[nodiscard]] const ServerSettings& settings() const { return settings_; }
  [[nodiscard]] PartitionWatches& watches() { return watches_; }
  [[nodiscard]] std::size_t connections() const { return connections_.size(); }
  /// The topics as of now; the same pointer as long as nothing changed.
  [[nodiscard]] const std::shared_ptr<const topics::TopicTable>& table();
  [[nodiscard]] std::string_view cluster_id() const { return cluster_id_; }

  /// For what is decompressed only to be looked at. trim_scratch() gives the memory of a large one back.
  [[nodiscard]] Buffer& scratch() { return scratch_; }
  void trim_scratch();

  [[nodiscard]] std::unique_ptr<topics::AppendRequest> take_append();
  void give_back(std::unique_ptr<topics::AppendRequest> append);

  /// How many lines about closed connections and about damage the log of the program takes.
  [[nodiscard]] EventLimit& closed_lines() { return closed_lines_; }
  [[nodiscard]] EventLimit& damage_lines() { return damage_lines_; }

  // For connections.
  void remove(Connection& connection);
  void count_request(const ApiCodec& codec);
  void add_in_flight(std::size_t bytes) { in_flight_bytes_ += bytes; }
  void remove_in_flight(std::size_t bytes) { in_flight_bytes_ -= bytes; }
  /// The loop holds too many bytes of requests.
  [[nodiscard]] bool full() const { return in_flight_bytes_ >= settings_.loop_in_flight_bytes; }
  /// Asks the connection every few milliseconds whether it may read again: congestion ends without telling.
  void watch_stalled(std::weak_ptr<Connection> connection);

 private:
  void check_stalled();
  void sweep_idle();

  TimedExecutor& executor_;
  Executor& disk_;
  Groups& groups_;
  topics::TopicLog& log_;
  const Clock& clock_;
  ServerMetrics& metrics_;
  ServerSettings settings_;
  std::string cluster_id_;
  std::shared_ptr<const topics::TopicTable> table_;
  PartitionWatches watches_;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections_;
  EventLimit closed_lines_{20, 2};
  EventLimit damage_lines_{10, 1};
  std::vector<std::weak_ptr<Connection>> stalled_;
  TimedExecutor::TimerId stalled_timer_ = 0;
  TimedExecutor::TimerId idle_timer_ = 0;
  std::size_t in_flight_bytes_ = 0;
  std::vector<std::unique_ptr<topics::AppendRequest>> spare_appends_;
  Buffer scratch_;
  bool draining_ = false;
  Task drained_;
};

}  // namespace millrace::kafka
