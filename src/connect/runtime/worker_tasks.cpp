// The half of Worker that starts, watches and ends tasks.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "base/log.h"
#include "connect/json_writer.h"
#include "connect/runtime/config_provider.h"
#include "connect/runtime/worker.h"

namespace millrace::connect {
namespace {

constexpr std::int32_t kReplayTask = -1;

}  // namespace

std::vector<std::shared_ptr<topics::Partition>> Worker::partitions_of(const Connector& connector) const {
  const auto text = [&connector](std::string_view key) {
    const auto found = connector.config.find(key);
    return found == connector.config.end() ? std::string() : found->second;
  };
  const auto table = host_.log.table();
  std::vector<std::string> names;
  if (const std::string regex = text("topics.regex"); !regex.empty()) {
    const re2::RE2 pattern(regex, re2::RE2::Quiet);
    for (const auto& [name, topic] : table->topics) {
      if (!topic->internal && re2::RE2::FullMatch(name, pattern)) names.push_back(name);
    }
  } else {
    names = split_list(text("topics"));
  }
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<std::shared_ptr<topics::Partition>> partitions;
  for (const std::string& name : names) {
    if (const topics::Topic* topic = table->find(name)) {
      partitions.insert(partitions.end(), topic->partitions.begin(), topic->partitions.end());
    }
  }
  return partitions;
}

void Worker::start(Connector& connector) {
  ++connector.generation;
  connector.tasks.clear();
  connector.statuses.clear();
  connector.assignment.clear();
  if (connector.target == TargetState::stopped) {
    set_state(connector, State::stopped);
    return publish_watched();
  }
  const auto errors = errors_of(connector.config);
  if (!errors || !errors->empty()) {
    const std::string why = errors ? errors->front() : errors.error().message();
    log::error("connector_not_started", {{"connector", connector.name}, {"error", why}});
    set_state(connector, State::failed, std::string(kConnectException) + ": " + why + "\n");
    return publish_watched();
  }
  const auto tasks = connector.config.find("tasks.max");
  const auto count = static_cast<std::size_t>(tasks == connector.config.end() ? 1 : std::atoi(tasks->second.c_str()));
  connector.tasks.resize(count);
  connector.statuses.resize(count);
  set_state(connector, connector.target == TargetState::paused ? State::paused : State::running);
  for (const auto& partition : partitions_of(connector)) {
    connector.assignment.push_back(partition->name());
    connector.topics.insert(partition->name().topic);
  }
  for (std::size_t i = 0; i < count; ++i) start_task(connector, i);
  publish_watched();
}

void Worker::start_task(Connector& connector, std::size_t number) {
  const SinkClass* sink_class = find_sink_class(connector.config.find("connector.class")->second);
  auto resolved = resolve(connector.config, surroundings_);
  const auto changed = [this, name = connector.name, generation = connector.generation, number](
                           State state, const std::string& trace) {
    loop_.post([=, this] { task_changed(name, generation, number, state, trace); });
  };
  if (!resolved) return changed(State::failed, resolved.error().message());
  SinkTask::Setup setup;
  setup.connector = connector.name;
  setup.number = static_cast<std::int32_t>(number);
  setup.sink_class = sink_class;
  setup.settings = settings_of(*sink_class, std::move(*resolved), settings_.converters);
  setup.paused = connector.target == TargetState::paused;
  setup.seed = rng_();
  const auto partitions = partitions_of(connector);
  for (std::size_t i = number; i < partitions.size(); i += connector.tasks.size())
    setup.partitions.push_back(partitions[i]);
  if (setup.partitions.empty()) {
    return task_changed(connector.name, connector.generation, number, setup.paused ? State::paused : State::running,
                        "");
  }
  connector.tasks[number] = std::make_unique<SinkTask>(host_, std::move(setup), changed);
  connector.tasks[number]->start();
  publish_watched();
}

Result<std::size_t> Worker::replay_failures(const std::string& name) {
  Connector& connector = connectors_.find(name)->second;
  if (connector.replay) return fail(ErrorCode::busy, "a replay of this connector's failures is under way");
  MR_TRY_ASSIGN(const auto errors, errors_of(connector.config));
  if (!errors.empty()) return fail(ErrorCode::invalid_argument, "the connector's configuration", errors.front());
  SinkTask::Setup setup;
  setup.connector = name;
  setup.number = kReplayTask;
  setup.sink_class = find_sink_class(connector.config.find("connector.class")->second);
  MR_TRY_ASSIGN(auto resolved, resolve(connector.config, surroundings_));
  setup.settings = settings_of(*setup.sink_class, std::move(resolved), settings_.converters);
  setup.seed = rng_();
  std::size_t count = 0;
  const auto table = host_.log.table();
  for (const auto& [key, entry] : ledger_.of(name)) {
    const topics::Topic* topic = table->find(key.partition.topic);
    const auto index = static_cast<std::size_t>(key.partition.partition.value());
    if (topic == nullptr || index >= topic->partitions.size()) continue;
    if (key.offset < topic->partitions[index]->log_start()) continue;  // retention has taken it
    auto& offsets = setup.only[key.partition];
    if (offsets.empty()) setup.partitions.push_back(topic->partitions[index]);
    offsets.insert(key.offset);
    ++count;
  }
  if (count == 0) return count;
  connector.replay =
      std::make_unique<SinkTask>(host_, std::move(setup), [this, name](State state, const std::string& trace) {
        loop_.post([this, name, state, trace] {
          const auto found = connectors_.find(name);
          if (found == connectors_.end() || (state != State::stopped && state != State::failed)) return;
          log::info("failures_replayed", {{"connector", name}, {"left", ledger_.count(name)}, {"error", trace}});
          end_replay(found->second);
        });
      });
  connector.replay->start();
  return count;
}

void Worker::end_replay(Connector& connector) {
  if (!connector.replay) return;
  connector.replay->stop();
  std::vector<std::unique_ptr<SinkTask>> ending;
  ending.push_back(std::move(connector.replay));
  reaper_->bury(std::move(ending), loop_, [] {});
}

void Worker::end_tasks(Connector& connector, std::function<void(Connector&)> then) {
  const std::uint64_t generation = ++connector.generation;
  std::vector<std::unique_ptr<SinkTask>> ending;
  for (auto& task : connector.tasks) {
    if (task) task->stop();
    if (task) ending.push_back(std::move(task));
  }
  connector.tasks.clear();
  for (TaskStatus& status : connector.statuses) status = {State::restarting, ""};
  connector.ending = true;
  // Also with nothing to end: tasks of an earlier end may still be on their way, and the reaper takes them in order.
  reaper_->bury(std::move(ending), loop_, [this, name = connector.name, generation, then = std::move(then)] {
    const auto found = connectors_.find(name);
    if (found == connectors_.end() || found->second.generation != generation) return;
    found->second.ending = false;
    then(found->second);
  });
}

// Topics are made, grow and go while connectors run: who reads what is looked at again when the table of topics
// changed.
void Worker::check_assignments() {
  if (const std::uint64_t version = host_.log.table_version(); version != table_version_) {
    table_version_ = version;
    for (auto& [name, connector] : connectors_) {
      if (connector.ending || connector.target == TargetState::stopped || connector.tasks.empty()) continue;
      std::vector<TopicPartition> now;
      for (const auto& partition : partitions_of(connector)) now.push_back(partition->name());
      if (now != connector.assignment) end_tasks(connector, [this](Connector& ended) { start(ended); });
    }
  }
  timer_ = loop_.run_after(settings_.assignment_interval, [this] { check_assignments(); });
}

void Worker::task_changed(const std::string& name, std::uint64_t generation, std::size_t task, State state,
                          const std::string& trace) {
  const auto found = connectors_.find(name);
  if (found == connectors_.end() || found->second.generation != generation) return;
  if (task >= found->second.statuses.size()) return;
  found->second.statuses[task] = {state, trace};
  save_status(fmt::format("status-task-{}-{}", name, task), state, trace);
  publish_watched();
}

void Worker::set_state(Connector& connector, State state, const std::string& trace) {
  connector.state = state;
  connector.trace = trace;
  save_status("status-connector-" + connector.name, state, trace);
}

void Worker::save_status(const std::string& key, State state, const std::string& trace) {
  JsonWriter json;
  json.begin_object().member("state", to_string(state));
  if (trace.empty()) {
    json.key("trace").null();
  } else {
    json.member("trace", trace);
  }
  json.member("worker_id", settings_.worker_id).member("generation", 0).end_object();
  status_->put(as_bytes(key), as_bytes(json.take()));
}

void Worker::publish_watched() {
  std::vector<Watched> all;
  for (const auto& [name, connector] : connectors_) {
    for (std::size_t i = 0; i < connector.statuses.size(); ++i) {
      const bool alive = i < connector.tasks.size() && connector.tasks[i] != nullptr;
      all.push_back({name, static_cast<std::int32_t>(i), connector.statuses[i].state,
                     alive ? connector.tasks[i]->shared_counters() : nullptr});
    }
  }
  watched_.with([&all](auto& watched) { watched.swap(all); });
}

void Worker::register_metrics(metrics::Registry& metrics) {
  using Read = std::uint64_t (*)(const TaskCounters&);
  struct Row {
    std::string_view name;
    std::string_view help;
    Read read;
  };
  static constexpr Row kRows[] = {
      {"millrace_connect_produced_records", "Offsets of the task's partitions since it started",
       [](const TaskCounters& c) { return c.produced.load(); }},
      {"millrace_connect_delivered_records", "Records the sink has taken",
       [](const TaskCounters& c) { return c.delivered.load(); }},
      {"millrace_connect_dead_records", "Records that were given up",
       [](const TaskCounters& c) { return c.dead.load(); }},
      {"millrace_connect_skipped_records", "Records a transformation dropped, and offsets without a record",
       [](const TaskCounters& c) { return c.skipped.load(); }},
      {"millrace_connect_pending_records", "Records not yet looked at",
       [](const TaskCounters& c) { return c.pending.load(); }},
      {"millrace_connect_balance_records",
       "produced - delivered - dead - skipped - pending: 0 when every record is accounted for",
       [](const TaskCounters& c) {
         return c.produced.load() - c.delivered.load() - c.dead.load() - c.skipped.load() - c.pending.load();
       }},
      {"millrace_connect_retries", "Repetitions of a put since the task started",
       [](const TaskCounters& c) { return c.retries.load(); }},
  };
  for (const Row& row : kRows) {
    metrics.collect_gauge(row.name, row.help, [this, read = row.read] {
      std::vector<metrics::Registry::Sample> samples;
      watched_.with([&](const auto& all) {
        for (const Watched& one : all) {
          if (!one.counters) continue;
          samples.push_back({{{"connector", one.connector}, {"task", std::to_string(one.task)}},
                             static_cast<double>(static_cast<std::int64_t>(read(*one.counters)))});
        }
      });
      return samples;
    });
  }
  metrics.collect_gauge("millrace_connect_task_state", "1 for the state every task is in", [this] {
    std::vector<metrics::Registry::Sample> samples;
    watched_.with([&](const auto& all) {
      for (const Watched& one : all) {
        samples.push_back({{{"connector", one.connector},
                            {"task", std::to_string(one.task)},
                            {"state", std::string(to_string(one.state))}},
                           1.0});
      }
    });
    return samples;
  });
  metrics.collect_gauge("millrace_connect_memory_bytes", "Bytes all sinks keep", [this] {
    return std::vector<metrics::Registry::Sample>{{{}, static_cast<double>(memory_.used())}};
  });
}

}  // namespace millrace::connect
