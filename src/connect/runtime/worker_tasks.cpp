// The half of Worker that starts, watches and ends tasks.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "base/log.h"
#include "connect/json_writer.h"
#include "connect/runtime/config_provider.h"
#include "connect/runtime/lane.h"
#include "connect/runtime/sink_task.h"
#include "connect/runtime/source_task.h"
#include "connect/runtime/worker.h"
#include "connect/settings/unknown_keys.h"
#include "model/record_batch_builder.h"

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
  const auto validation = validate_whole(connector.config);
  const auto errors = validation ? validation->errors() : std::vector{validation.error().message()};
  if (!errors.empty()) {
    const std::string& why = errors.front();
    log::error("connector_not_started", {{"connector", connector.name}, {"error", why}});
    set_state(connector, State::failed, std::string(kConnectException) + ": " + why + "\n");
    return publish_watched();
  }
  const auto tasks = connector.config.find("tasks.max");
  auto count = static_cast<std::size_t>(tasks == connector.config.end() ? 1 : std::atoi(tasks->second.c_str()));
  const ConnectorClass plugin = *connector.plugin();  // errors_of() has found it
  if (plugin.source() != nullptr) count = plugin.source()->tasks(settings_of(plugin, connector.config, {}), count);
  connector.tasks.resize(count);
  connector.statuses.resize(count);
  set_state(connector, connector.target == TargetState::paused ? State::paused : State::running);
  if (plugin.sink() != nullptr) {
    connector.assignment = partitions_of(connector);
    for (const auto& partition : connector.assignment) connector.topics.insert(partition->name().topic);
  }
  warn_before(connector, validation->table);
  for (std::size_t i = 0; i < count; ++i) start_task(connector, i);
  publish_watched();
}

// Nothing of this keeps a connector from running, as in Kafka Connect; but it is most likely not what its author meant.
void Worker::warn_before(const Connector& connector, const ConfigTable& known) const {
  for (const UnknownKey& key : unknown_keys(known, connector.config)) {
    log::warn("connector_unknown_setting",
              {{"connector", connector.name}, {"key", key.name}, {"nearest", key.nearest}});
  }
  const auto topics = connector.config.find("topics");
  if (connector.plugin()->sink() == nullptr || topics == connector.config.end()) return;
  const auto table = host_.log.table();
  for (const std::string& name : split_list(topics->second)) {
    if (table->find(name) != nullptr) continue;
    log::warn("connector_waits_for_topic",
              {{"connector", connector.name}, {"topic", name}, {"reason", "it does not exist; read once it does"}});
  }
}

void Worker::start_task(Connector& connector, std::size_t number) {
  ConnectorTask::Identity identity{.connector = connector.name,
                                   .number = static_cast<std::int32_t>(number),
                                   .paused = connector.target == TargetState::paused,
                                   .seed = rng_(),
                                   .nice = settings_.tasks_nice};
  auto resolved = resolve(connector.config, surroundings_, &identity.mask);
  const auto changed = [this, name = connector.name, generation = connector.generation, number](
                           State state, const std::string& trace) {
    loop_.post([=, this] { task_changed(name, generation, number, state, trace); });
  };
  if (!resolved) return changed(State::failed, resolved.error().message());
  const bool paused = identity.paused;
  connector.tasks[number] = connector.plugin()->sink() != nullptr
                                ? make_sink_task(connector, std::move(identity), std::move(*resolved), changed)
                                : make_source_task(connector, std::move(identity), std::move(*resolved), changed);
  if (connector.tasks[number] == nullptr) {
    return task_changed(connector.name, connector.generation, number, paused ? State::paused : State::running, "");
  }
  connector.tasks[number]->start();
  publish_watched();
}

// Null: there are more tasks than partitions.
std::unique_ptr<ConnectorTask> Worker::make_sink_task(Connector& connector, ConnectorTask::Identity identity,
                                                      ConnectorConfig resolved, ConnectorTask::StateChanged changed) {
  SinkTask::Setup setup{std::move(identity)};
  setup.sink_class = connector.plugin()->sink();
  setup.settings = settings_of(*setup.sink_class, std::move(resolved), settings_.converters);
  const auto& partitions = connector.assignment;
  for (auto i = static_cast<std::size_t>(setup.number); i < partitions.size(); i += connector.tasks.size())
    setup.partitions.push_back(partitions[i]);
  if (setup.partitions.empty()) return nullptr;
  return std::make_unique<SinkTask>(host_, std::move(setup), std::move(changed));
}

std::unique_ptr<ConnectorTask> Worker::make_source_task(Connector& connector, ConnectorTask::Identity identity,
                                                        ConnectorConfig resolved, ConnectorTask::StateChanged changed) {
  SourceTask::Setup setup{std::move(identity)};
  setup.source_class = connector.plugin()->source();
  setup.settings = settings_of(*setup.source_class, std::move(resolved), settings_.converters);
  setup.topic_used = [this, name = connector.name](const std::string& topic) {
    loop_.post([this, name, topic] {
      if (const auto found = connectors_.find(name); found != connectors_.end()) found->second.topics.insert(topic);
    });
  };
  return std::make_unique<SourceTask>(host_, std::move(setup), std::move(changed));
}

