// The formats on disk, pinned: fixed inputs must give exactly the bytes under tests/golden/storage, and those bytes
// must read back. MILLRACE_UPDATE_GOLDEN=1 writes them anew: only together with a new format version.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "storage/checkpoint_file.h"
#include "storage/format_file.h"
#include "storage/journal_format.h"
#include "storage/segment.h"
#include "storage/testing/log_on_disk.h"

namespace millrace::storage {
namespace {

std::string golden_path(const std::string& name) {
  return std::string(MILLRACE_SOURCE_DIR) + "/tests/golden/storage/" + name;
}

std::string expect_golden(const std::string& name, ByteView bytes) {
  if (std::getenv("MILLRACE_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(golden_path(name), std::ios::binary) << as_text(bytes);
  }
  std::ifstream in(golden_path(name), std::ios::binary);
  std::string golden((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  EXPECT_FALSE(golden.empty()) << name << " is missing";
  EXPECT_EQ(golden.size(), bytes.size()) << name;
  const auto difference = std::ranges::mismatch(golden, as_text(bytes)).in1 - golden.begin();
  EXPECT_TRUE(as_text(bytes) == golden) << name << " differs at byte " << difference;
  return golden;
}

PartitionSpec spec() {
  PartitionSpec spec{{"bus", PartitionIndex(1)}, Uuid::from_random(0x0123456789ABCDEF, 0x0011223344556677), {}, "p=1"};
  spec.config.retention_ms = 172'800'000;
  spec.config.compact = true;
  return spec;
}

SharedBytes batch(std::int64_t base, std::int32_t sequence) {
  SharedBytes bytes = batch_of({"speed 41", "speed 43"}, 1'700'000'000'000 + base, ProducerId(7), 0, sequence);
  patch_base_offset({bytes.mutable_data(), bytes.size()}, Offset(base), LeaderEpoch(0));
  return bytes;
}

TEST(Golden, JournalGroup) {
  const SharedBytes payload = batch(5, 0);
  GroupEncoder encoder;
  encoder.clear();
  encoder.add(CreateEntry{PartitionId(3), spec()});
  encoder.add(ConfigureEntry{PartitionId(3), spec().config, "p=2"});
  encoder.add(TrimEntry{PartitionId(3), Offset(4)});
  encoder.add(DeleteEntry{PartitionId(2)});
  encoder.add(ProducerIdsEntry{ProducerId(2000)});
  encoder.add(AppendEntry{PartitionId(3), Offset(5), static_cast<std::uint32_t>(payload.size()),
                          compute_batch_crc(payload.view())});
  Buffer group;
  group.append(encoder.finish(0xA5A5'0000'1111'2222, Generation(9), GroupSequence(77), 1'700'000'000'123));
  group.append(payload.view());
  while (group.size() < encoder.total_bytes()) group.push_back(0);
  const std::string golden = expect_golden("group.journal", group.view());

  const ByteView bytes = as_bytes(golden);
  const auto header = parse_group_header(bytes, bytes.size());
  ASSERT_TRUE(header) << header.error().message();
  EXPECT_EQ(header->total_bytes(), 4096U);
  EXPECT_EQ(header->sequence, GroupSequence(77));
  ASSERT_TRUE(group_crc_matches(*header, bytes));
  const auto entries = parse_group_table(*header, bytes.subspan(kGroupHeaderSize, header->table_bytes));
  ASSERT_TRUE(entries) << entries.error().message();
  ASSERT_EQ(entries->size(), 6U);
  EXPECT_EQ(std::get<CreateEntry>((*entries)[0]).spec.name, spec().name);
  EXPECT_EQ(std::get<CreateEntry>((*entries)[0]).spec.config, spec().config);
  EXPECT_EQ(std::get<ConfigureEntry>((*entries)[1]).properties, "p=2");
  EXPECT_EQ(std::get<TrimEntry>((*entries)[2]).log_start, Offset(4));
  EXPECT_EQ(std::get<DeleteEntry>((*entries)[3]).partition, PartitionId(2));
  EXPECT_EQ(std::get<ProducerIdsEntry>((*entries)[4]).next, ProducerId(2000));
  const auto& append = std::get<AppendEntry>((*entries)[5]);
  EXPECT_TRUE(check_batch(append, bytes.subspan(kGroupHeaderSize + header->table_bytes, append.size)));
}

TEST(Golden, Checkpoint) {
  Checkpoint checkpoint;
  checkpoint.clean = true;
  checkpoint.replay_from = {Generation(9), 8192, GroupSequence(78)};
  checkpoint.next_partition = PartitionId(4);
  checkpoint.next_producer = ProducerId(2000);
  PartitionCheckpoint partition;
  partition.id = PartitionId(3);
  partition.spec = spec();
  partition.log_start = Offset(4);
  partition.next = Offset(7);
  SegmentState segment;
  segment.base = Offset(0);
  segment.next = Offset(7);
  segment.size = 500;
  segment.index_entries = 2;
  segment.time_entries = 1;
  segment.max_timestamp = 1'700'000'000'006;
  segment.max_timestamp_offset = Offset(6);
  segment.last_time_entry = 1'700'000'000'002;
  segment.created_ms = 1'700'000'000'000;
  segment.last_append_ms = 1'700'000'000'100;
  segment.bytes_since_index = 90;
  partition.segments.push_back(segment);
  partition.producers.apply(*parse_batch_header(batch(5, 0).view()), 1'700'000'000'123);
  checkpoint.partitions.push_back(std::move(partition));
  const std::string golden = expect_golden("checkpoint", encode_checkpoint(checkpoint).view());

  const auto read = parse_checkpoint(as_bytes(golden));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_TRUE(read->clean);
  EXPECT_EQ(read->replay_from.sequence, GroupSequence(78));
  ASSERT_EQ(read->partitions.size(), 1U);
  EXPECT_EQ(read->partitions[0].segments.at(0), segment);
  ASSERT_NE(read->partitions[0].producers.find(ProducerId(7)), nullptr);
  EXPECT_EQ(read->partitions[0].producers.find(ProducerId(7))->newest().base_offset(), Offset(5));
}

TEST(Golden, FormatFile) {
  const DirectoryFormat format{Uuid::from_random(0x0123456789ABCDEF, 0x0011223344556677), 0xA5A5'0000'1111'2222};
  const std::string golden = expect_golden("format", as_bytes(encode_format(format)));
  const auto read = parse_format(golden);
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->cluster_id, format.cluster_id);
  EXPECT_EQ(read->salt, format.salt);
}

TEST(Golden, SegmentFiles) {
  LogOnDisk disk;
  const Offset base(1000);
  Segment segment(disk.files(), "s", base);
  ASSERT_TRUE(disk.files().make_directory("s"));
  SegmentState state;
  state.base = base;
  state.next = base;
  std::vector<StoredBatch> batches;
  ProducerTable producers;
  for (int i = 0; i < 4; ++i) {
    const SharedBytes bytes = batch(1000 + 2 * i, 2 * i);
    const auto header = parse_batch_header(bytes.view());
    producers.apply(*header, 0);
    batches.push_back(
        {bytes, header->base_offset, header->last_offset(), header->max_timestamp, header->base_timestamp});
  }
  io::BlockBuffer blocks;
  const Segment::AppendRules rules{
      .index_interval = 100, .segment_limit = 1'000'000, .now_ms = 1'700'000'000'000, .direct_bytes = 1_MiB};
  const auto appended = segment.append(state, batches, rules, blocks);
  ASSERT_TRUE(appended);
  const auto written = segment.seal(appended->state);
  ASSERT_TRUE(written);
  const auto content = [&](const char* extension) {
    const auto file = disk.files().open(segment.path(extension), io::OpenMode::read_only);
    Buffer bytes;
    bytes.resize(static_cast<std::size_t>(*(*file)->size()));
    EXPECT_EQ(*(*file)->read_at(0, {bytes.data(), bytes.size()}), bytes.size());
    return bytes;
  };
  for (const char* extension : {".log", ".index", ".timeindex"}) {
    expect_golden(segment_file_name(base, extension), content(extension).view());
  }
  expect_golden(segment_file_name(Offset(1008), ".snapshot"), producers.kafka_snapshot().view());
  const auto read = segment.read(*written, Offset(1005), 1, false);
  ASSERT_TRUE(read) << read.error().message();
  ASSERT_EQ(read->batches.size(), 1U);
  EXPECT_EQ(parse_batch_header(read->batches.front().view())->base_offset, Offset(1004));
}

}  // namespace
}  // namespace millrace::storage
