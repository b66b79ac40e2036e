// The files that Apache Kafka's own tools must be able to read: a directory with everything that ends up in segments,
// and, where KAFKA_CLASSPATH names Kafka's jars, their judgement of it (tests/kafka_dump_log).
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/endian.h"
#include "base/rng.h"
#include "codec/compression.h"
#include "storage/testing/keyed_batch.h"
#include "storage/testing/log_on_disk.h"
#include "storage/verify.h"

namespace millrace::storage {
namespace {

SharedBytes compressed(const SharedBytes& plain, CompressionCodec codec) {
  Buffer bytes;
  bytes.append(plain.view().first(kBatchHeaderSize));
  EXPECT_TRUE(compress(codec, plain.view().subspan(kBatchHeaderSize), bytes));
  store_be(bytes.data() + 8, static_cast<std::int32_t>(bytes.size() - kBatchOverhead));
  store_be(bytes.data() + 21, static_cast<std::int16_t>(codec));
  store_be(bytes.data() + 17, compute_batch_crc(bytes.view()));
  return SharedBytes(std::move(bytes));
}

// Many small segments, timestamps that go back and forth, producers, all codecs, a LogAppendTime topic.
void fill(LogOnDisk& disk) {
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.segment_bytes = 30'000;
  config.index_interval_bytes = 1'000;
  LogConfig stamped = config;
  stamped.log_append_time = true;
  ASSERT_TRUE(disk.create("plain", 0, config));
  ASSERT_TRUE(disk.create("stamped", 3, stamped));
  Rng rng(11);
  const std::int64_t now = disk.clock.wall().count();
  for (int i = 0; i < 600; ++i) {
    std::vector<std::string> values;
    for (std::uint64_t n = 0; n <= rng.below(5); ++n) values.push_back(std::string(20 + rng.below(300), 'v'));
    const std::int64_t at = now + i * 10 - static_cast<std::int64_t>(rng.below(5'000));
    const int codec = i % 5;
    SharedBytes batch = batch_of(values, at);
    if (codec != 0) batch = compressed(batch, static_cast<CompressionCodec>(codec));
    const auto appended = disk.append(*disk.find("plain"), batch);
    ASSERT_TRUE(appended) << appended.error().message();
    ASSERT_TRUE(
        disk.append(*disk.find("stamped", 3), batch_of(values, at, ProducerId(100 + i % 3), 0, i / 3)).has_value() ||
        i > 2);
    disk.clock.advance(std::chrono::milliseconds(7));
    ASSERT_TRUE(disk.log->write_behind());
    if (i % 100 == 99) {
      ASSERT_TRUE(disk.log->checkpoint());
    }
    if (i == 333) {
      disk.crash();
      ASSERT_TRUE(disk.open());
    }
  }
  ASSERT_TRUE(disk.stop());
}

TEST(KafkaFiles, ApacheKafkasToolReadsEveryFile) {
  LogOnDisk disk;
  fill(disk);
  const auto report = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(report);
  for (const Damage& damage : report->damage)
    ADD_FAILURE() << damage.file << " at " << damage.position << ": " << damage.what;
  EXPECT_GT(report->segments, 8U);
  if (std::getenv("KAFKA_CLASSPATH") == nullptr) GTEST_SKIP() << "KAFKA_CLASSPATH is not set";
  const std::string command = std::string(MILLRACE_SOURCE_DIR) + "/tests/kafka_dump_log " + disk.path();
  EXPECT_EQ(std::system(command.c_str()), 0);
  // The check itself must be able to fail: one wrong byte in an index entry.
  const auto index = disk.files().open("topics/plain-0/00000000000000000000.index", io::OpenMode::read_write);
  ASSERT_TRUE(index);
  const std::uint8_t wrong = 0x5A;
  ASSERT_TRUE((*index)->write_at(3, ByteView(&wrong, 1)));
  EXPECT_NE(std::system(command.c_str()), 0);
}

// Compacted segments too: batches with records missing, batches without any, tombstones with their hour, all codecs.
TEST(KafkaFiles, ApacheKafkasToolReadsCompactedFiles) {
  LogOnDisk disk;
  ASSERT_TRUE(disk.open());
  LogConfig config;
  config.compact = true;
  config.segment_bytes = 30'000;
  config.index_interval_bytes = 500;
  ASSERT_TRUE(disk.create("table", 0, config));
  Rng rng(12);
  for (int i = 0; i < 900; ++i) {
    std::vector<Keyed> records;
    for (std::uint64_t n = 0; n <= rng.below(4); ++n) {
      records.push_back({"key " + std::to_string(rng.below(200)), std::nullopt});
      if (!rng.chance(1, 8)) records.back().value = std::string(20 + rng.below(200), 'v');
    }
    KeyedBatch form{.timestamp_ms = disk.clock.wall().count(), .codec = static_cast<CompressionCodec>(i % 5)};
    if (i < 300) form.producer = ProducerId(i);
    if (i < 300) form.sequence = 0;
    ASSERT_TRUE(disk.append(*disk.find("table"), keyed_batch(records, form)));
    disk.clock.advance(std::chrono::milliseconds(7));
    ASSERT_TRUE(disk.log->write_behind());
    if (i % 100 != 99) continue;
    disk.clock.advance(std::chrono::seconds(20));
    for (bool more = true; more;) {
      const auto step = disk.log->compact();
      ASSERT_TRUE(step);
      more = *step;
    }
    ASSERT_TRUE(disk.log->checkpoint());
    ASSERT_TRUE(disk.log->checkpoint());
  }
  ASSERT_TRUE(disk.stop());
  EXPECT_NE(disk.metrics.prometheus_text().find("millrace_storage_compactions_total"), std::string::npos);
  const auto report = verify_directory(disk.files(), {.deep = true});
  ASSERT_TRUE(report && report->good());
  if (std::getenv("KAFKA_CLASSPATH") == nullptr) GTEST_SKIP() << "KAFKA_CLASSPATH is not set";
  const std::string command = "COMPACTED=/table-0/ " MILLRACE_SOURCE_DIR "/tests/kafka_dump_log " + disk.path();
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace millrace::storage
