// Compaction of a whole log: what a reader of a compacted topic sees, before, while and after, through crashes at every
// operation.
#include <gtest/gtest.h>

#include <set>

#include "base/log.h"
#include "base/rng.h"
#include "io/fault_injecting_file_system.h"
#include "storage/testing/keyed_batch.h"
#include "storage/testing/log_on_disk.h"
#include "storage/verify.h"

namespace millrace::storage {
namespace {

LogConfig compacted() {
  LogConfig config;
  config.compact = true;
  config.delete_old = false;
  config.segment_bytes = 10'000;
  config.index_interval_bytes = 500;
  config.min_cleanable_dirty_ratio = 0.01;
  config.delete_retention_ms = 3'600'000;
  return config;
}

Result<void> write_all(LogOnDisk& disk) {
  disk.clock.advance(std::chrono::seconds(2));
  for (;;) {
    MR_TRY_ASSIGN(const bool more, disk.log->write_behind());
    if (!more) return {};
  }
}

// Everything that can be compacted is, and stands under its own name.
Result<void> compact_all(LogOnDisk& disk) {
  MR_TRY(write_all(disk));
  // A round that finds nothing may only have waited for a checkpoint that knows the names.
  for (int round = 0, idle = 0; round < 100; ++round) {
    disk.clock.advance(disk.options.compaction_interval);
    bool any = false;
    for (;;) {
      MR_TRY_ASSIGN(const bool more, disk.log->compact());
      if (!more) break;
      any = true;
    }
    idle = any ? 0 : idle + 1;
    MR_TRY(disk.log->checkpoint());
    if (idle == 2) return {};
  }
  return fail(ErrorCode::internal, "compaction does not come to an end");
}

class Table {
 public:
  // One batch of up to four records of a few keys.
  std::vector<Keyed> next() {
    std::vector<Keyed> records;
    for (std::uint64_t i = 0; i <= rng_.below(4); ++i) {
      Keyed record{"key " + std::to_string(rng_.below(40)), std::nullopt};
      if (!rng_.chance(1, 6)) record.value = "value " + std::to_string(++values_) + std::string(rng_.below(200), 'v');
      records.push_back(std::move(record));
    }
    return records;
  }
  void apply(const std::vector<Keyed>& records) {
    for (const Keyed& record : records) {
      if (record.value) {
        content[record.key] = *record.value;
      } else {
        content.erase(record.key);
      }
    }
  }
  std::map<std::string, std::string> content;

 private:
  Rng rng_{5};
  int values_ = 0;
};

void append_many(LogOnDisk& disk, Table& table, int batches) {
  for (int i = 0; i < batches; ++i) {
    const auto records = table.next();
    const auto codec = static_cast<CompressionCodec>(i % 5);
    const auto done =
        disk.append(*disk.find("t"), keyed_batch(records, {.timestamp_ms = disk.clock.wall().count(), .codec = codec}));
    ASSERT_TRUE(done) << done.error().message();
    table.apply(records);
    disk.clock.advance(std::chrono::milliseconds(20));
    if (i % 10 == 0) {
      ASSERT_TRUE(disk.log->write_behind());
    }
    if (i % 50 == 0) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
  }
}

void expect_sound(LogOnDisk& disk) {
  const auto report = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(report) << report.error().message();
  for (const Damage& damage : report->damage)
    ADD_FAILURE() << damage.file << " at " << damage.position << ": " << damage.what;
  for (const std::string& remark : report->remarks)
    EXPECT_EQ(remark.find("belongs to no"), std::string::npos) << remark;
}

TEST(Compaction, TheLastValueOfEveryKeyIsKeptThroughRestarts) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 1;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t", 0, compacted()));
  Table table;
  for (int round = 0; round < 4; ++round) {
    append_many(disk, table, 300);
    ASSERT_TRUE(write_all(disk));
    const std::uint64_t before = disk.find("t")->size_bytes();
    const auto done = compact_all(disk);
    ASSERT_TRUE(done) << done.error().message();
    EXPECT_LT(disk.find("t")->size_bytes(), before / 2);
    EXPECT_EQ(table_of(keyed_records(*disk.find("t"))), table.content);
    EXPECT_EQ(table_of(keyed_records(*disk.find("t"), 1)), table.content);
    if (round % 2 == 0) {
      disk.crash();
    } else {
      ASSERT_TRUE(disk.stop());
      expect_sound(disk);
    }
    const auto opened = disk.open();
    ASSERT_TRUE(opened) << opened.error().message();
    EXPECT_EQ(table_of(keyed_records(*disk.find("t"))), table.content);
  }
}

TEST(Compaction, EveryOffsetLeadsToTheNextRecordThatIsLeft) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 1;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t", 0, compacted()));
  Table table;
  append_many(disk, table, 400);
  ASSERT_TRUE(compact_all(disk));
  const auto partition = disk.find("t");
  const auto records = keyed_records(*partition);
  std::set<Offset> left;
  for (const KeyedRecord& record : records) left.insert(record.offset);
  ASSERT_LT(static_cast<std::int64_t>(left.size()), partition->high_watermark().value() / 2);
  for (Offset from(0); from < partition->high_watermark(); ++from) {
    const auto read = partition->read(from, 1);
    ASSERT_TRUE(read && !read->batches.empty()) << from.value();
    const auto expected = left.lower_bound(from);
    std::optional<Offset> found;
    Offset next = from;
    while (!found && next < partition->high_watermark()) {
      const auto batch = partition->read(next, 1);
      ASSERT_TRUE(batch);
      for (const KeyedRecord& record : records_of(batch->batches.front().view())) {
        if (record.offset >= from && !found) found = record.offset;
      }
      next = parse_batch_header(batch->batches.front().view())->next_offset();
    }
    EXPECT_EQ(found, expected == left.end() ? std::nullopt : std::optional(*expected));
  }
  for (const KeyedRecord& record : records) {
    const auto at = partition->find_timestamp(record.timestamp_ms);
    ASSERT_TRUE(at && *at) << record.timestamp_ms;
    EXPECT_GE((*at)->timestamp_ms, record.timestamp_ms);
    EXPECT_TRUE(left.contains((*at)->offset));
  }
}

