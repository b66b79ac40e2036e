#include "topics/topic_config_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace millrace::topics {
namespace {

using storage::DiskFullPolicy;
using storage::LogConfig;
using storage::StoredCompression;
using Number = ConfigKey::Number;
using Words = ConfigKey::Words;
using Carried = ConfigKey::Carried;

constexpr std::string_view kPolicies[] = {"compact", "delete"};
constexpr std::string_view kTimestampTypes[] = {"CreateTime", "LogAppendTime"};
constexpr std::string_view kDiskFull[] = {"backpressure", "delete.oldest"};
// Kafka's order, which its error text shows, and ours beside it.
constexpr std::string_view kCompressions[] = {"uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"};
constexpr StoredCompression kCompressionOf[] = {StoredCompression::uncompressed, StoredCompression::zstd,
                                                StoredCompression::lz4,          StoredCompression::snappy,
                                                StoredCompression::gzip,         StoredCompression::producer};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Calls `each` for every item of a comma-separated list.
template <class Each>
void for_items(std::string_view list, Each&& each) {
  while (true) {
    const auto comma = list.find(',');
    each(trimmed(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

constexpr Number wide(std::int64_t LogConfig::* member, std::optional<std::int64_t> min) {
  return {.wide = member, .min = min};
}
constexpr Number narrow(std::int32_t LogConfig::* member, std::int64_t min) {
  return {.narrow = member, .min = min};
}

using enum ConfigType;
constexpr auto kKeys = std::to_array<ConfigKey>({
    {"cleanup.policy", "log.cleanup.policy", list,
     Words{kPolicies,
           [](const LogConfig& c) -> std::string {
             if (!c.compact) return "delete";
             return c.delete_old ? "compact,delete" : "compact";
           },
           [](LogConfig& c, std::string_view value) {
             c.compact = false;
             c.delete_old = false;
             for_items(value, [&](std::string_view item) { (item == "compact" ? c.compact : c.delete_old) = true; });
           }},
     "What becomes of old records: \"delete\" removes whole segments by age and size, \"compact\" keeps the last value "
     "of "
     "every key, both together do both."},
    {"compression.gzip.level", "compression.gzip.level", int32, Carried{"-1", -1},
     "Kept and shown; has no effect here."},
    {"compression.lz4.level", "compression.lz4.level", int32, Carried{"9", 1}, "Kept and shown; has no effect here."},
    {"compression.type", "compression.type", string,
     Words{kCompressions,
           [](const LogConfig& c) -> std::string {
             const auto at = std::ranges::find(kCompressionOf, c.compression) - std::begin(kCompressionOf);
             return std::string(kCompressions[at]);
           },
           [](LogConfig& c, std::string_view value) {
             c.compression = kCompressionOf[std::ranges::find(kCompressions, value) - std::begin(kCompressions)];
           }},
     "What batches are compressed with in the log. \"producer\" keeps what the producer chose."},
    {"compression.zstd.level", "compression.zstd.level", int32, Carried{"3", -131072},
     "Kept and shown; has no effect here."},
    {"delete.retention.ms", "log.cleaner.delete.retention.ms", int64, wide(&LogConfig::delete_retention_ms, 0),
     "How long compaction keeps a tombstone after it has removed everything older of its key: the time a consumer has "
     "to "
     "read a compacted topic from its start and still see what was deleted."},
    {"file.delete.delay.ms", "log.segment.delete.delay.ms", int64, wide(&LogConfig::file_delete_delay_ms, 0),
     "Time between taking a segment or partition out of the log and deleting its files."},
    {"flush.messages", "log.flush.interval.messages", int64, wide(&LogConfig::flush_messages, 1),
     "Records that may be acknowledged before they are synced. Every commit is synced here, so more than 1 changes "
     "nothing."},
    {"flush.ms", "log.flush.interval.ms", int64, wide(&LogConfig::flush_ms, 0),
     "Time after which records are synced. Every commit is synced here, so it changes nothing."},
    {"follower.replication.throttled.replicas", "", list, Carried{"", {}}, "Kept and shown; there is one node."},
    {"index.interval.bytes", "log.index.interval.bytes", int32, narrow(&LogConfig::index_interval_bytes, 0),
     "Bytes of records between two entries of a segment's index."},
    {"leader.replication.throttled.replicas", "", list, Carried{"", {}}, "Kept and shown; there is one node."},
    {"max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", int64, wide(&LogConfig::max_compaction_lag_ms, 1),
     "Longest time that a record may stay uncompacted: beyond it the topic is compacted however little of it is new."},
    {"max.message.bytes", "message.max.bytes", int32, narrow(&LogConfig::max_message_bytes, 0),
     "Largest record batch, after compression."},
    {"message.downconversion.enable", "log.message.downconversion.enable", boolean, Carried{"true", {}},
     "Kept and shown; only message format v2 is kept and served."},
    {"message.format.version", "log.message.format.version", string, Carried{"3.0-IV1", {}},
     "Kept and shown; only message format v2 is kept and served."},
    {"message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", int64,
     wide(&LogConfig::timestamp_after_max_ms, 0),
     "How far ahead of the server's clock a record's timestamp may be, with CreateTime; such a batch is refused."},
    {"message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", int64,
     wide(&LogConfig::timestamp_before_max_ms, 0),
     "How far behind the server's clock a batch's timestamps may be, with CreateTime; such a batch is refused."},
    {"message.timestamp.difference.max.ms", "log.message.timestamp.difference.max.ms", int64,
     Carried{"9223372036854775807", 0},
     "Kept and shown; use message.timestamp.before.max.ms and message.timestamp.after.max.ms."},
    {"message.timestamp.type", "log.message.timestamp.type", string,
     Words{kTimestampTypes,
           [](const LogConfig& c) -> std::string { return c.log_append_time ? "LogAppendTime" : "CreateTime"; },
           [](LogConfig& c, std::string_view value) { c.log_append_time = value == "LogAppendTime"; }},
     "Whose clock a record's timestamp is: the producer's (CreateTime) or the server's (LogAppendTime)."},
    {"millrace.disk.full.policy", "millrace.disk.full.policy", string,
     Words{kDiskFull,
           [](const LogConfig& c) -> std::string {
             return c.disk_full == DiskFullPolicy::delete_oldest ? "delete.oldest" : "backpressure";
           },
           [](LogConfig& c, std::string_view value) {
             c.disk_full = value == "delete.oldest" ? DiskFullPolicy::delete_oldest : DiskFullPolicy::back_pressure;
           }},
     "What gives way when the disk is full: \"backpressure\" lets producers wait, \"delete.oldest\" removes the oldest "
     "segments of such topics although their retention time has not passed."},
    {"min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", float64,
     Number{.real = &LogConfig::min_cleanable_dirty_ratio, .min = 0, .max = 1},
     "Share of a compacted partition that must be new before it is compacted again."},
    {"min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", int64, wide(&LogConfig::min_compaction_lag_ms, 0),
     "Shortest time that a record stays uncompacted."},
    {"min.insync.replicas", "min.insync.replicas", int32, Carried{"1", 1}, "Kept and shown; there is one node."},
    {"preallocate", "log.preallocate", boolean, Carried{"false", {}}, "Kept and shown; room is reserved in any case."},
    {"retention.bytes", "log.retention.bytes", int64, wide(&LogConfig::retention_bytes, {}),
     "Bytes kept per partition; older segments are deleted. -1: no limit."},
    {"retention.ms", "log.retention.ms", int64, wide(&LogConfig::retention_ms, -1),
     "How long records are kept at least. -1: for ever."},
    {"segment.bytes", "log.segment.bytes", int32,
     Number{.wide = &LogConfig::segment_bytes, .min = 14, .max = std::numeric_limits<std::int32_t>::max()},
     "Size of a segment file. Retention and compaction work on whole segments."},
    {"segment.index.bytes", "log.index.size.max.bytes", int32, narrow(&LogConfig::segment_index_bytes, 4),
     "Size of a segment's index; a segment whose index is full is closed."},
    {"segment.jitter.ms", "log.roll.jitter.ms", int64, wide(&LogConfig::segment_jitter_ms, 0),
     "Up to so much is taken off segment.ms, differently for each segment, so that not all close at once."},
    {"segment.ms", "log.roll.ms", int64, wide(&LogConfig::segment_ms, 1),
     "Age at which a segment is closed although it is not full."},
    {"unclean.leader.election.enable", "unclean.leader.election.enable", boolean, Carried{"false", {}},
     "Kept and shown; there is one node."},
});

static_assert(std::ranges::is_sorted(kKeys, {}, &ConfigKey::name));

std::string_view type_name(ConfigType type) {
  switch (type) {
    case boolean:
      return "BOOLEAN";
    case string:
      return "STRING";
    case int32:
      return "INT";
    case int64:
      return "LONG";
    case float64:
      return "DOUBLE";
    case list:
      return "LIST";
  }
  return "STRING";
}

// org.apache.kafka.common.config.ConfigException says it in these words.
std::unexpected<Error> refuse(const ConfigKey& key, std::string_view value, std::string_view reason) {
  return fail(ErrorCode::invalid_argument, "",
              fmt::format("Invalid value {} for configuration {}: {}", value, key.name, reason));
}

Result<void> check_range(const ConfigKey& key, std::string_view text, double value, std::optional<std::int64_t> min,
                         std::optional<std::int64_t> max) {
  if (min && value < static_cast<double>(*min)) {
    return refuse(key, text, fmt::format("Value must be at least {}", *min));
  }
  if (max && value > static_cast<double>(*max)) {
    return refuse(key, text, fmt::format("Value must be no more than {}", *max));
  }
  return {};
}

template <class T>
Result<T> parse_number(const ConfigKey& key, std::string_view text) {
  const std::string_view digits = trimmed(text);
  T number{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc{} || end != digits.data() + digits.size()) {
    return refuse(key, text, fmt::format("Not a number of type {}", type_name(key.type)));
  }
  return number;
}

Result<void> apply_to(const ConfigKey& key, const Number& place, LogConfig& config, std::string_view text) {
  if (place.real != nullptr) {
    MR_TRY_ASSIGN(const double number, parse_number<double>(key, text));
    if (!(number == number)) return refuse(key, text, "Not a number of type DOUBLE");
    MR_TRY(check_range(key, text, number, place.min, place.max));
    config.*place.real = number;
    return {};
  }
  std::int64_t number = 0;
  if (key.type == int32) {
    MR_TRY_ASSIGN(number, parse_number<std::int32_t>(key, text));
  } else {
    MR_TRY_ASSIGN(number, parse_number<std::int64_t>(key, text));
  }
  MR_TRY(check_range(key, text, static_cast<double>(number), place.min, place.max));
  if (place.wide != nullptr) {
    config.*place.wide = number;
  } else {
    config.*place.narrow = static_cast<std::int32_t>(number);
  }
  return {};
}

Result<void> apply_to(const ConfigKey& key, const Words& place, LogConfig& config, std::string_view text) {
  std::string_view wrong;
  bool bad = false;
  const auto check = [&](std::string_view word) {
    if (bad || std::ranges::find(place.allowed, word) != place.allowed.end()) return;
    wrong = word;
    bad = true;
  };
  if (key.type == list) {
    for_items(text, check);
  } else {
    check(text);
  }
  if (bad) return refuse(key, wrong, fmt::format("String must be one of: {}", fmt::join(place.allowed, ", ")));
  place.set(config, text);
  return {};
}

Result<void> apply_to(const ConfigKey& key, const Carried& place, LogConfig&, std::string_view text) {
  if (key.type == boolean && text != "true" && text != "false") {
    return refuse(key, text, "Expected value to be either true or false");
  }
  if (key.type != int32 && key.type != int64) return {};
  MR_TRY_ASSIGN(const std::int64_t number, parse_number<std::int64_t>(key, text));
  return check_range(key, text, static_cast<double>(number), place.min, {});
}

}  // namespace

Result<void> ConfigKey::apply(LogConfig& config, std::string_view value) const {
  return std::visit([&](const auto& where) { return apply_to(*this, where, config, value); }, place);
}

std::string ConfigKey::value_in(const LogConfig& config) const {
  if (const auto* number = std::get_if<Number>(&place)) {
    if (number->real != nullptr) {
      const double value = config.*number->real;
      return value == static_cast<double>(static_cast<int>(value)) ? fmt::format("{:.1f}", value)
                                                                   : fmt::format("{}", value);
    }
    return std::to_string(number->wide != nullptr ? config.*number->wide : config.*number->narrow);
  }
  if (const auto* words = std::get_if<Words>(&place)) return words->get(config);
  return std::string(std::get<Carried>(place).value);
}

std::span<const ConfigKey> config_keys() {
  return kKeys;
}

const ConfigKey* find_config_key(std::string_view name) {
  const auto* const at = std::ranges::lower_bound(kKeys, name, {}, &ConfigKey::name);
  return at != kKeys.end() && at->name == name ? at : nullptr;
}

}  // namespace millrace::topics
