#include "load/replay_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "codec/compression.h"
#include "load/kafka_connection.h"
#include "model/record_batch.h"
#include "model/record_reader.h"

namespace millrace::load {
namespace {

constexpr std::int32_t kFetchBytes = 4 << 20;
constexpr std::size_t kLargestBatch = 256_MiB;
constexpr std::size_t kExamples = 5;

Result<void> see_batch(std::string_view topic, std::int32_t partition, const BatchHeader& header, ByteView batch,
                       ReplayCheck& check, std::uint64_t& records) {
  if (!batch_crc_matches(batch)) {
    return fail(ErrorCode::corrupt, "a record batch fails its checksum",
                fmt::format("{}-{} offset {}", topic, partition, header.base_offset.value()));
  }
  ByteView body = batch.subspan(kBatchHeaderSize);
  Buffer plain;
  if (header.compression() != Compression::none) {
    MR_TRY(decompress(static_cast<CompressionCodec>(header.compression()), body, kLargestBatch, plain));
    body = plain.view();
  }
  RecordReader reader(header, body);
  while (!reader.done()) {
    MR_TRY_ASSIGN(const ReadRecord read, reader.next());
    const auto text = [](const std::optional<ByteView>& bytes) { return bytes ? as_text(*bytes) : std::string_view(); };
    check.see(topic, partition, text(read.record.key), text(read.record.value));
    ++records;
  }
  return reader.finish();
}

}  // namespace

std::string_view find_member(std::string_view json, std::string_view name) {
  // A quote inside a JSON string is escaped, so "name" with both quotes can only be a whole string; a colon makes it a
  // member.
  for (std::size_t at = json.find(name); at != std::string_view::npos; at = json.find(name, at + 1)) {
    std::size_t from = at + name.size();
    if (at == 0 || json[at - 1] != '"' || from >= json.size() || json[from] != '"') continue;
    from = json.find_first_not_of(" \t\r\n", from + 1);
    if (from == std::string_view::npos || json[from] != ':') continue;
    from = json.find_first_not_of(" \t\r\n", from + 1);
    if (from == std::string_view::npos) return {};
    if (json[from] == '"') return json.substr(from + 1, json.find('"', from + 1) - from - 1);
    return json.substr(from, json.find_first_of(",} \t\r\n", from) - from);
  }
  return {};
}

ReplayCheck::ReplayCheck(const ReplayScript& script, std::vector<std::uint64_t> resent_by_device)
    : script_(script), resent_(std::move(resent_by_device)), devices_(script.devices().size()) {
  for (std::size_t i = 0; i < script.devices().size(); ++i) {
    by_name_.emplace(script.devices()[i].name, i);
    devices_[i].seen.resize(script.devices()[i].events.size());
  }
}

void ReplayCheck::example(std::string text) {
  if (found_.examples.size() < kExamples) found_.examples.push_back(std::move(text));
}

void ReplayCheck::see(std::string_view topic, std::int32_t partition, std::string_view key, std::string_view value) {
  if (find_member(value, "replay_run") != script_.run()) return;
  const std::string_view name = find_member(value, "device_no");
  const std::string_view digits = find_member(value, "replay_seq");
  std::uint64_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const auto known = by_name_.find(name);
  if (known == by_name_.end() || number == 0 || number > devices_[known->second].seen.size()) {
    ++found_.strangers;
    example(fmt::format("{}-{}: device '{}' message {} was never played", topic, partition, name, digits));
    return;
  }
  if (!key.empty() && key != name) {
    ++found_.wrong_key;
    example(fmt::format("{}-{}: device '{}' message {} has the key '{}'", topic, partition, name, number, key));
  }
  Device& device = devices_[known->second];
  auto track = device.topics.find(topic);
  if (track == device.topics.end()) track = device.topics.emplace(std::string(topic), Track{}).first;
  if (track->second.partition < 0) track->second.partition = partition;
  if (track->second.partition != partition && !track->second.moved) {
    track->second.moved = true;
    ++found_.moved;
    example(
        fmt::format("device '{}' is in partitions {} and {} of {}", name, track->second.partition, partition, topic));
  }
  if (device.seen[number - 1]) {
    ++device.copies;
    return;
  }
  device.seen[number - 1] = true;
  ++found_.found;
  if (number < track->second.highest) {
    ++found_.out_of_order;
    example(fmt::format("{}-{}: device '{}' message {} comes after {}", topic, partition, name, number,
                        track->second.highest));
  } else {
    track->second.highest = number;
  }
}

ReplayCheck::Findings ReplayCheck::findings() const {
  Findings result = found_;
  result.expected = script_.events();
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    const Device& device = devices_[i];
    const std::uint64_t explained = std::min(device.copies, resent_.empty() ? 0 : resent_[i]);
    result.duplicates += explained;
    result.unexplained += device.copies - explained;
    const auto hole = std::ranges::find(device.seen, false);
    if (hole == device.seen.end()) continue;
    result.missing += static_cast<std::uint64_t>(std::ranges::count(device.seen, false));
    if (result.examples.size() < kExamples) {
      result.examples.push_back(
          fmt::format("device '{}' message {} is missing", script_.devices()[i].name, hole - device.seen.begin() + 1));
    }
  }
  return result;
}

Result<std::uint64_t> read_topics(const std::string& host, std::int64_t port, const std::vector<std::string>& topics,
                                  ReplayCheck& check) {
  std::uint64_t records = 0;
  MR_TRY_ASSIGN(KafkaConnection any, KafkaConnection::open(host, port));
  std::map<std::int32_t, KafkaConnection> leaders;
  for (const std::string& name : topics) {
    MR_TRY_ASSIGN(const KafkaTopic topic, any.topic(name));
    for (const KafkaPartition& partition : topic.partitions) {
      auto leader = leaders.find(partition.leader);
      if (leader == leaders.end()) {
        const auto broker = std::ranges::find(topic.brokers, partition.leader, &KafkaBroker::id);
        if (broker == topic.brokers.end()) return fail(ErrorCode::unavailable, "a partition has no leader", name);
        MR_TRY_ASSIGN(KafkaConnection opened, KafkaConnection::open(broker->host, broker->port));
        leader = leaders.emplace(partition.leader, std::move(opened)).first;
      }
      KafkaConnection& broker = leader->second;
      MR_TRY_ASSIGN(std::int64_t next, broker.offset(name, partition.index, -2));
      MR_TRY_ASSIGN(const std::int64_t end, broker.offset(name, partition.index, -1));
      std::int32_t max_bytes = kFetchBytes;
      while (next < end) {
        MR_TRY_ASSIGN(ByteView bytes, broker.fetch(name, partition.index, next, max_bytes));
        const std::int64_t before = next;
        while (bytes.size() >= kBatchHeaderSize) {
          MR_TRY_ASSIGN(const BatchHeader header, parse_batch_header(bytes));
          if (header.size_bytes() > bytes.size()) break;  // cut short by max_bytes
          const ByteView batch = bytes.first(header.size_bytes());
          if (!header.control()) MR_TRY(see_batch(name, partition.index, header, batch, check, records));
          next = header.next_offset().value();
          bytes = bytes.subspan(header.size_bytes());
        }
        if (next > before) continue;
        if (max_bytes > static_cast<std::int32_t>(kLargestBatch / 2)) {
          return fail(ErrorCode::unavailable, "Fetch brings nothing",
                      fmt::format("{}-{} offset {} of {}", name, partition.index, next, end));
        }
        max_bytes *= 2;
      }
    }
  }
  return records;
}

}  // namespace millrace::load
