// OffsetTarget: where `millrace groups reset` sends a group, in the words of kafka-consumer-groups.
#pragma once

#include <map>
#include <vector>

#include "app/group_offsets.h"
#include "app/options.h"

namespace millrace::app {

/// Rows for the help page.
std::vector<OptionRow> offset_target_options();

/// The new offset of each partition, kept within what the log holds. Errors: invalid_argument with a sentence for
/// people; those of Client::ask.
Result<std::map<TopicPartition, std::int64_t>> new_offsets(kafka::Client& client, const Options& options,
                                                           const GroupView& group,
                                                           const std::vector<TopicPartition>& partitions);

/// "P1DT2H30M10S" in milliseconds (ISO 8601 without months and years, whose length varies).
Result<std::int64_t> parse_duration_ms(std::string_view text);

}  // namespace millrace::app
