// The switches of storage::SeededBugs by name, so that tests and sim_run can walk over them.
#pragma once

#include <string_view>
#include <utility>

#include "storage/seeded_bugs.h"

namespace millrace::sim {

using BugSwitch = bool storage::SeededBugs::*;

inline constexpr std::pair<std::string_view, BugSwitch> kSeededBugs[] = {
    {"skip_sync", &storage::SeededBugs::skip_sync},
    {"acknowledge_early", &storage::SeededBugs::acknowledge_early},
    {"skip_directory_sync", &storage::SeededBugs::skip_directory_sync},
    {"accept_bad_crc", &storage::SeededBugs::accept_bad_crc},
    {"ignore_generation", &storage::SeededBugs::ignore_generation},
    {"truncate_one_too_far", &storage::SeededBugs::truncate_one_too_far},
    {"publish_before_sync", &storage::SeededBugs::publish_before_sync},
    {"checkpoint_before_sync", &storage::SeededBugs::checkpoint_before_sync},
    {"forget_producer_state", &storage::SeededBugs::forget_producer_state},
    {"reuse_journal_early", &storage::SeededBugs::reuse_journal_early},
    {"compaction_drops_newest", &storage::SeededBugs::compaction_drops_newest},
    {"compaction_overlooks_tombstones", &storage::SeededBugs::compaction_overlooks_tombstones},
    {"compaction_swaps_early", &storage::SeededBugs::compaction_swaps_early},
    {"compaction_reuses_name", &storage::SeededBugs::compaction_reuses_name},
    {"compaction_skips_sync", &storage::SeededBugs::compaction_skips_sync},
    {"trust_old_clean_mark", &storage::SeededBugs::trust_old_clean_mark},
    {"forget_failed_write", &storage::SeededBugs::forget_failed_write},
    {"checkpoint_overlooks_change", &storage::SeededBugs::checkpoint_overlooks_change},
};
// A new switch must be listed here, or no test would look for it.
static_assert(sizeof(storage::SeededBugs) == sizeof(kSeededBugs) / sizeof(kSeededBugs[0]));

}  // namespace millrace::sim