TEST(Compaction, LittleMemoryTakesMoreRoundsAndComesToTheSame) {
  LogOnDisk disk;
  disk.options.compaction_memory_bytes = 40'000;  // the table of places alone takes 16 KiB
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t", 0, compacted()));
  std::map<std::string, std::string> content;
  for (int i = 0; i < 3'000; ++i) {
    const Keyed record{"key " + std::to_string(i * 7 % 1'500), "value " + std::to_string(i)};
    ASSERT_TRUE(disk.append(*disk.find("t"), keyed_batch({record})));
    content[record.key] = *record.value;
    if (i % 50 == 0) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
  }
  const auto done = compact_all(disk);
  ASSERT_TRUE(done) << done.error().message();
  const auto records = keyed_records(*disk.find("t"));
  EXPECT_EQ(table_of(records), content);
  EXPECT_LT(records.size(), 1'700U);  // the newest segment is not compacted
  EXPECT_EQ(disk.metrics.prometheus_text().find("millrace_storage_compactions_total 1\n"), std::string::npos);
}

TEST(Compaction, DeletedKeysAreGoneInTheEnd) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 1;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t", 0, compacted()));
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(disk.append(*disk.find("t"), keyed_batch({{"k" + std::to_string(i), std::string(300, 'v')}})));
  }
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(disk.append(*disk.find("t"), keyed_batch({{"k" + std::to_string(i), std::nullopt}})));
  }
  const auto fill = [&] {  // so that what came before is closed
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(disk.append(*disk.find("t"), keyed_batch({{"other", std::string(300, 'o')}})));
    }
  };
  fill();
  ASSERT_TRUE(compact_all(disk));
  const auto tombstones = [&] {
    int count = 0;
    for (const KeyedRecord& record : keyed_records(*disk.find("t"))) count += record.record.value ? 0 : 1;
    return count;
  };
  EXPECT_EQ(tombstones(), 50);
  EXPECT_EQ(table_of(keyed_records(*disk.find("t"))).size(), 1U);
  ASSERT_TRUE(disk.stop());
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(compact_all(disk));
  EXPECT_EQ(tombstones(), 50);
  disk.clock.advance(std::chrono::minutes(61));
  ASSERT_TRUE(compact_all(disk));  // nothing new came: their time is over all the same
  EXPECT_EQ(tombstones(), 0);
  EXPECT_EQ(table_of(keyed_records(*disk.find("t"))).size(), 1U);
  ASSERT_TRUE(disk.stop());
  expect_sound(disk);
}

