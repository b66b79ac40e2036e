#include "sim/log_script.h"

#include <type_traits>

#include "model/record_batch_builder.h"

namespace millrace::sim {
namespace {

using storage::LogConfig;

constexpr std::size_t kNames = 5;           // partitions that may exist at a time
constexpr std::size_t kBatchesPerLane = 4;  // a producer keeps at most five in flight; the log remembers five

template <class T>
const T& pick(Rng& rng, std::initializer_list<T> choices) {
  return *(choices.begin() + static_cast<std::ptrdiff_t>(rng.below(choices.size())));
}

std::string name_of(const storage::PartitionChange& change) {
  return std::visit(
      [](const auto& one) {
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, storage::CreatePartition>) {
          return one.spec.name.to_string();
        } else {
          return one.name.to_string();
        }
      },
      change);
}

}  // namespace

void LogScript::run(std::uint64_t steps, const std::function<void()>& yield) {
  for (std::uint64_t step = 0; step < steps && !world_.dying; ++step) {
    const std::uint64_t kind = rng_.below(100);
    if (kind < 76) {
      commit(rng_.chance(1, 6));
    } else if (kind < 80) {
      seal();
    } else if (kind < 87) {
      enforce_retention();
    } else if (kind < 91) {
      new_writer();
    } else if (kind < 94) {
      world_.disk.set_capacity(world_.disk.used_bytes() + rng_.below(48_KiB));
      ++world_.counts.full_disks;
    } else if (kind < 99) {
      world_.disk.set_capacity(1_GiB);
    } else {
      if (!clock_jumps_) continue;
      // Less than a day in all: after that producers are forgotten, as they should be.
      world_.set_wall_off(std::chrono::minutes(rng_.between(-600, 600)));
      ++world_.counts.clock_jumps;
    }
    world_.clock.advance(std::chrono::milliseconds(rng_.chance(1, 30) ? rng_.below(600'000) : rng_.below(500)));
    yield();
  }
}

void LogScript::must_commit() {
  world_.disk.set_capacity(1_GiB);
  const std::uint64_t before = world_.counts.commits;
  for (int i = 0; i < 200 && !world_.dying; ++i) {
    commit(false);
    if (world_.counts.commits != before) return;
    world_.clock.advance(std::chrono::seconds(1));
    const auto wrote = world_.log->write_behind();
    if (!wrote) return world_.judge_failure(wrote.error(), "write_behind");
    if (*wrote) continue;
    const auto done = world_.log->checkpoint();
    if (!done) return world_.judge_failure(done.error(), "checkpoint");
  }
  if (!world_.dying) world_.violate("no commit succeeds although nothing fails any more");
}

LogConfig LogScript::random_config() {
  LogConfig config;
  config.segment_bytes = pick<std::int64_t>(rng_, {3'000, 8'000, 20'000, 1'000'000});
  config.segment_ms = pick<std::int64_t>(rng_, {2'000, 60'000, 604'800'000});
  config.retention_ms = pick<std::int64_t>(rng_, {-1, -1, 5'000, 120'000});
  config.retention_bytes = pick<std::int64_t>(rng_, {-1, -1, 4'000, 30'000});
  config.index_interval_bytes = pick<std::int32_t>(rng_, {0, 300, 4'096});
  config.file_delete_delay_ms = pick<std::int64_t>(rng_, {0, 1'000, 60'000});
  config.compact = rng_.chance(1, 2);
  config.delete_old = !config.compact || rng_.chance(1, 4);
  config.min_cleanable_dirty_ratio = pick(rng_, {0.0, 0.2, 0.5});
  config.delete_retention_ms = pick<std::int64_t>(rng_, {0, 1'000, 60'000, 86'400'000});
  config.min_compaction_lag_ms = pick<std::int64_t>(rng_, {0, 0, 2'000});
  return config;
}

void LogScript::plan_change(Plan& plan) {
  const TopicPartition name{"t" + std::to_string(rng_.below(kNames)), PartitionIndex(0)};
  for (const auto& touched : plan.touched) {
    if (touched == name) return;
  }
  plan.touched.push_back(name);
  const auto it = world_.model.partitions.find(name);
  if (it == world_.model.partitions.end() || rng_.chance(1, 12)) {
    storage::CreatePartition create{
        {name, Uuid::from_random(rng_(), rng_()), random_config(), "made " + std::to_string(++topics_made_)}, nullptr};
    if (it == world_.model.partitions.end()) {
      plan.group.creates.push_back({name, create.spec.topic_id, create.spec.config, create.spec.properties});
      plan.change_errors.emplace_back(std::nullopt);
    } else {
      plan.change_errors.emplace_back(ErrorCode::already_exists);
    }
    plan.changes.emplace_back(std::move(create));
    return;
  }
  const std::uint64_t kind = rng_.below(5);
  if (kind == 0) {
    plan.group.deletes.push_back(name);
    plan.changes.emplace_back(storage::DeletePartition{name, {}});
  } else if (kind < 3) {
    storage::ConfigurePartition configure{name, random_config(), "changed " + std::to_string(rng_.below(1'000)), {}};
    plan.group.configures.push_back({name, configure.config, configure.properties});
    plan.changes.emplace_back(std::move(configure));
  } else {
    const Offset offset(rng_.between(it->second.log_start.value(), it->second.end().value()));
    plan.group.trims.push_back({name, offset});
    plan.changes.emplace_back(storage::TrimPartition{name, offset, {}});
  }
  plan.change_errors.emplace_back(std::nullopt);
}

LogScript::Batch LogScript::make_batch(std::size_t writer, const TopicPartition& to, std::int32_t sequence) {
  Batch batch{writer, to, sequence, {}, {}, {}, {}};
  const std::uint64_t count = 1 + rng_.below(3);
  for (std::uint64_t i = 0; i < count; ++i) {
    batch.records.push_back({writer, writers_[writer].next_number++});
    batch.timestamps.push_back(world_.now_ms() - rng_.between(0, 50));
  }
  return batch;
}

std::optional<LogScript::Batch> LogScript::new_batch(const Plan& plan) {
  if (world_.handles.empty()) return std::nullopt;
  auto it = world_.handles.begin();
  std::advance(it, static_cast<std::ptrdiff_t>(rng_.below(world_.handles.size())));
  for (const auto& touched : plan.touched) {
    if (touched == it->first) return std::nullopt;
  }
  const std::size_t writer = rng_.below(writers_.size());
  std::size_t in_flight = 0;
  for (const auto& planned : plan.batches) {
    in_flight += planned.batch.writer == writer && planned.batch.to == it->first ? 1 : 0;
  }
  if (in_flight >= kBatchesPerLane) return std::nullopt;
  if (!writers_[writer].idempotent()) return make_batch(writer, it->first, kNoSequence);
  Lane& lane = writers_[writer].lanes[it->first];
  Batch batch = make_batch(writer, it->first, lane.next_sequence);
  lane.next_sequence += static_cast<std::int32_t>(batch.records.size());
  return batch;
}

SharedBytes LogScript::encode(const Batch& batch) const {
  RecordBatchBuilder builder;
  for (std::size_t i = 0; i < batch.records.size(); ++i) {
    const RecordName name = batch.records[i];
    const std::string key = world_.source.key(name);
    const std::string value = world_.source.value(name);
    const RecordHeader header{RecordSource::kNameHeader, as_bytes(value).first(16)};
    if (world_.source.tombstone(name)) {
      builder.append({as_bytes(key), std::nullopt, {&header, 1}, batch.timestamps[i]});
    } else {
      builder.append({as_bytes(key), as_bytes(value), {}, batch.timestamps[i]});
    }
  }
  const Writer& writer = writers_[batch.writer];
  if (!writer.idempotent()) return builder.finish();
  return builder.finish(writer.id, ProducerEpoch(0), batch.sequence);
}

void LogScript::plan_append(Plan& plan, Batch batch, Expected expected, bool answer_matters) {
  Planned planned{std::move(batch), expected, {}, answer_matters};
  storage::Append append{world_.handles.at(planned.batch.to).get(), encode(planned.batch), {}};
  if (expected == Expected::appended) {
    planned.base = world_.model.partitions.at(planned.batch.to).end();
    for (const auto& other : plan.group.appends) {
      if (other.name == planned.batch.to) planned.base = other.batch.next();
    }
    ModelBatch stored{planned.base, *std::max_element(planned.batch.timestamps.begin(), planned.batch.timestamps.end()),
                      append.batch.size(), planned.batch.records, planned.batch.timestamps};
    plan.group.appends.push_back({planned.batch.to, std::move(stored)});
  } else if (expected == Expected::duplicate) {
    planned.base = *planned.batch.known_base;
  }
  plan.batches.push_back(std::move(planned));
  plan.appends.push_back(std::move(append));
}

void LogScript::plan_batches(Plan& plan) {
  for (Batch& batch : std::exchange(unanswered_, {})) {
    if (!world_.handles.contains(batch.to)) continue;  // its partition was deleted: nobody waits any more
    if (std::find(plan.touched.begin(), plan.touched.end(), batch.to) != plan.touched.end()) {
      plan.held_back.push_back(std::move(batch));
      continue;
    }
    const Expected expected = batch.known_base ? Expected::duplicate : Expected::appended;
    plan_append(plan, std::move(batch), expected, true);
  }
  for (std::uint64_t i = rng_.below(6); i > 0; --i) {
    if (auto batch = new_batch(plan)) {
      const bool idempotent = writers_[batch->writer].idempotent();
      plan_append(plan, std::move(*batch), Expected::appended, idempotent);
    }
  }
  // A network that delivers twice, and a producer that lost something.
  for (std::size_t i = 0; i < writers_.size(); ++i) {
    for (auto& [name, lane] : writers_[i].lanes) {
      if (!lane.newest || !world_.handles.contains(name)) continue;
      if (std::find(plan.touched.begin(), plan.touched.end(), name) != plan.touched.end()) continue;
      if (rng_.chance(1, 12)) plan_append(plan, *lane.newest, Expected::duplicate, false);
      if (rng_.chance(1, 40)) {
        plan_append(plan, make_batch(i, name, lane.next_sequence + 100), Expected::out_of_order, false);
      }
    }
  }
}

void LogScript::commit(bool with_changes) {
  Plan plan;
  if (with_changes || world_.handles.empty()) {
    for (std::uint64_t i = 1 + rng_.below(2); i > 0; --i) plan_change(plan);
  }
  plan_batches(plan);
  if (plan.changes.empty() && plan.appends.empty()) return;
  std::vector<storage::Append*> appends;
  for (auto& append : plan.appends) appends.push_back(&append);
  if (!plan.group.empty()) world_.in_doubt = plan.group;
  world_.doubt_was_seen = false;
  world_.trace.note("commit", plan.changes.size(), appends.size());
  const auto done = world_.log->commit(plan.changes, appends);
  world_.trace.note("committed", done ? 1 : 0);
  if (done) {
    succeeded(plan);
    return;
  }
  const bool nothing_happened = done.error().code == ErrorCode::disk_full;
  if (nothing_happened) {
    if (world_.doubt_was_seen) world_.violate("a commit answered disk_full after readers saw its records");
    world_.in_doubt.reset();
  }
  failed(plan, !nothing_happened);
  world_.judge_failure(done.error(), "commit");
}

void LogScript::succeeded(Plan& plan) {
  ++world_.counts.commits;
  unanswered_ = std::move(plan.held_back);
  for (std::size_t i = 0; i < plan.changes.size(); ++i) check_change(plan.changes[i], plan.change_errors[i]);
  for (std::size_t i = 0; i < plan.batches.size(); ++i) {
    Planned& planned = plan.batches[i];
    const auto& outcome = plan.appends[i].outcome;
    const std::string what = planned.batch.to.to_string() + " " + planned.batch.records.front().to_string();
    if (planned.expected == Expected::out_of_order) {
      if (outcome || outcome.error().code != ErrorCode::out_of_order) world_.violate(what + ": a gap was taken");
      continue;
    }
    if (!outcome) {
      world_.violate(what + " refused: " + outcome.error().message());
      continue;
    }
    const bool duplicate = planned.expected == Expected::duplicate;
    if (outcome->duplicate != duplicate) {
      world_.violate(
          what + (duplicate ? ": a repeated batch was appended again" : ": a new batch was taken for a repeated one"));
    }
    if (outcome->base_offset != planned.base) {
      world_.violate(what + " acknowledged at " + std::to_string(outcome->base_offset.value()) + " instead of " +
                     std::to_string(planned.base.value()));
    }
    ++(duplicate ? world_.counts.duplicates : world_.counts.batches);
    if (!planned.answer_matters) continue;
    planned.batch.known_base = planned.base;
    writers_[planned.batch.writer].lanes[planned.batch.to].newest = planned.batch;
  }
  world_.model.apply(plan.group);
  world_.in_doubt.reset();
  for (const auto& name : plan.group.deletes) {
    world_.handles.erase(name);
    world_.starts_seen.erase(name);
    forget_lanes(name);
  }
}

void LogScript::check_change(const storage::PartitionChange& change, const std::optional<ErrorCode>& expected) {
  std::visit(
      [&](const auto& one) {
        if (one.outcome.has_value() == expected.has_value() || (expected && one.outcome.error().code != *expected)) {
          world_.violate("change of " + name_of(change) + " answered " +
                         (one.outcome ? "success" : one.outcome.error().message()));
          return;
        }
        if constexpr (std::is_same_v<std::decay_t<decltype(one)>, storage::CreatePartition>) {
          if (one.outcome) world_.handles[one.spec.name] = *one.outcome;
        }
      },
      change);
}

void LogScript::failed(Plan& plan, bool in_doubt) {
  unanswered_ = std::move(plan.held_back);
  for (Planned& planned : plan.batches) {
    if (!planned.answer_matters) continue;
    planned.batch.doubtful_base.reset();
    if (in_doubt && planned.expected == Expected::appended) planned.batch.doubtful_base = planned.base;
    unanswered_.push_back(std::move(planned.batch));
  }
}

void LogScript::learn(bool doubt_kept) {
  for (Batch& batch : unanswered_) {
    if (doubt_kept && batch.doubtful_base) batch.known_base = batch.doubtful_base;
    batch.doubtful_base.reset();
  }
  for (std::size_t i = 0; i < kNames; ++i) {
    const TopicPartition name{"t" + std::to_string(i), PartitionIndex(0)};
    if (world_.model.partitions.contains(name)) continue;
    world_.starts_seen.erase(name);
    forget_lanes(name);
  }
}

void LogScript::forget_lanes(const TopicPartition& name) {
  for (Writer& writer : writers_) writer.lanes.erase(name);
  std::erase_if(unanswered_, [&](const Batch& batch) { return batch.to == name; });
}

void LogScript::seal() {
  const auto done = world_.log->seal();
  if (!done) world_.judge_failure(done.error(), "seal");
}

void LogScript::enforce_retention() {
  ++world_.counts.retentions;
  const auto done = world_.log->enforce_retention();
  if (!done) world_.judge_failure(done.error(), "enforce_retention");
  if (world_.dying) return;
  for (const auto& [name, partition] : world_.handles) {
    ModelPartition& model = world_.model.partitions.at(name);
    const Offset start = partition->log_start();
    if (auto objection = model.objection_to_start(start, world_.latest_possible_ms()))
      world_.violate(name.to_string() + " " + *objection);
    model.log_start = std::max(model.log_start, start);
  }
}

void LogScript::new_writer() {
  if (writers_.size() >= 5) return;
  const auto id = world_.log->next_producer_id();
  if (!id) return world_.judge_failure(id.error(), "next_producer_id");
  if (!world_.producer_ids.insert(*id).second) world_.violate("producer id " + std::to_string(id->value()) + " again");
  Writer writer;
  writer.id = *id;
  writers_.push_back(std::move(writer));
}

}  // namespace millrace::sim
