#include "sim/group_world.h"

#include <fmt/format.h>

namespace millrace::sim {

void GroupRunCounts::add(const GroupRunCounts& other) {
  crashes += other.crashes;
  rebalances += other.rebalances;
  assignments += other.assignments;
  commits += other.commits;
  fenced += other.fenced;
  fetches += other.fetches;
  deletions += other.deletions;
  lost_messages += other.lost_messages;
  expired_members += other.expired_members;
  replaced_members += other.replaced_members;
  compactions += other.compactions;
}

std::string GroupRunCounts::to_string() const {
  return fmt::format(
      "{} crashes, {} rebalances, {} assignments, {} commits, {} fenced commits, {} fetches, {} deletions, "
      "{} lost messages, {} expired members, {} replaced static members, {} compactions",
      crashes, rebalances, assignments, commits, fenced, fetches, deletions, lost_messages, expired_members,
      replaced_members, compactions);
}

void GroupWorld::start() {
  coordinator = std::make_unique<kafka::GroupCoordinator>(settings, store, rng.fork(), bugs);
  for (const kafka::GroupRecord& record : store.durable()) {
    const kafka::GroupRecordKey key = kafka::parse_group_key(as_bytes(record.key)).value();
    if (const auto* offset = std::get_if<kafka::OffsetKey>(&key)) {
      std::optional<kafka::StoredOffset> value;
      if (record.value) value = kafka::parse_offset_value(as_bytes(*record.value)).value();
      coordinator->load_offset(*offset, std::move(value));
    } else if (const auto* group = std::get_if<kafka::GroupKey>(&key)) {
      std::optional<kafka::StoredGroup> value;
      if (record.value) value = kafka::parse_group_value(as_bytes(*record.value)).value();
      coordinator->load_group(*group, std::move(value));
    }
  }
  coordinator->finish_loading(now());
}

void GroupWorld::crash() {
  ++life;
  ++counts.crashes;
  counts.rebalances += coordinator->counts().rebalances;
  counts.expired_members += coordinator->counts().members_expired;
  store.crash(rng);
  coordinator.reset();
  network.clear();
  trace.note("crash", store.durable().size());
  if (rng.chance(1, 3)) {
    store.compact(rng.chance(1, 2));
    ++counts.compactions;
  }
  model.restarted();
  newest_process.clear();  // a replacement that was not stored is undone
  start();
}

void GroupWorld::settle() {
  for (auto answers = coordinator->take_answers(); !answers.empty(); answers = coordinator->take_answers()) {
    for (Task& answer : answers) answer();
  }
}

}  // namespace millrace::sim
