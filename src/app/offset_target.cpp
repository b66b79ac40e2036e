#include "app/offset_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/clock.h"
#include "load/time_text.h"

namespace millrace::app {
namespace {

Result<std::int64_t> number(const Options& options, std::string_view name) {
  const std::string text = options.get(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return fail(ErrorCode::invalid_argument, "", fmt::format("{} is a number, not '{}'", name, text));
  }
  return value;
}

// The time that --to-timestamp, --to-datetime or --by-duration names.
Result<std::int64_t> wanted_time(const Options& options) {
  if (options.has("--to-timestamp")) return number(options, "--to-timestamp");
  if (options.has("--to-datetime")) {
    auto time = load::parse_time_ms(options.get("--to-datetime"));
    if (time) return *time;
    return fail(ErrorCode::invalid_argument, "",
                fmt::format("--to-datetime is like 2026-01-31T08:00:00Z, not '{}'", options.get("--to-datetime")));
  }
  MR_TRY_ASSIGN(const std::int64_t ago, parse_duration_ms(options.get("--by-duration")));
  return SystemClock().wall().count() - ago;
}

std::int64_t committed(const GroupView& group, const TopicPartition& partition, std::int64_t otherwise) {
  const auto row = group.partitions.find(partition);
  return row == group.partitions.end() || row->second.committed < 0 ? otherwise : row->second.committed;
}

}  // namespace

std::vector<OptionRow> offset_target_options() {
  return {{"--to-earliest", "", "reset: to the first record there is"},
          {"--to-latest", "", "reset: behind the last record"},
          {"--to-current", "", "reset: where the group is"},
          {"--to-offset", "N", "reset: to this offset"},
          {"--shift-by", "N", "reset: forwards, or backwards when negative"},
          {"--to-timestamp", "MS", "reset: to the first record that is not older (milliseconds since 1970)"},
          {"--to-datetime", "TIME", "reset: the same, as 2026-01-31T08:00:00Z"},
          {"--by-duration", "PT1H30M", "reset: the same, so long ago"}};
}

Result<std::int64_t> parse_duration_ms(std::string_view text) {
  const auto wrong = [text] {
    return fail(ErrorCode::invalid_argument, "", fmt::format("--by-duration is like P1DT2H30M, not '{}'", text));
  };
  struct Unit {
    char letter;
    bool of_day;  // behind the T
    std::int64_t ms;
  };
  constexpr Unit kUnits[] = {{'D', false, 86'400'000}, {'H', true, 3'600'000}, {'M', true, 60'000}, {'S', true, 1000}};
  constexpr std::int64_t kMost = 1'000'000'000;  // of a unit
  std::string_view rest = text;
  if (!rest.starts_with('P')) return wrong();
  rest.remove_prefix(1);
  std::int64_t total = 0;
  std::size_t next_unit = 0;
  bool in_day = false;
  bool any = false;
  while (!rest.empty()) {
    if (!in_day && rest.front() == 'T') {
      in_day = true;
      any = false;  // a T without anything behind it
      rest.remove_prefix(1);
      continue;
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
    if (error != std::errc{} || end == rest.data() + rest.size() || value < 0 || value > kMost) return wrong();
    const auto* const unit = std::find_if(std::begin(kUnits) + next_unit, std::end(kUnits),
                                          [&](const Unit& one) { return one.letter == *end && one.of_day == in_day; });
    if (unit == std::end(kUnits)) return wrong();
    total += value * unit->ms;
    next_unit = static_cast<std::size_t>(unit - std::begin(kUnits)) + 1;
    any = true;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  }
  if (!any) return wrong();
  return total;
}

Result<std::map<TopicPartition, std::int64_t>> new_offsets(kafka::Client& client, const Options& options,
                                                           const GroupView& group,
                                                           const std::vector<TopicPartition>& partitions) {
  MR_TRY_ASSIGN(const auto first, log_offsets(client, partitions, kEarliest));
  MR_TRY_ASSIGN(const auto last, log_offsets(client, partitions, kLatest));
  std::map<TopicPartition, std::int64_t> target;
  if (options.has("--to-earliest")) {
    target = first;
  } else if (options.has("--to-latest")) {
    target = last;
  } else if (options.has("--to-current")) {
    for (const TopicPartition& partition : partitions)
      target[partition] = committed(group, partition, last.at(partition));
  } else if (options.has("--to-timestamp") || options.has("--to-datetime") || options.has("--by-duration")) {
    MR_TRY_ASSIGN(const std::int64_t time, wanted_time(options));
    MR_TRY_ASSIGN(target, log_offsets(client, partitions, time));
    for (auto& [partition, offset] : target) {
      if (offset < 0) offset = last.at(partition);
    }
  } else if (options.has("--to-offset") || options.has("--shift-by")) {
    const bool shift = options.has("--shift-by");
    MR_TRY_ASSIGN(const std::int64_t value, number(options, shift ? "--shift-by" : "--to-offset"));
    for (const TopicPartition& partition : partitions) {
      target[partition] = shift ? committed(group, partition, first.at(partition)) + value : value;
    }
  } else {
    return fail(ErrorCode::invalid_argument, "",
                "reset needs --to-earliest, --to-latest, --to-current, --to-offset, --shift-by, --to-timestamp, "
                "--to-datetime or --by-duration");
  }
  for (auto& [partition, offset] : target) offset = std::clamp(offset, first.at(partition), last.at(partition));
  return target;
}

}  // namespace millrace::app