TEST(Compaction, LagAndPolicyAreObeyed) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 1;
  ASSERT_TRUE(disk.open());
  LogConfig config = compacted();
  config.min_compaction_lag_ms = 3'600'000;
  ASSERT_TRUE(disk.create("t", 0, config));
  ASSERT_TRUE(disk.create("plain", 0, LogConfig{.segment_bytes = 10'000}));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(disk.append(*disk.find("t"), keyed_batch({{"k", std::string(300, 'v')}})));
    // Dated ahead: that does not count as young.
    ASSERT_TRUE(disk.append(*disk.find("plain"), keyed_batch({{"k", std::string(300, 'v')}})));
  }
  ASSERT_TRUE(compact_all(disk));
  EXPECT_EQ(keyed_records(*disk.find("t")).size(), 100U);
  disk.clock.advance(std::chrono::hours(1));
  ASSERT_TRUE(compact_all(disk));
  EXPECT_LT(keyed_records(*disk.find("t")).size(), 50U);
  EXPECT_EQ(keyed_records(*disk.find("plain")).size(), 100U);
}

TEST(Compaction, ProducersAreKnownAfterItAndAfterARestart) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 1;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t", 0, compacted()));
  const auto from = [](std::int32_t sequence) {
    return keyed_batch({{"k", std::string(300, 'v')}}, {.producer = ProducerId(7), .sequence = sequence});
  };
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(disk.append(*disk.find("t"), from(i)));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(disk.append(*disk.find("t"), keyed_batch({{"k", std::string(300, 'w')}})));
  ASSERT_TRUE(compact_all(disk));
  EXPECT_LT(keyed_records(*disk.find("t")).size(), 100U);
  // Its last batch is there, without a record.
  bool empty_batch = false;
  for (Offset at(0); at < Offset(100);) {
    const auto read = disk.find("t")->read(at, 1);
    ASSERT_TRUE(read);
    const auto header = parse_batch_header(read->batches.front().view());
    empty_batch = empty_batch || (header->producer_id == ProducerId(7) && header->record_count == 0);
    at = header->next_offset();
  }
  EXPECT_TRUE(empty_batch);
  disk.crash();
  ASSERT_TRUE(disk.open());
  EXPECT_TRUE(disk.append(*disk.find("t"), from(99))->duplicate);
  EXPECT_EQ(disk.append(*disk.find("t"), from(120)).error().code, ErrorCode::out_of_order);
  EXPECT_FALSE(disk.append(*disk.find("t"), from(100))->duplicate);
}

