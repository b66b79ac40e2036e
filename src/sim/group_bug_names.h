// The switches of kafka::SeededBugs by name, so that tests can walk over them.
#pragma once

#include <string_view>
#include <utility>

#include "kafka/groups/seeded_bugs.h"

namespace millrace::sim {

using GroupBugSwitch = bool kafka::SeededBugs::*;

inline constexpr std::pair<std::string_view, GroupBugSwitch> kSeededGroupBugs[] = {
    {"acknowledge_commit_early", &kafka::SeededBugs::acknowledge_commit_early},
    {"hand_out_before_store", &kafka::SeededBugs::hand_out_before_store},
    {"ignore_generation", &kafka::SeededBugs::ignore_generation},
    {"keep_replaced_member", &kafka::SeededBugs::keep_replaced_member},
    {"forget_generation", &kafka::SeededBugs::forget_generation},
    {"drop_tombstones", &kafka::SeededBugs::drop_tombstones},
    {"apply_older_commit", &kafka::SeededBugs::apply_older_commit},
    {"show_pending_commit", &kafka::SeededBugs::show_pending_commit},
};
// A new switch must be listed here, or no test would look for it.
static_assert(sizeof(kafka::SeededBugs) == sizeof(kSeededGroupBugs) / sizeof(kSeededGroupBugs[0]));

}  // namespace millrace::sim