Result<std::size_t> Worker::replay_failures(const std::string& name, const Wanted& wanted) {
  Connector& connector = connectors_.find(name)->second;
  if (connector.replay) return fail(ErrorCode::busy, "a replay of this connector's failures is under way");
  MR_TRY_ASSIGN(const auto errors, errors_of(connector.config));
  if (!errors.empty()) return fail(ErrorCode::invalid_argument, "the connector's configuration", errors.front());
  const ConnectorClass plugin = *connector.plugin();
  if (plugin.sink() == nullptr) return fail(ErrorCode::invalid_argument, "a source has no failed records", name);
  SinkTask::Setup setup{
      {.connector = name, .number = kReplayTask, .paused = false, .seed = rng_(), .nice = settings_.tasks_nice}};
  setup.sink_class = plugin.sink();
  MR_TRY_ASSIGN(auto resolved, resolve(connector.config, surroundings_, &setup.mask));
  setup.settings = settings_of(plugin, std::move(resolved), settings_.converters);
  std::size_t count = 0;
  const auto table = host_.log.table();
  for (const auto& [key, entry] : ledger_.of(name)) {
    const topics::Topic* topic = table->find(key.partition.topic);
    const auto index = static_cast<std::size_t>(key.partition.partition.value());
    if (topic == nullptr || index >= topic->partitions.size() || !wanted(key)) continue;
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

struct Worker::Search {
  LedgerKey key;
  Found found;
  Offset next{0};
  std::string json{};
};

void Worker::failed_record(const LedgerKey& key, Found found) {
  const auto table = host_.log.table();
  const topics::Topic* topic = table->find(key.partition.topic);
  const auto index = static_cast<std::size_t>(key.partition.partition.value());
  if (topic != nullptr && index < topic->partitions.size()) {
    const std::set<Offset> only{key.offset};
    Lane lane(0, topic->partitions[index], key.offset, "");
    lane.restrict_to(&only);
    const auto there = lane.fetch(1);
    if (!there) return found(std::unexpected<Error>(there.error()));
    const auto read = *there ? lane.next() : std::optional<ReadRecord>();
    if (!read) return found(std::unexpected<Error>(read.error()));
    if (*read) {
      RecordBatchBuilder alone;
      alone.append((*read)->record);
      return found(std::optional(alone.finish()));
    }
  }
  search_archive(std::make_unique<Search>(Search{key, std::move(found)}));
}

// A piece per turn of the loop.
void Worker::search_archive(std::unique_ptr<Search> search) {
  const auto more = archive_.visit(search->next, [&](const LedgerKey& key, std::optional<std::string_view> json) {
    if (key == search->key) search->json = json.value_or("");
  });
  if (!more) return search->found(std::unexpected<Error>(more.error()));
  if (!*more) {
    return search->found(search->json.empty() ? std::nullopt : FailureArchive::batch_of(search->json));
  }
  loop_.post([this, search = std::move(search)]() mutable { search_archive(std::move(search)); });
}

void Worker::end_replay(Connector& connector) {
  if (!connector.replay) return;
  connector.replay->stop();
  std::vector<std::unique_ptr<ConnectorTask>> ending;
  ending.push_back(std::move(connector.replay));
  reaper_->bury(std::move(ending), loop_, [] {});
}

void Worker::end_tasks(Connector& connector, std::function<void(Connector&)> then) {
  const std::uint64_t generation = ++connector.generation;
  std::vector<std::unique_ptr<ConnectorTask>> ending;
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
      if (const auto plugin = connector.plugin(); !plugin || plugin->sink() == nullptr) continue;
      if (partitions_of(connector) != connector.assignment)
        end_tasks(connector, [this](Connector& ended) { start(ended); });
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
  using Read = std::uint64_t (*)(const TaskCounts&);
  struct Row {
    std::string_view name;
    std::string_view help;
    Read read;
  };
  static constexpr Row kRows[] = {
      {"millrace_connect_produced_records",
       "Offsets of the task's partitions since it started; of a source: records read",
       [](const TaskCounts& c) { return c.produced; }},
      {"millrace_connect_delivered_records", "Records the sink has taken; of a source: that are in the log",
       [](const TaskCounts& c) { return c.delivered; }},
      {"millrace_connect_dead_records", "Records that were given up", [](const TaskCounts& c) { return c.dead; }},
      {"millrace_connect_skipped_records", "Records a transformation dropped, and offsets without a record",
       [](const TaskCounts& c) { return c.skipped; }},
      {"millrace_connect_pending_records", "Records not yet looked at, or under way",
       [](const TaskCounts& c) { return c.pending; }},
      {"millrace_connect_balance_records",
       "produced - delivered - dead - skipped - pending: 0, or a record is not accounted for",
       [](const TaskCounts& c) { return c.produced - c.delivered - c.dead - c.skipped - c.pending; }},
      {"millrace_connect_retries", "Repetitions of a put since the task started",
       [](const TaskCounts& c) { return c.retries; }},
  };
  for (const Row& row : kRows) {
    metrics.collect_gauge(row.name, row.help, [this, read = row.read] {
      std::vector<metrics::Registry::Sample> samples;
      watched_.with([&](const auto& all) {
        for (const Watched& one : all) {
          if (!one.counters) continue;
          samples.push_back({{{"connector", one.connector}, {"task", std::to_string(one.task)}},
                             static_cast<double>(static_cast<std::int64_t>(read(one.counters->read())))});
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
  metrics.collect_gauge("millrace_connect_memory_bytes", "Bytes all sinks keep in memory", [this] {
    return std::vector<metrics::Registry::Sample>{{{}, static_cast<double>(memory_.used())}};
  });
  metrics.collect_gauge(
      "millrace_connect_spilled_bytes", "Bytes of disk that hold what sinks keep beyond memory", [this] {
        const double used = surroundings_.spill == nullptr ? 0 : static_cast<double>(surroundings_.spill->used());
        return std::vector<metrics::Registry::Sample>{{{}, used}};
      });
}

}  // namespace millrace::connect
