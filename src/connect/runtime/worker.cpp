#include "connect/runtime/worker.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "base/log.h"
#include "connect/json_members.h"
#include "connect/json_writer.h"
#include "connect/runtime/config_provider.h"
#include "connect/runtime/sink_task.h"

namespace millrace::connect {
namespace {

constexpr std::string_view kConnectorPrefix = "connector-";
constexpr std::string_view kTargetPrefix = "target-state-";

std::string encode_config(const ConnectorConfig& config) {
  JsonWriter json;
  json.begin_object().key("properties").begin_object();
  for (const auto& [key, value] : config) json.member(key, value);
  return json.end_object().end_object().take();
}

std::string encode_target(TargetState target) {
  // As KafkaConfigBackingStore: older workers read "state", which knows no STOPPED.
  return JsonWriter()
      .begin_object()
      .member("state", target == TargetState::stopped ? "PAUSED" : to_string(target))
      .member("state.v2", to_string(target))
      .end_object()
      .take();
}

}  // namespace

Worker::Worker(net::Loop& loop, topics::TopicLog& log, topics::OffsetStore& offsets, const Surroundings& surroundings,
               metrics::Registry& metrics, WorkerSettings settings, std::uint64_t seed)
    : loop_(loop),
      surroundings_(surroundings),
      settings_(std::move(settings)),
      rng_(seed),
      memory_(settings_.memory_bytes),
      ledger_(*surroundings.clock, loop),
      archive_(log, *surroundings.clock, loop),
      host_{log, offsets, ledger_, memory_, surroundings, settings_.bookmark_interval, &archive_, &source_offsets_} {
  ledger_.on_forgotten([this](const LedgerKey& key) { archive_.forget(key); });
  register_metrics(metrics);
}

Worker::~Worker() {
  stop();
}

void Worker::stop() {
  for (auto& [name, connector] : connectors_) {
    ++connector.generation;
    for (auto& task : connector.tasks) {
      if (task) task->stop();
    }
  }
  for (auto& [name, connector] : connectors_) {
    connector.tasks.clear();
    connector.replay.reset();
  }
  reaper_.reset();
}

const Connector* Worker::find(std::string_view name) const {
  const auto found = connectors_.find(name);
  return found == connectors_.end() ? nullptr : &found->second;
}

void Worker::open(Done done) {
  open_table(Table::configs, [this, done = std::move(done)](Result<void> configs) mutable {
    if (!configs) return done(std::move(configs));
    open_table(Table::status, [this, done = std::move(done)](Result<void> status) mutable {
      if (!status) return done(std::move(status));
      open_table(Table::failures, [this, done = std::move(done)](Result<void> failures) mutable {
        if (!failures) return done(std::move(failures));
        open_table(Table::source_offsets, [this, done = std::move(done)](Result<void> positions) mutable {
          if (!positions) return done(std::move(positions));
          tables_open(std::move(done));
        });
      });
    });
  });
}

void Worker::open_table(Table which, Done done) {
  const std::string names[] = {settings_.config_topic, settings_.status_topic, std::string(FailureLedger::kTopic),
                               settings_.offset_topic};
  topics::TableTopic::open(
      host_.log, *surroundings_.clock, loop_, {.name = names[static_cast<std::size_t>(which)], .internal = false},
      [this, which](ByteView key, std::optional<ByteView> value) {
        if (which == Table::configs) load_config(key, value);
        if (which == Table::failures) ledger_.load(key, value);
        if (which == Table::source_offsets) source_offsets_.load(key, value);
      },
      [this, which, done = std::move(done)](auto table) mutable {
        if (!table) return done(std::unexpected<Error>(table.error()));
        if (which == Table::configs) configs_ = *table;
        if (which == Table::status) status_ = *table;
        if (which == Table::failures) ledger_.attach(*table);
        if (which == Table::source_offsets) source_offsets_.attach(*table);
        done({});
      });
}

void Worker::load_config(ByteView key_bytes, std::optional<ByteView> value) {
  const std::string_view key = as_text(key_bytes);
  sql::JsonDocument document;
  const bool readable = value && document.parse(as_text(*value));
  if (key.starts_with(kConnectorPrefix)) {
    const std::string name(key.substr(kConnectorPrefix.size()));
    if (!readable) {
      loaded_.erase(name);
      loaded_targets_.erase(name);
      return;
    }
    ConnectorConfig config;
    const sql::Value properties = root_of(document).member("properties");
    if (properties.form() == sql::Value::Form::node && properties.type() == sql::Value::Type::object) {
      for (std::uint32_t at = properties.node() + 1; at < document.node(properties.node()).end;
           at = document.node(at).end) {
        const sql::JsonNode& node = document.node(at);
        std::string member(node.key_size, '\0');
        member.resize(sql::decode_json_string(document.key_of(node), member.data()));
        if (auto text = scalar_text(sql::Value::of(document, at))) config[member] = std::move(*text);
      }
    }
    loaded_[name] = std::move(config);
  } else if (key.starts_with(kTargetPrefix) && readable) {
    const std::string v2 = member_text(root_of(document), "state.v2");
    const auto target = parse_target_state(v2.empty() ? member_text(root_of(document), "state") : v2);
    if (target) loaded_targets_[std::string(key.substr(kTargetPrefix.size()))] = *target;
  }
}

void Worker::tables_open(Done done) {
  for (auto& [name, config] : loaded_) {
    Connector& connector = connectors_[name];
    connector.name = name;
    connector.config = std::move(config);
    if (const auto target = loaded_targets_.find(name); target != loaded_targets_.end())
      connector.target = target->second;
    start(connector);
  }
  loaded_.clear();
  loaded_targets_.clear();
  open_ = true;
  check_assignments();
  done({});
}

Result<Validation> Worker::validate(std::string_view plugin, const ConnectorConfig& config) const {
  const auto found = find_connector_class(plugin);
  if (!found) return fail(ErrorCode::not_found, "no such plugin", std::string(plugin));
  SecretMask mask;
  MR_TRY_ASSIGN(const ConnectorConfig resolved, resolve(config, surroundings_, &mask));
  Validation validation = connect::validate(*found, resolved);
  for (ConfigValue& value : validation.values) {
    if (value.value) value.value = mask.hide(std::move(*value.value));
    for (std::string& error : value.errors) error = mask.hide(std::move(error));
  }
  return validation;
}

Result<Validation> Worker::validate_whole(const ConnectorConfig& config) const {
  const auto named = config.find("connector.class");
  return validate(named == config.end() ? std::string() : named->second, config);
}

Result<std::vector<std::string>> Worker::errors_of(const ConnectorConfig& config) const {
  MR_TRY_ASSIGN(const Validation validation, validate_whole(config));
  return validation.errors();
}

void Worker::put(const std::string& name, ConnectorConfig config, std::optional<TargetState> target, Done done) {
  if (target) {
    configs_->put(as_bytes(std::string(kTargetPrefix) + name), as_bytes(encode_target(*target)));
  }
  const std::string value = encode_config(config);
  configs_->put(as_bytes(std::string(kConnectorPrefix) + name), as_bytes(value),
                [this, name, config = std::move(config), target, done = std::move(done)](Result<void> written) mutable {
                  if (!written) return done(std::move(written));
                  Connector& connector = connectors_[name];
                  connector.name = name;
                  connector.config = std::move(config);
                  if (target) connector.target = *target;
                  done({});
                  end_tasks(connector, [this](Connector& ended) { start(ended); });
                });
}

void Worker::remove(const std::string& name, Done done) {
  // The configuration first: of a crash between the two only a state is left, which belongs to nobody.
  configs_->put(as_bytes(std::string(kConnectorPrefix) + name), std::nullopt,
                [this, name, done = std::move(done)](Result<void> written) mutable {
                  if (!written) return done(std::move(written));
                  const auto found = connectors_.find(name);
                  if (found != connectors_.end()) {
                    end_replay(found->second);
                    auto tasks = std::move(found->second.tasks);
                    for (auto& task : tasks) {
                      if (task) task->stop();
                    }
                    status_->put(as_bytes("status-connector-" + name), std::nullopt);
                    for (std::size_t i = 0; i < found->second.statuses.size(); ++i) {
                      status_->put(as_bytes(fmt::format("status-task-{}-{}", name, i)), std::nullopt);
                    }
                    connectors_.erase(found);
                    ledger_.forget_connector(name);
                    publish_watched();
                    // A connector made anew under this name must not meet the old one's tasks: the answer waits.
                    return reaper_->bury(std::move(tasks), loop_, [done = std::move(done)]() mutable { done({}); });
                  }
                  done({});
                });
  configs_->put(as_bytes(std::string(kTargetPrefix) + name), std::nullopt);
}

void Worker::set_target(const std::string& name, TargetState target, Done done) {
  configs_->put(as_bytes(std::string(kTargetPrefix) + name), as_bytes(encode_target(target)),
                [this, name, target, done = std::move(done)](Result<void> written) mutable {
                  const auto found = connectors_.find(name);
                  if (!written || found == connectors_.end()) return done(std::move(written));
                  Connector& connector = found->second;
                  const TargetState before = connector.target;
                  connector.target = target;
                  done({});
                  if (target == TargetState::stopped || before == TargetState::stopped) {
                    // Also from STOPPED: the tasks of before it may not have ended yet.
                    end_tasks(connector, [this](Connector& ended) { start(ended); });
                  } else if (before != target) {
                    set_state(connector, target == TargetState::paused ? State::paused : State::running);
                    for (auto& task : connector.tasks) {
                      if (task) task->set_paused(target == TargetState::paused);
                    }
                    // Tasks without partitions have nobody to tell of the change. While former tasks are ending there
                    // are none at all; the next ones start as the target says.
                    for (std::size_t i = 0; i < connector.tasks.size(); ++i) {
                      if (connector.tasks[i] == nullptr && connector.statuses[i].state != State::failed) {
                        task_changed(name, connector.generation, i, connector.state, "");
                      }
                    }
                  }
                });
}

void Worker::restart(const std::string& name, bool with_tasks, bool only_failed) {
  const auto found = connectors_.find(name);
  if (found == connectors_.end() || found->second.target == TargetState::stopped) return;
  Connector& connector = found->second;
  if (!only_failed || connector.state == State::failed) {
    // The connector itself is only its configuration: starting it anew means reading that again.
    if (connector.state == State::failed) return end_tasks(connector, [this](Connector& ended) { start(ended); });
    set_state(connector, connector.target == TargetState::paused ? State::paused : State::running);
  }
  if (!with_tasks) return;
  for (std::size_t i = 0; i < connector.statuses.size(); ++i) {
    if (!only_failed || connector.statuses[i].state == State::failed) restart_task(name, i);
  }
}

void Worker::restart_task(const std::string& name, std::size_t number) {
  const auto found = connectors_.find(name);
  if (found == connectors_.end() || number >= found->second.tasks.size()) return;
  Connector& connector = found->second;
  if (connector.tasks[number] == nullptr) return;
  std::vector<std::unique_ptr<ConnectorTask>> ending;
  ending.push_back(std::move(connector.tasks[number]));
  ending.front()->stop();
  connector.statuses[number] = {State::restarting, ""};
  reaper_->bury(std::move(ending), loop_, [this, name, number, generation = connector.generation] {
    const auto again = connectors_.find(name);
    if (again != connectors_.end() && again->second.generation == generation) start_task(again->second, number);
  });
}

void Worker::reset_topics(const std::string& name) {
  if (const auto found = connectors_.find(name); found != connectors_.end()) found->second.topics.clear();
}

void Worker::offsets(const std::string& name, Offsets done) {
  host_.offsets.fetch(SinkTask::group_of(name), loop_, std::move(done));
}

void Worker::alter_offsets(const std::string& name, std::map<TopicPartition, std::optional<Offset>> wanted, bool all,
                           Done done) {
  const auto table = host_.log.table();
  const auto log_start = [table](const TopicPartition& partition) {
    const topics::Topic* topic = table->find(partition.topic);
    const auto index = static_cast<std::size_t>(partition.partition.value());
    return topic != nullptr && index < topic->partitions.size() ? topic->partitions[index]->log_start() : Offset(0);
  };
  host_.offsets.fetch(
      SinkTask::group_of(name), loop_,
      [this, name, wanted = std::move(wanted), all, log_start, done = std::move(done)](auto fetched) mutable {
        if (!fetched) return done(std::unexpected<Error>(fetched.error()));
        topics::CommittedOffsets changed;
        for (const auto& [partition, committed] : *fetched) {
          if (all) changed[partition] = {log_start(partition)};
        }
        for (const auto& [partition, offset] : wanted) changed[partition] = {offset ? *offset : log_start(partition)};
        if (changed.empty()) return done({});
        host_.offsets.commit(SinkTask::group_of(name), std::move(changed), loop_, std::move(done));
      });
}

void Worker::alter_source_offsets(const std::string& name, SourceOffsets::Changes changes, Done done) {
  if (changes.empty()) {
    for (const auto& [partition, offset] : source_offsets_.of(name)) changes[partition] = std::nullopt;
  }
  source_offsets_.alter(name, changes, std::move(done));
}

}  // namespace millrace::connect