TEST(Compaction, DamageIsLeftWhereItIsAndSaid) {
  log::set_level(log::Level::off);
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 1;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t", 0, compacted()));
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(disk.append(*disk.find("t"), keyed_batch({{"k", std::string(300, 'v')}})));
  }
  ASSERT_TRUE(write_all(disk));
  ASSERT_TRUE(disk.log->checkpoint());
  const auto file = disk.files().open("topics/t-0/00000000000000000000.log", io::OpenMode::read_write);
  ASSERT_TRUE(file);
  const std::uint8_t wrong = 0x5A;
  ASSERT_TRUE((*file)->write_at(1'000, ByteView(&wrong, 1)));
  ASSERT_TRUE(compact_all(disk));
  EXPECT_NE(disk.metrics.prometheus_text().find("millrace_storage_uncompactable_partitions 1"), std::string::npos);
  EXPECT_EQ(disk.find("t")->read(Offset(2), 1).error().code, ErrorCode::corrupt);
}

TEST(Compaction, AReaderInTheMiddleIsNotDisturbed) {
  LogOnDisk disk;
  disk.options.tail_memory_bytes = 1;
  ASSERT_TRUE(disk.open());
  ASSERT_TRUE(disk.create("t", 0, compacted()));
  Table table;
  append_many(disk, table, 300);
  ASSERT_TRUE(write_all(disk));
  const auto partition = disk.find("t");
  std::map<std::string, std::string> seen;
  Offset next(0);
  bool working = true;
  // One read between any two steps: each goes on where the one before ended.
  while (next < partition->high_watermark()) {
    const auto read = partition->read(next, 1);
    ASSERT_TRUE(read) << read.error().message();
    for (const KeyedRecord& record : records_of(read->batches.front().view())) {
      if (record.record.value) {
        seen[record.record.key] = *record.record.value;
      } else {
        seen.erase(record.record.key);
      }
    }
    next = parse_batch_header(read->batches.front().view())->next_offset();
    disk.clock.advance(std::chrono::seconds(20));
    const auto more = disk.log->compact();
    ASSERT_TRUE(more);
    if (working && !*more) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
    working = *more;
  }
  EXPECT_TRUE(seen == table.content);
}

// Every operation of a run with compaction fails in turn; afterwards the last value of every key is there.
TEST(Compaction, NoFailureLosesAValue) {
  log::set_level(log::Level::off);
  struct Kind {
    const char* name;
    io::Fault fault;
  };
  const Kind kinds[] = {{"EIO", {.error = ErrorCode::io_error, .torn_bytes = 700}},
                        {"ENOSPC", {.error = ErrorCode::disk_full, .torn_bytes = 300}}};
  for (const Kind& kind : kinds) {
    std::uint64_t total = 0;
    int died = 0;
    for (std::uint64_t n = 0; n <= total; ++n) {
      LogOnDisk disk;
      io::FaultInjectingFileSystem faults(disk.files());
      LogOnDisk faulty(faults);
      faulty.options.tail_memory_bytes = 1;
      io::Fault fault = kind.fault;
      fault.nth = n == 0 ? io::Fault::kForever : n;
      faults.plan(fault);
      Table table;
      std::map<std::string, std::string> with_doubt;
      const auto run = [&]() -> Result<void> {
        MR_TRY(faulty.open());
        MR_TRY(faulty.create("t", 0, compacted()));
        for (int round = 0; round < 3; ++round) {
          for (int i = 0; i < 25; ++i) {
            const auto records = table.next();
            with_doubt = table.content;
            Table after;
            after.content = table.content;
            after.apply(records);
            with_doubt = after.content;
            MR_TRY(faulty.append(*faulty.find("t"), keyed_batch(records)));
            table.apply(records);
          }
          MR_TRY(compact_all(faulty));
        }
        return faulty.stop();
      };
      const auto done = run();
      if (n == 0) {
        ASSERT_TRUE(done) << done.error().message();
        total = faults.count(fault.kinds);
      }
      died += done ? 0 : 1;
      faulty.crash();
      faults.clear_plan();
      const auto opened = disk.open();
      ASSERT_TRUE(opened) << kind.name << " at " << n << ": " << opened.error().message();
      if (!disk.find("t")) {
        ASSERT_TRUE(table.content.empty());
        continue;
      }
      const auto found = table_of(keyed_records(*disk.find("t")));
      ASSERT_TRUE(!HasFailure() && (found == table.content || found == with_doubt))
          << kind.name << " at operation " << n << " of " << total << (done ? "" : ": " + done.error().message());
      ASSERT_TRUE(compact_all(disk));
      ASSERT_EQ(table_of(keyed_records(*disk.find("t"))), found) << kind.name << " at operation " << n;
      ASSERT_TRUE(disk.stop());
      expect_sound(disk);
      if (HasFailure()) FAIL() << kind.name << " at operation " << n;
    }
    std::printf("%s: %llu operations failed in turn, %d times the log stopped\n", kind.name,
                static_cast<unsigned long long>(total), died);
  }
}

// What is left of a producer's batches are batches without records, each in a segment of its own until they are joined.
TEST(Compaction, AReaderOfBatchesWithoutRecordsGetsRecordsToo) {
  LogOnDisk disk;
  disk.options.compaction_interval = std::chrono::milliseconds(0);
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.compact = true;
  config.segment_bytes = 100;  // one batch each
  config.min_cleanable_dirty_ratio = 0.01;
  ASSERT_TRUE(disk.create("t", 0, config));
  const auto partition = disk.find("t");
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(disk.append(*partition,
                            keyed_batch({{"k", "v" + std::to_string(i)}}, {.producer = ProducerId(i), .sequence = 0})));
  }
  ASSERT_TRUE(disk.log->checkpoint());
  for (bool more = true; more;) {
    const auto done = disk.log->compact();
    ASSERT_TRUE(done);
    more = *done;
  }
  for (const bool as_file : {false, true}) {
    const auto read = as_file ? partition->read_file(Offset(0), 100) : partition->read(Offset(0), 100);
    ASSERT_TRUE(read);
    ASSERT_FALSE(read->batches.empty());
    EXPECT_EQ(parse_batch_header(read->batches.front().view())->base_offset, Offset(0));
    EXPECT_GT(parse_batch_header(read->batches.back().view())->record_count, 0);
    Offset next(0);
    for (const SharedBytes& batch : read->batches) {
      const auto header = parse_batch_header(batch.view());
      EXPECT_EQ(header->base_offset, next);
      next = header->next_offset();
    }
  }
}

}  // namespace
}  // namespace millrace::storage
